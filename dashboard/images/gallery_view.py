"""The images of a view as a gallery: read, made into cards, and what is done to them kept."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard.images import gallery, image_queries, triage
from dashboard.images.thumbnails import Thumbnail, thumbnails
from dashboard.shell import filter_urls, formats, html, links, url_state
from dashboard.shell.page_query import View

PATH: Final = "failures"
"""The page on which images are opened."""

IMAGE, PAGE, SORT = "image", "page", "sort"
DEFAULT_ORDER: Final = "surest"

PREVIEW_SIZE: Final = 8

Parameters = dict[str, str | Sequence[str] | None]


def order_words(view: View) -> dict[str, str]:
    """The orders by the URL's word, as they are called."""
    surest = "Most sure and most wrong" if view.selection.country_right is False else "Most sure"
    return {
        "surest": surest,
        "unsurest": "Least sure",
        "farthest": "Farthest off",
        "nearest": "Nearest",
        "margin": "Closest call",
        "file": "As in the file",
    }


def parameters(view: View, **own: str | None) -> Parameters:
    """The URL parameters under which the failures page shows exactly this view.

    Args:
        view: Any page's.
        own: The failures page's own parameters, as `image`.
    """
    selection: dict[str, Any] = dict.fromkeys(filter_urls.FILTERS) | filter_urls.written(
        view.selection
    )
    selection["country_is"] = selection["country_is"] or [
        filter_urls.ANY
    ]  # else that page says: wrong
    baseline = None if view.baseline_id in (None, view.run_id) else str(view.baseline_id)
    return {url_state.RUN: str(view.run_id), url_state.BASELINE: baseline, **selection, **own}


def preview(view: View, *, key: str, order: str = DEFAULT_ORDER, size: int = PREVIEW_SIZE) -> None:
    """Draw the first images of a view, with the way to all of them; for any page.

    Args:
        view: What to show; it may be narrower than the page's own, by `view.but(...)`.
        key: Unique on the page.
        order: One of `analysis.ORDERS`.
        size: The most images that are drawn.
    """
    shown = image_queries.page(view, order, 1, size)
    words = order_words(view)[order].lower()
    few(view, shown.image_ids, shown.total, key=key, order=order, words=f"{words} first")
    if shown.total > len(shown.image_ids):
        st.button(
            f"Show all {formats.count(shown.total)}",
            key=f"{key}_all",
            icon=":material/photo_library:",
            on_click=lambda: _ask_to_go(key, _link(view, order, None)(None)),
        )


def few(
    view: View,
    image_ids: Sequence[int],
    total: int,
    *,
    key: str,
    order: str = DEFAULT_ORDER,
    words: str = "",
    beside: Mapping[int, str] | None = None,
) -> None:
    """Draw some images that a page has chosen itself; a click opens one on the failures page.

    Args:
        view: Whose run's predictions are shown.
        image_ids: The images, in order; some dozens at most.
        total: How many there are of their kind.
        key: Unique on the page.
        order: In which the failures page then goes on.
        words: What stands first, such as "most sure first".
        beside: By image, a line for its card, such as what another run says; untrusted.
    """
    _go_where_asked(key)
    if not image_ids:
        html.notice("No image here", "Choose something else, or remove a filter.")
        return
    link = _link(view, order, None)
    details = image_queries.rows(view, image_ids)
    of = f"{formats.count(len(image_ids))} of {formats.count(total)} images"
    html.remark(", ".join(filter(None, (of, words))))
    gallery.cards(
        cards(details, lambda image_id: url_state.href(PATH, **link(image_id)), beside),
        key=key,
        label="Images",
        on_action=lambda action: _act_in_preview(view, key, link, action),
    )


def page_of(view: View, shown: image_queries.Page, order: str, *, key: str) -> None:
    """Draw one page of the failures page.

    Args:
        view: The page's.
        shown: Which images.
        order: One of `analysis.ORDERS`.
        key: Unique on the page.
    """
    link = _link(view, order, shown.number)
    gallery.cards(
        cards(
            image_queries.rows(view, shown.image_ids),
            lambda image_id: url_state.href(PATH, **link(image_id)),
        ),
        key=key,
        label=f"Images, page {shown.number} of {shown.num_pages}",
        on_action=lambda action: _act_on_page(view, shown, action),
        pages=(shown.number > 1, shown.number < shown.num_pages),
    )


def cards(
    details: image_queries.Details,
    href: Callable[[int], str],
    beside: Mapping[int, str] | None = None,
) -> list[gallery.Card]:
    """Make the cards of some images.

    Args:
        details: What the store says of them.
        href: The address of an image's page.
        beside: As `few`.
    """
    pictures = thumbnails(details.files)
    made = []
    for row, picture in zip(details.rows.to_dict("records"), pictures, strict=True):
        image_id = int(row["image_id"])
        more = noted(details.notes, image_id) | {"beside": (beside or {}).get(image_id, "")}
        made.append(_card(row, picture, more, href(image_id)))
    return made


def noted(notes: pd.DataFrame, image_id: int) -> dict[str, Any]:
    """What was noted about an image: its tags, note and status."""
    if image_id not in notes.index:
        return {"tags": (), "note": "", "status": image_queries.OPEN_STATUS}
    found = notes.loc[image_id]
    return {"tags": found["tags"], "note": found["note"], "status": found["status"]}


def _card(row: dict[Any, Any], picture: Thumbnail, more: dict[str, Any], href: str) -> gallery.Card:
    predicted = bool(row["pred_country"])
    return gallery.Card(
        image_id=int(row["image_id"]),
        name=row["image_filename"],
        href=href,
        picture=picture.data_uri,
        problem=picture.problem,
        true_country=formats.country(row["true_country"]),
        true_city=row["true_city"] or "",
        predicted_country=formats.country(row["pred_country"]),
        predicted_city=row["pred_city"] or "",
        country_right=bool(row["country_correct"]) if predicted else None,
        distance=formats.kilometres(row["distance_km"]),
        confidence=float(row["country_probability"]) if predicted else None,
        **more,
    )


def _link(view: View, order: str, number: int | None) -> Callable[[int | None], Parameters]:
    own = {
        SORT: None if order == DEFAULT_ORDER else order,
        PAGE: None if number in (None, 1) else str(number),
    }
    return lambda image_id: parameters(
        view, **own, **{IMAGE: None if image_id is None else str(image_id)}
    )


def _act_on_page(view: View, shown: image_queries.Page, action: triage.Action) -> str:
    if action.kind == triage.OPEN:
        url_state.change(**{IMAGE: str(action.image_id), PAGE: st.query_params.get(PAGE)})
    elif action.kind == triage.PAGE:
        turn_to(shown.number + (1 if action.value == "next" else -1))
    else:
        return image_queries.note(view, action).words
    return ""


def turn_to(number: int) -> None:
    """Make the URL name a page of the gallery."""
    url_state.change(**{PAGE: None if number <= 1 else str(number)})


def neighbour(path: str, image_id: int | None) -> triage.Neighbour | None:
    """The image before or after the present one, with its address on a page.

    Args:
        path: The page's path.
        image_id: The image; None where there is none.
    """
    if image_id is None:
        return None
    own = {SORT: st.query_params.get(SORT), IMAGE: str(image_id)}
    return triage.Neighbour(image_id, url_state.href(path, **own))


def subject(found: image_queries.One, image_id: int) -> triage.Subject:
    """An image as the triage form shows it."""
    name = found.fields["image_filename"]
    return triage.Subject(image_id=image_id, name=name, **noted(found.notes, image_id))


def _act_in_preview(
    view: View,
    key: str,
    link: Callable[[int | None], Parameters],
    action: triage.Action,
) -> str:
    if action.kind == triage.OPEN:
        _ask_to_go(key, link(action.image_id))
        return ""
    return "" if action.kind == triage.PAGE else image_queries.note(view, action).words


def _ask_to_go(key: str, changes: Parameters) -> None:
    """Remember where to go: Streamlit changes the page in the script, not in a callback."""
    st.session_state[f"{key}:go"] = changes


def _go_where_asked(key: str) -> None:
    changes = st.session_state.pop(f"{key}:go", None)
    if changes is None:
        return
    links.go(PATH, [(name, one) for name, values in changes.items() for one in _several(values)])


def _several(values: str | Sequence[str] | None) -> Sequence[str]:
    if values is None:
        return ()
    return (values,) if isinstance(values, str) else values
