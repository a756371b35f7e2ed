"""Read the boxes of visible cues that the attribute `cue_boxes` of an image holds."""

import json
from typing import Any, Final, NamedTuple

from streetclip.results.formats import plain

COLUMN: Final = "cue_boxes"
PROBLEM: Final = (
    f'{COLUMN} cannot be read; expected a JSON list of [x, y, width, height, "label"], in pixels '
    "or all as fractions of the image."
)

_MOST_BOXES = 200
_LONGEST_TEXT = 100_000
_LONGEST_LABEL = 60
_CORNERS = 4
_LARGEST = 1e9


Box = tuple[float, float, float, float]


class CueBox(NamedTuple):
    """A label, untrusted, and left, top, width and height as shares of the image."""

    label: str
    box: Box


def read_boxes(text: str, width: int, height: int) -> list[CueBox]:
    """Parse the boxes on an upright image of some pixels, cut to its edges.

    `text` is a JSON list of [x, y, width, height] with or without a label behind, or, as
    `make_demo` writes it, an object of label → [left, top, right, bottom]. Raises ValueError.

    Examples:
        >>> read_boxes('[[10, 20, 30, 40, "sign"]]', 100, 200)
        [CueBox(label='sign', box=(0.1, 0.1, 0.3, 0.2))]
    """
    found = json.loads(text[:_LONGEST_TEXT])
    if isinstance(found, dict):
        boxes = [(label, _of_corners(*_numbers(corners))) for label, corners in found.items()]
    else:
        boxes = [_labelled(row) for row in (found if isinstance(found, list) else [found])]
    is_share = all(number <= 1 for _, box in boxes for number in box)
    size = (1, 1) if is_share else (width, height)
    return [
        CueBox(plain(label, _LONGEST_LABEL), _cut(*box, *size))
        for label, box in boxes[:_MOST_BOXES]
    ]


def _of_corners(left: float, top: float, right: float, bottom: float) -> Box:
    return left, top, right - left, bottom - top


def _labelled(row: Any) -> tuple[str, Box]:
    if not isinstance(row, list) or not _CORNERS <= len(row) <= _CORNERS + 1:
        raise ValueError(PROBLEM)
    label = row[_CORNERS] if len(row) > _CORNERS else ""
    return str(label or ""), _numbers(row[:_CORNERS])


def _numbers(values: Any) -> Box:
    given = values if isinstance(values, list) else []
    numbers = [float(v) for v in given if type(v) in (int, float) and abs(v) <= _LARGEST]
    if len(numbers) != len(given) or len(given) != _CORNERS:
        raise ValueError(PROBLEM)
    left, top, right, bottom = numbers
    return left, top, right, bottom


def _cut(x: float, y: float, across: float, down: float, width: int, height: int) -> Box:
    left, right, top, bottom = (
        min(max(each, 0.0), 1.0)
        for each in (x / width, (x + across) / width, y / height, (y + down) / height)
    )
    return left, top, max(right - left, 0.0), max(bottom - top, 0.0)
