"""What all processes of a benchmark work on: one model, one set of files, one list of labels."""

import csv
import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from streetclip.config import BenchmarkConfig, EvaluateConfig

if TYPE_CHECKING:
    from streetclip.data.candidates import Candidates


@dataclass(frozen=True)
class Way:
    """How images become features.

    Attributes:
        precision: Of the forward pass, as `--precision` has it.
        exact: Whether pixels are exactly the reference's.
    """

    precision: str
    exact: bool = False


@dataclass(frozen=True)
class Setup:
    """What is measured with; the same for all measurements.

    Attributes:
        folder: With `images/`, `test.csv` and what processes leave for one another.
        model_folder: A Hugging Face folder.
        candidates_file: Of the places to choose from.
        device: As the user named it.
        batch_size: Images of a forward pass.
        num_workers: Processes that decode, as the user gave it.
        num_images: Rows of `test.csv`.
        num_distinct: Of these so many differ; they come first, and are then repeated.
        countries: Names of the candidate countries.
        labels: Of the pipeline.
        pipeline_images: Images that the pipeline is given.
    """

    folder: Path
    model_folder: Path
    candidates_file: Path
    device: str
    batch_size: int
    num_workers: int
    num_images: int
    num_distinct: int
    countries: tuple[str, ...]
    labels: tuple[str, ...]
    pipeline_images: int

    @classmethod
    def of(
        cls,
        config: BenchmarkConfig,
        folder: Path,
        model_folder: Path,
        num_distinct: int,
        candidates: "Candidates",
    ) -> Self:
        """Make it of the settings and of what was laid out."""
        labels = (*candidates.country_names, *candidates.city_names)
        return cls(
            folder=folder,
            model_folder=model_folder,
            candidates_file=config.candidates_file.resolve(),
            device=config.device,
            batch_size=config.batch_size,
            num_workers=config.num_workers,
            num_images=config.num_images,
            num_distinct=num_distinct,
            countries=candidates.country_names,
            labels=tuple(dict.fromkeys(labels))[: config.num_labels],
            pipeline_images=config.pipeline_images,
        )

    @property
    def image_dir(self) -> Path:
        """Folder of the images."""
        return self.folder / "images"

    @property
    def test_csv(self) -> Path:
        """Manifest of the images."""
        return self.folder / "test.csv"

    def paths(self) -> list[Path]:
        """The images, in the order of the manifest."""
        with self.test_csv.open(encoding="utf-8", newline="") as file:
            return [self.image_dir / row["image_filename"] for row in csv.DictReader(file)]

    def evaluation(self, work: Path, way: Way) -> EvaluateConfig:
        """Settings of an evaluation that keeps no features and finds none.

        Args:
            work: An empty folder.
            way: How images become features.
        """
        return EvaluateConfig(
            test_csv=self.test_csv,
            image_dir=self.image_dir,
            model_name=str(self.model_folder),
            candidates_file=self.candidates_file,
            output_dir=work / "evaluation",
            db=work / "streetclip.db",
            device=self.device,
            precision=way.precision,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            exact_preprocessing=way.exact,
            no_cache=True,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        values = dataclasses.asdict(self)
        return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Undo `to_dict`."""
        folders = ("folder", "model_folder", "candidates_file")
        typed: dict[str, Any] = {name: Path(values[name]) for name in folders}
        typed |= {name: tuple(values[name]) for name in ("countries", "labels")}
        return cls(**(values | typed))
