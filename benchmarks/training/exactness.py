"""Whether cached features and several processes change loss and gradients."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.training.apart import ROOT
from benchmarks.training.figures import markdown
from benchmarks.training.workload import SEED

MOST_RELATIVE = 1e-10
"""What is promised."""

_LOSSES = [(loss, dup) for loss in ("softmax", "sigmoid") for dup in ("positive", "mask", "ignore")]
_PORTION, _PASSES, _PROCESSES = 8, 4, 2
_SIDE_PX = 16


def exactness(_options: Any) -> bool:
    """Largest relative difference of loss and gradients from one plain batch, in float64."""
    import torch

    from tests.training.exactness import (
        gradients_of_plain_batch,
        gradients_of_step,
        largest_difference,
    )

    head = ["", f"{_PASSES} × {_PORTION}", f"{_PROCESSES} processes × {_PASSES // _PROCESSES}"]
    rows, largest = [], 0.0
    with tempfile.TemporaryDirectory(prefix="streetclip-exactness-") as folder:
        model, found = Path(folder) / "model", Path(folder) / "found"
        _make_model(model)
        for loss, duplicates in _LOSSES:
            plain = gradients_of_plain_batch(
                model, loss=loss, duplicates=duplicates, unreadable=(3, 17)
            )
            portioned = gradients_of_step(
                model,
                unreadable=(3, 17),
                batch_size=_PORTION,
                gradient_accumulation_steps=_PASSES,
                loss=loss,
                duplicates=duplicates,
            )
            _run_processes(model, found, loss, duplicates)
            shared = [
                torch.load(f"{found}.{rank}", weights_only=True) for rank in range(_PROCESSES)
            ]
            differences = [
                largest_difference(portioned, plain),
                max(largest_difference(each, plain) for each in shared),
            ]
            largest = max(largest, *differences)
            rows.append([f"{loss}, {duplicates}", *(f"{each:.1e}" for each in differences)])
    print(markdown(head, rows))
    return largest <= MOST_RELATIVE


def _run_processes(model: Path, found: Path, loss: str, duplicates: str) -> None:
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    run += [f"--nproc_per_node={_PROCESSES}", "-m", "tests.training.exactness"]
    command = [*run, str(model), str(found), loss, duplicates, "global"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)


def _make_model(folder: Path) -> None:
    """The demo's model for images of 16 pixels a side."""
    import torch
    from transformers import CLIPImageProcessorPil, CLIPModel

    from streetclip.demo.model import make_config, make_tokenizer
    from streetclip.models.transformers_logging import quiet_transformers

    tokenizer = make_tokenizer()
    config = make_config(tokenizer)
    config.vision_config.image_size, config.vision_config.patch_size = _SIDE_PX, _SIDE_PX // 2
    torch.manual_seed(SEED)
    with quiet_transformers():
        CLIPModel(config).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        size = {"height": _SIDE_PX, "width": _SIDE_PX}
        CLIPImageProcessorPil(size=size, crop_size=size).save_pretrained(folder)
