"""Write a caption for every image of the manifests: OUTPUT_DIR/{train,val,test}_captions.csv."""

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.support.cli import log_row_problems, run_job
from jobs.support.record import Job
from streetclip.config import CaptionConfig
from streetclip.errors import ManifestError, shown
from streetclip.gc_utils import collection_paused

if TYPE_CHECKING:
    from streetclip.data.caption_files import CaptionFile

_LOG = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(CaptionConfig, __doc__, argv, _generate_captions)


def _generate_captions(config: CaptionConfig, job: Job) -> None:
    """Write the captions files, all or none, and print examples."""
    from streetclip.files import refuse_existing

    destinations = {split: config.output_dir / f"{split}_captions.csv" for split in config.inputs()}
    if not config.overwrite:
        advice = "Name another --output_dir, or replace them with --overwrite."
        refuse_existing(*destinations.values(), advice=advice)
    written = _write_all(config, job, destinations)
    for split, destination in destinations.items():
        job.add_output(destination)
        _report(destination, written[split])


def _write_all(
    config: CaptionConfig, job: Job, destinations: dict[str, Path]
) -> "dict[str, CaptionFile]":
    from streetclip.captions.templates import load_templates
    from streetclip.data.caption_files import write_captions
    from streetclip.data.manifest import ManifestReader
    from streetclip.files import atomic_path

    templates = load_templates(config.templates, config.template_file)
    written: dict[str, CaptionFile] = {}
    errors: list[str] = []
    # No file gets its name before all are complete.
    with contextlib.ExitStack() as pending:
        for split, source in config.inputs().items():
            temporary = pending.enter_context(atomic_path(destinations[split]))
            with job.progress(f"{split} captions", "B") as bar:
                try:
                    rule = config.on_bad_rows
                    reader = ManifestReader(
                        source, on_bad_rows=rule, check_captions=False, progress=bar
                    )
                    with collection_paused():
                        file = write_captions(reader, temporary, templates, seed=config.seed)
                    written[split] = file
                except ManifestError as error:
                    errors.append(str(error))
        if errors:
            raise ManifestError("\n".join(errors))
    return written


def _report(destination: Path, file: "CaptionFile") -> None:
    rows = f"bad row{'s' * (file.num_skipped != 1)}"
    skipped = f", {file.num_skipped:,} {rows} skipped" if file.num_skipped else ""
    print(f"{destination}: {file.num_rows:,} captions{skipped}")
    for name, caption in file.examples:
        print(f"  {shown(name)}: {shown(caption)}")
    log_row_problems(file.problems, file.warnings)
    if len(file.examples) == 1 and file.num_rows > 1:
        _LOG.warning(
            "%s: all captions are equal, so that nothing can be learnt from them. Are city, "
            "region and country filled?",
            destination,
        )
    if file.longest is not None:
        _LOG.warning(
            "%s: %s of %s captions are probably longer than the 77 tokens that CLIP reads, such as "
            "that of %s: %s. train knows the model's tokenizer and shortens those of templates: "
            "region first, then city",
            destination,
            f"{file.num_long:,}",
            f"{file.num_rows:,}",
            *map(shown, file.longest),
        )


if __name__ == "__main__":
    raise SystemExit(main())
