"""Read single images for a page, and write what is noted about them."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.images import triage
from dashboard.images.thumbnails import ImageFile
from dashboard.queries import run_queries
from dashboard.queries.store_state import run_reader
from dashboard.shell import formats, rights
from dashboard.shell.page_query import View
from streetclip import results, store
from streetclip.errors import ConfigError, StoreError, shown
from streetclip.results.formats import plain
from streetclip.store import Store, open_store

PAGE_SIZE: Final = 24
OPEN_STATUS: Final = store.STATUSES[0]

_BUSY_S = 3.0  # how long a note waits for a job that writes
_STEPS: Final = {
    triage.UNDO: (store.undo, "undo", "Undid"),
    triage.REDO: (store.redo, "redo", "Redid"),
}
_DONE: Final = {triage.TAG: "Tagged", triage.UNTAG: "Removed tag", triage.STATUS: "Marked"}


class Page(NamedTuple):
    """Some of the images of a selection; `number` from 1, `total` on all pages."""

    image_ids: tuple[int, ...]
    number: int
    size: int
    total: int

    @property
    def num_pages(self) -> int:
        """How many pages there are, at least 1."""
        return max(1, -(-self.total // self.size))


class Place(NamedTuple):
    """Rank of an image in a selection, from 1, and its neighbours' ids."""

    rank: int | None = None
    previous: int | None = None
    following: int | None = None


def page(view: View, order: str, number: int, size: int = PAGE_SIZE) -> Page:
    """Read one page, from 1, of the filtered images, by `results.ORDERS`."""
    last = max(1, -(-run_queries.num_selected(view) // size))
    number = min(number, last)
    image_ids, total = _page(view, order, number - 1, size)
    return Page(image_ids, number, size, total)


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=run_queries.BY_VIEW)
def _page(view: View, order: str, number: int, size: int) -> tuple[tuple[int, ...], int]:
    table, mask = run_queries.table(view), run_queries.mask(view)
    image_ids, total = results.page_of(table, mask, order, number, size)
    return tuple(image_ids.tolist()), total


@st.cache_data(show_spinner=False, max_entries=256, hash_funcs=run_queries.BY_VIEW)
def place(view: View, order: str, image_id: int) -> Place:
    """Find the place of an image among those that the filters leave."""
    table, mask = run_queries.table(view), run_queries.mask(view)
    rank, previous, following = results.neighbours_of(table, mask, order, image_id)
    return Place(None if rank is None else rank + 1, previous, following)


def following(view: View, order: str, image_id: int, most: int) -> list[int]:
    """List the images after one, which need not be among those that the filters leave."""
    return _around(view, order, image_id, num_before=0, num_after=most)[1]


def preceding(view: View, order: str, image_id: int, limit: int) -> list[int]:
    """List the images before one, as `following`; empty for the first."""
    return _around(view, order, image_id, num_before=limit, num_after=0)[0]


def _around(view: View, order: str, image_id: int, **most: int) -> tuple[list[int], list[int]]:
    table = run_queries.table(view)
    mask = run_queries.mask(view) | (table.image_ids == image_id)
    return results.images_around(table, mask, order, image_id, **most)[1:]


def is_in_dataset(view: View, *image_ids: int) -> bool:
    """Check whether the run's dataset has these images."""
    known = run_queries.table(view).image_ids  # ascending
    rows = np.searchsorted(known, image_ids)
    return np.array_equal(known[rows[rows < len(known)]], image_ids)


def matching_digest(view: View) -> str:
    """Hash which images the filters leave."""
    digest = hashlib.sha256(run_queries.table(view).dataset.content.encode())
    digest.update(np.packbits(run_queries.mask(view)).tobytes())
    return digest.hexdigest()


def with_status(view: View, status: str) -> View:
    """Narrow a view to images with an annotation status."""
    return replace(view.but(status=status), annotations_key=run_queries.annotations_key(view.path))


class Image(NamedTuple):
    """Fields as `store.image_rows` or `store.image_detail`; tags, note and status; the file."""

    fields: dict[Any, Any]
    notes: dict[Any, Any]
    file: ImageFile

    @property
    def subject(self) -> dict[str, Any]:
        """What the triage form needs of it; untrusted texts."""
        names = {"id": int(self.fields["image_id"]), "name": plain(self.fields["image_filename"])}
        return names | {name: self.notes[name] for name in ("tags", "note", "status")}


def rows(view: View, image_ids: Sequence[int]) -> list[Image]:
    """Read what cards show of some images, in their order."""
    with run_reader(view) as opened:
        found = store.image_rows(opened, view.run_id, image_ids).to_dict("records")
        notes = annotations(opened, image_ids)
        files = [ImageFile(*store.image_path(opened, row["image_id"])) for row in found]
    return [Image(row, notes[row["image_id"]], at) for row, at in zip(found, files, strict=True)]


def one(view: View, image_id: int) -> tuple[Image, pd.DataFrame]:
    """Read everything about one image, and its predictions as `store.image_in_runs`."""
    with run_reader(view) as opened:
        return _detail(opened, view.run_id, image_id), store.image_in_runs(opened, image_id)


def details(view: View, image_ids: Sequence[int]) -> list[Image]:
    """Read everything about some images, in their order."""
    with run_reader(view) as opened:
        return [_detail(opened, view.run_id, image_id) for image_id in image_ids]


def _detail(opened: Store, run_id: int, image_id: int) -> Image:
    fields = store.image_detail(opened, run_id, image_id)
    file = ImageFile(Path(fields["folder"]), fields["image_filename"])
    return Image(fields, annotations(opened, [image_id])[image_id], file)


def annotations(opened: Store, image_ids: Sequence[int]) -> dict[int, dict[Any, Any]]:
    """Read tags, note and status of each of some images, annotated or not."""
    found: dict[Any, dict[Any, Any]] = store.read_annotations(opened, image_ids).to_dict("index")
    blank = {"tags": (), "note": "", "status": OPEN_STATUS}
    return {image_id: found.get(image_id, blank) for image_id in image_ids}


class Noted(NamedTuple):
    """Whether an action changed anything, words about it, and the image of an undone action."""

    changed: bool
    words: str = ""
    image_id: int | None = None


def note(view: View, action: triage.Action) -> Noted:
    """Store a tag, note or status of an image, or undo or redo the author's last action.

    Raises:
        ConfigError: The tag or note cannot be stored as it is, the visitor may not annotate, or
            the images selected are not of the run or not as they were.
        StoreError: The store is gone, replaced since the view, or read-only.
        ResourceError: The disk is full, or a job keeps the store locked.
    """
    if not rights.may_annotate():
        msg = "Your link does not allow annotations. The one who started the dashboard has others."
        raise ConfigError(msg)
    if not view.path.is_file():  # opening it for writing would make an empty one
        msg = f"{view.path}: is gone, so nothing was saved. Put the store back and try again."
        raise StoreError(msg)
    with store.explained(view.path), open_store(view.path, busy_timeout_s=_BUSY_S) as opened:
        store.run_revision(opened, view.run_id, view.run_uid)
        if action.kind in _STEPS:
            return _retrace(opened, action)
        if action.is_on_several:
            return _note_several(opened, view, action)
        changes = _changes(action)
        num = store.annotate(opened, [action.image_id], **changes, author=action.author)
        return Noted(num > 0)


def _changes(action: triage.Action) -> dict[str, Any]:
    """Name what an action changes, as `store.annotate` takes it."""
    changes: dict[str, dict[str, Any]] = {
        triage.TAG: {"add_tags": [action.value]},
        triage.UNTAG: {"remove_tags": [action.value]},
        triage.NOTE: {"note": action.value},
        triage.STATUS: {"status": action.value},
        triage.JUDGE: {"add_tags": [action.value], "status": "reviewed"},
    }
    return changes.get(action.kind, {})


def _note_several(opened: Store, view: View, action: triage.Action) -> Noted:
    """Do an action on several images as one event, and describe it."""
    image_ids = _several(view, action)
    num = store.annotate(opened, image_ids, **_changes(action), author=action.author)
    images = formats.images(len(image_ids))
    if not num:  # and so nothing that undo would take back
        msg = f"Nothing to change on {images}: already as asked."
        raise ConfigError(msg)
    if num < len(image_ids):
        images = f"{formats.count(num)} of {images}"
    value = shown(formats.STATUS_LABELS.get(action.value, action.value))
    return Noted(changed=True, words=f"{_DONE[action.kind]} {plain(value)}: {images}.")


def _several(view: View, action: triage.Action) -> list[int]:
    """List the images of an action on several, which must be of the run."""
    if action.images:
        if not is_in_dataset(view, *action.images):
            msg = "Nothing changed: some selected images are not of this run. Select again."
            raise ConfigError(msg)
        return list(action.images)
    if matching_digest(view) != action.matching:
        msg = "Nothing changed: other images match now than when you selected. Select again."
        raise ConfigError(msg)
    return list(map(int, run_queries.table(view).image_ids[run_queries.mask(view)]))


def _retrace(opened: Store, action: triage.Action) -> Noted:
    """Undo or redo the author's last action, and say what on which image."""
    take, verb, past = _STEPS[action.kind]
    step = take(opened, action.author)
    if step is None:
        return Noted(changed=False, words=f"You have nothing to {verb}.")
    words, first = f"{past}: {plain(step.description)}", step.image_ids[0]
    if len(step.image_ids) == 1:
        words += f" on {plain(store.image_path(opened, first)[1])}"
    if step.num_kept:
        words += "; a later note or status is kept"
    return Noted(changed=True, words=f"{words}.", image_id=first)
