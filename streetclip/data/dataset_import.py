"""Write a dataset of another format as manifests, and split it by place."""

import contextlib
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from streetclip.data.columns import COORDINATES
from streetclip.data.csv_formulas import defuse
from streetclip.data.csv_text import CsvFile
from streetclip.data.dataset_formats import FORMATS, Mapped, map_columns, recognise
from streetclip.data.dataset_photos import ImageNames, PhotoFolder, has_country_folders
from streetclip.data.dataset_rows import DatasetRows, ImportCounts
from streetclip.data.manifest import ManifestReader
from streetclip.data.place_split import Float64, Int64, PlaceSplit, split_by_place
from streetclip.errors import ConfigError, ManifestError
from streetclip.files import atomic_path
from streetclip.progress import Progress, no_progress

_CHUNK_ROWS = 2**15
PHOTOS = {"folders": "a folder of photos per country", "exif": "photos, places from their GPS"}


@dataclass(frozen=True)
class Dataset:
    """Describe a dataset to import: its format by name and title, its columns by role."""

    path: Path
    image_dir: Path | None
    format: str
    title: str
    columns: Mapped
    may_be_swapped: bool = False


@dataclass(frozen=True)
class ImportedDataset:
    """Describe what was written; `num_skipped`, `problems`, `warnings` as in `Manifest`.

    Attributes:
        num_images: Images by file.
        country_codes: Countries of the images, most frequent first.
        without_row: Images of the folder that the dataset does not name.
        split: How the images were split by place, if they were.
    """

    counts: ImportCounts
    num_images: Mapping[Path, int]
    country_codes: tuple[str, ...]
    without_row: tuple[str, ...]
    num_skipped: int
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    split: PlaceSplit | None


def recognise_dataset(
    path: Path, image_dir: Path | None, name: str = "auto", columns: Sequence[str] = ()
) -> Dataset:
    """Find the format of a file or folder, and its columns; see `map_columns` for errors."""
    if path.is_dir():
        if name == "auto":
            name = "folders" if has_country_folders(path) else "exif"
        if name not in PHOTOS:
            msg = f"{path}: is a folder; expected a CSV file with --format {name}."
            raise ManifestError(msg)
        if columns:
            msg = f"--columns is given for --format {name}; expected a CSV file as --input."
            raise ConfigError(msg)
        return Dataset(path, image_dir, name, PHOTOS[name], {})
    if name in PHOTOS:
        msg = f"{path}: is no folder; expected a folder of photos with --format {name}."
        raise ManifestError(msg)
    with CsvFile(path) as file:
        name = recognise(file.header) if name == "auto" else name
        mapped = map_columns(path, file.header, name, columns)
    # With countries, the check of each row finds swapped coordinates.
    is_given = any(text.startswith(COORDINATES) for text in columns)
    may_be_swapped = "country" not in mapped and not is_given
    return Dataset(path, image_dir, name, FORMATS[name].title, mapped, may_be_swapped)


def import_dataset(
    dataset: Dataset,
    destinations: Sequence[Path],
    *,
    shares: Sequence[float] = (),
    min_km: float = 1.0,
    seed: int = 42,
    on_bad_rows: str = "fail",
    progress: Progress = no_progress,
) -> ImportedDataset:
    """Write one manifest, or one for each share; all or none.

    Raises a ManifestError as `ManifestReader` does, and if images to split have no coordinates.
    """
    rows = _open_rows(dataset)
    reader = ManifestReader(
        dataset.path,
        on_bad_rows=on_bad_rows,
        chunk_rows=_CHUNK_ROWS,
        check_captions=False,
        progress=progress,
        open_rows=lambda _: rows,
    )
    with contextlib.ExitStack() as pending:
        temporary = [pending.enter_context(atomic_path(path)) for path in destinations]
        whole = temporary[0].with_name("all.csv") if shares else temporary[0]
        codes, points_2N = _write(reader, whole)
        split = None
        if shares:
            _check_located(dataset.path, points_2N)
            split = split_by_place(points_2N[0], points_2N[1], shares, min_km=min_km, seed=seed)
            _distribute(whole, temporary, split.number_N)
            whole.unlink()
    counts = [len(codes)] if split is None else np.bincount(split.number_N, minlength=len(shares))
    names, frequency = np.unique(codes, return_counts=True)
    return ImportedDataset(
        counts=rows.counts,
        num_images={path: int(n) for path, n in zip(destinations, counts, strict=True)},
        country_codes=tuple(names[np.argsort(-frequency, kind="stable")].tolist()),
        without_row=rows.without_row,
        num_skipped=reader.num_skipped,
        problems=tuple(reader.problems),
        warnings=tuple(reader.warnings),
        split=split,
    )


def _open_rows(dataset: Dataset) -> DatasetRows:
    if dataset.format in PHOTOS:
        by_folder = dataset.format == "folders"
        image_dir = dataset.image_dir or dataset.path
        photos = PhotoFolder(dataset.path, image_dir, by_folder=by_folder)
        columns = {name: name for name in photos.header}
        return DatasetRows(lambda: photos, columns, given="folder" if by_folder else "EXIF")
    images = None if dataset.image_dir is None else ImageNames(dataset.image_dir)
    return DatasetRows(
        lambda: CsvFile(dataset.path),
        dataset.columns,
        given="dataset",
        suffix=FORMATS[dataset.format].suffix,
        images=images,
        may_be_swapped=dataset.may_be_swapped,
    )


def _write(reader: ManifestReader, destination: Path) -> tuple[list[str], list[Float64]]:
    """Write the good rows, defused; return their country codes and coordinates."""
    codes: list[str] = []
    points: list[tuple[Float64, Float64]] = []
    with destination.open("w", encoding="utf-8", newline="", buffering=2**18) as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(map(defuse, reader.header))
        for chunk in reader:
            writer.writerows(map(defuse, row) for row in chunk.rows)
            codes += chunk.columns["country_code"]
            points.append((chunk.columns["latitude_deg"], chunk.columns["longitude_deg"]))
    return codes, [np.concatenate(each) for each in zip(*points, strict=True)]


def _check_located(path: Path, points_2N: Sequence[Float64]) -> None:
    unknown = int(np.isnan(points_2N[0]).sum())
    if unknown:
        msg = (
            f"{path}: {unknown:,} of {len(points_2N[0]):,} images have no coordinates; a split by "
            "place needs them. Leave out --split, or these images."
        )
        raise ManifestError(msg)


def _distribute(whole: Path, destinations: Sequence[Path], number_N: Int64) -> None:
    """Copy each row to the file of its number."""
    with contextlib.ExitStack() as opened:
        # A row with line breaks in a cell stays as it is: it is read and written the same way.
        rows = csv.reader(opened.enter_context(whole.open(encoding="utf-8", newline="")))
        files = [
            opened.enter_context(path.open("w", encoding="utf-8", newline="", buffering=2**18))
            for path in destinations
        ]
        writers = [csv.writer(file, lineterminator="\r\n") for file in files]
        header = next(rows)
        for writer in writers:
            writer.writerow(header)
        for number, row in zip(number_N.tolist(), rows, strict=True):
            writers[number].writerow(row)
