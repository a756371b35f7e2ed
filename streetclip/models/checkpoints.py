"""Write and read checkpoints: a self-contained `.pt`, a Hugging Face folder.

A `.pt` is a dict of plain values and tensors, read with `weights_only=True`:

    format         "streetclip-checkpoint"
    format_version 1
    files          name → text (or bytes) of config.json, tokenizer and image processor files
    model          state dict, float32
    prompts        the prompt set it was trained with, or None
    training       record of its training
    sha256         hash of the weights
    versions       packages that wrote it
"""

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from streetclip.captions.prompts import PromptSet
from streetclip.errors import ModelError, ResourceError, shown
from streetclip.files import atomic_path, scratch_folder, write_json
from streetclip.models.encoder import DualEncoder
from streetclip.models.limits import check_size
from streetclip.models.model_card import CARD_FILE
from streetclip.models.transformers_logging import quiet_transformers
from streetclip.models.weights import (
    file_sha256,
    is_state,
    read_torch_file,
    size_bytes,
    weights_sha256,
)
from streetclip.provenance import versions

FORMAT = "streetclip-checkpoint"
FORMAT_VERSION = 1
NOTES_FILE = "streetclip.json"
_FILE_NAME = re.compile(r"\w[\w.-]{0,99}")  # of configuration and processors; never `..`
_FILE_HASHES, _OWN_HASH = "files_sha256", "sha256"  # keys of the notes

_LOG = logging.getLogger(__name__)


def save_folder(
    encoder: DualEncoder,
    path: Path,
    *,
    prompts: PromptSet | None,
    model_card: str,
    training: dict[str, Any] | None = None,
) -> None:
    """Write a Hugging Face folder; replace an older one at the end.

    Raises ResourceError for a full disk, OutputError for a folder that cannot be written.
    """
    check_space(path, size_bytes(encoder.model.state_dict()))
    with atomic_path(path) as temporary:
        temporary.mkdir()
        with raising_disk_errors(), quiet_transformers():
            encoder.model.save_pretrained(temporary)
        # safetensors makes its file private.
        readable = temporary.stat().st_mode & 0o666
        for file in temporary.iterdir():
            file.chmod(readable)
        _write_processors(encoder, temporary)
        write_notes(temporary, prompts=prompts, model_card=model_card, training=training)


def write_notes(
    folder: Path,
    *,
    prompts: PromptSet | None,
    model_card: str,
    training: dict[str, Any] | None = None,
    **more: Any,
) -> None:
    """Write card, hashes and `streetclip.json` (with `more`) of a finished folder.

    The notes hold the hashes of the other files and of themselves; cards may be edited.
    """
    notes = {"prompts": prompts.to_dict() if prompts else None, "training": training or {}} | more
    notes[_FILE_HASHES] = {path.name: file_sha256(path) for path in sorted(folder.iterdir())}
    (folder / CARD_FILE).write_bytes(model_card.encode("utf-8", "replace"))
    write_json(folder / NOTES_FILE, notes | {_OWN_HASH: _notes_sha256(notes)})


def build_payload(
    encoder: DualEncoder, *, prompts: PromptSet | None, training: dict[str, Any]
) -> dict[str, Any]:
    """Build the content of a `.pt`, to which callers may add keys."""
    state = {name: value.detach().cpu() for name, value in encoder.model.state_dict().items()}
    with scratch_folder() as folder:
        write_model_files(encoder, folder)
        files: dict[str, str | bytes] = {}
        for path in sorted(folder.iterdir()):
            data = path.read_bytes()
            try:
                files[path.name] = data.decode()
            except UnicodeDecodeError:
                files[path.name] = data
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "files": files,
        "model": state,
        "prompts": prompts.to_dict() if prompts else None,
        "training": training,
        "sha256": weights_sha256(state),
        "versions": versions(),
    }


def write_payload(path: Path, payload: dict[str, Any]) -> None:
    """Write a dict of plain values and tensors atomically.

    Raises ResourceError for a full disk, OutputError for a folder that cannot be written, and
    TypeError for a value that is neither plain nor a tensor.
    """
    check_space(path, size_bytes(dict(_tensors(payload, "checkpoint"))))
    with atomic_path(path) as temporary, temporary.open("wb") as file, raising_disk_errors():
        try:
            torch.save(payload, file)
        except RuntimeError as error:
            # torch closes what was interrupted, fails, and hides the interrupt.
            if isinstance(error.__context__, KeyboardInterrupt):
                raise error.__context__ from None
            raise


def read_payload(path: Path) -> dict[str, Any] | None:
    """Read a `.pt` of ours or raise ModelError; None for others."""
    payload = read_torch_file(path)
    if not isinstance(payload, dict) or payload.get("format") != FORMAT:
        return None
    if payload.get("format_version") != FORMAT_VERSION:
        msg = (
            f"{path}: is a checkpoint of format {shown(payload.get('format_version'))}; this "
            f"version reads {FORMAT_VERSION}. Update StreetCLIP."
        )
        raise ModelError(msg)
    return payload


@contextmanager
def unpacked_files(payload: dict[str, Any], path: Path) -> Iterator[Path]:
    """Write configuration and processor files of a `.pt` to a temporary folder."""
    files = payload.get("files")
    if not isinstance(files, dict) or not is_state(payload.get("model")):
        msg = f"{path}: lacks the model or its files; expected a checkpoint as train writes it."
        raise ModelError(msg)
    with scratch_folder() as folder:
        for name, content in files.items():
            if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
                msg = f"{path}: holds a file named {shown(name)}; expected a plain file name."
                raise ModelError(msg)
            data = content if isinstance(content, bytes) else str(content).encode(errors="replace")
            (folder / name).write_bytes(data)
        yield folder


def read_notes(folder: Path) -> dict[str, Any]:
    """Read and verify `streetclip.json` of a folder; empty if foreign."""
    path = folder / NOTES_FILE
    if not path.is_file():
        return {}
    check_size(path, str(folder))
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        notes = None
    if not isinstance(notes, dict):
        msg = f"{path}: is no JSON object. Remove it to load the model without its prompts."
        raise ModelError(msg)
    _verify_folder(folder, notes)
    return notes


def _verify_folder(folder: Path, notes: dict[str, Any]) -> None:
    own, files = notes.pop(_OWN_HASH, None), notes.get(_FILE_HASHES)
    if own is None and files is None:
        _LOG.info("%s: records no checksums, as older versions wrote it; not verified", folder)
        return
    changed = [NOTES_FILE] if own != _notes_sha256(notes) or not isinstance(files, dict) else [
        name
        for name, sha256 in files.items()
        if not (folder / name).is_file() or file_sha256(folder / name) != sha256
    ]  # fmt: skip
    if changed:
        msg = (
            f"{folder / changed[0]}: is damaged, or was changed after it was written: it does not "
            f"match its checksum. Copy the folder again; if the change is yours, remove "
            f"{_FILE_HASHES} and {_OWN_HASH} from {NOTES_FILE}."
        )
        raise ModelError(msg)


def _notes_sha256(notes: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(notes, sort_keys=True).encode()).hexdigest()


def check_space(path: Path, needed_bytes: int) -> None:
    """Raise ResourceError for a file that the disk cannot hold."""
    folder = next(each for each in path.absolute().parents if each.exists())
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < needed_bytes:
        msg = (
            f"{path}: needs {needed_bytes / 2**20:,.0f} MiB, but the disk has "
            f"{free_bytes / 2**20:,.0f} MiB free; nothing was written. "
            "Free some space and run again with --resume, or name another folder."
        )
        raise ResourceError(msg)


@contextmanager
def raising_disk_errors() -> Iterator[None]:
    """Raise the OSError behind other libraries' errors on a full disk."""
    from safetensors import SafetensorError

    try:
        yield
    except RuntimeError as error:
        # torch reports a failed write as "unexpected pos".
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise
    except Exception as error:
        # Rust libraries name the system's error in their text; tokenizers has no type.
        number = re.search(r"os error (\d+)", str(error))
        if number and (type(error) is Exception or isinstance(error, SafetensorError)):
            raise OSError(int(number[1]), str(error)) from error
        raise


def write_model_files(encoder: DualEncoder, folder: Path) -> None:
    """Write configuration, tokenizer and image processor of a Hugging Face folder."""
    with raising_disk_errors():
        encoder.model.config.save_pretrained(folder)
    _write_processors(encoder, folder)


def _write_processors(encoder: DualEncoder, folder: Path) -> None:
    with raising_disk_errors(), quiet_transformers():
        encoder.tokenizer.save_pretrained(folder)
        encoder.image_processor.save_pretrained(folder)


def _tensors(value: Any, name: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the tensors of a payload; refuse what `weights_only` cannot read."""
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _tensors(each, f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            yield from _tensors(each, f"{name}[{index}]")
    elif type(value) not in (str, bytes, int, float, bool, type(None)):
        msg = f"{name} is a {type(value).__name__}; expected a plain value or a tensor"
        raise TypeError(msg)
