"""What stands beside the road: warning and direction signs, bollards, poles with their wires."""

from collections.abc import Sequence
from random import Random

from streetclip.demo.cues import Colour, CountryCues
from streetclip.demo.glyphs import write
from streetclip.demo.palette import shade
from streetclip.demo.pen import Box, PagePoint, Pen

_POST: Colour = (128, 130, 132)
_POLES: dict[str, tuple[Colour, float]] = {
    "concrete": ((182, 178, 170), 0.30),
    "square": ((206, 202, 192), 0.38),
    "steel": ((120, 132, 140), 0.20),
    "wood": ((108, 76, 50), 0.28),
}


def warning_sign(pen: Pen, cues: CountryCues, place_m: tuple[float, float]) -> None:
    """Draw the country's warning sign on its post."""
    across_m, ahead_m = place_m
    half = 0.8
    box = pen.standing_box((across_m - half, across_m + half), (1.5, 3.1), ahead_m)
    post = pen.standing_box((across_m - 0.06, across_m + 0.06), (0.0, 2.0), ahead_m)
    pen.rectangle(post, _POST, ahead_m)
    outline = _diamond if cues.warning.shape == "diamond" else _triangle
    pen.polygon(outline(box, 0.0), cues.warning.border, ahead_m, glow=pen.air.shine)
    inset = 0.12 if cues.warning.shape == "diamond" else 0.24
    pen.polygon(outline(box, inset), cues.warning.fill, ahead_m, glow=pen.air.shine)
    _exclamation(pen, box, ahead_m)
    pen.remember("warning_sign", box)


def direction_sign(pen: Pen, cues: CountryCues, place_m: tuple[float, float], rng: Random) -> None:
    """Draw a board with two lines of the country's script and an arrow."""
    across_m, ahead_m = place_m
    box = pen.standing_box((across_m - 1.8, across_m + 1.8), (1.8, 3.9), ahead_m)
    for shift in (-1.0, 1.0):
        post = pen.standing_box(
            (across_m + shift - 0.07, across_m + shift + 0.07), (0.0, 2.0), ahead_m
        )
        pen.rectangle(post, _POST, ahead_m)
    dark = sum(cues.direction) < 400
    ink: Colour = (250, 250, 250) if dark else (24, 24, 26)
    pen.rectangle(box, ink, ahead_m, glow=pen.air.shine)
    inner = _inset(box, 1.0)
    pen.rectangle(inner, cues.direction, ahead_m, glow=pen.air.shine)
    height = (inner[3] - inner[1]) / 2
    for row in range(2):
        top = inner[1] + row * height
        line: Box = (inner[0], top, inner[2] - height * 0.8, top + height)
        lettering(pen, cues.script, line, (ink, ahead_m), rng)
        _arrow(pen, (inner[2] - height * 0.45, top + height / 2), height * 0.3, (ink, ahead_m))
    pen.remember("direction_sign", box)


def lettering(pen: Pen, script: str, box: Box, ink: tuple[Colour, float], rng: Random) -> None:
    """Fill a box with one made-up word.

    Args:
        pen: What to draw with.
        script: One of `glyphs.scripts()`.
        box: Page box of the line.
        ink: Colour, and distance in metres.
        rng: Source of the letters.
    """
    colour, ahead_m = ink
    height = (box[3] - box[1]) * 0.58
    top = (box[1] + box[3] - height) / 2
    advance = height * 0.98
    count = max(1, int((box[2] - box[0] - height * 0.4) / advance))
    left = box[0] + height * 0.35
    width_px = max(0.8, height * 0.15)
    for place, glyph in enumerate(write(script, count, rng)):
        x0 = left + place * advance
        for stroke in glyph:
            points = [(x0 + x * height * 0.78, top + y * height) for x, y in stroke]
            if len(points) == 1:
                x, y = points[0]
                pen.ellipse(
                    (x - width_px, y - width_px, x + width_px, y + width_px), colour, ahead_m
                )
            else:
                pen.line(points, colour, width_px, ahead_m, pen.air.shine)


def bollard(pen: Pen, cues: CountryCues, place_m: tuple[float, float]) -> None:
    """Draw a roadside post in the country's colours."""
    across_m, ahead_m = place_m
    width_m, height_m = 0.34, 1.3
    bands = cues.bollard
    step = height_m / len(bands)
    for row, colour in enumerate(bands):
        top = height_m - row * step
        box = pen.standing_box(
            (across_m - width_m / 2, across_m + width_m / 2), (top - step, top), ahead_m
        )
        pen.rectangle(box, colour, ahead_m, glow=pen.air.shine)
    pen.remember(
        "bollard",
        pen.standing_box(
            (across_m - width_m / 2, across_m + width_m / 2), (0.0, height_m), ahead_m
        ),
    )


def pole_line(pen: Pen, cues: CountryCues, across_m: float, ahead_m: Sequence[float]) -> None:
    """Draw a row of utility poles, from the farthest to the nearest, and the wires between."""
    far: list[PagePoint] = []
    for distance in ahead_m:
        near = _pole(pen, cues, (across_m, distance))
        for start, end in zip(near, far, strict=False):
            _wire(pen, start, end, distance)
        far = near
    pen.remember("pole", _pole_box(pen, cues, (across_m, ahead_m[-1])))


def _pole_box(pen: Pen, cues: CountryCues, place_m: tuple[float, float]) -> Box:
    across_m, ahead_m = place_m
    half = _POLES[cues.pole][1] / 2
    return pen.standing_box((across_m - half, across_m + half), (0.0, 8.0), ahead_m)


def _pole(pen: Pen, cues: CountryCues, place_m: tuple[float, float]) -> list[PagePoint]:
    across_m, ahead_m = place_m
    colour = _POLES[cues.pole][0]
    post = _pole_box(pen, cues, place_m)
    pen.rectangle(post, colour, ahead_m)
    lit = (post[0], post[1], post[0] + (post[2] - post[0]) * 0.35, post[3])
    pen.rectangle(lit, shade(colour, 1.2), ahead_m)
    arm = pen.standing_box((across_m - 1.0, across_m + 1.0), (7.3, 7.5), ahead_m)
    pen.rectangle(arm, shade(colour, 0.8), ahead_m)
    return [pen.view.project(across_m + shift, 7.55, ahead_m) for shift in (-0.9, 0.0, 0.9)]


def _wire(pen: Pen, start: PagePoint, end: PagePoint, ahead_m: float) -> None:
    sag = abs(end[1] - start[1]) * 0.06 + 1.0
    middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + sag)
    pen.line([start, middle, end], (50, 52, 56), 0.5, ahead_m)


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


def _exclamation(pen: Pen, box: Box, ahead_m: float) -> None:
    x, height = (box[0] + box[2]) / 2, box[3] - box[1]
    half = height * 0.045
    y = box[1] + height * 0.36
    pen.rectangle((x - half, y, x + half, y + height * 0.28), (26, 26, 28), ahead_m)
    pen.rectangle((x - half, y + height * 0.34, x + half, y + height * 0.42), (26, 26, 28), ahead_m)


def _arrow(pen: Pen, centre: PagePoint, size: float, ink: tuple[Colour, float]) -> None:
    x, y = centre
    colour, ahead_m = ink
    pen.polygon([(x - size, y), (x, y - size), (x + size, y)], colour, ahead_m)
    pen.rectangle((x - size * 0.3, y, x + size * 0.3, y + size), colour, ahead_m)


def _inset(box: Box, by_px: float) -> Box:
    return (box[0] + by_px, box[1] + by_px, box[2] - by_px, box[3] - by_px)
