import hashlib

import numpy as np
import pytest
import torch

from streetclip.errors import ModelError
from streetclip.models.weights import (
    read_tensors,
    read_torch_file,
    size_bytes,
    weights_sha256,
)


def test_the_hash_is_that_of_names_shapes_types_and_bytes():
    state = {"b": torch.tensor([[1.0, 2.0, 3.0]]), "a": torch.tensor(7, dtype=torch.int64)}
    text = hashlib.sha256()
    text.update(b"a|()|torch.int64|" + np.int64(7).tobytes())
    text.update(b"b|(1, 3)|torch.float32|" + np.array([1, 2, 3], np.float32).tobytes())
    assert weights_sha256(state) == text.hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        {"a": torch.zeros(2, 3), "c": torch.ones(2)},
        {"a": torch.zeros(3, 2), "b": torch.ones(2)},
        {"a": torch.zeros(2, 3), "b": torch.ones(2, dtype=torch.bfloat16)},
        {"a": torch.zeros(2, 3), "b": torch.tensor([1.0, 1.0000001])},
        {"a": torch.zeros(2, 3)},
    ],
)
def test_another_name_shape_type_or_value_is_another_hash(other):
    state = {"a": torch.zeros(2, 3), "b": torch.ones(2)}
    assert weights_sha256(state) != weights_sha256(other)


def test_a_view_hashes_as_its_copy():
    whole = torch.arange(12.0).view(3, 4)
    assert weights_sha256({"a": whole.T}) == weights_sha256({"a": whole.T.contiguous()})


def test_size_counts_elements_by_their_width():
    state = {"a": torch.zeros(2, 3), "b": torch.zeros(5, dtype=torch.float16)}
    assert size_bytes(state) == 2 * 3 * 4 + 5 * 2


def test_a_file_of_plain_values_is_no_file_of_tensors(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "x.bin")
    with pytest.raises(ModelError, match=r"holds a dict with 'epoch'; expected named tensors"):
        read_tensors(tmp_path / "x.bin")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match="there is no such file"):
        read_tensors(tmp_path / "absent.bin")


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_torchscript_archive_is_named_with_what_to_use_instead(tmp_path):
    path = tmp_path / "ViT-B-32.pt"
    torch.jit.save(torch.jit.trace(torch.nn.Linear(1, 2), torch.ones(1, 1)), path)
    with pytest.raises(ModelError) as caught:
        read_torch_file(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: is a TorchScript archive")
    assert "--model_name openai/clip-vit-base-patch32" in message
    assert ".state_dict()" in message
    assert "\n" not in message


def test_a_file_of_torch_save_is_no_torchscript(tmp_path):
    torch.save({"constants.pkl": torch.ones(2)}, tmp_path / "state.pt")
    assert set(read_torch_file(tmp_path / "state.pt")) == {"constants.pkl"}
