"""Show how much the image features of earlier evaluations take, and remove them."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from jobs.cli import OneLineParser, build_config_parser, run_job
from jobs.record import Job
from streetclip.config import ClearCacheConfig


def build_parser() -> OneLineParser:
    """Make the parser; its flags are the fields of `ClearCacheConfig`."""
    return build_config_parser(ClearCacheConfig, __doc__ or "")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(build_parser(), ClearCacheConfig, argv, _clear)


def _clear(config: ClearCacheConfig, _job: Job) -> None:
    from streetclip.evaluation.feature_cache import cached_folders

    found = cached_folders(config.features_dir)
    for cache in found:
        made_of = ", ".join(f"{name} {str(value)[:12]}" for name, value in cache.made_of.items())
        print(f"{cache.folder}: {cache.num_bytes / 1e6:,.1f} MB ({made_of})")
        if not config.dry_run:
            _remove(cache.folder)
    total = sum(cache.num_bytes for cache in found) / 1e6
    what = "to remove" if config.dry_run else "removed"
    print(f"{config.features_dir}: {len(found)} caches, {total:,.1f} MB {what}")


def _remove(folder: Path) -> None:
    from streetclip.files import translated_disk_errors

    with translated_disk_errors(folder):
        shutil.rmtree(folder)


if __name__ == "__main__":
    raise SystemExit(main())
