"""Export the filtered images of a run with their predictions: CSV, Parquet or GeoJSON."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.support.cli import run_job
from jobs.support.record import Job
from streetclip.config import ExportPredictionsConfig
from streetclip.progress import Progress

if TYPE_CHECKING:
    from streetclip.reports.exports import Columns


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(ExportPredictionsConfig, __doc__, argv, _export)


def _export(config: ExportPredictionsConfig, job: Job) -> None:
    from streetclip.files import atomic_path, refuse_existing
    from streetclip.reports.chosen import Chosen
    from streetclip.reports.exports import annotation_portions, portions, write_csv, writer_of
    from streetclip.store import open_store

    outputs: list[tuple[Path, Any, Any]] = []
    if config.output is not None:
        outputs.append((config.output, portions, writer_of(config.output.name)))
    if config.annotations is not None:
        outputs.append((config.annotations, annotation_portions, write_csv))
    if not config.overwrite:
        refuse_existing(*(path for path, *_ in outputs), advice="Replace them with --overwrite.")
    chosen = Chosen.open(config.db, config.run, filters=config.filter)
    image_ids = chosen.table.image_ids[chosen.mask].tolist()
    for path, read, write in outputs:
        with (
            open_store(config.db, read_only=True) as opened,
            opened.snapshot(),
            atomic_path(path) as temporary,
            temporary.open("wb") as file,
            job.progress("export", "image") as bar,
        ):
            write(_counted(read(opened, chosen.run["id"], image_ids), bar, len(image_ids)), file)
        print(f"{path}: {path.stat().st_size / 1e6:,.1f} MB, of {len(image_ids):,} images")


def _counted(columns: "Iterable[Columns]", bar: Progress, total: int) -> "Iterator[Columns]":
    """Show the progress of portions, each of `exports.PORTION` images."""
    from streetclip.reports.exports import PORTION

    for i, each in enumerate(columns, start=1):
        yield each
        bar(min(i * PORTION, total), total)


if __name__ == "__main__":
    raise SystemExit(main())
