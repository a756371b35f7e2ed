"""Define the settings of the `import_dataset` job."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from streetclip.config.options import JobConfig, ManifestOptions, option
from streetclip.errors import ConfigError

DATASET_FORMATS = ("osv5m", "im2gps", "global_streetscapes", "table", "folders", "exif")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, kw_only=True)
class CityListOptions(JobConfig):
    """Settings of jobs that write candidates."""

    cities_per_country: int = option(30, minimum=1, help="most cities of a country, by population")
    min_population: int = option(
        15000, minimum=500, help="least inhabitants of a city; a country's largest place is kept"
    )


@dataclass(frozen=True, kw_only=True)
class ImportDatasetConfig(CityListOptions, ManifestOptions):
    """Settings of the `import_dataset` job."""

    kind: ClassVar[str] = "import_dataset"
    input: Path = option(help="CSV file with a row for each image, or folder of photos")
    image_dir: Path | None = option(
        None, help="folder of the images, subfolders included; default for photos: --input"
    )
    format: str = option(
        "auto",
        choices=("auto", *DATASET_FORMATS),
        help="auto: recognise it; folders: a folder of photos per country; exif: places from the "
        "photos' GPS; table: any CSV with usual column names or --columns",
    )
    columns: tuple[str, ...] = option(
        (), help="columns under other names, as city=place country=cc latitude=y"
    )
    split: tuple[float, ...] = option(
        (), minimum=0, maximum=1, help="shares of train, val and test (0.8 0.1 0.1); default: none"
    )
    min_km: float = option(1.0, above=0, maximum=1000, help="least distance between two splits")
    seed: int = option(42, minimum=0, help="seed of the split")
    output_dir: Path = option(
        Path("outputs/dataset"), help="folder for manifest.csv, or one CSV a split, and candidates"
    )
    overwrite: bool = option(False, help="replace existing files")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split and (len(self.split) != len(SPLITS) or not math.isclose(sum(self.split), 1)):
            found = " ".join(f"{share:g}" for share in self.split)
            msg = f"--split is {found}; expected shares of train, val and test that sum to 1."
            raise ConfigError(msg)
