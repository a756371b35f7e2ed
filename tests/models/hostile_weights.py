"""Ways to spoil a model's weights, and checkpoints of ours."""

import json
import os
import pickle
import struct
import tempfile
import warnings
import zipfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from streetclip.models.checkpoints import build_payload
from streetclip.models.loading import load_encoder
from tests.models.hostile_files import CONFIG, DEEP_OBJECT, KINDS, edit, kind


def spoil_weights(folder, change):
    """Change weights in place."""
    state = torch_state(folder)
    change(state)
    save_file(state, folder / "model.safetensors", {"format": "pt"})


@kind
def weights_of_nan(folder):
    spoil_weights(folder, lambda state: state["text_projection.weight"].fill_(float("nan")))


@kind
def a_weight_of_infinity(folder):
    spoil_weights(folder, lambda state: state["visual_projection.weight"][0].fill_(float("inf")))


@kind
def a_huge_logit_scale(folder):
    spoil_weights(folder, lambda state: state["logit_scale"].fill_(1e6))


@kind
def a_logit_scale_of_several(folder):
    spoil_weights(folder, lambda state: state.update(logit_scale=torch.ones(3)))


def as_type(state, dtype):
    state.update({name: value.to(dtype) for name, value in state.items()})


@kind
def weights_of_integers(folder):
    spoil_weights(folder, lambda state: as_type(state, torch.int32))


@kind
def weights_of_complex_numbers(folder):
    spoil_weights(folder, lambda state: as_type(state, torch.complex64))


@kind
def weights_of_another_shape(folder):
    spoil_weights(folder, lambda state: state.update({"text_projection.weight": torch.ones(3, 3)}))


@kind
def weights_that_lack_a_tensor(folder):
    spoil_weights(folder, lambda state: state.pop("text_projection.weight"))


def header(folder, change):
    """Rewrite the header of a safetensors file."""
    path = folder / "model.safetensors"
    data = path.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    values = json.loads(data[8 : 8 + length])
    change(values)
    written = json.dumps(values).encode()
    path.write_bytes(struct.pack("<Q", len(written)) + written + data[8 + length :])


@kind
def a_header_of_2_to_the_60(folder):
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 2**60) + path.read_bytes()[8:])


@kind
def a_header_longer_than_the_file(folder):
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", 90_000_000) + path.read_bytes()[8:])


@kind
def overlapping_offsets(folder):
    def change(values):
        values["text_projection.weight"]["data_offsets"] = values["visual_projection.weight"][
            "data_offsets"
        ]

    header(folder, change)


@kind
def a_type_that_lies(folder):
    header(folder, lambda values: values["text_projection.weight"].update(dtype="F64"))


@kind
def a_type_that_is_unknown(folder):
    header(folder, lambda values: values["text_projection.weight"].update(dtype="F4"))


@kind
def a_shape_that_lies(folder):
    header(folder, lambda values: values["text_projection.weight"].update(shape=[2**40, 2**40]))


@kind
def a_truncated_file(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


@kind
def an_lfs_pointer(folder):
    (folder / "model.safetensors").write_text(
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n"
    )


@kind
def html_for_weights(folder):
    (folder / "model.safetensors").write_text("<!DOCTYPE html><title>404</title>" * 10)


@kind
def an_index_of_missing_shards(folder):
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"logit_scale": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@kind
def an_index_of_the_parent(folder):
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"logit_scale": ".."}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


@kind
def an_index_of_numbers(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": 1, "b": "x"}}')


@kind
def a_deep_index(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(DEEP_OBJECT)


CODE_HAS_RUN = Path(tempfile.gettempdir()) / f"code-has-run-{os.getpid()}"


class Code:
    """Pickles to a call."""

    def __reduce__(self):
        return os.mkdir, (str(CODE_HAS_RUN),)


def as_torch(folder, content, **options):
    """Replace the weights by a file of torch."""
    (folder / "model.safetensors").unlink()
    torch.save(content, folder / "pytorch_model.bin", **options)


def torch_state(folder):
    return load_file(folder / "model.safetensors")


@kind
def a_pickle_with_code(folder):
    as_torch(folder, {"x": Code()})


@kind
def an_old_pickle_with_code(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({"x": Code()}))


@kind
def a_pickle_of_deep_lists(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(
        b"\x80\x02" + b"]" * 10**6 + b"a" * (10**6 - 1) + b"."
    )


@kind
def a_torch_file_of_a_list(folder):
    as_torch(folder, [torch.ones(2)])


@kind
def a_torch_script(folder):
    (folder / "model.safetensors").unlink()
    with warnings.catch_warnings(action="ignore"):
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), folder / "pytorch_model.bin")


@kind
def tensors_that_repeat_one_number(folder):
    state = torch_state(folder)
    edit(folder, CONFIG, text_config__vocab_size=4_000_000)
    state["text_model.embeddings.token_embedding.weight"] = torch.zeros(1).expand(4_000_000, 32)
    as_torch(folder, state)


@kind
def tensors_without_data(folder):
    state = torch_state(folder)
    state["text_projection.weight"] = torch.empty(16, 32, device="meta")
    as_torch(folder, state)


@kind
def sparse_tensors(folder):
    state = torch_state(folder)
    state["text_projection.weight"] = torch.zeros(16, 32).to_sparse()
    as_torch(folder, state)


@kind
def a_compressed_archive(folder):
    """A few kilobytes that unpack to a gigabyte."""
    as_torch(folder, torch_state(folder) | {"x": torch.zeros(2)})
    path = folder / "pytorch_model.bin"
    packed = folder / "packed.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            data = old.read(info)
            if info.filename.endswith("/data/0"):
                data = b"\0" * 2**30
            new.writestr(info.filename, data)
    packed.replace(path)


def checkpoint(folder, **changes):
    """Write the model as a checkpoint of ours, with other values; for files, also others."""
    encoder = load_encoder(folder, device="cpu", precision="fp32")
    payload = build_payload(encoder, prompts=None, training={})
    changes["files"] = payload["files"] | changes.get("files", {})
    torch.save(payload | changes, folder / "best_model.pt")
    return folder / "best_model.pt"


def of_checkpoint(**changes):
    """Spoil a checkpoint."""
    return lambda folder: checkpoint(folder, **changes)


KINDS.update(
    {
        "a file named ..": of_checkpoint(files={"..": "text"}),
        "a file without a name": of_checkpoint(files={"": "text"}),
        "a name with an escape": of_checkpoint(files={"a\x1b[31m": "text"}),
        "a name with a zero": of_checkpoint(files={"a\0b": "text"}),
        "a name of 300 letters": of_checkpoint(files={"a" * 300: "text"}),
        "a file that is half a character": of_checkpoint(files={"config.json": "\udcff"}),
        "a file that is a number": of_checkpoint(files={"config.json": 7}),
        "a file of deep JSON": of_checkpoint(files={"config.json": DEEP_OBJECT}),
        "a checkpoint without weights": of_checkpoint(model={}),
        "weights that are numbers": of_checkpoint(model={"logit_scale": 1.0}),
        "weights without names": of_checkpoint(model={1: torch.ones(2)}),
        "prompts that are a number": of_checkpoint(prompts=7),
        "prompts that are no patterns": of_checkpoint(prompts={"country": [7], "city": None}),
    }
)
