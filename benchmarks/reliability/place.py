"""Where measurements work: a folder with a drawn world, and jobs' flags for it."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from streetclip.config import DemoConfig
from streetclip.demo.world import build_world
from tests.large_world import repeat_test_images

NUM_TEST = 50


class Place:
    """A folder to work in; the world in it is drawn once.

    Attributes:
        folder: For stores and outputs, each measurement's own names.
        world: The drawn world, with its untrained model.
    """

    def __init__(self, folder: Path, *, num_train: int = 400) -> None:
        self.folder = folder
        self.world = folder / f"world-{num_train}"
        if not (self.world / "model").exists():
            build_world(
                DemoConfig(
                    output_dir=self.world, num_train=num_train, num_val=80, num_test=NUM_TEST
                )
            )

    def many_images(self, num_images: int) -> Path:
        """A folder with so many test images, rounded up, and their CSV."""
        copies = -(-num_images // NUM_TEST)
        folder = self.folder / f"images-{copies * NUM_TEST}"
        return folder if folder.exists() else repeat_test_images(self.world, folder, copies)

    def training_flags(self, out: Path, db: Path, *more: str, num_epochs: int = 8) -> list[str]:
        """A training on the CPU in float32, whose end depends on its seed alone."""
        return [
            f"--train_csv={self.world / 'train.csv'}",
            f"--val_csv={self.world / 'val.csv'}",
            f"--image_dir={self.world / 'images'}",
            *self._shared(out, db),
            "--batch_size=16",
            f"--num_epochs={num_epochs}",
            "--learning_rate=1e-3",
            *more,
        ]

    def evaluation_flags(self, images: Path, out: Path, db: Path, *more: str) -> list[str]:
        """An evaluation on the CPU in float32, in batches of 8."""
        return [
            f"--test_csv={images / 'test.csv'}",
            f"--image_dir={images / 'images'}",
            f"--candidates_file={self.world / 'candidates.json'}",
            *self._shared(out, db),
            "--batch_size=8",
            *more,
        ]

    def _shared(self, out: Path, db: Path) -> list[str]:
        return [f"--model_name={self.world / 'model'}", f"--output_dir={out}", f"--db={db}",
                "--num_workers=1", "--device=cpu", "--precision=fp32"]  # fmt: skip


def machine() -> str:
    """What the numbers were measured on, in a few words."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, load {os.getloadavg()[0]:.1f}"


def print_table(title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print lines of equal width: texts to the left, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    print(f"\n{title} ({machine()})\n")
    for line in ([*head], ["-" * width for width in widths], *cells):
        print(
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        )
    print(flush=True)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which a share of the others lies."""
    ascending = sorted(values)
    return ascending[min(len(ascending) - 1, round(share * (len(ascending) - 1)))]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
