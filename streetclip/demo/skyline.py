"""Draw a city's silhouette at the end of the street; skylines.toml describes each."""

from random import Random

from streetclip.demo.cues import Colour, material, mix, read_toml, shade
from streetclip.demo.pen import PagePoint, Pen
from streetclip.demo.scene import Scene

_AHEAD_M = 55.0
_WIDTH_PX = 128.0
_HEIGHT_PX = 66.0


class _Silhouette:
    """The box of a skyline, and the kinds of parts that it is drawn of."""

    def __init__(self, pen: Pen, scene: Scene, rng: Random) -> None:
        self.pen = pen
        self.rng = rng
        view = scene.view
        self.left = view.vanish_x_px - _WIDTH_PX / 2 + rng.uniform(-8, 8)
        self.base = view.horizon_px + 1
        self.scale = rng.uniform(0.92, 1.1)
        self.wall = mix(material("walls", scene.city.walls)[0], (90, 100, 120), 0.25)
        dark = shade(self.wall, 0.72)
        self.tones: dict[str, Colour] = {
            "wall": self.wall,
            "dark": dark,
            "mound": mix(dark, (84, 110, 70), 0.5),
            "copper": (96, 160, 140),
            "gold": (226, 180, 60),
            "steel": (120, 132, 146),
        }

    def at(self, x: float, y: float) -> PagePoint:
        return (self.left + x * _WIDTH_PX, self.base - y * _HEIGHT_PX * self.scale)

    def shape(self, colour: Colour, *points: tuple[float, float]) -> None:
        self.pen.polygon([self.at(x, y) for x, y in points], colour, _AHEAD_M)

    def box(self, colour: Colour, left: float, low: float, right: float, high: float) -> None:
        self.shape(colour, (left, low), (left, high), (right, high), (right, low))

    def block(self, colour: Colour, x: float, width: float, height: float) -> None:
        self.box(colour, x, 0, x + width, height)

    def dome(self, colour: Colour, x: float, y: float, radius: float) -> None:
        centre_x, centre_y = self.at(x, y)
        across = radius * _WIDTH_PX
        top = centre_y - across * 1.1
        box = (centre_x - across, top, centre_x + across, centre_y + across)
        self.pen.ellipse(box, colour, _AHEAD_M)

    def spire(self, roof: Colour, x: float, width: float, shoulder: float, tip: float) -> None:
        self.block(self.wall, x - width / 2, width, shoulder)
        self.shape(roof, (x - width * 0.6, shoulder), (x, tip), (x + width * 0.6, shoulder))

    def huts(self, colour: Colour, count: int) -> None:
        for _ in range(count):
            x = self.rng.uniform(0.02, 0.92)
            y = self.rng.uniform(0.02, max(0.04, 0.8 - abs(x - 0.45) * 1.5))
            self.box(shade(colour, self.rng.uniform(0.8, 1.2)), x, y, x + 0.05, y + 0.08)


def skyline(pen: Pen, scene: Scene, rng: Random) -> None:
    """Draw the city's silhouette above the horizon."""
    silhouette = _Silhouette(pen, scene, rng)
    for kind, colour, *measures in read_toml("skylines.toml")[scene.city.skyline]:
        tone = silhouette.tones[colour] if isinstance(colour, str) else tuple(colour)
        getattr(silhouette, kind)(tone, *measures)
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
