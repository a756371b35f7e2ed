"""Single images, from the store to a page and back: what is read of them, what is noted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.images import triage
from dashboard.images.thumbnails import ImageFile
from dashboard.queries import runs
from dashboard.shell.formats import plain
from dashboard.shell.page_query import View
from streetclip import results, store
from streetclip.errors import StoreError
from streetclip.store import Store, open_store

PAGE_SIZE: Final = 24
OPEN_STATUS: Final = store.STATUSES[0]

_BUSY_S = 3.0  # how long a note waits for a job that writes


@dataclass(frozen=True)
class Page:
    """Some of the images of a selection.

    Attributes:
        image_ids: In order.
        number: Of the page, from 1; the last one where the URL asks for one beyond it.
        size: Images of a full page.
        total: Images on all pages.
    """

    image_ids: tuple[int, ...]
    number: int
    size: int
    total: int

    @property
    def num_pages(self) -> int:
        """How many pages there are, at least 1."""
        return max(1, -(-self.total // self.size))

    @property
    def first(self) -> int:
        """The first image of the page, counted from 1."""
        return (self.number - 1) * self.size + 1


@dataclass(frozen=True)
class Place:
    """Where an image stands in a selection.

    Attributes:
        rank: From 1; None if it is not in the selection.
        previous: Id of the image before it.
        following: Id of the image after it.
    """

    rank: int | None = None
    previous: int | None = None
    following: int | None = None


def page(view: View, order: str, number: int, size: int = PAGE_SIZE) -> Page:
    """One page of the images that the filters leave.

    Args:
        view: What the page shows.
        order: One of `analysis.ORDERS`.
        number: From 1.
        size: Images of a page.
    """
    last = max(1, -(-runs.num_selected(view) // size))
    number = min(number, last)
    image_ids, total = _page(view, order, number - 1, size)
    return Page(image_ids, number, size, total)


@st.cache_data(show_spinner=False, max_entries=64, hash_funcs=runs.BY_VIEW)
def _page(view: View, order: str, number: int, size: int) -> tuple[tuple[int, ...], int]:
    table, mask = runs.table(view), runs.mask(view)
    image_ids, total = results.page_of(table, mask, order, number, size)
    return tuple(image_ids.tolist()), total


@st.cache_data(show_spinner=False, max_entries=256, hash_funcs=runs.BY_VIEW)
def place(view: View, order: str, image_id: int) -> Place:
    """Where an image stands among those that the filters leave.

    Args:
        view: What the page shows.
        order: One of `analysis.ORDERS`.
        image_id: The image.
    """
    table, mask = runs.table(view), runs.mask(view)
    rank, previous, following = results.neighbours_of(table, mask, order, image_id)
    return Place(None if rank is None else rank + 1, previous, following)


def is_in_dataset(view: View, image_id: int) -> bool:
    """Whether the run is about this image."""
    image_ids = runs.table(view).image_ids
    row = int(np.searchsorted(image_ids, image_id))
    return row < len(image_ids) and int(image_ids[row]) == image_id


def with_status(view: View, status: str) -> View:
    """The same view, of images with an annotation status only."""
    return replace(view.but(status=status), annotations_key=runs.annotations_key(view.path))


def without_status(view: View) -> View:
    """The same view, of images with any annotation status."""
    return view.but(status=None)


@dataclass(frozen=True)
class Details:
    """What the store says of some images.

    Attributes:
        rows: As `store.image_rows`.
        notes: As `store.read_annotations`.
        files: Where each is, in the order of the rows.
    """

    rows: pd.DataFrame
    notes: pd.DataFrame
    files: tuple[ImageFile, ...]


def rows(view: View, image_ids: Sequence[int]) -> Details:
    """Read what is shown of a page of images.

    Raises:
        StoreError: The store is gone, replaced, or no store any more.
        ResourceError: The disk fails, or a job keeps the store locked.
    """
    with runs.run_reader(view) as (opened, _):
        found = store.image_rows(opened, view.run_id, image_ids)
        files = tuple(ImageFile(*store.image_path(opened, i)) for i in found["image_id"])
        return Details(found, store.read_annotations(opened, image_ids), files)


@dataclass(frozen=True)
class One:
    """Everything that the store says of one image.

    Attributes:
        fields: As `store.image_detail`.
        notes: As `store.read_annotations`.
        in_runs: As `store.image_in_runs`.
        file: Where it is.
    """

    fields: dict[str, Any]
    notes: pd.DataFrame
    in_runs: pd.DataFrame
    file: ImageFile


def one(view: View, image_id: int) -> One:
    """Read everything about one image.

    Raises:
        StoreError: The run's dataset has no such image, or the store is gone.
        ResourceError: The disk fails, or a job keeps the store locked.
    """
    with runs.run_reader(view) as (opened, _):
        fields = store.image_detail(opened, view.run_id, image_id)
        return One(
            fields,
            store.read_annotations(opened, [image_id]),
            store.image_in_runs(opened, image_id),
            ImageFile(Path(fields["folder"]), fields["image_filename"]),
        )


@dataclass(frozen=True)
class Noted:
    """What became of an action: whether it changed anything, and words about it, if any."""

    changed: bool
    words: str = ""


def note(view: View, action: triage.Action) -> Noted:
    """Keep what was noted about an image.

    Args:
        view: What the page showed: its image must still be the one of this id.
        action: A tag, note, status or undo; anything else is not for the store.

    Raises:
        ConfigError: The tag or note cannot be kept as it is.
        StoreError: The store is gone, replaced, read-only, or not a store any more.
        ResourceError: The disk is full, or a job keeps the store locked.
    """
    changes: dict[str, dict[str, Any]] = {
        triage.TAG: {"add_tags": [action.value]},
        triage.UNTAG: {"remove_tags": [action.value]},
        triage.NOTE: {"note": action.value},
        triage.STATUS: {"status": action.value},
    }
    with _writer(view.path) as opened:
        store.run_revision(opened, view.run_id, view.run_uid)
        if action.kind == triage.UNDO:
            words = store.undo(opened)
            if words is None:
                return Noted(changed=False, words="There is nothing to undo.")
            return Noted(changed=True, words=f"Undone: {plain(words)}.")
        if action.kind not in changes:
            return Noted(changed=False)
        return Noted(store.annotate(opened, [action.image_id], **changes[action.kind]) > 0)


def _writer(path: Path) -> Store:
    if not path.is_file():  # opening it for writing would make an empty one
        msg = f"{path}: is gone, so nothing was kept. Put the store back and try again."
        raise StoreError(msg)
    return open_store(path, busy_timeout_s=_BUSY_S)
