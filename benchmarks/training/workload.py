"""What both trainings are given: the same photos, captions, model and settings."""

import csv
import dataclasses
from pathlib import Path
from typing import Any

from benchmarks.training.apart import ROOT

BETA1, BETA2, EPSILON = 0.9, 0.98, 1e-6
LEARNING_RATE, WEIGHT_DECAY, WARMUP_FRACTION, MAX_GRAD_NORM = 1e-5, 1e-4, 0.1, 1.0
SEED = 42
SHAPES = ("vit-b-32", "vit-l-14-336", "demo")
_NUM_VAL = 2  # the least that can be contrasted: its validation takes next to no time
_COLUMNS = ("image_filename", "city", "region", "country", "continent", "caption", "template")


@dataclasses.dataclass(frozen=True)
class Workload:
    """A training to be timed; one epoch of `num_steps` steps.

    Attributes:
        folder: Has `images/`, `train.csv`, `val.csv` and `model/`.
        device: As `--device` has it.
        precision: As `--precision` has it.
        batch_size: Images of a forward pass.
        accumulation: Forward passes a step.
        skipped: First steps, not timed.
        timed: Steps that are timed.
        trailing: Steps after those: who decodes ahead is as busy at the clock's end as at its
            start, and none has images left over from before that it does not pay for.
    """

    folder: Path
    device: str = "cpu"
    precision: str = "fp32"
    batch_size: int = 32
    accumulation: int = 1
    skipped: int = 5
    timed: int = 20
    trailing: int = 5

    @property
    def num_steps(self) -> int:
        """Steps in all."""
        return self.skipped + self.timed + self.trailing

    @property
    def step_images(self) -> int:
        """Images of a step."""
        return self.batch_size * self.accumulation

    @property
    def num_images(self) -> int:
        """Images of the epoch."""
        return self.num_steps * self.step_images

    def rows(self) -> list[tuple[Path, str]]:
        """Path and caption of each training image."""
        with (self.folder / "train.csv").open(encoding="utf-8", newline="") as file:
            return [
                (self.folder / "images" / row["image_filename"], row["caption"])
                for row in csv.DictReader(file)
            ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return dataclasses.asdict(self) | {"folder": str(self.folder)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "Workload":
        """Undo `to_dict`."""
        return cls(**(values | {"folder": Path(values["folder"])}))


def lay_out(workload: Workload, *, image_dir: Path | None, synthetic: int, shape: str) -> None:
    """Make the images and the model of a workload; `write_manifests` makes the rest.

    Args:
        workload: Says where, and how many images.
        image_dir: Photos, linked to as often as it takes, each link a file of its own; or None.
        synthetic: Without photos: pixels a side of the JPEGs to draw.
        shape: One of `SHAPES`, with random weights and the demo's small tokenizer.
    """
    from benchmarks.evaluation.photos import lay_out as lay_out_photos
    from streetclip.config import BenchmarkConfig

    config = BenchmarkConfig(
        image_dir=image_dir,
        synthetic=0 if image_dir else synthetic,
        num_images=workload.num_images,
    )
    lay_out_photos(config, workload.folder, "France")
    make_model(shape, workload.folder / "model")


def write_manifests(workload: Workload, num_places: int) -> int:
    """Caption as many of the images as the workload takes, and two for the validation.

    Returns:
        How many distinct captions there are; see `captioned`.
    """
    with (workload.folder / "test.csv").open(encoding="utf-8", newline="") as file:
        names = [row["image_filename"] for row in csv.DictReader(file)]
    rows = captioned(names[: workload.num_images], num_places)
    _write(workload.folder / "train.csv", rows)
    _write(workload.folder / "val.csv", rows[:_NUM_VAL])
    return len({row[_COLUMNS.index("caption")] for row in rows})


def captioned(names: list[str], num_places: int) -> list[tuple[str, ...]]:
    """Rows of a captions file: the images show so many cities of the world, in turn; 0 for all."""
    from streetclip.captions.templates import load_templates, make_captions
    from streetclip.config import DEFAULT_CANDIDATES
    from streetclip.data.candidates import load_candidates

    candidates = load_candidates(ROOT / DEFAULT_CANDIDATES)
    cities = list(zip(candidates.city_names, candidates.city_country_M.tolist(), strict=True))
    # Neighbours in the list are of one country.
    chosen = cities[:: len(cities) // num_places][:num_places] if num_places else cities
    places = [chosen[number % len(chosen)] for number in range(len(names))]
    columns = {
        "image_filename": names,
        "city": [city for city, _ in places],
        "region": [""] * len(names),
        "country": [candidates.country_names[country] for _, country in places],
        "continent": [""] * len(names),
    }
    captions = make_captions(load_templates(("full",)), columns, seed=SEED)
    return [
        (*values, caption, template)
        for values, (caption, template) in zip(
            zip(*columns.values(), strict=True), captions, strict=True
        )
    ]


def make_model(shape: str, folder: Path) -> None:
    """Write a model of random weights, with a real tokenizer and image processor."""
    from benchmarks.evaluation.model import build_random_model
    from streetclip.demo.model import build_model

    if shape == "demo":
        build_model(folder, SEED)
        return
    build_model(folder.with_name("demo_model"), SEED)
    build_random_model(shape, folder.with_name("demo_model"), folder)


def _write(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_COLUMNS)
        writer.writerows(rows)
