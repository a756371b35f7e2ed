"""Where a model computes, and in which number format, each choice with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from streetclip.errors import ConfigError, shown

if TYPE_CHECKING:
    import torch

# What `torch.cpu.get_capabilities` calls instructions that multiply bfloat16 directly: Intel's
# and AMD's on x86-64, then Arm's.
_CPU_BFLOAT16 = ("amx_bf16", "avx512_bf16", "sve_bf16", "bf16")

# Width of the towers: how many times as fast bfloat16 encodes images, and trains, as float32 does.
# Measured on AVX512-BF16 by benchmarks/measure_precision.py, medians of five rounds, one thread.
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
    """A number format for the matrix products; parameters and features stay float32.

    Attributes:
        name: "fp32", "bf16" or "fp16".
        dtype: The torch dtype of that name.
        reason: One line for the log: why this format.
    """

    name: str
    dtype: "torch.dtype"
    reason: str

    @property
    def is_mixed(self) -> bool:
        """Whether autocast is on."""
        return self.name != "fp32"


def resolve_device(name: str = "auto") -> "torch.device":
    """Turn a `--device` into a torch device that exists here.

    Args:
        name: "auto" (the first CUDA GPU, else the CPU), "cpu", "cuda", "cuda:N" or "mps".

    Raises:
        ConfigError: No such device on this machine, or not a device name at all.

    Examples:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    import torch

    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        msg = f"--device is {shown(name)}; expected auto, cpu, cuda, cuda:N or mps."
        raise ConfigError(msg) from error
    _check_device_exists(name, device)
    return device


def narrowest_tower(config: Any) -> int | None:
    """Get the smaller hidden size of a model's two towers, None where its config has none.

    Args:
        config: A configuration of transformers.
    """
    towers = [getattr(config, name, None) for name in ("text_config", "vision_config")]
    widths = [getattr(tower, "hidden_size", None) for tower in towers]
    return min((width for width in widths if isinstance(width, int)), default=None)


def resolve_precision(name: str, device: "torch.device", width: int | None = None) -> Precision:
    """Turn a `--precision` into a number format for a device and a model.

    "auto" takes what is faster. A GPU that multiplies bfloat16 takes bfloat16. A CPU that does
    takes it for models whose towers are wide enough: casting costs more than it saves on narrow
    ones. The rule is fixed rather than timed on the spot, so that a run and its resume agree.

    Args:
        name: "auto", "fp32", "bf16" or "fp16".
        device: From `resolve_device`.
        width: Hidden size of the model's narrowest tower; None for unknown, taken for wide.

    Raises:
        ConfigError: An unknown name, or fp16 on a CPU.
    """
    import torch

    native, where = _native_bfloat16(device)
    if name == "auto":
        return _faster_precision(device, width)
    if name == "fp32":
        return Precision("fp32", torch.float32, "fp32: asked for")
    if name == "bf16":
        slow = "" if native else f"; slow, as {where} does not compute it natively"
        return Precision("bf16", torch.bfloat16, f"bf16: asked for{slow}")
    if name == "fp16":
        if device.type == "cpu":
            msg = "--precision is fp16 on a CPU, which computes it only by emulation; "
            raise ConfigError(msg + "take auto, fp32 or bf16.")
        return Precision("fp16", torch.float16, "fp16: asked for")
    msg = f"--precision is {shown(name)}; expected one of auto, fp32, bf16, fp16."
    raise ConfigError(msg)


def _faster_precision(device: "torch.device", width: int | None) -> Precision:
    import torch

    native, where = _native_bfloat16(device)
    if not native:
        reason = f"fp32: {where} does not compute bfloat16 natively"
        return Precision("fp32", torch.float32, reason)
    if device.type != "cpu" or width is None:
        return Precision("bf16", torch.bfloat16, f"bf16: {where} computes bfloat16 natively")
    measured = max((w for w in _CPU_SPEEDUPS if w <= width), default=min(_CPU_SPEEDUPS))
    encoding, training = _CPU_SPEEDUPS[measured]
    figures = (
        f"{where} computes bfloat16 natively, and the narrowest tower is {width} wide; at "
        f"{measured}, bfloat16 encodes {encoding:g} and trains {training:g} times as fast"
    )
    if min(encoding, training) > 1:
        return Precision("bf16", torch.bfloat16, f"bf16: {figures}")
    return Precision("fp32", torch.float32, f"fp32: {figures}")


def _check_device_exists(name: str, device: "torch.device") -> None:
    import torch

    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            found = "no CUDA GPU" if count == 0 else f"{count} CUDA GPU(s), counted from 0"
            msg = f"--device is {shown(name)}, but torch {torch.__version__} finds {found}; "
            raise ConfigError(msg + "take --device auto or cpu.")
    elif device.type == "mps":
        if not torch.backends.mps.is_available():
            msg = f"--device is mps, but torch {torch.__version__} finds no Apple GPU; "
            raise ConfigError(msg + "take --device auto or cpu.")
    elif device.type != "cpu":
        msg = f"--device is {shown(name)}; expected auto, cpu, cuda, cuda:N or mps."
        raise ConfigError(msg)


def _native_bfloat16(device: "torch.device") -> tuple[bool, str]:
    """Whether a device multiplies bfloat16 directly, and how to call the device."""
    import torch

    if device.type == "cuda":
        with torch.cuda.device(device):
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        return native, torch.cuda.get_device_name(device)
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        return any(capabilities.get(name, False) for name in _CPU_BFLOAT16), "this CPU"
    return False, f"the {device.type} device"
