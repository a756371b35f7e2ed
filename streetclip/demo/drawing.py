"""Draw one scene from far to near, then what spoils the view."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from PIL import Image, ImageFilter

from streetclip.demo import backdrop, buildings, signs, vehicles
from streetclip.demo.cues import Colour, shade
from streetclip.demo.pen import HEIGHT_PX, SUPERSAMPLING, WIDTH_PX, Box, Pen
from streetclip.demo.plants import plant
from streetclip.demo.scene import Scene

_Placed = tuple[float, Callable[[], object]]
_BLUR_RADIUS_PX = {"none": 0.0, "mild": 1.6, "strong": 3.6}
_HIDDEN_SHARE = 0.6
_ONCOMING_ODDS = 0.4
_BOLLARDS_M = (33.0, 22.0, 15.0, 10.5, 7.4)
_POLES_M = (62.0, 44.0, 29.0, 18.0)
# How many plants there are, and how far from the road.
_PLANTED = {"urban": (8, 5.6, 6.2), "suburban": (10, 6.6, 16.0), "rural": (26, 7.2, 44.0)}


@dataclass(frozen=True)
class Picture:
    """A drawn scene, RGB, and the visible cues' boxes (left, top, right, bottom in pixels)."""

    image: Image.Image
    boxes: dict[str, tuple[int, int, int, int]]


def draw(scene: Scene, rng: Random) -> Picture:
    """Draw a scene; `rng` is the source of everything that the scene leaves open."""
    pen = Pen(scene.view, scene.air)
    is_rural = scene.setting == "rural"
    backdrop.sky(pen, scene, rng)
    backdrop.terrain(pen, scene, rng)
    if not is_rural and "skyline" in scene.cues:
        buildings.skyline(pen, scene, rng)
    if not is_rural:
        buildings.roofs(pen, scene, rng)
    backdrop.ground(pen, scene, rng)
    if not is_rural:
        backdrop.pavement(pen, scene)
    backdrop.road(pen, scene)
    # What stands on the ground hides what is farther away.
    placed: list[_Placed] = []
    if not is_rural:
        placed += [
            (house.near_m, partial(buildings.draw_house, pen, scene, house, rng))
            for house in buildings.street(scene, rng)
        ]
    placed += [*_plants(pen, scene, rng), *_roadside(pen, scene, rng), *_cars(pen, scene, rng)]
    for _, paint in sorted(placed, key=lambda item: -item[0]):
        paint()
    _weather(pen, scene, rng)
    hidden = None
    if scene.occlusion != "none":
        hidden = _lorry(pen, rng) if scene.occlusion == "lorry" else _leaves(pen, scene, rng)
    image = pen.image.reduce(SUPERSAMPLING)
    if scene.blur != "none":
        image = image.filter(ImageFilter.BoxBlur(_BLUR_RADIUS_PX[scene.blur]))
    return Picture(image, _seen_boxes(pen, hidden))


def _plants(pen: Pen, scene: Scene, rng: Random) -> list[_Placed]:
    count, inner, outer = _PLANTED[scene.setting]
    placed: list[_Placed] = []
    for _ in range(count):
        kind = rng.choices(scene.country.trees, (0.65, 0.35))[0]
        ahead_m = rng.uniform(3.6, 8.2) ** 2
        reach = inner + (outer - inner) * rng.random() * min(1.0, ahead_m / 45)
        place = (rng.choice((1, -1)) * reach, ahead_m)
        placed.append((ahead_m, partial(plant, pen, kind, place, rng, snow=scene.has_snow)))
    return placed


def _roadside(pen: Pen, scene: Scene, rng: Random) -> list[_Placed]:
    country = scene.country
    placed: list[_Placed] = []
    if "bollards" in scene.cues:
        # The nearest on the driving side is drawn last.
        placed += [
            (ahead_m, partial(signs.bollard, pen, country, across_m, ahead_m))
            for ahead_m in _BOLLARDS_M
            for across_m in (-4.35, 4.35)
        ]
    if "warning_sign" in scene.cues:
        ahead_m = rng.uniform(9.2, 11.0)
        placed.append((ahead_m, partial(signs.warning_sign, pen, country, 5.1, ahead_m)))
    if "direction_sign" in scene.cues:
        ahead_m = rng.uniform(13.0, 15.5)
        placed.append((ahead_m, partial(signs.direction_sign, pen, country, -5.9, ahead_m, rng)))
    if "poles" in scene.cues:
        placed.append((_POLES_M[-1], partial(signs.pole_line, pen, country, -7.6, _POLES_M)))
    return placed


def _cars(pen: Pen, scene: Scene, rng: Random) -> list[_Placed]:
    placed: list[_Placed] = []
    night = scene.is_night
    if "car" in scene.cues:
        near = rng.uniform(7.8, 9.6)
        car = partial(vehicles.car_ahead, pen, scene.country, near, rng, night=night)
        placed.append((near, car))
    if rng.random() < _ONCOMING_ODDS:
        far = rng.uniform(13.0, 32.0)
        placed.append((far, partial(vehicles.oncoming_car, pen, far, rng, night=night)))
    return placed


def _weather(pen: Pen, scene: Scene, rng: Random) -> None:
    if scene.weather == "rain":
        for _ in range(70):
            x, y = rng.uniform(-10, WIDTH_PX), rng.uniform(-10, HEIGHT_PX)
            length = rng.uniform(6, 13)
            pen.line([(x, y), (x + length * 0.25, y + length)], (206, 214, 224), 0.5)
    elif scene.weather == "snow":
        for _ in range(110):
            x, y = rng.uniform(0, WIDTH_PX), rng.uniform(0, HEIGHT_PX)
            pen.circle((x, y), rng.uniform(0.6, 1.7), (250, 251, 255))


def _lorry(pen: Pen, rng: Random) -> Box:
    share = rng.uniform(0.38, 0.55)
    on_left = rng.random() < 0.5
    edge = WIDTH_PX * (share if on_left else 1.0 - share)
    outer, lean = (0.0, -34.0) if on_left else (float(WIDTH_PX), 34.0)
    tarpaulin: Colour = rng.choice(((196, 200, 206), (60, 96, 140), (176, 64, 52), (206, 168, 70)))
    side = [(outer, 0.0), (edge + lean, 18.0), (edge + lean, 186.0), (outer, 222.0)]
    pen.polygon(side, tarpaulin)
    back = [(edge + lean, 18.0), (edge, 18.0), (edge, 186.0), (edge + lean, 186.0)]
    pen.polygon(back, (70, 74, 80))
    for step in range(1, 5):
        x = outer + (edge + lean - outer) * step / 5
        pen.line([(x, 10.0), (x, 208.0)], (110, 112, 116), 1.0)
    for wheel in (0.3, 0.72):
        x = outer + (edge + lean - outer) * wheel
        pen.ellipse((x - 20, 186, x + 20, 228), (26, 26, 28))
        pen.ellipse((x - 9, 197, x + 9, 217), (126, 128, 132))
    box = (min(outer, edge), 0.0, max(outer, edge), 226.0)
    pen.remember("occluder", box)
    return box


def _leaves(pen: Pen, scene: Scene, rng: Random) -> Box:
    on_left = rng.random() < 0.5
    centre = WIDTH_PX * (0.18 if on_left else 0.82)
    tone: Colour = (58, 96, 48) if not scene.has_snow else (120, 126, 120)
    for _ in range(120):
        x, y = rng.gauss(centre, 40.0), rng.gauss(84.0, 52.0)
        size, bend = rng.uniform(6.0, 12.0), rng.uniform(-1.0, 1.0)
        leaf = [
            (x - size, y),
            (x, y - size * 0.5 + bend),
            (x + size, y + bend * 4),
            (x, y + size * 0.5),
        ]
        pen.polygon(leaf, shade(tone, rng.uniform(0.7, 1.2)))
    return (centre - 52.0, 20.0, centre + 52.0, 150.0)


def _seen_boxes(pen: Pen, hidden: Box | None) -> dict[str, tuple[int, int, int, int]]:
    seen = {}
    for cue, box in pen.boxes.items():
        left, top, right, bottom = box
        if cue != "occluder" and hidden:
            across = max(0.0, min(right, hidden[2]) - max(left, hidden[0]))
            down = max(0.0, min(bottom, hidden[3]) - max(top, hidden[1]))
            if across * down / ((right - left) * (bottom - top)) > _HIDDEN_SHARE:
                continue
        right, bottom = min(WIDTH_PX, round(right)), min(HEIGHT_PX, round(bottom))
        seen[cue] = (int(left), int(top), right, bottom)
    return seen
