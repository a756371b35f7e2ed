"""Keep the history of annotations: who changed what, undo and redo of one's own events.

Each event keeps the state of its images before and after. Undo reverts what the event changed, not
what others have changed since.
"""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from streetclip.store.connection import Store, to_json, utc_now

OPEN: Final = "open"

# An image without tags, note and status has no annotation.
READ = """
    SELECT image_id, status, note, updated_at, (
        SELECT json_group_array(tag) FROM annotation_tags AS t WHERE t.image_id = a.image_id
    ) AS tags
    FROM annotations AS a WHERE image_id IN (SELECT value FROM json_each(?)) ORDER BY image_id"""
_LAST_DONE = """
    SELECT id, description FROM annotation_events
    WHERE browser = ? AND undone_at IS NULL ORDER BY id DESC LIMIT 1"""
# What was undone before a further event stays undone.
_LAST_UNDONE = """
    SELECT id, description FROM annotation_events
    WHERE browser = ?1 AND undone_at IS NOT NULL AND id > (
        SELECT coalesce(max(id), 0) FROM annotation_events
        WHERE browser = ?1 AND undone_at IS NULL
    ) ORDER BY undone_at DESC, id LIMIT 1"""


class Annotation(NamedTuple):
    """The annotation of one image."""

    status: str = OPEN
    note: str = ""
    updated_at: str | None = None
    tags: frozenset[str] = frozenset()


class Author(NamedTuple):
    """Who changes annotations: a browser's random id and a name, "" if not known."""

    browser: str = ""
    name: str = ""


PROGRAM: Final = Author()
"""A job, or a program of before there were authors."""


class Step(NamedTuple):
    """An event that was undone or redone, as "tagged 'x'", its images, and how many it kept."""

    description: str
    image_ids: tuple[int, ...]
    num_kept: int
    """Images of which others have changed the same since, so that it stays."""


def record(
    store: Store,
    before: Mapping[int, Annotation],
    after: Mapping[int, Annotation],
    description: str,
    author: Author = PROGRAM,
) -> None:
    """Write changed annotations as one event, unless there are none."""
    if not after:
        return
    event = {"description": description, "created_at": utc_now()}
    event |= {"browser": author.browser, "author_name": author.name}
    event_id = store.insert("annotation_events", event)
    store.db.conn.executemany(
        "INSERT INTO annotation_changes (event_id, image_id, status, note, updated_at, tags, "
        "new_status, new_note, new_updated_at, new_tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (event_id, image_id, *_values(state), *_values(after[image_id]))
            for image_id, state in before.items()
        ),
    )
    write_states(store, after)


def undo(store: Store, author: Author = PROGRAM) -> Step | None:
    """Revert the author's newest event; return it, or None if none is left."""
    # A program undoes several events in a millisecond; redo needs their order.
    return _step(store, author, _LAST_DONE, undone_at=utc_now("microseconds"))


def redo(store: Store, author: Author = PROGRAM) -> Step | None:
    """Repeat what the author undid last, unless an own event followed; None without one."""
    return _step(store, author, _LAST_UNDONE, undone_at=None)


def _step(store: Store, author: Author, query: str, *, undone_at: str | None) -> Step | None:
    """Move the images of an event to its states before, or after if `undone_at` is None."""
    with store.transaction():
        found = store.rows(query, (author.browser,))
        if not found:
            return None
        event_id, description = found[0]
        changes = store.rows(
            "SELECT image_id, status, note, updated_at, tags, new_status, new_note, "
            "new_updated_at, new_tags FROM annotation_changes WHERE event_id = ?",
            (event_id,),
        )
        known = read_states(store, [image_id for image_id, *_ in changes])
        moved, num_kept = {}, 0
        for image_id, *values in changes:
            before = _state(*values[:4])
            # Events of before there were authors do not know what they led to.
            after = before if values[4] is None else _state(*values[4:])
            ends = (before, after) if undone_at is None else (after, before)
            present = known.get(image_id, Annotation())
            moved[image_id] = ends[1] if values[4] is None else _moved(present, *ends)
            num_kept += not _has_changes(moved[image_id], *ends)
        write_states(store, moved)
        store.rows("UPDATE annotation_events SET undone_at = ? WHERE id = ?", (undone_at, event_id))
    return Step(str(description), tuple(moved), num_kept)


def _moved(present: Annotation, start: Annotation, end: Annotation) -> Annotation:
    """Change in `present` what changed from `start` to `end`, where it is as in `start`."""
    if present == start:
        return end
    return Annotation(
        status=end.status if present.status == start.status else present.status,
        note=end.note if present.note == start.note else present.note,
        updated_at=utc_now(),
        tags=(present.tags - (start.tags - end.tags)) | (end.tags - start.tags),
    )


def _has_changes(moved: Annotation, start: Annotation, end: Annotation) -> bool:
    """Check whether the status and note that changed from `start` to `end` are those of `end`."""
    return all(
        getattr(moved, name) == getattr(end, name)
        for name in ("status", "note")
        if getattr(start, name) != getattr(end, name)
    )


def _values(state: Annotation) -> tuple[Any, ...]:
    return (*state[:-1], to_json(sorted(state.tags)))


def _state(status: str, note: str, updated_at: str | None, tags: str) -> Annotation:
    return Annotation(status, note, updated_at, frozenset(json.loads(tags)))


def read_states(store: Store, image_ids: list[int]) -> dict[int, Annotation]:
    """Read the annotations of those images that have any."""
    return {i: _state(*values) for i, *values in store.rows(READ, (json.dumps(image_ids),))}


def write_states(store: Store, states: Mapping[int, Annotation]) -> None:
    """Replace the annotations of images, inside a transaction."""
    connection, ids = store.db.conn, [(image_id,) for image_id in states]
    connection.executemany("DELETE FROM annotation_tags WHERE image_id = ?", ids)
    connection.executemany("DELETE FROM annotations WHERE image_id = ?", ids)
    kept = {i: each for i, each in states.items() if each._replace(updated_at=None) != Annotation()}
    connection.executemany(
        "INSERT INTO annotations (image_id, status, note, updated_at) VALUES (?, ?, ?, ?)",
        ((image_id, *state[:-1]) for image_id, state in kept.items()),
    )
    connection.executemany(
        "INSERT INTO annotation_tags (tag, image_id) VALUES (?, ?)",
        ((tag, image_id) for image_id, state in kept.items() for tag in state.tags),
    )
