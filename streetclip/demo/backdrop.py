"""Draw what lies behind everything: sky, hills, fields and the road with its lines."""

import itertools
from random import Random

from PIL import Image

from streetclip.demo.cues import Colour, Line, material, mix, shade
from streetclip.demo.pen import HEIGHT_PX, SUPERSAMPLING, WIDTH_PX, PagePoint, Pen
from streetclip.demo.scene import Scene

ROAD_HALF_M = 3.6
_NEAREST_M = 3.0
_FARTHEST_M = 400.0
_SNOW: Colour = (238, 242, 248)
_ASPHALT: Colour = (94, 96, 102)
_ROAD_EDGES_M = (3.0, 6.0, 9.0, 13.0, 18.0, 27.0, 45.0, 400.0)
_FIELD_EDGES_M = (3.0, 7.0, 10.0, 14.0, 20.0, 29.0, 45.0, 80.0, 400.0)


def sky(pen: Pen, scene: Scene, rng: Random) -> None:
    """Fill the canvas with the sky's gradient, then sun, moon, stars or clouds."""
    zenith, horizon = scene.sky
    width = WIDTH_PX * SUPERSAMPLING
    height = int(scene.view.horizon_px + 2) * SUPERSAMPLING
    rows = (bytes(mix(zenith, horizon, (row / height) ** 1.3)) * width for row in range(height))
    pen.image.paste(Image.frombytes("RGB", (width, height), b"".join(rows)), (0, 0))
    if scene.weather == "clear":
        (_moon_and_stars if scene.is_night else _sun)(pen, scene, rng)
    if scene.weather in {"clear", "cloudy"}:
        _clouds(pen, scene, rng)


def terrain(pen: Pen, scene: Scene, rng: Random) -> None:
    """Draw one or two ridges along the horizon."""
    kind = scene.country.terrain
    if kind == "flat":
        return
    height = {"rolling": 16.0, "mountains": 38.0, "peaks": 62.0}[kind]
    tone = material("grounds", scene.country.ground)[1]
    far = mix(tone, (92, 116, 150), 0.65)
    ridge = _ridge(rng, scene.view.horizon_px, height, 17 if kind == "peaks" else 9)
    pen.polygon(ridge, far, 60.0)
    if kind == "peaks":
        _snow_caps(pen, scene, ridge, height)
    near = _ridge(rng, scene.view.horizon_px, height * 0.38, 7)
    pen.polygon(near, _SNOW if scene.has_snow else mix(tone, (60, 90, 70), 0.3), 40.0)


def ground(pen: Pen, scene: Scene, rng: Random) -> None:
    """Draw the land on both sides: a patchwork of the country's two tones."""
    first, second = material("grounds", scene.country.ground)
    if scene.has_snow:
        first, second = mix(first, _SNOW, 0.88), mix(second, _SNOW, 0.82)
    top = scene.view.horizon_px
    pen.rectangle((0, top, WIDTH_PX, HEIGHT_PX), first, 30.0)
    for near, far in itertools.pairwise(_FIELD_EDGES_M):
        for inner, outer in ((ROAD_HALF_M, 300.0), (-ROAD_HALF_M, -300.0)):
            tone = mix(first, second, rng.choice((0.0, 0.25, 0.6, 1.0)))
            patch = pen.on_ground((inner, outer), (near, far))
            pen.polygon(patch, shade(tone, rng.uniform(0.95, 1.05)), min(near, 90.0))
    _tufts(pen, scene, rng, second)


def pavement(pen: Pen, scene: Scene) -> None:
    """Lay pavements where there are houses."""
    soil = material("grounds", scene.country.ground)[0]
    tone = mix((204, 200, 194), soil, 0.4)
    if scene.has_snow:
        tone = mix(tone, _SNOW, 0.7)
    reach = 8.0 if scene.setting == "urban" else 5.2
    for side in (1, -1):
        for near, far in ((_NEAREST_M, 12.0), (12.0, 30.0), (30.0, _FARTHEST_M)):
            pen.polygon(pen.on_ground((side * ROAD_HALF_M, side * reach), (near, far)), tone, near)
            kerb = pen.on_ground((side * ROAD_HALF_M, side * (ROAD_HALF_M + 0.22)), (near, far))
            pen.polygon(kerb, shade(tone, 0.82), near)


def road(pen: Pen, scene: Scene) -> None:
    """Lay the asphalt and paint the country's lines on it."""
    tone = _ASPHALT if scene.weather != "rain" else mix(_ASPHALT, scene.sky[1], 0.22)
    if scene.has_snow:
        tone = mix(tone, _SNOW, 0.25)
    worn = shade(tone, 0.93)
    for near, far in itertools.pairwise(_ROAD_EDGES_M):
        pen.polygon(pen.on_ground((-ROAD_HALF_M, ROAD_HALF_M), (near, far)), tone, near)
        for middle in (1.0, 2.5, -1.0, -2.5):
            pen.polygon(pen.on_ground((middle - 0.22, middle + 0.22), (near, far)), worn, near)
    if scene.is_night:
        for reach_m, level in ((26.0, 96), (17.0, 112), (11.0, 130)):
            spread = 0.9 + reach_m * 0.1
            lit = pen.on_ground((1.1 - spread, 1.1 + spread), (_NEAREST_M, reach_m))
            pen.polygon(lit, (level, level - 4, level - 16), 0.0, glow=0.25)
    centre = scene.country.centre_line
    for shift in (-0.16, 0.16) if centre.pattern == "double" else (0.0,):
        _line(pen, centre, shift, "centre_line")
    for side in (1, -1):
        _line(pen, scene.country.edge_line, side * (ROAD_HALF_M - 0.28), "edge_line")


def _line(pen: Pen, line: Line, across_m: float, name: str) -> None:
    # Lengths and gaps of strokes up to 12 m ahead, up to 30 m and beyond.
    strokes = ((3.0, 0.0), (9.0, 0.0), (24.0, 0.0))
    if line.pattern == "dashed":
        strokes = ((2.2, 1.9), (3.0, 2.6), (5.0, 4.0))
    near = start = 4.0
    while near < 90.0:
        length, gap = strokes[0 if near < 12.0 else 1 if near < 30.0 else 2]
        stroke = pen.on_ground((across_m - 0.1, across_m + 0.1), (near, near + length))
        pen.polygon(stroke, line.colour, near, glow=pen.air.shine * 0.6)
        near = near + length + gap
    foot, top = pen.view.project(across_m, 0.0, start), pen.view.project(across_m, 0.0, 40.0)
    pen.remember(name, (*foot, *top))


def _moon_and_stars(pen: Pen, scene: Scene, rng: Random) -> None:
    for _ in range(26):
        x, y = rng.uniform(0, WIDTH_PX), rng.uniform(0, scene.view.horizon_px * 0.8)
        pen.circle((x, y), 0.4, (206, 214, 240), glow=1.0)
    x, y = rng.uniform(30, 290), rng.uniform(16, 44)
    pen.circle((x, y), 9, (236, 236, 220), glow=1.0)
    pen.ellipse((x - 5, y - 10, x + 11, y + 6), mix(*scene.sky, 0.2), glow=1.0)


def _sun(pen: Pen, scene: Scene, rng: Random) -> None:
    low = scene.time_of_day == "dusk"
    x = rng.uniform(30, 290)
    y = scene.view.horizon_px - 12 if low else rng.uniform(14, 40)
    core: Colour = (255, 226, 160) if low else (255, 250, 226)
    around = mix(*scene.sky, 0.85 if low else 0.35)
    for radius, share in ((22, 0.2), (16, 0.4), (10, 1.0)):
        pen.circle((x, y), radius, mix(around, core, share), glow=1.0)


def _clouds(pen: Pen, scene: Scene, rng: Random) -> None:
    few = scene.weather == "clear"
    light: Colour = (250, 250, 252) if scene.time_of_day == "day" else (236, 170, 140)
    if scene.is_night:
        light = (44, 50, 76)
    for _ in range(rng.randint(1, 3) if few else rng.randint(6, 8)):
        x, y = rng.uniform(-20, 340), rng.uniform(8, 66 if few else 80)
        size = rng.uniform(10, 20) * (0.5 + (80 - y) / 80)
        tone = mix(light, scene.sky[0], 0.12 if few else rng.uniform(0.2, 0.5))
        for part in range(4):
            left = x + (part - 1.5) * size * 0.95
            lift = size * (0.5 if part in {1, 2} else 0.28)
            box = (left - size, y - lift, left + size, y + size * 0.28)
            pen.ellipse(box, shade(tone, 1.0 if part % 2 else 0.97), glow=1.0)


def _ridge(rng: Random, base: float, height: float, points: int) -> list[PagePoint]:
    crest = [
        (WIDTH_PX * i / (points - 1), base - height * rng.uniform(0.3, 1.0)) for i in range(points)
    ]
    return [(0.0, base + 2), *crest, (float(WIDTH_PX), base + 2)]


def _snow_caps(pen: Pen, scene: Scene, ridge: list[PagePoint], height: float) -> None:
    line = scene.view.horizon_px - height * 0.66
    for before, top, after in zip(ridge[1:-2], ridge[2:-1], ridge[3:], strict=True):
        if top[1] < line and top[1] < before[1] and top[1] < after[1]:
            left, right = _towards(top, before, line), _towards(top, after, line)
            middle = (top[0], line + 3)
            pen.polygon([top, left, middle, right], (244, 247, 252), 50.0)


def _towards(top: PagePoint, foot: PagePoint, row: float) -> PagePoint:
    share = min(1.0, (row - top[1]) / max(1e-6, foot[1] - top[1]))
    return (top[0] + (foot[0] - top[0]) * share, top[1] + (foot[1] - top[1]) * share)


def _tufts(pen: Pen, scene: Scene, rng: Random, tone: Colour) -> None:
    colour = mix(tone, (40, 60, 30), 0.25) if not scene.has_snow else (210, 218, 228)
    for _ in range(24):
        side = rng.choice((1, -1))
        ahead_m = rng.uniform(5.0, 26.0)
        across_m = side * rng.uniform(4.6, 13.0)
        x, y = pen.view.project(across_m, 0.0, ahead_m)
        size = 0.22 * (pen.view.focal_px / ahead_m)
        pen.polygon([(x - size, y), (x - size * 0.3, y - size), (x, y)], colour, ahead_m)
        pen.polygon([(x, y), (x + size * 0.4, y - size * 1.2), (x + size, y)], colour, ahead_m)
