"""Draw trees and bushes: each a few shapes that show its kind from afar."""

import math
from collections.abc import Callable
from random import Random

from streetclip.demo.cues import Colour, shade
from streetclip.demo.pen import Pen

_TRUNK: Colour = (96, 68, 46)
_SHADOW: Colour = (56, 67, 48)


class _Plant:
    """A plant's place on the page, with helpers in shares of its height."""

    def __init__(self, pen: Pen, across_m: float, ahead_m: float, height_m: float) -> None:
        self.pen = pen
        self.ahead_m = ahead_m
        self.x, self.base = pen.view.project(across_m, 0.0, ahead_m)
        self.size = height_m * (pen.view.focal_px / ahead_m)

    def at(self, right: float, up: float) -> tuple[float, float]:
        return (self.x + right * self.size, self.base - up * self.size)

    def blob(self, right: float, up: float, radius: float, colour: Colour, flat: float = 1) -> None:
        x, y = self.at(right, up)
        across, down = radius * self.size, radius * self.size * flat
        self.pen.ellipse((x - across, y - down, x + across, y + down), colour, self.ahead_m)

    def shape(self, points: list[tuple[float, float]], colour: Colour) -> None:
        self.pen.polygon([self.at(*point) for point in points], colour, self.ahead_m)

    def trunk(self, up: float, colour: Colour = _TRUNK, width: float = 0.025) -> None:
        self.shape([(-width, 0), (-width * 0.7, up), (width * 0.7, up), (width, 0)], colour)


def plant(
    pen: Pen, kind: str, place_m: tuple[float, float], rng: Random, *, snow: bool = False
) -> None:
    """Draw one plant of `KINDS`, at a place across and ahead."""
    height_m, colour, draw = KINDS[kind]
    across_m, ahead_m = place_m
    at = _Plant(pen, across_m, ahead_m, height_m * rng.uniform(0.8, 1.25))
    tone = shade(colour, rng.uniform(0.85, 1.15))
    at.blob(0.06, 0.0, 0.16, _SHADOW, 0.14)
    draw(at, tone, rng)
    if snow:
        at.blob(0.0, 0.93, 0.07, (244, 246, 250), 0.6)
        at.blob(-0.06, 0.72, 0.09, (236, 240, 246), 0.45)


def _birch(at: _Plant, tone: Colour, rng: Random) -> None:
    at.trunk(0.75, (232, 230, 222), 0.022)
    for up in (0.12, 0.25, 0.38):
        at.shape([(-0.02, up), (0.012, up + 0.01), (0.012, up + 0.03)], (52, 50, 48))
    for _ in range(6):
        at.blob(rng.uniform(-0.12, 0.12), rng.uniform(0.5, 0.9), rng.uniform(0.08, 0.13), tone)
    at.blob(-0.05, 0.82, 0.07, shade(tone, 1.2))


def _oak(at: _Plant, tone: Colour, rng: Random) -> None:
    at.trunk(0.5, width=0.04)
    for right, up, radius in ((-0.2, 0.55, 0.17), (0.2, 0.57, 0.17), (0, 0.72, 0.24)):
        at.blob(right, up, radius, shade(tone, rng.uniform(0.86, 1.0)))
    at.blob(-0.08, 0.8, 0.14, shade(tone, 1.18))


def _pine(at: _Plant, tone: Colour, rng: Random) -> None:
    at.trunk(0.9, (146, 88, 56), 0.028)
    for up, radius in ((0.6, 0.15), (0.74, 0.18), (0.88, 0.13)):
        at.blob(rng.uniform(-0.05, 0.05), up, radius, tone, 0.5)
        at.blob(rng.uniform(-0.05, 0.05), up + 0.03, radius * 0.6, shade(tone, 1.2), 0.4)


def _spruce(at: _Plant, tone: Colour, _: Random) -> None:
    at.trunk(0.2)
    for step in range(4):
        up = 0.1 + step * 0.2
        half = 0.22 - step * 0.045
        at.shape([(-half, up), (0, up + 0.34), (half, up)], shade(tone, 0.85 + step * 0.1))


def _poplar(at: _Plant, tone: Colour, _: Random) -> None:
    at.trunk(0.2)
    at.blob(0, 0.55, 0.11, tone, 4.0)
    at.blob(-0.03, 0.6, 0.05, shade(tone, 1.2), 5.0)


def _cypress(at: _Plant, tone: Colour, _: Random) -> None:
    at.trunk(0.15)
    at.shape([(-0.1, 0.15), (-0.09, 0.5), (0, 1), (0.09, 0.5), (0.1, 0.15), (0, 0.08)], tone)
    at.shape([(-0.07, 0.2), (-0.06, 0.5), (0, 0.9), (-0.01, 0.2)], shade(tone, 1.25))


def _olive(at: _Plant, tone: Colour, rng: Random) -> None:
    at.shape([(-0.06, 0), (0.02, 0.5), (0.09, 0.5), (0.05, 0)], (120, 100, 80))
    for right, up in ((-0.2, 0.55), (0.18, 0.6), (0.0, 0.78), (0.05, 0.55)):
        at.blob(right, up, rng.uniform(0.17, 0.22), shade(tone, rng.uniform(0.85, 1.2)), 0.8)


def _palm(at: _Plant, tone: Colour, rng: Random) -> None:
    lean = rng.uniform(-0.12, 0.12)
    at.shape([(-0.025, 0), (lean - 0.016, 0.8), (lean + 0.016, 0.8), (0.025, 0)], (152, 124, 88))
    for step in range(8):
        angle = step * math.pi / 4 + 0.3
        out, lift = math.cos(angle) * 0.27, math.sin(angle) * 0.13
        tip = (lean + out, 0.76 + lift - 0.08)
        middle = (lean + out * 0.55, 0.84 + lift)
        low = (lean + out * 0.5, 0.76 + lift * 0.8)
        at.shape([(lean, 0.8), middle, tip, low], shade(tone, 0.8 + 0.05 * step))


def _acacia(at: _Plant, tone: Colour, rng: Random) -> None:
    at.trunk(0.6, width=0.03)
    at.shape([(0, 0.35), (-0.28, 0.74), (-0.24, 0.74), (0.02, 0.42)], _TRUNK)
    at.shape([(0, 0.35), (0.28, 0.74), (0.24, 0.74), (-0.02, 0.42)], _TRUNK)
    at.blob(0, 0.78, 0.5, shade(tone, 0.85), 0.22)
    at.blob(rng.uniform(-0.1, 0.1), 0.84, 0.36, tone, 0.22)


def _eucalyptus(at: _Plant, tone: Colour, rng: Random) -> None:
    pale = (214, 200, 182)
    at.trunk(0.7, pale, 0.022)
    at.shape([(0, 0.3), (0.16, 0.7), (0.19, 0.7), (0.03, 0.3)], pale)
    for right, up in ((-0.12, 0.72), (0.2, 0.74), (0.04, 0.9), (-0.02, 0.62)):
        at.blob(right, up, rng.uniform(0.1, 0.14), shade(tone, rng.uniform(0.9, 1.15)), 0.7)


def _banana(at: _Plant, tone: Colour, _: Random) -> None:
    at.trunk(0.5, (120, 132, 70), 0.05)
    for out, lift in ((-0.5, 0.1), (-0.32, 0.42), (-0.06, 0.5), (0.26, 0.45), (0.5, 0.12)):
        middle = (out * 0.6 - 0.09, 0.62 + lift)
        under = (out * 0.6 + 0.09, 0.5 + lift)
        at.shape([(0, 0.45), middle, (out, 0.45 + lift), under], shade(tone, 0.9 + abs(out) * 0.5))


def _bamboo(at: _Plant, tone: Colour, rng: Random) -> None:
    for step in range(7):
        foot = (step - 3) * 0.05
        top = foot * 2.6
        at.shape([(foot, 0), (top, 0.95), (top + 0.02, 0.95), (foot + 0.02, 0)], tone)
        at.blob(top, rng.uniform(0.65, 0.95), 0.09, shade(tone, rng.uniform(0.75, 1.1)), 0.6)


def _fern(at: _Plant, tone: Colour, _: Random) -> None:
    at.trunk(0.62, (74, 58, 44), 0.04)
    for step in range(9):
        out = (step - 4) * 0.12
        droop = abs(out) * 0.5
        tip, top = (out, 0.72 - droop), (out * 0.6, 0.9 - droop * 0.5)
        at.shape([(0, 0.6), top, tip, (out * 0.5, 0.74)], shade(tone, 0.8 + 0.05 * step))


def _bush(at: _Plant, tone: Colour, rng: Random) -> None:
    for right in (-0.4, 0.0, 0.4):
        at.blob(right, 0.3, rng.uniform(0.3, 0.42), shade(tone, rng.uniform(0.85, 1.1)), 0.75)
    at.blob(-0.1, 0.5, 0.2, shade(tone, 1.2), 0.6)


KINDS: dict[str, tuple[float, Colour, Callable[[_Plant, Colour, Random], None]]] = {
    "acacia": (6.0, (116, 132, 56), _acacia),
    "bamboo": (7.0, (122, 168, 66), _bamboo),
    "banana": (4.2, (74, 160, 56), _banana),
    "birch": (8.5, (124, 168, 74), _birch),
    "bush": (1.8, (128, 134, 76), _bush),
    "cypress": (9.0, (40, 88, 58), _cypress),
    "eucalyptus": (10.0, (118, 142, 108), _eucalyptus),
    "fern": (4.6, (60, 138, 66), _fern),
    "oak": (7.5, (70, 130, 54), _oak),
    "olive": (4.2, (136, 150, 108), _olive),
    "palm": (8.5, (66, 146, 60), _palm),
    "pine": (9.5, (52, 104, 62), _pine),
    "poplar": (11.0, (92, 148, 62), _poplar),
    "spruce": (10.0, (32, 82, 56), _spruce),
}
"""Height in metres, colour and drawing of each kind."""
