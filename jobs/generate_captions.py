"""Write a caption for every image of the manifests: OUTPUT_DIR/{train,val,test}_captions.csv."""

import contextlib
import gc
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.cli import (
    OneLineParser,
    build_config_parser,
    run_job,
    warn_of_doubtful_rows,
    warn_of_skipped_rows,
)
from jobs.record import Job
from streetclip.config import CaptionConfig
from streetclip.errors import ManifestError, OutputError, shown

if TYPE_CHECKING:
    from streetclip.data.caption_files import CaptionFile

_log = logging.getLogger(__name__)


def build_parser() -> OneLineParser:
    """Make the parser of this job's flags."""
    return build_config_parser(CaptionConfig, __doc__ or "")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(build_parser(), CaptionConfig, argv, generate_captions)


def generate_captions(config: CaptionConfig, job: Job) -> None:
    """Write the captions files, all or none, and print what was written.

    What a killed job left half written in the folder is removed.

    Args:
        config: The flags.
        job: Its record.

    Raises:
        OutputError: A file stands already and is not to be replaced.
        ManifestError: Manifests cannot be used; all of them are named.
        TemplateError: A template is unknown or malformed, or fits no image.
        ResourceError: The disk is full.
    """
    from streetclip.files import clear_leftovers

    clear_leftovers(config.output_dir)
    destinations = {split: config.output_dir / f"{split}_captions.csv" for split in config.inputs()}
    if not config.overwrite:
        _refuse_existing(list(destinations.values()))
    written = _write_all(config, job, destinations)
    for split, destination in destinations.items():
        job.add_output(destination)
        _report(destination, written[split])


def _refuse_existing(destinations: list[Path]) -> None:
    standing = [path for path in destinations if path.exists()]
    if standing:
        msg = (
            f"{', '.join(map(str, standing))} stand{'s' * (len(standing) == 1)} already; expected "
            "new files. Name another --output_dir, or replace them with --overwrite."
        )
        raise OutputError(msg)


def _write_all(
    config: CaptionConfig, job: Job, destinations: dict[str, Path]
) -> "dict[str, CaptionFile]":
    from streetclip.captions import load_templates
    from streetclip.data.caption_files import write_captions
    from streetclip.data.manifest import ManifestReader
    from streetclip.files import atomic_path

    templates = load_templates(config.templates, config.template_file)
    written: dict[str, CaptionFile] = {}
    errors: list[ManifestError] = []
    # No file gets its name before all are complete.
    with contextlib.ExitStack() as pending:
        for split, source in config.inputs().items():
            temporary = pending.enter_context(atomic_path(destinations[split]))
            bar = pending.enter_context(job.progress(f"{split} captions", "B"))
            try:
                reader = ManifestReader(
                    source, on_bad_rows=config.on_bad_rows, check_captions=False, progress=bar
                )
                with _no_garbage_collection():
                    written[split] = write_captions(reader, temporary, templates, seed=config.seed)
            except ManifestError as error:
                errors.append(error)
            bar.close()
        if errors:
            raise ManifestError("\n".join(map(str, errors)))
    return written


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep Python from looking for cycles among millions of rows, which have none."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _report(destination: Path, file: "CaptionFile") -> None:
    bad_rows = f"{file.num_skipped:,} bad row{'s' * (file.num_skipped != 1)}"
    skipped = f", {bad_rows} skipped" if file.num_skipped else ""
    print(f"{destination}: {file.num_rows:,} captions{skipped}")
    for name, caption in file.examples:
        print(f"  {shown(name)}: {shown(caption)}")
    warn_of_skipped_rows(file.problems)
    warn_of_doubtful_rows(file.warnings)
    if len(file.examples) == 1 and file.num_rows > 1:
        _log.warning(
            "%s: all captions are equal, so that nothing can be learnt from them. Are city, "
            "region and country filled?",
            destination,
        )
    if file.longest is not None:
        _log.warning(
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
