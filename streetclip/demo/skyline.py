"""Draw a city's silhouette at the end of the street, in shares of its box."""

from collections.abc import Callable, Sequence
from random import Random

from streetclip.demo.cues import Colour, material, mix, shade
from streetclip.demo.pen import PagePoint, Pen
from streetclip.demo.scene import Scene

_AHEAD_M = 55.0
_WIDTH_PX = 128.0
_HEIGHT_PX = 66.0
_COPPER: Colour = (96, 160, 140)
_GOLD: Colour = (226, 180, 60)
_STEEL: Colour = (120, 132, 146)


class _Silhouette:
    """The box of a skyline: x and y from 0 to 1, y upwards."""

    def __init__(self, pen: Pen, scene: Scene, rng: Random) -> None:
        self.pen = pen
        self.rng = rng
        view = scene.view
        self.left = view.vanish_x_px - _WIDTH_PX / 2 + rng.uniform(-8, 8)
        self.base = view.horizon_px + 1
        self.scale = rng.uniform(0.92, 1.1)
        self.wall = mix(material("walls", scene.city.walls)[0], (90, 100, 120), 0.25)
        self.dark = shade(self.wall, 0.72)

    def at(self, x: float, y: float) -> PagePoint:
        return (self.left + x * _WIDTH_PX, self.base - y * _HEIGHT_PX * self.scale)

    def shape(self, points: Sequence[tuple[float, float]], colour: Colour) -> None:
        self.pen.polygon([self.at(x, y) for x, y in points], colour, _AHEAD_M)

    def box(self, left: float, low: float, right: float, high: float, colour: Colour) -> None:
        self.shape([(left, low), (left, high), (right, high), (right, low)], colour)

    def block(self, x: float, width: float, height: float, colour: Colour) -> None:
        self.box(x, 0, x + width, height, colour)

    def dome(self, x: float, y: float, radius: float, colour: Colour) -> None:
        centre_x, centre_y = self.at(x, y)
        across = radius * _WIDTH_PX
        top = centre_y - across * 1.1
        box = (centre_x - across, top, centre_x + across, centre_y + across)
        self.pen.ellipse(box, colour, _AHEAD_M)

    def spire(self, x: float, width: float, shoulder: float, tip: float, roof: Colour) -> None:
        self.block(x - width / 2, width, shoulder, self.wall)
        self.shape([(x - width * 0.6, shoulder), (x, tip), (x + width * 0.6, shoulder)], roof)


def skyline(pen: Pen, scene: Scene, rng: Random) -> None:
    """Draw the city's silhouette above the horizon."""
    silhouette = _Silhouette(pen, scene, rng)
    SHAPES[scene.city.skyline](silhouette)
    pen.remember("skyline", (*silhouette.at(0, 1), *silhouette.at(1, 0)))


def roofs(pen: Pen, scene: Scene, rng: Random) -> None:
    """Draw a low row of houses along the horizon."""
    walls = material("walls", scene.city.walls)
    x = -6.0
    while x < 326:
        width, height = rng.uniform(8, 20), rng.uniform(4, 15)
        top = scene.view.horizon_px - height
        tone = shade(rng.choice(walls), rng.uniform(0.8, 0.95))
        pen.rectangle((x, top, x + width, scene.view.horizon_px + 2), tone, 75.0)
        x += width * rng.uniform(0.85, 1.3)


def _spires(s: _Silhouette) -> None:
    for x, width, tip in ((0.2, 0.09, 0.72), (0.45, 0.12, 1.0), (0.72, 0.08, 0.82)):
        s.spire(x, width, tip * 0.55, tip, _COPPER)
    s.block(0.3, 0.3, 0.3, s.dark)


def _dome(s: _Silhouette) -> None:
    s.block(0.22, 0.56, 0.38, s.wall)
    s.block(0.36, 0.28, 0.52, s.dark)
    s.dome(0.5, 0.52, 0.16, _COPPER)
    s.block(0.485, 0.03, 0.96, _GOLD)


def _fortress(s: _Silhouette) -> None:
    s.shape([(0.02, 0), (0.2, 0.34), (0.8, 0.34), (0.98, 0)], mix(s.dark, (84, 110, 70), 0.5))
    s.block(0.2, 0.6, 0.62, s.wall)
    for step in range(8):
        s.block(0.2 + step * 0.078, 0.045, 0.7, s.wall)
    for x in (0.17, 0.71):
        s.block(x, 0.13, 0.92, s.dark)


def _cranes(s: _Silhouette) -> None:
    for x in (0.12, 0.46, 0.8):
        s.block(x, 0.035, 0.86, (190, 70, 50))
        arm = [(x - 0.1, 0.8), (x + 0.22, 0.94), (x + 0.22, 0.88), (x - 0.1, 0.74)]
        s.shape(arm, (216, 96, 60))
    for step, colour in enumerate(((60, 110, 170), (200, 150, 60), (70, 140, 110), (180, 80, 70))):
        s.block(0.08 + step * 0.21, 0.2, 0.2 + 0.06 * (step % 2), colour)


def _chimneys(s: _Silhouette) -> None:
    s.block(0.08, 0.84, 0.32, s.dark)
    for x, height in ((0.2, 0.86), (0.45, 1.0), (0.7, 0.8)):
        s.shape([(x, 0), (x + 0.015, height), (x + 0.065, height), (x + 0.08, 0)], s.wall)
        s.box(x, height - 0.1, x + 0.08, height, (214, 60, 50))
        s.dome(x + 0.09, height + 0.08, 0.05, (226, 226, 228))


def _cathedral(s: _Silhouette) -> None:
    s.shape([(0.2, 0), (0.2, 0.4), (0.5, 0.62), (0.8, 0.4), (0.8, 0)], s.wall)
    for x in (0.28, 0.6):
        s.spire(x + 0.06, 0.13, 0.72, 1.05, s.dark)
    s.dome(0.5, 0.36, 0.05, (60, 80, 120))


def _highrise(s: _Silhouette) -> None:
    tones = ((96, 132, 164), (128, 150, 172), (84, 112, 146), (150, 168, 182), (104, 140, 170))
    heights = (0.55, 0.9, 0.7, 1.05, 0.62, 0.8)
    for step, height in enumerate(heights):
        s.block(0.04 + step * 0.155, 0.13, height, tones[step % len(tones)])


def _hill(s: _Silhouette) -> None:
    s.shape([(-0.25, 0), (0.1, 0.5), (0.45, 0.95), (0.8, 0.55), (1.25, 0)], (86, 124, 84))
    for _ in range(22):
        x = s.rng.uniform(0.02, 0.92)
        y = s.rng.uniform(0.02, max(0.04, 0.8 - abs(x - 0.45) * 1.5))
        s.box(x, y, x + 0.05, y + 0.08, shade(s.wall, s.rng.uniform(0.8, 1.2)))


def _tower(s: _Silhouette) -> None:
    s.shape([(0.44, 0), (0.485, 0.8), (0.515, 0.8), (0.56, 0)], (196, 198, 202))
    head = [(0.4, 0.66), (0.44, 0.78), (0.56, 0.78), (0.6, 0.66), (0.54, 0.58), (0.46, 0.58)]
    s.shape(head, (210, 74, 60))
    s.block(0.493, 0.014, 1.12, _STEEL)
    s.block(0.12, 0.18, 0.3, s.dark)
    s.block(0.7, 0.2, 0.36, s.dark)


def _stadium(s: _Silhouette) -> None:
    s.shape([(0.05, 0), (0.0, 0.4), (0.2, 0.5), (0.8, 0.5), (1.0, 0.4), (0.95, 0)], (206, 210, 214))
    s.shape([(0.05, 0.3), (0.95, 0.3), (0.96, 0.36), (0.04, 0.36)], (190, 50, 50))
    for x in (0.1, 0.87):
        s.shape([(x, 0.4), (x + 0.01, 1.0), (x + 0.03, 1.0), (x + 0.03, 0.4)], _STEEL)


def _temple(s: _Silhouette) -> None:
    s.shape([(-0.05, 0), (0.15, 0.36), (0.85, 0.36), (1.05, 0)], (158, 146, 112))
    s.block(0.2, 0.6, 0.44, s.wall)
    for step in range(6):
        s.block(0.22 + step * 0.103, 0.045, 0.76, (236, 228, 206))
    s.shape([(0.18, 0.76), (0.5, 0.98), (0.82, 0.76)], (224, 212, 184))


def _minarets(s: _Silhouette) -> None:
    s.block(0.26, 0.48, 0.34, s.wall)
    s.dome(0.5, 0.4, 0.17, (150, 164, 180))
    for x in (0.16, 0.8):
        s.block(x, 0.045, 0.82, (226, 220, 208))
        s.shape([(x - 0.01, 0.82), (x + 0.022, 1.08), (x + 0.055, 0.82)], (96, 120, 146))


def _pagoda(s: _Silhouette) -> None:
    for step in range(4):
        y, half = step * 0.23, 0.3 - step * 0.055
        low, high = y + 0.13, y + 0.25
        out, inner = half * 1.2, half * 0.7
        s.block(0.5 - half * 0.6, half * 1.2, y + 0.16, (176, 60, 46))
        roof = [(0.5 - out, low), (0.5 - inner, high), (0.5 + inner, high), (0.5 + out, low)]
        s.shape(roof, (66, 78, 84))
    s.block(0.49, 0.02, 1.1, _GOLD)


def _stupa(s: _Silhouette) -> None:
    s.block(0.1, 0.8, 0.16, (236, 230, 216))
    s.dome(0.5, 0.26, 0.24, (244, 240, 230))
    s.shape([(0.4, 0.62), (0.5, 1.12), (0.6, 0.62)], _GOLD)
    s.block(0.42, 0.16, 0.66, _GOLD)


def _twins(s: _Silhouette) -> None:
    for x in (0.3, 0.56):
        s.block(x, 0.14, 0.78, (150, 172, 190))
        s.shape([(x + 0.02, 0.78), (x + 0.07, 1.16), (x + 0.12, 0.78)], (186, 202, 214))
    s.block(0.42, 0.16, 0.44, (120, 140, 160))
    s.block(0.08, 0.16, 0.44, s.dark)
    s.block(0.78, 0.14, 0.38, s.dark)


def _mesa(s: _Silhouette) -> None:
    rock = [(-0.35, 0), (-0.05, 0.45), (0.02, 0.82), (0.98, 0.82), (1.05, 0.45), (1.35, 0)]
    s.shape(rock, (132, 116, 120))
    s.shape([(0.02, 0.82), (0.98, 0.82), (1.02, 0.6), (-0.02, 0.6)], (160, 140, 136))


SHAPES: dict[str, Callable[[_Silhouette], None]] = {
    shape.__name__.removeprefix("_"): shape
    for shape in (
        _cathedral, _chimneys, _cranes, _dome, _fortress, _highrise, _hill, _mesa,
        _minarets, _pagoda, _spires, _stadium, _stupa, _temple, _tower, _twins,
    )
}  # fmt: skip
