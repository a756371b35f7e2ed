"""Draw an image of a queue with its form, and send the next ones to the browser ahead.

Picture, facts and form are one component, so that they change together and at once. The browser
names the pictures that it has; a run of the script sends a few that it lacks, the nearest first.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from dashboard.images import image_detail, triage
from dashboard.images.image_queries import Image
from dashboard.images.thumbnails import DETAIL_SIDE, Thumbnail, thumbnail
from dashboard.shell import formats
from streetclip.errors import StreetClipError

NUM_AHEAD: Final = 8
"""How many images the browser knows ahead."""

NUM_BEHIND: Final = 2

_MOST_SENT: Final = 2_000_000  # characters of pictures at a time, some 500,000 each
_MOST_CANDIDATES: Final = 5


class Links(NamedTuple):
    """Addresses of an image: in the queue, and where everything about it is shown."""

    href: str
    detail: str


def queue(
    images: Sequence[Image],
    at: int | None,
    *,
    key: str,
    links: Callable[[int], Links],
    on_action: triage.OnAction,
) -> None:
    """Draw the image `at`, one of some that follow each other; None: undo and redo alone."""
    ids = [image.subject["id"] for image in images]
    first = 0 if at is None else ids.index(at)
    held = triage.held_pictures(key)
    nearest_first = [*images[first:], *reversed(images[:first])]
    lacking = [image for image in nearest_first if _id(image) not in held]
    data = {
        "at": at,
        "items": [_item(image, links(_id(image))) for image in images],
        "pictures": _pictures(lacking),
    }
    names = {_id(image): image.subject["name"] for image in images}

    def act(action: triage.Action) -> str:
        try:
            return on_action(action)
        except StreetClipError as error:  # the browser may be images ahead
            msg = f"{names.get(action.image_id, 'Last action')}: not saved. {error}"
            raise type(error)(msg) from error

    component = triage.component("queue", "photo_tiles", "photo_view")
    triage.mount(component, data, key=key, on_action=act)


def _id(image: Image) -> int:
    return int(image.subject["id"])


def _item(image: Image, links: Links) -> dict[str, Any]:
    """Make the data of an image for the browser; bound every untrusted text."""
    fields = image.fields
    problem = image_detail.prediction_problem(fields)
    facts = [(term, formats.plain(value)) for term, value in image_detail.verdict_rows(fields)]
    countries, cities = image_detail.country_rows(fields), image_detail.city_rows(fields)
    return (
        image.subject
        | links._asdict()
        | {
            "problem": problem,
            "facts": facts,
            "candidates": [
                ("Countries by probability", countries[:_MOST_CANDIDATES]),
                ("Cities within the predicted country", cities[:_MOST_CANDIDATES]),
            ],
        }
    )


def _pictures(images: Sequence[Image]) -> list[dict[str, Any]]:
    """Make as many pictures as may be loaded at a time, at least one."""
    made, num_bytes = [], 0
    for image in images:
        shown = thumbnail(image.file, DETAIL_SIDE)
        made.append(_picture(image, shown))
        num_bytes += len(shown.jpeg)
        if num_bytes > _MOST_SENT:
            break
    return made


def _picture(image: Image, shown: Thumbnail) -> dict[str, Any]:
    if shown.photo is None:
        return {"id": _id(image), "problem": f"No picture. {formats.plain(shown.problem)}"}
    return image_detail.photo_data(image.fields, shown.photo, shown.version)
