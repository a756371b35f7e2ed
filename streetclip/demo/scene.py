"""Decide what one picture shows, before drawing it; scenes.toml holds the odds.

A scene is a function of (seed, split, index) alone, whatever the number of processes.
"""

import math
from dataclasses import dataclass
from random import Random

from streetclip.demo.cues import CityCues, Colour, CountryCues, material, mix, read_toml, shade
from streetclip.demo.pen import Air, View

_DUSK: tuple[Colour, Colour] = (74, 82, 140), (250, 168, 112)
_NIGHT: tuple[Colour, Colour] = (8, 12, 32), (34, 42, 72)


@dataclass(frozen=True)
class Scene:
    """One picture's choices; a rural scene shows nothing of the city."""

    scene_id: str  # names its split, so that no scene is in two
    country: CountryCues
    city: CityCues
    weather: str
    time_of_day: str
    setting: str
    occlusion: str
    blur: str
    cues: frozenset[str]  # names of those that this scene shows
    view: View
    air: Air
    sky: tuple[Colour, Colour]  # zenith and horizon, as seen
    kilometres: tuple[float, float]  # north and east of the city's centre

    @property
    def is_night(self) -> bool:
        """Whether lamps and windows are lit."""
        return self.time_of_day == "night"

    @property
    def has_snow(self) -> bool:
        """Whether snow covers ground and roofs."""
        return self.weather == "snow"


def sample_scene(scene_id: str, country: CountryCues, city: CityCues, rng: Random) -> Scene:
    """Decide everything about one picture near a city; `rng` is the source of every choice."""
    odds = read_toml("scenes.toml")
    weather = _choose(odds["weather"][country.climate], rng)
    time_of_day = _choose(odds["time_of_day"], rng)
    setting = _choose(odds["setting"], rng)
    # A rural scene takes the light of any city of its country: light identifies no city.
    light = rng.choice(country.cities).light if setting == "rural" else city.light
    sky = _sky(light, weather, time_of_day)
    occlusion = _choose(odds["occlusion"], rng)
    blur = _choose(odds["blur"], rng)
    cues = frozenset(cue for cue, share in odds["cues"].items() if rng.random() < share)
    view = View(
        side=1 if country.driving_side == "right" else -1,
        vanish_x_px=160.0 + rng.gauss(0.0, 7.0),
        horizon_px=112.0 + rng.gauss(0.0, 4.0),
        across_m=1.1 + rng.uniform(-0.25, 0.25),
        height_m=2.5 + rng.uniform(-0.15, 0.15),
        focal_px=260.0 * rng.uniform(0.95, 1.06),
    )
    distance_km, bearing = rng.uniform(*odds["reach_km"][setting]), rng.uniform(0.0, 2.0 * math.pi)
    return Scene(
        scene_id=scene_id,
        country=country,
        city=city,
        weather=weather,
        time_of_day=time_of_day,
        setting=setting,
        occlusion=occlusion,
        blur=blur,
        cues=cues,
        view=view,
        air=_air(light, weather, time_of_day, sky[1]),
        sky=sky,
        kilometres=(distance_km * math.cos(bearing), distance_km * math.sin(bearing)),
    )


def _choose(odds: dict[str, float], rng: Random) -> str:
    return rng.choices(list(odds), list(odds.values()))[0]


def _sky(light: str, weather: str, time_of_day: str) -> tuple[Colour, Colour]:
    zenith, horizon = material("skies", light)
    if time_of_day == "dusk":
        zenith, horizon = mix(_DUSK[0], zenith, 0.25), mix(_DUSK[1], horizon, 0.2)
    if weather != "clear":
        cover, level = read_toml("scenes.toml")["clouds"][weather]
        cloud = shade((206, 212, 218), level)
        veiled = mix(zenith, cloud, 0.75)
        grey = sum(veiled) // 3
        zenith = mix(zenith, mix(veiled, (grey, grey, grey), 0.6), cover)
        horizon = mix(horizon, cloud, cover * 0.8)
    if time_of_day == "night":
        zenith, horizon = mix(_NIGHT[0], zenith, 0.06), mix(_NIGHT[1], horizon, 0.08)
    return zenith, horizon


def _air(light: str, weather: str, time_of_day: str, haze: Colour) -> Air:
    table = read_toml("scenes.toml")
    level, grey, sight_m = table["air"][weather]
    factors = zip(material("lights", light), table["light"][time_of_day], strict=True)
    red, green, blue = (level * city * hour for city, hour in factors)
    shine = 0.45 if time_of_day == "night" else 0.0
    return Air((red, green, blue), grey, haze, sight_m, shine)
