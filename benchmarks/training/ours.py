"""Our training, timed: `streetclip.training.loop.train` as the job calls it."""

import contextlib
from pathlib import Path
from typing import Any

from benchmarks.training.clock import StepClock
from benchmarks.training.workload import (
    BETA2,
    LEARNING_RATE,
    MAX_GRAD_NORM,
    SEED,
    WARMUP_FRACTION,
    WEIGHT_DECAY,
    Workload,
)


def train(
    workload: dict[str, Any],
    work: str,
    *,
    in_memory: bool,
    num_workers: int = -1,
    settings: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Train one epoch; times a few steps.

    Args:
        workload: What to train on.
        work: Empty folder for checkpoints and store.
        in_memory: Decode all images before the first step and keep them; else none is kept.
        num_workers: Processes that decode.
        settings: Further fields of `TrainConfig`.
    """
    from streetclip.data.manifest import read_manifest
    from streetclip.models.loading import load_encoder
    from streetclip.store import open_store
    from streetclip.training import image_source, loop

    asked = Workload.from_dict(workload)
    image_source.MEMORY_LIMIT_BYTES = 2**50 if in_memory else 0
    config = _config(asked, Path(work), num_workers, settings or {})
    encoder = load_encoder(config.model_name, device=config.device, precision=config.precision)
    stages = _Stages(asked, encoder.device)
    manifests = [read_manifest(path) for path in (config.train_csv, config.val_csv)]
    with open_store(config.db) as database:
        loop.train(config, *manifests, encoder, database, stages)
    if ("decode" in stages.seen) != in_memory:
        msg = f"images were kept in memory or not, against what was asked; stages: {stages.seen}"
        raise RuntimeError(msg)
    return {"precision": encoder.precision.name, **stages.clock.result()}


def _config(workload: Workload, work: Path, num_workers: int, settings: dict[str, Any]) -> Any:
    from streetclip.config import TrainConfig

    return TrainConfig(
        **{
            "train_csv": workload.folder / "train.csv",
            "val_csv": workload.folder / "val.csv",
            "image_dir": workload.folder / "images",
            "model_name": str(workload.folder / "model"),
            "output_dir": work / "training",
            "db": work / "streetclip.db",
            "device": workload.device,
            "precision": workload.precision,
            "batch_size": workload.batch_size,
            "gradient_accumulation_steps": workload.accumulation,
            "num_workers": num_workers,
            "num_epochs": 1,
            "learning_rate": LEARNING_RATE,
            "weight_decay": WEIGHT_DECAY,
            "beta2": BETA2,
            "max_grad_norm": MAX_GRAD_NORM,
            "warmup_fraction": WARMUP_FRACTION,
            "checkpoint_minutes": 0.0,
            "seed": SEED,
            **settings,
        }
    )


class _Stages:
    """Takes the place of bars: passes the steps of the training on to the clock."""

    def __init__(self, workload: Workload, device: Any) -> None:
        self.clock = StepClock(workload, device)
        self.seen: list[str] = []
        self._num_steps = workload.num_steps

    @contextlib.contextmanager
    def __call__(self, task: str, _unit: str, /):
        self.seen.append(task)
        yield self._step if task == "train" else lambda *_, **__: None

    def _step(self, step: int, num_steps: int, **_: float) -> None:
        if num_steps != self._num_steps:
            msg = f"the training has {num_steps} steps; expected {self._num_steps}"
            raise RuntimeError(msg)
        self.clock(step)
