"""A model's weights as named tensors: their hash, their size, and where they are read from."""

import hashlib
import json
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from streetclip.errors import ModelError, shown

if TYPE_CHECKING:
    import torch

_WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)


def weights_sha256(state: "dict[str, torch.Tensor]") -> str:
    """Hash tensors by name, shape, dtype and content, in the order of their names.

    The same weights have the same hash whichever file they came from: hub folder, safetensors,
    `.pt`. One pass at the speed of SHA-256, about a second a gigabyte.

    Examples:
        >>> import torch
        >>> one, other = torch.zeros(2), torch.ones(2)
        >>> weights_sha256({"a": one, "b": other}) == weights_sha256({"b": other, "a": one})
        True
    """
    import torch

    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tuple(tensor.shape)}|{tensor.dtype}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def size_bytes(state: "dict[str, torch.Tensor]") -> int:
    """Bytes that the tensors take on a disk, but for a few headers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values())


def weight_files(folder: Path) -> list[Path]:
    """List the files of a Hugging Face folder's weights; empty if there are none.

    Safetensors before an old `pytorch_model.bin`, in one file or in shards that an index names.

    Raises:
        ModelError: An index that is damaged, or names a file that is not there.
    """
    for name in _WEIGHT_FILES:
        path = folder / name
        if path.is_file():
            return _shards(path) if name.endswith(".index.json") else [path]
    return []


def read_folder_weights(folder: Path) -> "dict[str, torch.Tensor]":
    """Read all weights of a Hugging Face folder.

    Raises:
        ModelError: A file of them is missing, damaged, or would run code.
    """
    state: dict[str, torch.Tensor] = {}
    for path in weight_files(folder):
        state.update(read_tensors(path))
    return state


def read_tensors(path: Path) -> "dict[str, torch.Tensor]":
    """Read a file of named tensors: safetensors, or a torch file of nothing else.

    Raises:
        ModelError: The file is damaged, would run code, or holds something else.
    """
    state = _read_safetensors(path) if path.suffix == ".safetensors" else read_torch_file(path)
    if not is_state(state):
        msg = f"{path}: holds {_kind(state)}; expected named tensors."
        raise ModelError(msg)
    return dict(state)


def read_torch_file(path: Path) -> Any:
    """Read what `torch.save` wrote, tensors and plain values only; code is never run.

    Raises:
        ModelError: The file is missing, cut off, of another kind, or a pickle with code.
    """
    import torch

    if not path.is_file():
        msg = f"{path}: there is no such file."
        raise ModelError(msg)
    if path.stat().st_size == 0:
        msg = f"{path}: is empty. Was its writing or download cut off?"
        raise ModelError(msg)
    if not _looks_like_torch(_head(path)):
        msg = f"{path}: is not a file of torch.save. Expected a checkpoint such as best_model.pt."
        raise ModelError(msg)
    if _is_torchscript(path):
        msg = (
            f"{path}: is a TorchScript archive, as torch.jit.save writes and as OpenAI publishes "
            "CLIP; it holds a program, which is not run. Take the same model from the hub (of "
            "ViT-B-32.pt: --model_name openai/clip-vit-base-patch32), or save its weights alone, "
            'by torch.save(torch.jit.load("model.pt", map_location="cpu").state_dict(), '
            '"weights.pt"), and give these with --model_name.'
        )
        raise ModelError(msg)
    try:
        with warnings.catch_warnings():
            # torch warns of other pickle protocols before it reads or refuses them.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(_pickle_message(path, error)) from error
    except (RuntimeError, EOFError, KeyError, IndexError, ValueError, TypeError) as error:
        # What torch raises for a damaged archive depends on where the damage lies.
        msg = f"{path}: is damaged or cut off ({_first_line(error)}). Write or download it again."
        raise ModelError(msg) from error


def is_state(value: object) -> bool:
    """Whether a value is a state dict: named tensors, at least one."""
    import torch

    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in value.items())
    )


def _read_safetensors(path: Path) -> Any:
    import safetensors
    import safetensors.torch

    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        msg = f"{path}: is damaged or cut off ({_first_line(error)}). Write or download it again."
        raise ModelError(msg) from error


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        msg = f"{index}: is no index of weight files ({_first_line(error)})."
        raise ModelError(msg) from error
    for name in names:
        if Path(name).name != name or not (index.parent / name).is_file():
            msg = f"{index}: names {shown(name)}, which is not in that folder."
            raise ModelError(msg)
    return [index.parent / name for name in names]


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror})."
        raise ModelError(msg) from error


def _looks_like_torch(head: bytes) -> bool:
    """A zip archive, or the pickle of torch before 1.6; what else would only confuse torch."""
    return head == b"PK\x03\x04" or head[:1] == b"\x80"


def _is_torchscript(path: Path) -> bool:
    """Whether a file is an archive of torch.jit.save: unlike torch.save's, it has constants."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False  # an old pickle, or cut off, which torch finds out


def _pickle_message(path: Path, error: Exception) -> str:
    text = str(error)
    for mark in ("Unsupported global: GLOBAL ", "Unsupported class ", "GLOBAL "):
        if mark in text:
            name = text.split(mark, 1)[1].split(maxsplit=1)[0]
            return (
                f"{path}: refused, as reading it would run code ({shown(name)}). Expected tensors "
                "and plain values only, as from torch.save(model.state_dict(), …)."
            )
    return (
        f"{path}: refused, as it is a pickle of more than tensors and plain values, or damaged "
        f"({_first_line(error)}). Expected a file as from torch.save(model.state_dict(), …)."
    )


def _first_line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return shown(text.splitlines()[0].split(". ")[0])


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return f"a dict with {shown(', '.join(map(str, list(value)[:5])))}" if value else "nothing"
    return f"a {type(value).__name__}"
