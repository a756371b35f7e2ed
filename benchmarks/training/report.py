"""Where figures go, and what they were measured on."""

import dataclasses
import importlib.metadata
import json
import os
from pathlib import Path
from typing import Any

_PACKAGES = ("torch", "transformers", "accelerate", "tokenizers", "Pillow", "numpy")


def machine(device: str) -> str:
    """The machine in a few words."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = f"{cores} cores, load {os.getloadavg()[0]:.1f}"
    if device != "cpu" and torch.cuda.is_available():
        return f"{torch.cuda.get_device_name(None)}; {found}"
    return found


def versions() -> dict[str, str]:
    """Versions of what computes."""
    return {name: importlib.metadata.version(name) for name in _PACKAGES}


def save(options: Any, figures: dict[str, Any]) -> None:
    """Write all figures to `--output`, if one is named."""
    if options.output is None:
        return
    about = {"options": vars(options), "versions": versions(), "machine": machine("auto")}
    write_json(options.output, about | figures)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Replace a JSON file; a reader finds the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(json.dumps(values, indent=1, default=_plain), encoding="utf-8")
    beside.replace(path)


def _plain(value: Any) -> Any:
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else str(value)
