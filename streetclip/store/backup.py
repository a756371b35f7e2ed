"""Back up a store while jobs write into it, and move annotations from store to store.

Annotations are matched by the content of images, so that they follow a file to another folder.
"""

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from streetclip.errors import OutputError, ResourceError, StoreError, shown
from streetclip.files import atomic_path, read_json, refuse_existing, write_json
from streetclip.progress import Progress, no_progress
from streetclip.store.annotation_history import Annotation
from streetclip.store.annotations import (
    all_annotations,
    checked_annotation,
    merge_annotations,
)
from streetclip.store.checks import find_faults
from streetclip.store.connection import Store, check_advice, translated
from streetclip.store.images import image_path
from streetclip.store.predictions import read_run_files
from streetclip.store.schema import open_store

FORMAT = "streetclip annotations 1"

Digest = Callable[[Path, str], str]
"""Hashes the content of an image, of a folder and with a name that the store holds, as hexadecimal
text; "" where it cannot be read or lies outside of the folder."""

_MAGIC = b"SQLite format 3\0"
_PAGES_PER_STEP = 4096
_MOST_DIGITS = 32


class Restored(NamedTuple):
    """How many annotations a file holds, how many images were found and changed."""

    total: int
    found: int
    changed: int


def backup_store(
    path: Path, output: Path, progress: Progress = no_progress, *, is_checked: bool = True
) -> None:
    """Copy one state of a store to a new file, while others may write into the store.

    Raises:
        OutputError: The file exists already.
        StoreError: The store is missing or damaged; there is no file then.
        ResourceError: The disk is full or fails.
    """
    refuse_existing(output, advice="Name another --output.")

    def report(_status: int, remaining: int, total: int) -> None:
        progress(total - remaining, total)

    with open_store(path, read_only=True) as store, atomic_path(output) as temporary:
        temporary.touch()  # the system says why it cannot; SQLite does not
        target = sqlite3.connect(temporary, isolation_level=None)
        # In one snapshot: otherwise each batch of a job would start the copy again.
        with contextlib.closing(target), store.snapshot(), translated(output):
            store.rows("SELECT count(*) FROM sqlite_master")
            store.db.conn.backup(target, pages=_PAGES_PER_STEP, progress=report, sleep=0)
            # One file, also on read-only media. Where the disk fails, SQLite keeps the old mode.
            ((mode,),) = target.execute("PRAGMA journal_mode = DELETE")
            if mode != "delete":
                msg = f"{output}: the disk failed; no backup was made. Check it and run again."
                raise ResourceError(msg)
        if is_checked:
            _check(temporary, path)


def restore_store(backup: Path, path: Path, progress: Progress = no_progress) -> None:
    """Copy a backup to a store that does not exist; raise OutputError if it does."""
    refuse_existing(path, advice="Move it away, or name another --db.")
    backup_store(backup, path, progress)


def is_store(path: Path) -> bool:
    """Check whether a file begins as a SQLite database."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def backup_annotations(path: Path, output: Path, digest: Digest) -> int:
    """Write all annotations of a store as JSON, each with its image's name and content.

    Returns how many. Raises as `backup_store`.
    """
    refuse_existing(output, advice="Name another --output.")
    with open_store(path, read_only=True) as store:
        known = _known_digests(store)
        records = []
        for image_id, each in all_annotations(store).items():
            folder, name = image_path(store, image_id)
            records.append(
                {
                    "image_filename": name,
                    "content": known.get(image_id) or digest(folder, name),
                    "tags": sorted(each.tags),
                    "note": each.note,
                    "status": each.status,
                }
            )
    write_json(output, {FORMAT: records})
    return len(records)


def restore_annotations(source: Path, path: Path, digest: Digest) -> Restored:
    """Merge a file of `backup_annotations` into a store; what the store has is kept.

    An image is that with the same content, else that with the same name unless its content is
    known to be another.

    Raises:
        OutputError: The file is not one of `backup_annotations`.
        ConfigError: A tag, note or status in it is not allowed.
        StoreError: The store is missing or cannot be written.
    """
    records = _read_records(source)
    with open_store(path, read_only=True) as store:
        ids_of = _Images(store, digest)
        found = [(ids_of.find(name, content), each) for name, content, each in records]
    merged: dict[int, Annotation] = {}
    for image_ids, given in found:
        for image_id in image_ids:
            before = merged.get(image_id, given)
            merged[image_id] = before._replace(tags=before.tags | given.tags)
    with open_store(path) as store:
        changed = merge_annotations(store, merged)
    return Restored(len(records), sum(bool(image_ids) for image_ids, _ in found), changed)


class _Images:
    """Finds the images of a store by content and name."""

    def __init__(self, store: Store, digest: Digest) -> None:
        self._store, self._digest = store, digest
        self._content_of = _known_digests(store)
        self._with_content: dict[str, list[int]] = {}
        for image_id, content in self._content_of.items():
            self._with_content.setdefault(content, []).append(image_id)

    def find(self, name: str, content: str) -> list[int]:
        if content in self._with_content:
            return self._with_content[content]
        rows = self._store.rows("SELECT id FROM images WHERE filename = ?", (name,))
        return [image_id for (image_id,) in rows if self._may_be(image_id, content)]

    def _may_be(self, image_id: int, content: str) -> bool:
        known = self._content_of.get(image_id) or self._digest(*image_path(self._store, image_id))
        return not known or not content or known == content


def _known_digests(store: Store) -> dict[int, str]:
    """Read the content of image files when they were last predicted, by image id."""
    found: dict[int, str] = {}
    for (run_id,) in store.rows("SELECT id FROM runs ORDER BY id"):
        for record in read_run_files(store, run_id):
            words = [int(record[f"file_digest_{i}"]) & (2**64 - 1) for i in (0, 1)]
            if any(words):
                found[int(record["image_id"])] = "".join(f"{word:016x}" for word in words)
    return found


def _read_records(source: Path) -> list[tuple[str, str, Annotation]]:
    try:
        value: Any = read_json(source)
        return [
            (
                str(each["image_filename"]),
                str(each["content"])[:_MOST_DIGITS],
                checked_annotation(each["tags"], each["note"], each["status"]),
            )
            for each in value[FORMAT]
        ]
    except OSError as error:
        msg = f"{source}: cannot be read ({error.strerror}). Name another file with --restore."
        raise OutputError(msg) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = (
            f"{source}: is no file of annotations ({shown(error)}); expected one that "
            "backup_store.py --annotations_only wrote. Name another with --restore."
        )
        raise OutputError(msg) from error


def _check(copy: Path, path: Path) -> None:
    with open_store(copy, read_only=True) as store:
        fault = next(find_faults(store), None)
    if fault is not None:
        msg = f"{path}: {fault.text}; no backup was made. {check_advice(path)}"
        raise StoreError(msg)
