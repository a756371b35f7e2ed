"""Triage: the unreviewed images of the filters, one at a time."""

from functools import partial
from typing import Final

import streamlit as st

from dashboard.images import gallery_view, image_queries, queue_view, triage
from dashboard.images.image_queries import OPEN_STATUS
from dashboard.queries import run_queries
from dashboard.shell import formats, html, url_state
from dashboard.shell.page_query import View
from dashboard.views import frame
from streetclip.results.filters import Selection

_PATH: Final = "triage"
_DEFAULTS: Final = Selection(country_correct=False)


def render() -> None:
    """Draw the page."""
    frame.show("Triage", _body, defaults=_DEFAULTS)


def _body(view: View) -> None:
    if frame.is_empty(view):
        return
    order = gallery_view.chosen_order()
    # Queue the unreviewed images, unless the filters name a status.
    is_set = view.selection.status is not None
    queue = view if is_set else image_queries.with_status(view, OPEN_STATUS)
    image_id = _present(queue, order)
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        everything = view.but(status=None)
        total = run_queries.num_selected(everything)
        done = total - run_queries.num_selected(image_queries.with_status(everything, OPEN_STATUS))
        words = f"{formats.progress(done, total)} reviewed"
        st.progress(done / total if total else 1.0, text=words)
    with right:
        gallery_view.order_choice(view)
    if image_id is None:
        html.notice(
            "All reviewed",
            "No unreviewed image is left in this selection. Choose another in the sidebar, or "
            "filter by triage status to see what was reviewed.",
        )
    _queue(view, queue, order, image_id)
    with st.sidebar:
        triage.name_field()


def _present(queue: View, order: str) -> int | None:
    """Take the image of the URL, else the first of the queue."""
    wanted = url_state.page_id(gallery_view.IMAGE)
    if wanted is not None and image_queries.is_in_dataset(queue, wanted):
        return wanted
    if gallery_view.IMAGE in st.query_params:
        html.notice("No such image", "The link names an image that this run does not hold.")
    first = _first(queue, order)
    if first is not None:
        st.query_params[gallery_view.IMAGE] = str(first)
    return first


def _first(queue: View, order: str) -> int | None:
    return next(iter(image_queries.page(queue, order, 1, 1).image_ids), None)


def _queue(view: View, queue: View, order: str, image_id: int | None) -> None:
    """Draw an image with those before it in the selection and those to review after it."""
    ids = []
    if image_id is not None:
        seen = _passed(view, queue)
        before = image_queries.preceding(seen, order, image_id, queue_view.NUM_BEHIND)
        after = image_queries.following(queue, order, image_id, queue_view.NUM_AHEAD)
        ids = [*before, image_id, *after]
    queue_view.queue(
        image_queries.details(view, ids),
        image_id,
        key="queue",
        links=partial(_links, view),
        on_action=lambda action: _act(view, queue, order, action),
    )


def _passed(view: View, queue: View) -> View:
    """Take what one goes back through: what was just reviewed, too, unless a status is chosen."""
    return view if view.selection.status is None else queue


def _links(view: View, image_id: int) -> queue_view.Links:
    own = gallery_view.parameters(view, image=str(image_id))
    detail = url_state.href(gallery_view.PATH, **own)
    return queue_view.Links(gallery_view.address(_PATH, image_id), detail)


def _act(view: View, queue: View, order: str, action: triage.Action) -> str:
    """Apply an action; go where the browser went, or to the image of what was undone."""
    if action.kind == triage.OPEN:
        _go_to(action.image_id)
    elif action.kind == triage.NEXT:
        queue = image_queries.with_status(queue, queue.selection.status or OPEN_STATUS)
        after = image_queries.following(queue, order, action.image_id, 1)
        _go_to(after[0] if after else _first(queue, order))
    elif action.kind == triage.PREVIOUS:
        before = image_queries.preceding(_passed(view, queue), order, action.image_id, 1)
        _go_to(before[0] if before else action.image_id)
    if action.kind in (triage.OPEN, triage.NEXT, triage.PREVIOUS, triage.MORE):
        return ""
    noted = image_queries.note(view, action)
    if noted.image_id is not None and image_queries.is_in_dataset(view, noted.image_id):
        _go_to(noted.image_id)
    return noted.words


def _go_to(image_id: int | None) -> None:
    url_state.change(**{gallery_view.IMAGE: None if image_id is None else str(image_id)})
