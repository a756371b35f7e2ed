"""Show the images of a view as a gallery, and handle its actions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import streamlit as st

from dashboard.images import image_queries, triage
from dashboard.images.thumbnails import Thumbnail, thumbnails
from dashboard.shell import filter_urls, formats, html, links, url_state, url_widgets
from dashboard.shell.page_query import View
from streetclip import results
from streetclip.store import MOST_IMAGES

PATH: Final = "failures"
"""The page that browses and opens images."""

IMAGE, PAGE, SORT, SIZE = "image", "page", "sort", "size"
_SIZES: Final = {"small": "Small", "medium": "Medium", "large": "Large"}
_DEFAULT_SIZE: Final = "medium"
DEFAULT_ORDER: Final = "surest"

PREVIEW_SIZE: Final = 8

_LONGEST_PLACE = 80
_LONGEST_PROBLEM = 240

Link = Callable[[int | None], dict[str, url_state.Value]]


def order_words(view: View) -> dict[str, str]:
    """Name the orders by the URL's word."""
    is_wrong = view.selection.country_correct is False
    return {
        "surest": "Confidently wrong" if is_wrong else "Most confident",
        "unsurest": "Least confident",
        "farthest": "Largest error",
        "nearest": "Smallest error",
        "margin": "Smallest margin",
        "file": "As in the file",
    }


def chosen_order() -> str:
    """Read the order of images from the URL."""
    return url_state.page_option(SORT, list(results.ORDERS), DEFAULT_ORDER)


def order_choice(view: View) -> None:
    """Draw the choice of an order of images."""
    url_widgets.select("Order", SORT, order_words(view), DEFAULT_ORDER)


def size_choice() -> None:
    """Draw the choice of the size of cards."""
    url_widgets.segmented("Size", SIZE, _SIZES, _DEFAULT_SIZE, kept=PAGE)


def parameters(view: View, **own: url_state.Value) -> dict[str, url_state.Value]:
    """Make the URL parameters under which the page of images shows exactly this view."""
    baseline = None if view.baseline_id in (None, view.run_id) else str(view.baseline_id)
    return {
        url_state.RUN: str(view.run_id),
        url_state.BASELINE: baseline,
        **dict.fromkeys(filter_urls.FILTERS),
        "country_is": filter_urls.ANY,  # without it, that page shows what is wrong
        **filter_urls.written(view.selection),
        **own,
    }


def preview(view: View, *, key: str, order: str = DEFAULT_ORDER, size: int = PREVIEW_SIZE) -> None:
    """Draw the first images of a view with a link to all."""
    shown = image_queries.page(view, order, 1, size)
    words = order_words(view)[order].lower()
    few(view, shown.image_ids, shown.total, key=key, order=order, words=f"{words} first")
    if shown.total > len(shown.image_ids):
        st.button(
            f"Show all {formats.count(shown.total)}",
            key=f"{key}_all",
            icon=":material/photo_library:",
            on_click=lambda: links.ask(PATH, **_link(view, order, None)(None)),
        )


def few(
    view: View,
    image_ids: Sequence[int],
    total: int,
    *,
    key: str,
    order: str = DEFAULT_ORDER,
    words: str = "",
    lines: Mapping[int, str] | None = None,
) -> None:
    """Draw some dozens of images; a click opens one on the images page.

    `total`: number of images of their kind; `key`: unique on the page; `order`: in which the images
    page continues; `words`: the order in words; `lines`: by image, an untrusted line for its card.
    """
    if not image_ids:
        html.notice("No images", "Choose something else, or remove a filter.")
        return
    link = _link(view, order, None)
    of = f"{formats.count(len(image_ids))} of {formats.count(total)} images"
    html.remark(f"{of}, {words}" if words else of)

    def act(action: triage.Action) -> str:
        if action.kind == triage.OPEN:
            links.ask(PATH, **link(action.image_id))
            return ""
        return "" if action.kind == triage.PAGE else image_queries.note(view, action).words

    _draw(view, image_ids, link, key=key, on_action=act, lines=lines)


def page_of(view: View, shown: image_queries.Page, order: str, *, key: str) -> None:
    """Draw one page of the page of images."""

    def act(action: triage.Action) -> str:
        if action.kind == triage.OPEN:
            url_state.change(**{IMAGE: str(action.image_id), PAGE: st.query_params.get(PAGE)})
        elif action.kind == triage.PAGE:
            turn_to(shown.number + (1 if action.value == "next" else -1))
        else:
            return image_queries.note(view, action).words
        return ""

    link = _link(view, order, shown.number)
    _draw(view, shown.image_ids, link, key=key, on_action=act, page=shown)


def _draw(
    view: View,
    image_ids: Sequence[int],
    link: Link,
    *,
    key: str,
    on_action: triage.OnAction,
    page: image_queries.Page | None = None,
    lines: Mapping[int, str] | None = None,
) -> None:
    """Draw cards of equal size, as many in a row as fit."""
    images = image_queries.rows(view, image_ids)
    cards = []
    for image, picture in zip(images, thumbnails([each.file for each in images]), strict=True):
        image_id = image.subject["id"]
        href = url_state.href(PATH, **link(image_id))
        cards.append(card(image, picture, href=href, line=(lines or {}).get(image_id, "")))
    data = {"cards": cards, "label": "Images", "pages": {"previous": False, "next": False}}
    if page is not None:
        data["label"] = f"Images, page {page.number} of {page.num_pages}"
        data["pages"] = {"previous": page.number > 1, "next": page.number < page.num_pages}
        data["size"] = url_state.page_option(SIZE, list(_SIZES), _DEFAULT_SIZE)
        data["selectable"] = {
            "of": f"{view.run_uid} {view.selection}",  # the selection lasts as long
            "num_matching": page.total,
            "most": MOST_IMAGES,
            "most_chosen": triage.MOST_CHOSEN,
        }
    gallery = triage.component("gallery", "selection")
    triage.mount(gallery, data, key=key, on_action=on_action)


def card(
    image: image_queries.Image, picture: Thumbnail, *, href: str, line: str = ""
) -> dict[str, Any]:
    """Make the data of a card for the browser; bound every untrusted text."""
    fields = image.fields
    is_predicted = bool(fields["pred_country"])
    confidence = float(fields["country_probability"]) if is_predicted else None
    return image.subject | {
        "href": href,
        "picture": picture.data_uri,
        "problem": formats.plain(picture.problem, _LONGEST_PROBLEM),
        "true_country": formats.plain(formats.country(fields["true_country"]), _LONGEST_PLACE),
        "true_city": formats.plain(fields["true_city"] or "", _LONGEST_PLACE),
        "predicted_country": formats.plain(formats.country(fields["pred_country"]), _LONGEST_PLACE),
        "predicted_city": formats.plain(fields["pred_city"] or "", _LONGEST_PLACE),
        "country_correct": bool(fields["country_correct"]) if is_predicted else None,
        "distance": formats.kilometres(fields["distance_km"]),
        "confidence": confidence,
        "confidence_text": formats.share(confidence),
        "line": formats.plain(line),
    }


def _link(view: View, order: str, number: int | None) -> Link:
    own = {
        SIZE: st.query_params.get(SIZE),
        SORT: None if order == DEFAULT_ORDER else order,
        PAGE: None if number in (None, 1) else str(number),
    }
    return lambda image_id: parameters(
        view, **own, **{IMAGE: None if image_id is None else str(image_id)}
    )


def turn_to(number: int) -> None:
    """Make the URL name a page of the gallery."""
    url_state.change(**{PAGE: None if number <= 1 else str(number)})


def neighbour(path: str, image_id: int | None) -> dict[str, Any] | None:
    """Link the previous or next image, if there is one."""
    return None if image_id is None else {"id": image_id, "href": address(path, image_id)}


def address(path: str, image_id: int) -> str:
    """Make the address of an image on a page, in the order of the URL."""
    own = {SORT: st.query_params.get(SORT), IMAGE: str(image_id)}
    return url_state.href(path, **own)
