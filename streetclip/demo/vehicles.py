"""Draw cars: the one ahead with its plate, and those that come the other way."""

from random import Random

from streetclip.demo.cues import Colour, CountryCues, Plate, material, shade
from streetclip.demo.pen import Box, Pen

_TYRE: Colour = (28, 28, 30)


class _Body:
    """A car's box on the page; places are shares of its size."""

    def __init__(self, pen: Pen, across_m: float, ahead_m: float, *, night: bool) -> None:
        self.pen = pen
        self.ahead_m = ahead_m
        self.night = night
        self.box = pen.post_box(across_m, 0.95, (0.12, 1.62), ahead_m)

    def part(self, left: float, top: float, right: float, bottom: float) -> Box:
        x0, y0, x1, y1 = self.box
        width, height = x1 - x0, y1 - y0
        return (x0 + left * width, y0 + top * height, x0 + right * width, y0 + bottom * height)

    def fill(self, place: Box, colour: Colour) -> None:
        self.pen.rectangle(self.part(*place), colour, self.ahead_m)

    def shape(self, points: list[tuple[float, float]], colour: Colour) -> None:
        corners = [self.part(x, y, x, y)[:2] for x, y in points]
        self.pen.polygon(corners, colour, self.ahead_m)

    def lamp(self, place: Box, colour: Colour) -> None:
        self.pen.ellipse(self.part(*place), colour, self.ahead_m, glow=0.9 if self.night else 0.0)


def car_ahead(pen: Pen, cues: CountryCues, ahead_m: float, rng: Random, *, night: bool) -> None:
    """Draw the car in front, from behind, with the country's plate."""
    body = _Body(pen, 1.75, ahead_m, night=night)
    _car(body, rng)
    for left in (0.03, 0.85):
        body.lamp((left, 0.46, left + 0.12, 0.64), (224, 40, 34))
    is_short = cues.plate.shape == "short"
    plate = body.part(0.29, 0.48, 0.71, 0.8) if is_short else body.part(0.17, 0.53, 0.83, 0.77)
    _plate(pen, cues.plate, plate, ahead_m, rng)
    pen.remember("car", body.box)
    pen.remember("plate", plate)


def oncoming_car(pen: Pen, ahead_m: float, rng: Random, *, night: bool) -> None:
    """Draw a car in the other lane, seen from the front."""
    body = _Body(pen, -1.75, ahead_m, night=night)
    _car(body, rng)
    for left in (0.05, 0.79):
        body.lamp((left, 0.48, left + 0.16, 0.64), (255, 246, 206))
    body.fill((0.3, 0.56, 0.7, 0.7), (40, 42, 46))


def _car(body: _Body, rng: Random) -> None:
    paint = rng.choice(material("paints", "cars"))
    body.pen.ellipse(body.part(-0.06, 0.92, 1.06, 1.1), (44, 46, 50), body.ahead_m)
    body.fill((0.06, 0.8, 0.22, 1.08), _TYRE)
    body.fill((0.78, 0.8, 0.94, 1.08), _TYRE)
    body.shape([(0.2, 0.0), (0.8, 0.0), (0.95, 0.42), (0.05, 0.42)], shade(paint, 0.92))
    body.shape([(0.24, 0.06), (0.76, 0.06), (0.87, 0.38), (0.13, 0.38)], (52, 70, 84))
    body.shape([(0.26, 0.06), (0.42, 0.06), (0.28, 0.38), (0.14, 0.38)], (104, 130, 146))
    body.shape([(0.03, 0.4), (0.97, 0.4), (1.0, 0.7), (0.97, 0.92), (0.03, 0.92), (0, 0.7)], paint)
    body.fill((0.02, 0.84, 0.98, 0.95), shade(paint, 0.55))
    body.fill((0.05, 0.42, 0.95, 0.45), shade(paint, 1.25))


def _plate(pen: Pen, plate: Plate, box: Box, ahead_m: float, rng: Random) -> None:
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    shine = pen.air.shine
    pen.rectangle((x0 - 0.6, y0 - 0.6, x1 + 0.6, y1 + 0.6), (30, 30, 32), ahead_m)
    pen.rectangle(box, plate.background, ahead_m, glow=shine)
    if plate.band:
        pen.rectangle((x0, y0, x0 + width * 0.14, y1), plate.band, ahead_m, glow=shine)
    if plate.right_band:
        pen.rectangle((x1 - width * 0.14, y0, x1, y1), plate.right_band, ahead_m, glow=shine)
    # Characters are blocks; now and then one is a space.
    start = x0 + width * (0.2 if plate.band else 0.1)
    end = x1 - width * (0.2 if plate.right_band else 0.1)
    rows, columns = (2, 4) if plate.shape == "short" else (1, 6)
    step = (end - start) / columns
    for row in range(rows):
        top = y0 + height * (row + 0.2) / rows
        bottom = top + height * 0.62 / rows
        for column in range(columns):
            if rng.random() < 0.85:
                left = start + column * step
                place = (left, top, left + step * 0.62, bottom)
                pen.rectangle(place, plate.text, ahead_m, glow=shine)
