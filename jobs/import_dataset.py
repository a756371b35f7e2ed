"""Write a dataset of another format as manifests and candidates: OSV-5M, IM2GPS, photos, tables."""

import csv
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.support.cli import log_row_problems, run_job
from jobs.support.record import Job
from streetclip.config import ImportDatasetConfig
from streetclip.config.dataset_import import SPLITS
from streetclip.errors import shown

if TYPE_CHECKING:
    from streetclip.data.dataset_import import ImportedDataset
    from streetclip.data.place_split import PlaceSplit

_LOG = logging.getLogger(__name__)
_MOST_SHARE_MISSED = 0.02


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(ImportDatasetConfig, __doc__, argv, _import)


def _import(config: ImportDatasetConfig, job: Job) -> None:
    from streetclip.data.candidates import list_cities, write_cities
    from streetclip.data.dataset_import import import_dataset, recognise_dataset
    from streetclip.files import refuse_existing

    names = SPLITS if config.split else ("manifest",)
    destinations = [config.output_dir / f"{name}.csv" for name in names]
    candidates = config.output_dir / "candidates.json"
    left_out = config.output_dir / "left_out.csv"
    if not config.overwrite:
        advice = "Name another --output_dir, or replace them with --overwrite."
        refuse_existing(*destinations, candidates, left_out, advice=advice)
    dataset = recognise_dataset(config.input, config.image_dir, config.format, config.columns)
    print(f"{dataset.path}: format {dataset.format} ({dataset.title})")
    for role, name in dataset.columns.items():
        print(f"  {role} from column {shown(name)}")
    with job.progress("dataset", "B" if config.input.is_file() else "image") as bar:
        found = import_dataset(
            dataset,
            destinations,
            shares=config.split,
            min_km=config.min_km,
            seed=config.seed,
            on_bad_rows=config.on_bad_rows,
            progress=bar,
        )
    _print_counts(found)
    for path, num_images in found.num_images.items():
        job.add_output(path)
        print(f"{path}: {num_images:,} images")
    if found.counts.left_out:
        _write_left_out(left_out, found.counts.left_out)
        job.add_output(left_out)
        print(f"{left_out}: {len(found.counts.left_out):,} images, with reasons")
    if found.split is not None:
        _check_shares(config, found.split, list(found.num_images.values()))
    cities = list_cities(
        found.country_codes,
        cities_per_country=config.cities_per_country,
        min_population=config.min_population,
    )
    write_cities(candidates, cities)
    job.add_output(candidates)
    count = sum(map(len, cities.values()))
    print(f"{candidates}: {len(cities)} countries, {count:,} cities (GeoNames, CC BY 4.0)")


def _print_counts(found: "ImportedDataset") -> None:
    """Print where the rows and the parts of their places come from."""
    counts, num_images = found.counts, sum(found.num_images.values())
    print(
        f"rows: {counts.num_rows:,}; images: {num_images:,} in {len(found.country_codes)} "
        f"countries; left out without a place: {len(counts.left_out):,}; bad rows skipped: "
        f"{found.num_skipped:,}"
    )
    for column in dict.fromkeys(name for name, _ in counts.filled):
        sources = [(source, n) for (name, source), n in counts.filled.items() if name == column]
        listed = ", ".join(
            f"{n:,} {f'from {source}' if source else 'blank'}" for source, n in sources
        )
        print(f"  {column}: {listed}")
    for names, what in (
        (counts.missing, "rows name no image of --image_dir"),
        (found.without_row, "images of --image_dir have no row"),
    ):
        if names:
            _LOG.warning("%s %s, such as %s", f"{len(names):,}", what, shown(min(names)))
    log_row_problems(found.problems, found.warnings)


def _write_left_out(path: Path, rows: Sequence[tuple[str, str]]) -> None:
    from streetclip.data.csv_formulas import defuse
    from streetclip.files import atomic_path

    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(("image_filename", "reason"))
        writer.writerows(map(defuse, row) for row in rows)


def _check_shares(config: ImportDatasetConfig, split: "PlaceSplit", counts: Sequence[int]) -> None:
    """Print the groups, and warn where they are too large for the shares."""
    total = sum(counts)
    print(
        f"  {split.num_groups:,} groups at least {config.min_km:g} km apart; the largest has "
        f"{split.largest_group:,} images"
    )
    if any(
        abs(count / total - share) > _MOST_SHARE_MISSED
        for count, share in zip(counts, config.split, strict=True)
    ):
        _LOG.warning(
            "the shares are %s instead of %s, as images of one group stay together; lower --min_km",
            " ".join(f"{count / total:.2f}" for count in counts),
            " ".join(f"{share:g}" for share in config.split),
        )


if __name__ == "__main__":
    raise SystemExit(main())
