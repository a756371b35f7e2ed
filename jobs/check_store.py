"""Check a store for damage, and repair what it holds twice."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobs.support.cli import run_job
from jobs.support.record import Job
from streetclip.config import CheckStoreConfig
from streetclip.errors import StoreError

if TYPE_CHECKING:
    from streetclip.store import Fault


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(CheckStoreConfig, __doc__, argv, _check)


def _check(config: CheckStoreConfig, job: Job) -> None:
    from streetclip.store import missing_folders, open_store

    with open_store(config.db, read_only=True) as store:
        folders = missing_folders(store)
    faults = _faults(config, job)
    for fault in faults:
        print(f"✗ {fault.text}{'' if fault.repair is None else ' (can be repaired)'}")
    for folder in folders:
        print(f"! the image folder {folder} is missing: its images are not shown")
    if faults and config.repair:
        faults = _repair(config, job, faults)
    if faults:
        num_repairable = sum(fault.repair is not None for fault in faults)
        advice = "Restore a backup."
        if num_repairable:
            advice = f"Add --repair to repair {num_repairable:,} of them, on a backup first."
        found = "1 fault" if len(faults) == 1 else f"{len(faults):,} faults"
        msg = f"{config.db}: has {found}. {advice}"
        raise StoreError(msg)
    print(f"{config.db}: no fault")


def _faults(config: CheckStoreConfig, job: Job) -> "list[Fault]":
    from streetclip.store import find_faults, open_store

    with open_store(config.db, read_only=True) as store, job.progress("check", "check") as bar:
        return list(find_faults(store, bar))


def _repair(config: CheckStoreConfig, job: Job, faults: "list[Fault]") -> "list[Fault]":
    """Repair what can be, after a backup; return what is left."""
    from streetclip.store import repair_store
    from streetclip.store.backup import backup_store

    if all(fault.repair is None for fault in faults):
        return faults
    time = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    copy = config.db.with_name(f"{config.db.stem}-before-repair-{time}{config.db.suffix}")
    with job.progress("backup", "page") as progress:
        backup_store(config.db, copy, progress, is_checked=False)
    print(f"{copy}: the store as it was")
    with job.progress("repair", "repair") as progress:
        count = repair_store(config.db, faults)
        progress(count, count)
    print(f"{config.db}: repaired {count:,} of {len(faults):,} faults")
    return _faults(config, job)


if __name__ == "__main__":
    raise SystemExit(main())
