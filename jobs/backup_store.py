"""Back up a store or its annotations, also while jobs write, and restore them."""

from collections.abc import Sequence
from pathlib import Path

from jobs.support.cli import run_job
from jobs.support.record import Job
from streetclip.config import BackupStoreConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(BackupStoreConfig, __doc__, argv, _backup)


def _backup(config: BackupStoreConfig, job: Job) -> None:
    if config.restore is not None:
        _restore(config.restore, config, job)
    elif config.output is not None:
        _write(config.output, config, job)


def _write(output: Path, config: BackupStoreConfig, job: Job) -> None:
    from streetclip.store.backup import backup_annotations, backup_store

    if config.annotations_only:
        count = backup_annotations(config.db, output, _digest)
        print(f"{output}: annotations of {count:,} images")
        return
    with job.progress("backup", "page") as progress:
        backup_store(config.db, output, progress)
    print(f"{output}: {output.stat().st_size / 1e6:,.1f} MB, checked")


def _restore(source: Path, config: BackupStoreConfig, job: Job) -> None:
    from streetclip.store.backup import is_store, restore_annotations, restore_store

    if is_store(source):
        with job.progress("restore", "page") as progress:
            restore_store(source, config.db, progress)
        print(f"{config.db}: restored from {source}, checked")
        return
    restored = restore_annotations(source, config.db, _digest)
    print(
        f"{config.db}: found the images of {restored.found:,} of {restored.total:,} annotations, "
        f"changed {restored.changed:,} images"
    )


def _digest(folder: Path, name: str) -> str:
    from streetclip.data.decoding import real_image_path
    from streetclip.data.file_identity import content_digests
    from streetclip.errors import ImageError

    try:
        path = real_image_path(folder, name)  # the store may come from elsewhere
    except (ImageError, OSError, RuntimeError):  # RuntimeError: links in a circle
        return ""
    words = content_digests([str(path)])[0]
    return "".join(f"{int(word):016x}" for word in words) if words.any() else ""


if __name__ == "__main__":
    raise SystemExit(main())
