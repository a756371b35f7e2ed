"""Draw in metres with a pinhole camera; air and light change colours.

Road coordinates: `across_m` is 0 on the centre line and grows towards the driving side, `up_m` is 0
on the ground, `ahead_m` is the distance from the camera. Page coordinates are pixels of the image.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from streetclip.demo.cues import Colour, mix

WIDTH_PX = 320
HEIGHT_PX = 240
SUPERSAMPLING = 2

PagePoint = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom."""
Span = tuple[float, float]


@dataclass(frozen=True)
class View:
    """Position and direction of the camera."""

    side: int  # +1 where traffic keeps right, -1 where it keeps left
    vanish_x_px: float = WIDTH_PX / 2  # column of the road's vanishing point
    horizon_px: float = 108.0  # row of the horizon
    across_m: float = 1.1  # from the centre line towards the driving side
    height_m: float = 2.5  # above the road
    focal_px: float = 260.0

    def project(self, across_m: float, up_m: float, ahead_m: float) -> PagePoint:
        """Project a place on the road onto the page.

        Examples:
            >>> View(side=1).project(1.1, 0.0, 10.0)
            (160.0, 173.0)
            >>> View(side=-1).project(3.1, 0.0, 10.0)
            (108.0, 173.0)
        """
        per_m = self.focal_px / ahead_m
        return (
            self.vanish_x_px + self.side * (across_m - self.across_m) * per_m,
            self.horizon_px + (self.height_m - up_m) * per_m,
        )


@dataclass(frozen=True)
class Air:
    """What light and weather do to colours."""

    light: tuple[float, float, float]  # factors on red, green and blue
    grey: float  # share of colour that is lost
    haze: Colour  # what far things fade to
    sight_m: float  # distance at which 63 % is haze
    shine: float = 0.0  # share of their own colour that signs and plates keep in the dark

    def tint(self, colour: Colour, ahead_m: float = 0.0) -> Colour:
        """Tint a colour as seen through `ahead_m` metres of this air."""
        level = sum(colour) / 3 * self.grey
        clear = math.exp(-ahead_m / self.sight_m)
        kept = 1.0 - self.grey
        red, green, blue = (
            int(min(255.0, (c * kept + level) * light) * clear + haze * (1.0 - clear))
            for c, light, haze in zip(colour, self.light, self.haze, strict=True)
        )
        return red, green, blue


class Pen:
    """A supersampled canvas in page coordinates that remembers the cues' boxes.

    Of every shape, `glow` is the share of the colour that air and night leave alone.
    """

    def __init__(self, view: View, air: Air) -> None:
        self.view = view
        self.air = air
        self.image = Image.new("RGB", (WIDTH_PX * SUPERSAMPLING, HEIGHT_PX * SUPERSAMPLING))
        self.boxes: dict[str, Box] = {}
        self._draw = ImageDraw.Draw(self.image)
        self._tints: dict[tuple[Colour, int], Colour] = {}

    def polygon(
        self,
        points: Sequence[PagePoint],
        colour: Colour,
        ahead_m: float = 0.0,
        *,
        glow: float = 0.0,
    ) -> None:
        """Fill a polygon."""
        fill = self._fill(colour, ahead_m, glow)
        self._draw.polygon([(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in points], fill=fill)

    def rectangle(
        self, box: Box, colour: Colour, ahead_m: float = 0.0, *, glow: float = 0.0
    ) -> None:
        """Fill a rectangle given by any two opposite corners."""
        fill = self._fill(colour, ahead_m, glow)
        self._draw.rectangle([c * SUPERSAMPLING for c in _ordered(box)], fill=fill)

    def ellipse(self, box: Box, colour: Colour, ahead_m: float = 0.0, *, glow: float = 0.0) -> None:
        """Fill the ellipse inside a box given by any two opposite corners."""
        fill = self._fill(colour, ahead_m, glow)
        self._draw.ellipse([c * SUPERSAMPLING for c in _ordered(box)], fill=fill)

    def circle(
        self,
        centre: PagePoint,
        radius_px: float,
        colour: Colour,
        ahead_m: float = 0.0,
        *,
        glow: float = 0.0,
    ) -> None:
        """Fill a circle."""
        x, y = centre
        box = (x - radius_px, y - radius_px, x + radius_px, y + radius_px)
        self.ellipse(box, colour, ahead_m, glow=glow)

    def line(
        self,
        points: Sequence[PagePoint],
        colour: Colour,
        width_px: float,
        ahead_m: float = 0.0,
        glow: float = 0.0,
    ) -> None:
        """Draw a line of at least half a pixel."""
        self._draw.line(
            [(x * SUPERSAMPLING, y * SUPERSAMPLING) for x, y in points],
            fill=self._fill(colour, ahead_m, glow),
            width=max(1, round(width_px * SUPERSAMPLING)),
            joint="curve" if width_px > 2 else None,
        )

    def _fill(self, colour: Colour, ahead_m: float, glow: float) -> Colour:
        key = (colour, int(ahead_m * 2))
        fill = self._tints.get(key)
        if fill is None:
            fill = self._tints[key] = self.air.tint(colour, ahead_m)
        return mix(fill, colour, glow) if glow else fill

    def standing_box(self, across_m: Span, up_m: Span, ahead_m: float) -> Box:
        """Find the page box of an upright rectangle that faces the camera."""
        first = self.view.project(across_m[0], up_m[1], ahead_m)
        second = self.view.project(across_m[1], up_m[0], ahead_m)
        return (min(first[0], second[0]), first[1], max(first[0], second[0]), second[1])

    def post_box(self, across_m: float, half_width_m: float, up_m: Span, ahead_m: float) -> Box:
        """Find the page box of an upright rectangle around a place."""
        span = (across_m - half_width_m, across_m + half_width_m)
        return self.standing_box(span, up_m, ahead_m)

    def on_ground(self, across_m: Span, ahead_m: Span) -> list[PagePoint]:
        """Find the page corners of a rectangle on the road."""
        (left, right), (near, far) = across_m, ahead_m
        corners = ((left, near), (left, far), (right, far), (right, near))
        return [self.view.project(across, 0.0, ahead) for across, ahead in corners]

    def remember(self, cue: str, box: Box) -> None:
        """Keep the first visible box of a cue, cut to the image."""
        left, top, right, bottom = _ordered(box)
        left, right = max(0.0, left), min(float(WIDTH_PX), right)
        top, bottom = max(0.0, top), min(float(HEIGHT_PX), bottom)
        if right - left >= 1 and bottom - top >= 1:
            self.boxes.setdefault(cue, (left, top, right, bottom))


def _ordered(box: Box) -> Box:
    left, right = sorted((box[0], box[2]))
    top, bottom = sorted((box[1], box[3]))
    return left, top, right, bottom
