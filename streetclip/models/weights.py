"""Read and hash a model's weights as named tensors."""

import hashlib
import json
import pickle
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch

from streetclip.errors import ModelError, shown
from streetclip.models.limits import check_size

_WEIGHT_FILES = (
    "model.safetensors", "model.safetensors.index.json",
    "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip


def weights_sha256(state: dict[str, torch.Tensor]) -> str:
    """Hash tensors by name, shape, dtype and content, whatever file they came from."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tuple(tensor.shape)}|{tensor.dtype}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Hash the content of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def size_bytes(state: dict[str, torch.Tensor]) -> int:
    """Sum the bytes of tensors, without headers."""
    return sum(tensor.numel() * tensor.element_size() for tensor in state.values())


def weight_files(folder: Path) -> list[Path]:
    """List weight files of a folder, safetensors first; ModelError if damaged."""
    path = next((folder / name for name in _WEIGHT_FILES if (folder / name).is_file()), None)
    if path is None:
        return []
    if not path.name.endswith(".index.json"):
        return [path]
    check_size(path, str(path.parent))
    try:
        names = sorted(set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        msg = f"{path}: is no index of weight files ({first_line(error)})."
        raise ModelError(msg) from error
    for name in names:
        if Path(name).name != name or not (folder / name).is_file():
            msg = f"{path}: names {shown(name)}, which is not in that folder."
            raise ModelError(msg)
    return [folder / name for name in names]


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a file of named tensors; raise ModelError for anything else."""
    state = read_weight_file(path)
    if not is_state(state):
        kind = f"a {type(state).__name__}"
        if isinstance(state, dict):
            kind = f"a dict with {shown(', '.join(map(str, list(state)[:5])))}"
        msg = f"{path}: holds {kind}; expected named tensors."
        raise ModelError(msg)
    return dict(state)


def read_weight_file(path: Path) -> Any:
    """Read a safetensors file, or what a torch file holds; see `read_torch_file`."""
    if path.suffix != ".safetensors":
        return read_torch_file(path)
    import safetensors
    import safetensors.torch

    try:
        return safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise _damaged(path, error) from error


def read_torch_file(path: Path) -> Any:
    """Read what `torch.save` wrote, tensors and plain values only; never run code.

    The archive's checksums are verified, which torch does not; the pickles of torch before 1.6
    have none. Raises ModelError for a missing, damaged or foreign file, or a pickle with code.
    """
    _check_torch_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        code = re.search(r"(?:GLOBAL|Unsupported class) (\S+)", str(error))
        reason = "it is damaged or a pickle of more than tensors and plain values"
        if code:
            reason = f"reading it would run code ({shown(code[1])})"
        msg = (
            f"{path}: refused, as {reason}. Expected tensors and plain values only, as of "
            "torch.save(model.state_dict(), …)."
        )
        raise ModelError(msg) from error
    except Exception as error:  # of a damaged pickle, any
        raise _damaged(path, error) from error


def is_state(value: object) -> bool:
    """Return whether a value is a state dict with at least one tensor."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in value.items())
    )


def first_line(error: BaseException) -> str:
    """Get the first line of an error's message, or its type."""
    text = str(error).strip() or type(error).__name__
    return shown(text.splitlines()[0])


def _check_torch_file(path: Path) -> None:
    """Refuse files that torch reports unclearly."""
    try:
        with path.open("rb") as file:
            head = file.read(4)
    except FileNotFoundError:
        problem = "there is no such file."
    except OSError as error:
        problem = f"cannot be read ({error.strerror})."
    else:
        if not head:
            problem = "is empty. Was its writing or download cut off?"
        # A zip archive, or the pickle of torch before 1.6.
        elif head != b"PK\x03\x04" and head[:1] != b"\x80":
            problem = "is not a file of torch.save. Expected a checkpoint such as best_model.pt."
        elif head[:1] == b"P" and _is_torchscript(path):
            problem = (
                "is a TorchScript archive, whose program is not run. Take the model from the hub "
                "(ViT-B-32.pt: --model_name openai/clip-vit-base-patch32), or save its weights "
                'alone: torch.save(torch.jit.load("model.pt", map_location="cpu").state_dict(), '
                '"weights.pt"), and give these with --model_name.'
            )
        else:
            return
    msg = f"{path}: {problem}"
    raise ModelError(msg)


def _is_torchscript(path: Path) -> bool:
    """Recognise torch.jit.save, whose archives have constants; verify those of torch.save."""
    try:
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                return True
            problem = _archive_problem(archive, path.stat().st_size)
    except Exception as error:  # of a damaged archive, any
        raise _damaged(path, error) from error
    if problem:
        raise _damaged(path, ValueError(problem))
    return False


def _archive_problem(archive: zipfile.ZipFile, num_bytes: int) -> str | None:
    """Verify the CRC-32 of each part, none of which may take more than the file has."""
    parts = archive.infolist()
    is_plain = all(part.compress_type == zipfile.ZIP_STORED for part in parts)
    if not is_plain or sum(part.file_size for part in parts) > num_bytes:
        return "it is compressed, as torch.save never does"
    changed = archive.testzip()
    return f"its part {changed} does not match its checksum" if changed else None


def _damaged(path: Path, error: Exception) -> ModelError:
    return ModelError(
        f"{path}: is damaged or cut off ({first_line(error)}). Write or download it again."
    )
