"""Choose device and number format."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from streetclip.errors import ConfigError, shown

# Instructions that multiply bfloat16, in `torch.cpu.get_capabilities`: x86-64, then Arm.
_CPU_BFLOAT16 = ("amx_bf16", "avx512_bf16", "sve_bf16", "bf16")

# By width of the towers: speedup of bfloat16 over float32 in encoding images, and in training.
# From benchmarks/measure_precision.py on AVX512-BF16.
_CPU_SPEEDUPS: Mapping[int, tuple[float, float]] = {
    32: (0.69, 0.64),
    64: (0.93, 0.88),
    128: (1.44, 1.15),
    256: (1.84, 1.39),
    512: (1.76, 1.66),
    768: (1.82, 1.63),
}


@dataclass(frozen=True)
class Precision:
    """Format of matrix products; parameters and features remain float32."""

    name: str  # "fp32", "bf16" or "fp16"
    dtype: torch.dtype
    reason: str  # one line for the log

    @property
    def is_mixed(self) -> bool:
        """Whether autocast is on."""
        return self.name != "fp32"


def resolve_device(name: str = "auto") -> torch.device:
    """Convert `--device` (auto, cpu, cuda, cuda:N, mps) or raise ConfigError."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda", 0) if count else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    missing = ""
    if device.type == "cuda" and (device.index or 0) >= count:
        missing = f"{count} CUDA GPU(s), counted from 0" if count else "no CUDA GPU"
    elif device.type == "mps" and not torch.backends.mps.is_available():
        missing = "no Apple GPU"
    elif device.type not in {"cpu", "cuda", "mps"}:
        msg = f"--device is {shown(name)}; expected auto, cpu, cuda, cuda:N or mps."
        raise ConfigError(msg)
    if missing:
        msg = f"--device is {shown(name)}, but torch {torch.__version__} finds {missing}; "
        raise ConfigError(msg + "use --device auto or cpu.")
    return device


def narrowest_tower(config: Any) -> int | None:
    """Get the smaller hidden size of a model's two towers, if known."""
    towers = [getattr(config, name, None) for name in ("text_config", "vision_config")]
    widths = [getattr(tower, "hidden_size", None) for tower in towers]
    return min((width for width in widths if isinstance(width, int)), default=None)


def resolve_precision(name: str, device: torch.device, width: int | None = None) -> Precision:
    """Convert `--precision` (auto, fp32, bf16, fp16) or raise ConfigError.

    "auto" takes bfloat16 on a GPU that multiplies it, and on such a CPU if `width`, that of the
    narrowest tower, suffices (None: unknown, taken for wide). A fixed rule, so that run and resume
    agree.
    """
    dtypes = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    native, where = _native_bfloat16(device)
    if name == "auto":
        name, reason = _faster_precision(device, width, native=native, where=where)
    elif name not in dtypes:
        msg = f"--precision is {shown(name)}; expected one of auto, fp32, bf16, fp16."
        raise ConfigError(msg)
    elif name == "fp16" and device.type == "cpu":
        msg = "--precision is fp16 on a CPU, which computes it only by emulation; "
        raise ConfigError(msg + "use auto, fp32 or bf16.")
    else:
        is_slow = name == "bf16" and not native
        slow = f"; slow, as {where} does not compute it natively" if is_slow else ""
        reason = f"asked for{slow}"
    return Precision(name, dtypes[name], f"{name}: {reason}")


def _faster_precision(
    device: torch.device, width: int | None, *, native: bool, where: str
) -> tuple[str, str]:
    """Choose the name of a format, with the reason."""
    if not native:
        return "fp32", f"{where} does not compute bfloat16 natively"
    if device.type != "cpu" or width is None:
        return "bf16", f"{where} computes bfloat16 natively"
    measured = max((w for w in _CPU_SPEEDUPS if w <= width), default=min(_CPU_SPEEDUPS))
    encoding, training = _CPU_SPEEDUPS[measured]
    figures = (
        f"{where} computes bfloat16 natively, and the narrowest tower is {width} wide; at "
        f"{measured}, bfloat16 encodes {encoding:g} and trains {training:g} times as fast"
    )
    return "bf16" if min(encoding, training) > 1 else "fp32", figures


def _native_bfloat16(device: torch.device) -> tuple[bool, str]:
    """Return whether a device multiplies bfloat16 directly, and name the device."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        return native, torch.cuda.get_device_name(device)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in _CPU_BFLOAT16), "this CPU"
    return False, f"the {device.type} device"
