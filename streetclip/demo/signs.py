"""Draw what lines the road: warning and direction signs, bollards, poles with their wires."""

import functools
from collections.abc import Sequence
from random import Random

from streetclip.demo.cues import Colour, CountryCues, material, shade
from streetclip.demo.pen import Box, PagePoint, Pen

Glyph = tuple[tuple[PagePoint, ...], ...]
"""Strokes on a unit square, x to the right and y down; a stroke of one point is a dot."""

_POST: Colour = (128, 130, 132)
_INK: Colour = (26, 26, 28)


def warning_sign(pen: Pen, cues: CountryCues, across_m: float, ahead_m: float) -> None:
    """Draw the country's warning sign on its post."""
    sign = cues.warning
    box = pen.post_box(across_m, 0.8, (1.5, 3.1), ahead_m)
    pen.rectangle(pen.post_box(across_m, 0.06, (0.0, 2.0), ahead_m), _POST, ahead_m)
    outline, inset = (_diamond, 0.12) if sign.shape == "diamond" else (_triangle, 0.24)
    pen.polygon(outline(box, 0.0), sign.border, ahead_m, glow=pen.air.shine)
    pen.polygon(outline(box, inset), sign.fill, ahead_m, glow=pen.air.shine)
    x, height = (box[0] + box[2]) / 2, box[3] - box[1]
    half = height * 0.045
    y = box[1] + height * 0.36
    pen.rectangle((x - half, y, x + half, y + height * 0.28), _INK, ahead_m)
    pen.rectangle((x - half, y + height * 0.34, x + half, y + height * 0.42), _INK, ahead_m)
    pen.remember("warning_sign", box)


def _diamond(box: Box, inset: float) -> list[PagePoint]:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    across = (box[2] - box[0]) / 2 * (1 - inset) * 1.15
    down = (box[3] - box[1]) / 2 * (1 - inset) * 1.15
    return [(x, y - down), (x + across, y), (x, y + down), (x - across, y)]


def _triangle(box: Box, inset: float) -> list[PagePoint]:
    x, y = (box[0] + box[2]) / 2, box[1] + (box[3] - box[1]) * 0.64
    scale = 1 - inset * 1.5
    across = (box[2] - box[0]) / 2 * scale
    rise, drop = (y - box[1]) * scale, (box[3] - y) * scale
    return [(x, y - rise), (x + across, y + drop), (x - across, y + drop)]


def direction_sign(
    pen: Pen, cues: CountryCues, across_m: float, ahead_m: float, rng: Random
) -> None:
    """Draw a board with two lines of the country's script, each with an arrow."""
    box = pen.post_box(across_m, 1.8, (1.8, 3.9), ahead_m)
    for shift in (-1.0, 1.0):
        pen.rectangle(pen.post_box(across_m + shift, 0.07, (0.0, 2.0), ahead_m), _POST, ahead_m)
    is_dark = sum(cues.direction) < 400
    ink: Colour = (250, 250, 250) if is_dark else (24, 24, 26)
    left, top, right, bottom = inner = (box[0] + 1.0, box[1] + 1.0, box[2] - 1.0, box[3] - 1.0)
    pen.rectangle(box, ink, ahead_m, glow=pen.air.shine)
    pen.rectangle(inner, cues.direction, ahead_m, glow=pen.air.shine)
    height = (bottom - top) / 2
    for row in (0, 1):
        y = top + row * height
        line = (left, y, right - height * 0.8, y + height)
        lettering(pen, cues.script, line, (ink, ahead_m), rng)
        x, y, size = right - height * 0.45, y + height / 2, height * 0.3
        pen.polygon([(x - size, y), (x, y - size), (x + size, y)], ink, ahead_m)
        pen.rectangle((x - size * 0.3, y, x + size * 0.3, y + size), ink, ahead_m)
    pen.remember("direction_sign", box)


def lettering(pen: Pen, script: str, box: Box, ink: tuple[Colour, float], rng: Random) -> None:
    """Fill a box with one made-up word; `ink`: colour, distance in metres."""
    colour, ahead_m = ink
    height = (box[3] - box[1]) * 0.58
    top = (box[1] + box[3] - height) / 2
    advance = height * 0.98
    count = max(1, int((box[2] - box[0] - height * 0.4) / advance))
    left = box[0] + height * 0.35
    width_px = max(0.8, height * 0.15)
    for place, glyph in enumerate(make_word(script, count, rng)):
        x0 = left + place * advance
        for stroke in glyph:
            points = [(x0 + x * height * 0.78, top + y * height) for x, y in stroke]
            if len(points) == 1:
                pen.circle(points[0], width_px, colour, ahead_m)
            else:
                pen.line(points, colour, width_px, ahead_m, pen.air.shine)


def make_word(script: str, length: int, rng: Random) -> tuple[Glyph, ...]:
    """Make up a word: glyphs that look like a script from afar, and say nothing.

    Examples:
        >>> len(make_word("georgian", 5, Random(1)))
        5
    """
    return tuple(_glyph(rng.choice(material("scripts", script))) for _ in range(length))


@functools.cache
def _glyph(text: str) -> Glyph:
    """Read `00 99;50 05`: strokes parted by ';', points as two digits of ninths."""
    return tuple(
        tuple((int(point[0]) / 9, int(point[1]) / 9) for point in stroke.split())
        for stroke in text.split(";")
    )


def bollard(pen: Pen, cues: CountryCues, across_m: float, ahead_m: float) -> None:
    """Draw a roadside post in the country's colours."""
    half_width_m, height_m = 0.17, 1.3
    step = height_m / len(cues.bollard)
    for row, colour in enumerate(cues.bollard):
        top = height_m - row * step
        box = pen.post_box(across_m, half_width_m, (top - step, top), ahead_m)
        pen.rectangle(box, colour, ahead_m, glow=pen.air.shine)
    pen.remember("bollard", pen.post_box(across_m, half_width_m, (0.0, height_m), ahead_m))


def pole_line(pen: Pen, cues: CountryCues, across_m: float, ahead_m: Sequence[float]) -> None:
    """Draw a row of utility poles, far to near, and their wires."""
    colour, width_m = material("poles", cues.pole)
    far: list[PagePoint] = []
    for distance in ahead_m:
        post = pen.post_box(across_m, width_m / 2, (0.0, 8.0), distance)
        pen.rectangle(post, colour, distance)
        lit = (post[0], post[1], post[0] + (post[2] - post[0]) * 0.35, post[3])
        pen.rectangle(lit, shade(colour, 1.2), distance)
        arm = pen.post_box(across_m, 1.0, (7.3, 7.5), distance)
        pen.rectangle(arm, shade(colour, 0.8), distance)
        near = [pen.view.project(across_m + shift, 7.55, distance) for shift in (-0.9, 0.0, 0.9)]
        for start, end in zip(near, far, strict=False):
            sag = abs(end[1] - start[1]) * 0.06 + 1.0
            middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + sag)
            pen.line([start, middle, end], (50, 52, 56), 0.5, distance)
        far = near
    pen.remember("pole", post)
