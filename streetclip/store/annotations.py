"""Annotate images with tags, notes and a status, in every dataset and run that has them.

Each call that changes something is one event, which `undo` takes back. Events are undone the newest
first, so that an image always returns to a state in which it has been. Writing raises StoreError
where the store cannot be written, and ResourceError where the disk is full or another job holds the
store for too long.
"""

import json
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from streetclip.errors import ConfigError, StoreError, shown
from streetclip.store.connection import Store, utc_now
from streetclip.store.sql_values import to_json

OPEN = "open"
STATUSES = (OPEN, "reviewed", "to check")
"""How far an image has been reviewed; without an annotation it is open."""

SUGGESTED_TAGS = ("label error", "ambiguous", "no cue", "near-duplicate")
"""Tags to offer; any other text may be one."""

LONGEST_TAG = 500
LONGEST_NOTE = 10_000
MOST_IMAGES = 100_000
"""The most images of one event."""

# Control characters, halves of surrogate pairs, line and paragraph separators.
_REFUSED = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True)
class _State:
    """The annotation of one image."""

    status: str = OPEN
    note: str = ""
    tags: frozenset[str] = frozenset()
    updated_at: str | None = None

    @property
    def is_blank(self) -> bool:
        return self.status == OPEN and not self.note and not self.tags


def annotate(
    store: Store,
    image_ids: Iterable[int],
    *,
    add_tags: Collection[str] = (),
    remove_tags: Collection[str] = (),
    note: str | None = None,
    status: str | None = None,
) -> int:
    """Change the annotations of images, all or none, as one event that can be undone.

    Args:
        store: The store, open for writing.
        image_ids: Images to change, at most `MOST_IMAGES`.
        add_tags: 1 to 500 characters after stripping, no control characters; kept in Unicode's
            composed form (NFC), so that what looks the same is the same.
        remove_tags: Removed before `add_tags` are added.
        note: Replaces theirs, at most 10,000 characters; "" removes it, None keeps it.
        status: One of `STATUSES`; None keeps it.

    Returns:
        How many images changed; with 0 there is nothing to undo.

    Raises:
        ConfigError: A tag, note or status is not allowed, or there are too many images.
        StoreError: An image does not exist.
    """
    ids = sorted({int(each) for each in image_ids})
    if len(ids) > MOST_IMAGES:
        msg = f"{len(ids):,} images to annotate; expected at most {MOST_IMAGES:,}. Filter further."
        raise ConfigError(msg)
    added, removed = ({_checked_tag(tag) for tag in tags} for tags in (add_tags, remove_tags))
    note = None if note is None else _checked_note(note)
    if status is not None:
        _check_status(status)
    now = utc_now()
    with store.transaction():
        missing = store.rows(
            "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT id FROM images) LIMIT 1",
            (json.dumps(ids),),
        )
        if missing:
            msg = f"{store.path}: has no image {missing[0][0]}. Choose an image of one of its runs."
            raise StoreError(msg)
        changes = []
        for image_id, before in _read_states(store, ids).items():
            after = _State(
                status=before.status if status is None else status,
                note=before.note if note is None else note,
                tags=(before.tags - removed) | added,
                updated_at=before.updated_at,
            )
            if after != before:
                changes.append((image_id, before, replace(after, updated_at=now)))
        if changes:
            _write_event(store, _description(added, removed, note, status, len(changes)), changes)
    return len(changes)


def undo(store: Store) -> str | None:
    """Take back the newest event that has not been undone.

    Returns:
        What it was, in words (plain text with the tags quoted); None if nothing is left.
    """
    with store.transaction():
        found = store.rows(
            "SELECT id, description FROM annotation_events WHERE undone_at IS NULL "
            "ORDER BY id DESC LIMIT 1"
        )
        if not found:
            return None
        event_id, description = found[0]
        changes = store.rows(
            "SELECT image_id, status, note, tags, updated_at FROM annotation_changes "
            "WHERE event_id = ?",
            (event_id,),
        )
        states = {
            image_id: _State(status, note, frozenset(json.loads(tags)), updated_at)
            for image_id, status, note, tags, updated_at in changes
        }
        _write_states(store, states)
        store.rows("UPDATE annotation_events SET undone_at = ? WHERE id = ?", (utc_now(), event_id))
    return str(description)


def annotations_version(store: Store) -> str:
    """Return a random text that changes with every change of an annotation, in any file."""
    return str(store.rows("SELECT revision FROM revisions WHERE name = 'annotations'")[0][0])


def tag_counts(store: Store) -> pd.DataFrame:
    """Count the tags in use: a frame with tag and n, its number of images, descending."""
    frame = store.frame(
        "SELECT tag, count(*) AS n FROM annotation_tags GROUP BY tag ORDER BY n DESC, tag"
    )
    return frame.astype({"n": np.int64})


def tagged_image_ids(store: Store, tag: str) -> npt.NDArray[np.int64]:
    """List the images with a tag, ascending; none for an unknown tag."""
    if any(unicodedata.category(character) == "Cs" for character in tag):
        return np.empty(0, np.int64)  # SQLite has no such text
    found = store.rows(
        "SELECT image_id FROM annotation_tags WHERE tag = ? ORDER BY image_id",
        (unicodedata.normalize("NFC", tag),),
    )
    return np.array([row[0] for row in found], np.int64)


def status_image_ids(store: Store, status: str) -> npt.NDArray[np.int64]:
    """List the images with a status other than "open", ascending; all others are open.

    Raises:
        ConfigError: The status is unknown, or "open".
    """
    _check_status(status)
    if status == OPEN:
        msg = "all images without another status are 'open'; ask for the other statuses."
        raise ConfigError(msg)
    found = store.rows(
        "SELECT image_id FROM annotations WHERE status = ? ORDER BY image_id", (status,)
    )
    return np.array([row[0] for row in found], np.int64)


def read_annotations(store: Store, image_ids: Iterable[int]) -> pd.DataFrame:
    """Read the annotations of those images that have any.

    Returns:
        A frame indexed by image_id, ascending: status, note ("" if none), tags (a tuple, in
        alphabetical order) and updated_at (ISO 8601 in UTC).
    """
    ids = sorted({int(each) for each in image_ids})
    with store.snapshot():
        read = _read_states(store, ids)
    states = {image_id: state for image_id, state in read.items() if not state.is_blank}
    return pd.DataFrame(
        {
            "status": [state.status for state in states.values()],
            "note": [state.note for state in states.values()],
            "tags": [tuple(sorted(state.tags)) for state in states.values()],
            "updated_at": [state.updated_at for state in states.values()],
        },
        index=pd.Index(list(states), dtype=np.int64, name="image_id"),
        dtype=object,
    )


def _checked_tag(text: str) -> str:
    tag = unicodedata.normalize("NFC", text.strip())
    if not 1 <= len(tag) <= LONGEST_TAG:
        msg = (
            f"a tag has {len(tag)} characters; expected 1 to {LONGEST_TAG}. "
            "Put a longer text into the note."
        )
        raise ConfigError(msg)
    if any(unicodedata.category(character) in _REFUSED for character in tag):
        msg = f"tag {shown(tag)} has a line break or a control character; expected plain text."
        raise ConfigError(msg)
    return tag


def _checked_note(text: str) -> str:
    note = unicodedata.normalize("NFC", text.replace("\r\n", "\n").strip())
    if len(note) > LONGEST_NOTE:
        msg = f"a note has {len(note):,} characters; expected at most {LONGEST_NOTE:,}. Shorten it."
        raise ConfigError(msg)
    if any(unicodedata.category(each) in _REFUSED and each not in "\n\t" for each in note):
        msg = f"note {shown(note)} has a control character; expected plain text."
        raise ConfigError(msg)
    return note


def _check_status(status: str) -> None:
    if status not in STATUSES:
        msg = f"status is {shown(status)}; expected one of {', '.join(map(shown, STATUSES))}."
        raise ConfigError(msg)


def _description(
    added: set[str], removed: set[str], note: str | None, status: str | None, num_images: int
) -> str:
    parts = [f"add tag {shown(tag)}" for tag in sorted(added)]
    parts += [f"remove tag {shown(tag)}" for tag in sorted(removed)]
    parts += [] if note is None else ["remove the note" if note == "" else "write a note"]
    parts += [] if status is None else [f"set status {shown(status)}"]
    images = "1 image" if num_images == 1 else f"{num_images:,} images"
    return f"{', '.join(parts)} ({images})"


def _read_states(store: Store, image_ids: Sequence[int]) -> dict[int, _State]:
    """Read the state of each of these images, in their order."""
    states = dict.fromkeys(image_ids, _State())
    found = store.rows(
        """
        SELECT image_id, status, note, updated_at, (
            SELECT json_group_array(tag) FROM annotation_tags AS t WHERE t.image_id = a.image_id)
        FROM annotations AS a WHERE image_id IN (SELECT value FROM json_each(?))""",
        (json.dumps(image_ids),),
    )
    for image_id, status, note, updated_at, tags in found:
        states[image_id] = _State(status, note, frozenset(json.loads(tags)), updated_at)
    return states


def _write_event(
    store: Store, description: str, changes: Sequence[tuple[int, _State, _State]]
) -> None:
    values = {"description": description, "created_at": utc_now()}
    event_id = store.insert("annotation_events", values)
    store.db.conn.executemany(
        "INSERT INTO annotation_changes (event_id, image_id, status, note, tags, updated_at) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (
            (
                event_id,
                i,
                before.status,
                before.note,
                to_json(sorted(before.tags)),
                before.updated_at,
            )
            for i, before, _ in changes
        ),
    )
    _write_states(store, {image_id: after for image_id, _, after in changes})


def _write_states(store: Store, states: dict[int, _State]) -> None:
    connection = store.db.conn
    ids = [(image_id,) for image_id in states]
    connection.executemany("DELETE FROM annotation_tags WHERE image_id = ?", ids)
    connection.executemany("DELETE FROM annotations WHERE image_id = ?", ids)
    kept = {image_id: state for image_id, state in states.items() if not state.is_blank}
    connection.executemany(
        "INSERT INTO annotations (image_id, status, note, updated_at) VALUES (?, ?, ?, ?)",
        ((i, state.status, state.note, state.updated_at) for i, state in kept.items()),
    )
    connection.executemany(
        "INSERT INTO annotation_tags (tag, image_id) VALUES (?, ?)",
        ((tag, image_id) for image_id, state in kept.items() for tag in state.tags),
    )
