"""Houses along the street: walls in the city's colours, roofs in the country's."""

from dataclasses import dataclass
from random import Random

from streetclip.demo.cues import Colour
from streetclip.demo.palette import GROUNDS, ROOFS, WALLS, mix, shade
from streetclip.demo.pen import PagePoint, Pen
from streetclip.demo.scene import Scene
from streetclip.demo.signs import lettering

_FLOOR_M = 3.1
_WINDOWS_END_M = 34.0  # beyond, a window is under two pixels
_LIT: Colour = (255, 214, 128)
_BOARDS: tuple[Colour, ...] = (
    (206, 52, 56),
    (36, 110, 180),
    (34, 134, 96),
    (236, 172, 40),
    (120, 66, 140),
)


@dataclass(frozen=True)
class House:
    """One house beside the road.

    Attributes:
        side: +1 on the driving side, -1 across the road.
        near_m: Distance of its near end.
        far_m: Distance of its far end.
        set_back_m: From the centre line to its front.
        floors: Storeys.
        wall: Colour of its walls.
    """

    side: int
    near_m: float
    far_m: float
    set_back_m: float
    floors: int
    wall: Colour

    @property
    def height_m(self) -> float:
        """Height of its eaves."""
        return self.floors * _FLOOR_M + 0.6


def street(scene: Scene, rng: Random) -> list[House]:
    """Line both sides of the road with houses: close in the city, apart outside it."""
    urban = scene.setting == "urban"
    tall = scene.city.skyline in {"highrise", "twins"} or scene.city.walls in {"glass", "concrete"}
    floors = (3, 6) if urban and tall else (2, 4) if urban else (1, 2)
    walls = WALLS[scene.city.walls]
    soil = GROUNDS[scene.country.ground][0]  # local clay and dust: no two bricks are the same
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
    """Draw a house: the gable that faces the camera, the front along the street, the roof."""
    roof = rng.choice(ROOFS[scene.country.roof])
    if scene.has_snow:
        roof = mix(roof, (240, 244, 250), 0.85)
    _gable(pen, scene, house, roof)
    _front(pen, house, roof, flat=_is_flat(scene, house))
    _windows(pen, scene, house, rng)
    _shop(pen, scene, house, rng)
    _remember(pen, house)


def _is_flat(scene: Scene, house: House) -> bool:
    return scene.country.roof == "flat" or scene.city.walls == "glass" or house.floors > 4


def _at(pen: Pen, house: House, in_m: float, up_m: float, ahead_m: float) -> PagePoint:
    return pen.view.project(house.side * (house.set_back_m + in_m), up_m, ahead_m)


def _gable(pen: Pen, scene: Scene, house: House, roof: Colour) -> None:
    eaves, near = house.height_m, house.near_m
    corners = [(0.0, 0.0), (0.0, eaves), (10.0, eaves), (10.0, 0.0)]
    shadow = shade(house.wall, 0.80)
    pen.polygon([_at(pen, house, x, y, near) for x, y in corners], shadow, near)
    floors = house.floors if near < _WINDOWS_END_M else 0
    for floor in range(floors):
        for x in (1.6, 5.6):
            low = floor * _FLOOR_M + 1.1
            pane = [(x, low), (x, low + 1.4), (x + 1.5, low + 1.4), (x + 1.5, low)]
            pen.polygon([_at(pen, house, *p, near) for p in pane], (66, 80, 96), near)
    if not _is_flat(scene, house):
        rise = 3.2 if scene.country.roof != "temple" else 4.8
        peak = [(-0.4, eaves), (5.0, eaves + rise), (10.4, eaves)]
        pen.polygon([_at(pen, house, x, y, near) for x, y in peak], shade(roof, 0.78), near)


def _front(pen: Pen, house: House, roof: Colour, *, flat: bool) -> None:
    near, far, eaves = house.near_m, house.far_m, house.height_m
    middle = (near + far) / 2
    wall = [(0.0, near), (eaves, near), (eaves, far), (0.0, far)]
    pen.polygon([_at(pen, house, 0.0, up, z) for up, z in wall], house.wall, middle)
    if flat:
        cornice = [(eaves - 0.35, near), (eaves, near), (eaves, far), (eaves - 0.35, far)]
        pen.polygon([_at(pen, house, -0.05, u, z) for u, z in cornice], shade(roof, 0.9), middle)
        return
    steep = (1.4, 2.4) if house.floors > 2 else (5.0, 3.2)
    slope = [
        (-0.5, eaves - 0.2, near),
        (steep[0], eaves + steep[1], near),
        (steep[0], eaves + steep[1], far),
        (-0.5, eaves - 0.2, far),
    ]
    pen.polygon([_at(pen, house, *corner) for corner in slope], roof, middle)


def _windows(pen: Pen, scene: Scene, house: House, rng: Random) -> None:
    if house.near_m > _WINDOWS_END_M:
        return
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
            points = [_at(pen, house, -0.02, up, z) for up, z in pane]
            pen.polygon(points, _LIT if lit else dark, near, glow=0.9 if lit else 0.0)


def _shop(pen: Pen, scene: Scene, house: House, rng: Random) -> None:
    near_enough = 11.0 < house.near_m < 34.0
    if scene.setting != "urban" or not near_enough or rng.random() > 0.7:
        return
    board = rng.choice(_BOARDS)
    out = house.side * (house.set_back_m - 1.6), house.side * house.set_back_m
    box = pen.standing_box((min(out), max(out)), (3.0, 4.3), house.near_m)
    pen.rectangle(box, board, house.near_m)
    lettering(pen, scene.country.script, box, ((250, 248, 240), house.near_m), rng)
    pen.remember("shop_sign", box)


def _remember(pen: Pen, house: House) -> None:
    first = _at(pen, house, 0.0, house.height_m, house.near_m)
    second = _at(pen, house, 0.0, 0.0, house.far_m)
    foot = _at(pen, house, 0.0, 0.0, house.near_m)
    pen.remember("house", (first[0], first[1], second[0], foot[1]))
