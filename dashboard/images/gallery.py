"""A page of images as cards, with the truth, the prediction and what was noted about each."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dashboard.images import triage
from dashboard.shell.formats import plain, share

_LONGEST_PLACE = 80
_LONGEST_BESIDE = 200
_LONGEST_PROBLEM = 240


@dataclass(frozen=True, kw_only=True)
class Card(triage.Subject):
    """What a card shows; every text may be untrusted.

    Attributes:
        href: The address of the image's page, made by `state.href`.
        picture: A data URI of our own making; empty where there is no picture.
        problem: Why there is none.
        true_country: As it is shown.
        true_city: As it is shown.
        predicted_country: As it is shown; `—` where nothing was predicted.
        predicted_city: As it is shown.
        country_right: None where nothing was predicted.
        distance: As it is shown.
        confidence: Probability of the predicted country in [0, 1], None where there is none.
        beside: A further line, such as what another run says.
    """

    href: str
    picture: str = ""
    problem: str = ""
    true_country: str
    true_city: str = ""
    predicted_country: str
    predicted_city: str = ""
    country_right: bool | None
    distance: str
    confidence: float | None
    beside: str = ""

    def data(self) -> dict[str, Any]:
        """What the browser needs."""
        places = {
            name: plain(getattr(self, name), _LONGEST_PLACE)
            for name in ("true_country", "true_city", "predicted_country", "predicted_city")
        }
        return (
            super().data()
            | places
            | {
                "href": self.href,
                "picture": self.picture,
                "problem": plain(self.problem, _LONGEST_PROBLEM),
                "country_right": self.country_right,
                "distance": self.distance,
                "confidence": self.confidence,
                "confidence_text": share(self.confidence),
                "beside": plain(self.beside, _LONGEST_BESIDE),
            }
        )


def cards(
    shown: Sequence[Card],
    *,
    key: str,
    label: str,
    on_action: Callable[[triage.Action], str],
    selected: int | None = None,
    pages: tuple[bool, bool] = (False, False),
) -> None:
    """Draw cards of equal size, 4 to 6 a row on a desktop and 1 or 2 on a phone.

    Args:
        shown: In order.
        key: Unique on the page.
        label: What the list is, for those who do not see it.
        on_action: Does what an action says, and gives words to show, if any; a `StreetClipError`
            that it raises is shown. `open` opens the detail, `page` with "next" or "previous"
            turns the page.
        selected: The image that is marked.
        pages: Whether there is a page before, and one after.
    """
    data = {
        "cards": [card.data() for card in shown],
        "label": label,
        "selected": selected,
        "pages": dict(zip(("previous", "next"), pages, strict=True)),
    }
    ids = {card.image_id for card in shown}
    triage.mount(_component(), data, key=key, image_ids=ids, on_action=on_action)


@functools.cache
def _component() -> Callable[..., object]:
    return st.components.v2.component(
        "streetclip_gallery",
        html='<div class="root"></div>',
        css=triage.asset("triage.css", "gallery.css"),
        js=triage.asset("triage.js", "gallery.js"),
    )
