"""List the image features that earlier evaluations cached, and remove them."""

import shutil
from collections.abc import Sequence

from jobs.support.cli import run_job
from jobs.support.record import Job
from streetclip.config import ClearCacheConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(ClearCacheConfig, __doc__, argv, _clear)


def _clear(config: ClearCacheConfig, _job: Job) -> None:
    from streetclip.evaluation.feature_cache import cached_folders
    from streetclip.files import translated_disk_errors

    found = cached_folders(config.features_dir)
    for cache in found:
        made_of = ", ".join(f"{name} {str(value)[:12]}" for name, value in cache.made_of.items())
        print(f"{cache.folder}: {cache.num_bytes / 1e6:,.1f} MB ({made_of})")
        if not config.dry_run:
            with translated_disk_errors(cache.folder):
                shutil.rmtree(cache.folder)
    total = sum(cache.num_bytes for cache in found) / 1e6
    what = "to remove" if config.dry_run else "removed"
    print(f"{config.features_dir}: {len(found)} caches, {total:,.1f} MB {what}")


if __name__ == "__main__":
    raise SystemExit(main())
