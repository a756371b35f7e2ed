"""Draw a page of images as cards, with the truth, the prediction and what was noted."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dashboard.images import triage
from dashboard.images.image_queries import Image
from dashboard.images.thumbnails import Thumbnail
from dashboard.shell.formats import country, kilometres, plain, share

_LONGEST_PLACE = 80
_LONGEST_LINE = 200
_LONGEST_PROBLEM = 240


def card(image: Image, picture: Thumbnail, *, href: str, beside: str = "") -> dict[str, Any]:
    """Make the data of a card for the browser; bound every untrusted text.

    `beside` is a further line, such as what another run predicts; untrusted.
    """
    fields = image.fields
    is_predicted = bool(fields["pred_country"])
    confidence = float(fields["country_probability"]) if is_predicted else None
    return image.subject | {
        "href": href,
        "picture": picture.data_uri,
        "problem": plain(picture.problem, _LONGEST_PROBLEM),
        "true_country": plain(country(fields["true_country"]), _LONGEST_PLACE),
        "true_city": plain(fields["true_city"] or "", _LONGEST_PLACE),
        "predicted_country": plain(country(fields["pred_country"]), _LONGEST_PLACE),
        "predicted_city": plain(fields["pred_city"] or "", _LONGEST_PLACE),
        "country_right": bool(fields["country_correct"]) if is_predicted else None,
        "distance": kilometres(fields["distance_km"]),
        "confidence": confidence,
        "confidence_text": share(confidence),
        "beside": plain(beside, _LONGEST_LINE),
    }


def cards(
    shown: Sequence[dict[str, Any]],
    *,
    key: str,
    label: str,
    on_action: triage.OnAction,
    pages: tuple[bool, bool] = (False, False),
) -> None:
    """Draw cards of equal size, 4 to 6 a row on a desktop and 1 or 2 on a phone.

    The action `open` opens the detail, `page` with "next" or "previous" turns the page; `pages`
    tells whether there is a page before, and one after. `label` is for screen readers.
    """
    data = {
        "cards": list(shown),
        "label": label,
        "pages": dict(zip(("previous", "next"), pages, strict=True)),
    }
    ids = {each["id"] for each in shown}
    triage.mount(_component(), data, key=key, image_ids=ids, on_action=on_action)


@functools.cache
def _component() -> Callable[..., object]:
    return st.components.v2.component(
        "streetclip_gallery",
        html='<div class="root"></div>',
        css=triage.asset("triage.css", "gallery.css"),
        js=triage.asset("triage.js", "gallery.js"),
    )
