"""Annotate images with tags, notes and a status, in every dataset and run that has them.

Each call that changes something is one event of an author, who can undo it. Writing raises
StoreError where the store cannot be written, and ResourceError where the disk is full or another
job holds the store for too long.
"""

import json
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.errors import ConfigError, StoreError, shown
from streetclip.store.annotation_history import (
    OPEN,
    PROGRAM,
    READ,
    Annotation,
    Author,
    read_states,
    record,
)
from streetclip.store.connection import Store, utc_now

STATUSES = (OPEN, "reviewed", "to check")
"""How far an image has been reviewed; without an annotation it is open."""

SUGGESTED_TAGS = ("label error", "ambiguous", "no cue", "near-duplicate")
"""Tags to offer; any other text may be one."""

LONGEST_NAME = 500
"""Of a tag, a run, a dataset or a view."""

LONGEST_NOTE = 10_000
MOST_IMAGES = 100_000
"""The most images of one event."""

_MARKED = {OPEN: "unreviewed", "reviewed": "reviewed", "to check": "as needing a second look"}
# Control characters, halves of surrogate pairs, line and paragraph separators.
_REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})


def annotate(
    store: Store,
    image_ids: Iterable[int],
    *,
    add_tags: Collection[str] = (),
    remove_tags: Collection[str] = (),
    note: str | None = None,
    status: str | None = None,
    author: Author = PROGRAM,
) -> int:
    """Change the annotations of images, all or none, as one event that its author can undo.

    A tag has 1 to 500 characters after stripping, no control characters; it is kept in Unicode's
    composed form (NFC), so that what looks the same is the same. `remove_tags` are removed before
    `add_tags` are added. `note` replaces theirs, at most 10,000 characters: "" removes it, None
    keeps it. None keeps the status, too.

    Returns how many of at most `MOST_IMAGES` images changed; with 0 there is nothing to undo.

    Raises:
        ConfigError: A tag, note or status is not allowed, or there are too many images.
        StoreError: An image does not exist.
    """
    ids = sorted({int(each) for each in image_ids})
    if len(ids) > MOST_IMAGES:
        msg = f"{len(ids):,} images to annotate; expected at most {MOST_IMAGES:,}. Filter further."
        raise ConfigError(msg)
    added, removed = ({_checked_tag(tag) for tag in tags} for tags in (add_tags, remove_tags))
    changed: dict[str, Any] = {}
    if note is not None:
        changed["note"] = checked_text("a note", note, LONGEST_NOTE, "\n\t")
    if status is not None:
        _check_status(status)
        changed["status"] = status
    now = utc_now()
    with store.transaction():
        missing = store.rows(
            "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM images) LIMIT 1",
            (json.dumps(ids),),
        )
        if missing:
            msg = f"{store.path}: has no image {missing[0][0]}. Choose an image of one of its runs."
            raise StoreError(msg)
        before, after = {}, {}
        known = read_states(store, ids)
        for image_id in ids:
            state = known.get(image_id, Annotation())
            tags = (state.tags - removed) | added
            if state._replace(tags=tags, **changed) != state:
                before[image_id] = state
                after[image_id] = state._replace(tags=tags, updated_at=now, **changed)
        record(store, before, after, _description(added, removed, changed, len(after)), author)
    return len(after)


def merge_annotations(store: Store, annotations: Mapping[int, Annotation]) -> int:
    """Add tags, and notes and statuses where an image has none, as one event.

    Returns how many of the images, which exist, changed.
    """
    with store.transaction():
        known = read_states(store, list(annotations))
        before, after = {}, {}
        for image_id, given in annotations.items():
            state = known.get(image_id, Annotation())
            merged = Annotation(
                status=given.status if state.status == OPEN else state.status,
                note=state.note or given.note,
                updated_at=state.updated_at,
                tags=state.tags | given.tags,
            )
            if merged != state:
                before[image_id] = state
                after[image_id] = merged._replace(updated_at=utc_now())
        record(store, before, after, f"restored annotations ({len(after):,} images)")
    return len(after)


def all_annotations(store: Store) -> dict[int, Annotation]:
    """Read the annotation of each image that has one."""
    ids = [row[0] for row in store.rows("SELECT image_id FROM annotations ORDER BY image_id")]
    return read_states(store, ids)


def checked_annotation(tags: Iterable[str], note: str, status: str) -> Annotation:
    """Make an annotation of untrusted values; raise ConfigError as `annotate`."""
    _check_status(status)
    checked = frozenset(map(_checked_tag, tags))
    return Annotation(status, checked_text("a note", note, LONGEST_NOTE, "\n\t"), None, checked)


def annotations_version(store: Store) -> str:
    """Return a random text that changes with every change of an annotation, in any file."""
    return str(store.rows("SELECT revision FROM revisions WHERE name = 'annotations'")[0][0])


def tag_counts(store: Store) -> pd.DataFrame:
    """Count the images n of each tag in use; a frame, descending."""
    frame = store.frame(
        "SELECT tag, count(*) AS n FROM annotation_tags GROUP BY tag ORDER BY n DESC, tag"
    )
    return frame.astype({"n": np.int64})


def tagged_image_ids(store: Store, tag: str) -> npt.NDArray[np.int64]:
    """List the images with a tag, ascending; none for an unknown tag."""
    if any(unicodedata.category(character) == "Cs" for character in tag):
        return np.empty(0, np.int64)  # SQLite has no such text
    sql = "SELECT image_id FROM annotation_tags WHERE tag = ? ORDER BY image_id"
    found = store.frame(sql, (unicodedata.normalize("NFC", tag),), np.int64)
    return found["image_id"].to_numpy()


def status_image_ids(store: Store, status: str) -> npt.NDArray[np.int64]:
    """List the images with a status, ascending; ConfigError for "open" (all others)."""
    _check_status(status)
    if status == OPEN:
        msg = "all images without another status are 'open'; ask for the other statuses."
        raise ConfigError(msg)
    sql = "SELECT image_id FROM annotations WHERE status = ? ORDER BY image_id"
    return store.frame(sql, (status,), np.int64)["image_id"].to_numpy()


def read_annotations(store: Store, image_ids: Iterable[int]) -> pd.DataFrame:
    """Read the annotations of those images that have any.

    Returns:
        A frame indexed by image_id, ascending: status, note, tags (a sorted tuple) and updated_at
            (ISO 8601 in UTC).
    """
    frame = store.frame(READ, (json.dumps([int(each) for each in image_ids]),), dtype=object)
    tags = [tuple(sorted(json.loads(text))) for text in frame["tags"]]
    frame["tags"] = pd.Series(tags, dtype=object)
    return frame.astype({"image_id": np.int64}).set_index("image_id")


def _checked_tag(text: str) -> str:
    return checked_name("a tag", text)


def checked_name(what: str, text: str) -> str:
    """Check an untrusted text like `checked_text`; it has 1 to 500 characters."""
    name = checked_text(what, text, LONGEST_NAME)
    if not name:
        msg = f"{what} is blank; expected 1 to {LONGEST_NAME} characters."
        raise ConfigError(msg)
    return name


def checked_text(what: str, text: str, longest: int, allowed: str = "") -> str:
    """Strip and compose an untrusted text, or raise ConfigError naming it as `what`."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").strip())
    if len(text) > longest:
        msg = f"{what} has {len(text):,} characters; expected at most {longest:,}. Shorten it."
        raise ConfigError(msg)
    if any(unicodedata.category(each) in _REFUSED and each not in allowed for each in text):
        msg = f"{what}, {shown(text)}, has a control character or a line break; remove it."
        raise ConfigError(msg)
    return text


def _check_status(status: str) -> None:
    if status not in STATUSES:
        msg = f"status is {shown(status)}; expected one of {', '.join(map(shown, STATUSES))}."
        raise ConfigError(msg)


def _description(
    added: set[str], removed: set[str], changed: Mapping[str, str], num_images: int
) -> str:
    parts = [f"tagged {shown(tag)}" for tag in sorted(added)]
    parts += [f"removed tag {shown(tag)}" for tag in sorted(removed)]
    if "note" in changed:
        parts.append("saved note" if changed["note"] else "removed note")
    if "status" in changed:
        parts.append(f"marked {_MARKED[changed['status']]}")
    return ", ".join(parts) + (f" ({num_images:,} images)" if num_images > 1 else "")
