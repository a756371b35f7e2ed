"""Draw buildings: the skyline at the end of the street, and houses along both sides of it.

Walls have the city's colours, roofs the country's.
"""

from dataclasses import dataclass
from random import Random

from streetclip.demo.cues import Colour, material, mix, read_toml, shade
from streetclip.demo.pen import PagePoint, Pen
from streetclip.demo.scene import Scene
from streetclip.demo.signs import lettering

# The silhouette's distance and size on the page.
_SKYLINE_M = 55.0
_SKYLINE_WIDTH_PX = 128.0
_SKYLINE_HEIGHT_PX = 66.0
_FLOOR_M = 3.1
_WINDOWS_END_M = 34.0  # beyond, a window is under two pixels
_LIT: Colour = (255, 214, 128)


class _Silhouette:
    """The box of a skyline, and the kinds of parts that it is drawn of."""

    def __init__(self, pen: Pen, scene: Scene, rng: Random) -> None:
        self.pen = pen
        self.rng = rng
        view = scene.view
        self.left = view.vanish_x_px - _SKYLINE_WIDTH_PX / 2 + rng.uniform(-8, 8)
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
        return (self.left + x * _SKYLINE_WIDTH_PX, self.base - y * _SKYLINE_HEIGHT_PX * self.scale)

    def shape(self, colour: Colour, *points: tuple[float, float]) -> None:
        self.pen.polygon([self.at(x, y) for x, y in points], colour, _SKYLINE_M)

    def box(self, colour: Colour, left: float, low: float, right: float, high: float) -> None:
        self.shape(colour, (left, low), (left, high), (right, high), (right, low))

    def block(self, colour: Colour, x: float, width: float, height: float) -> None:
        self.box(colour, x, 0, x + width, height)

    def dome(self, colour: Colour, x: float, y: float, radius: float) -> None:
        centre_x, centre_y = self.at(x, y)
        across = radius * _SKYLINE_WIDTH_PX
        top = centre_y - across * 1.1
        box = (centre_x - across, top, centre_x + across, centre_y + across)
        self.pen.ellipse(box, colour, _SKYLINE_M)

    def spire(self, roof: Colour, x: float, width: float, shoulder: float, tip: float) -> None:
        self.block(self.wall, x - width / 2, width, shoulder)
        self.shape(roof, (x - width * 0.6, shoulder), (x, tip), (x + width * 0.6, shoulder))

    def huts(self, colour: Colour, count: int) -> None:
        for _ in range(count):
            x = self.rng.uniform(0.02, 0.92)
            y = self.rng.uniform(0.02, max(0.04, 0.8 - abs(x - 0.45) * 1.5))
            self.box(shade(colour, self.rng.uniform(0.8, 1.2)), x, y, x + 0.05, y + 0.08)


def skyline(pen: Pen, scene: Scene, rng: Random) -> None:
    """Draw the city's silhouette above the horizon, as skylines.toml describes it."""
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


@dataclass(frozen=True)
class House:
    """One house along the road."""

    side: int  # +1 on the driving side, -1 across the road
    near_m: float  # distance of its near end
    far_m: float
    set_back_m: float  # from the centre line to its front
    floors: int
    wall: Colour

    @property
    def height_m(self) -> float:
        """Height of its eaves."""
        return self.floors * _FLOOR_M + 0.6

    def at(self, pen: Pen, in_m: float, up_m: float, ahead_m: float) -> PagePoint:
        """Project a place in it, `in_m` behind its front, onto the page."""
        return pen.view.project(self.side * (self.set_back_m + in_m), up_m, ahead_m)


def street(scene: Scene, rng: Random) -> list[House]:
    """Line both sides of the road with houses: close in the city, apart outside it."""
    urban = scene.setting == "urban"
    tall = scene.city.skyline in {"highrise", "twins"} or scene.city.walls in {"glass", "concrete"}
    floors = (3, 6) if urban and tall else (2, 4) if urban else (1, 2)
    walls = material("walls", scene.city.walls)
    soil = material("grounds", scene.country.ground)[0]  # clay and dust: no two bricks are the same
    houses = []
    for side in (1, -1):
        near = rng.uniform(6.0, 9.0) if urban else rng.uniform(9.0, 13.0)
        while near < (70.0 if urban else 60.0):
            length = rng.uniform(7.0, 12.0)
            houses.append(
                House(
                    side=side,
                    near_m=near,
                    far_m=near + length,
                    set_back_m=8.0 if urban else rng.uniform(9.5, 11.5),
                    floors=rng.randint(*floors),
                    wall=shade(mix(rng.choice(walls), soil, 0.16), rng.uniform(0.95, 1.05)),
                )
            )
            near += length + (rng.choice((0.0, 0.0, 1.5)) if urban else rng.uniform(5.0, 11.0))
    return houses


def draw_house(pen: Pen, scene: Scene, house: House, rng: Random) -> None:
    """Draw a house: its gable, its front along the street, its roof."""
    roof = rng.choice(material("roofs", scene.country.roof))
    if scene.has_snow:
        roof = mix(roof, (240, 244, 250), 0.85)
    is_flat = scene.country.roof == "flat" or scene.city.walls == "glass" or house.floors > 4
    rise_m = 0.0 if is_flat else 4.8 if scene.country.roof == "temple" else 3.2
    _gable(pen, house, roof, rise_m)
    _front(pen, house, roof, flat=is_flat)
    if house.near_m <= _WINDOWS_END_M:
        _windows(pen, scene, house, rng)
    if scene.setting == "urban" and 11.0 < house.near_m < 34.0 and rng.random() <= 0.7:
        _shop(pen, scene, house, rng)
    left, top = house.at(pen, 0.0, house.height_m, house.near_m)
    right, _ = house.at(pen, 0.0, 0.0, house.far_m)
    _, bottom = house.at(pen, 0.0, 0.0, house.near_m)
    pen.remember("house", (left, top, right, bottom))


def _gable(pen: Pen, house: House, roof: Colour, rise_m: float) -> None:
    eaves, near = house.height_m, house.near_m

    def fill(points: list[tuple[float, float]], colour: Colour) -> None:
        pen.polygon([house.at(pen, x, y, near) for x, y in points], colour, near)

    fill([(0.0, 0.0), (0.0, eaves), (10.0, eaves), (10.0, 0.0)], shade(house.wall, 0.80))
    for floor in range(house.floors if near < _WINDOWS_END_M else 0):
        low = floor * _FLOOR_M + 1.1
        for x in (1.6, 5.6):
            fill([(x, low), (x, low + 1.4), (x + 1.5, low + 1.4), (x + 1.5, low)], (66, 80, 96))
    if rise_m:
        fill([(-0.4, eaves), (5.0, eaves + rise_m), (10.4, eaves)], shade(roof, 0.78))


def _front(pen: Pen, house: House, roof: Colour, *, flat: bool) -> None:
    near, far, eaves = house.near_m, house.far_m, house.height_m

    def fill(low: tuple[float, float], high: tuple[float, float], colour: Colour) -> None:
        """Fill a strip along the street between two edges, each given by depth and height."""
        corners = ((low, near), (high, near), (high, far), (low, far))
        points = [house.at(pen, *edge, ahead_m) for edge, ahead_m in corners]
        pen.polygon(points, colour, (near + far) / 2)

    fill((0.0, 0.0), (0.0, eaves), house.wall)
    if flat:
        fill((-0.05, eaves - 0.35), (-0.05, eaves), shade(roof, 0.9))
    else:
        deep_m, steep_m = (1.4, 2.4) if house.floors > 2 else (5.0, 3.2)
        fill((-0.5, eaves - 0.2), (deep_m, eaves + steep_m), roof)


def _windows(pen: Pen, scene: Scene, house: House, rng: Random) -> None:
    columns = max(1, int((house.far_m - house.near_m) / 2.6))
    step = (house.far_m - house.near_m) / columns
    dark: Colour = (70, 88, 108) if scene.city.walls != "glass" else (40, 78, 108)
    for column in range(columns):
        near = house.near_m + step * (column + 0.28)
        far = near + step * 0.46
        for floor in range(house.floors):
            low = floor * _FLOOR_M + 1.0
            pane = [(low, near), (low + 1.6, near), (low + 1.6, far), (low, far)]
            lit = scene.is_night and rng.random() < 0.55
            points = [house.at(pen, -0.02, up, z) for up, z in pane]
            pen.polygon(points, _LIT if lit else dark, near, glow=0.9 if lit else 0.0)


def _shop(pen: Pen, scene: Scene, house: House, rng: Random) -> None:
    board = rng.choice(material("paints", "boards"))
    out = house.side * (house.set_back_m - 1.6), house.side * house.set_back_m
    box = pen.standing_box((min(out), max(out)), (3.0, 4.3), house.near_m)
    pen.rectangle(box, board, house.near_m)
    lettering(pen, scene.country.script, box, ((250, 248, 240), house.near_m), rng)
    pen.remember("shop_sign", box)
