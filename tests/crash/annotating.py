"""Annotate images step by step, as the dashboard does; a rerun goes on where the last one ended."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from streetclip.errors import StreetClipError
from streetclip.store import Store, annotate, open_store, read_annotations, undo

# Images whose annotations are there before are left alone.
_DO: tuple[Callable[[Store], object], ...] = (
    lambda store: annotate(store, range(4, 7), add_tags=["no cue", "label error"]),
    lambda store: annotate(store, [4], note="a shadow", status="reviewed"),
    undo,
    lambda store: annotate(store, range(4, 6), remove_tags=["no cue"], status="to check"),
)
_TAGS = "label error no cue"
# Events that were made, those that were undone, and status, note and tags of the images 4 and 6.
STEPS: tuple[tuple[object, ...], ...] = (
    (0, 0),
    (1, 0, "open", "", _TAGS, "open", "", _TAGS),
    (2, 0, "reviewed", "a shadow", _TAGS, "open", "", _TAGS),
    (2, 1, "open", "", _TAGS, "open", "", _TAGS),
    (3, 1, "to check", "", "label error", "open", "", _TAGS),
)


def annotation_state(db: Path) -> tuple[object, ...]:
    """The annotations in a store, to be one of the steps."""
    with open_store(db, read_only=True) as store, store.snapshot():
        events = store.rows("SELECT count(*) - 1, count(undone_at) FROM annotation_events")[0]
        frame = read_annotations(store, [4, 6])
    frame["tags"] = frame["tags"].map(" ".join)
    return (*events, *frame[["status", "note", "tags"]].to_numpy().flatten().tolist())


def main() -> int:
    """Take the steps that are left."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--db", type=Path)
    parser.add_argument("--resume", action="store_true")
    db = parser.parse_args().db
    try:
        for step in _DO[STEPS.index(annotation_state(db)) :]:
            with open_store(db) as store:
                step(store)
    except StreetClipError as error:
        print(f"annotating.py: error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
