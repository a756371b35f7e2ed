"""Decide what one picture shows, before drawing it.

A scene is a function of (seed, split, index) alone, whatever the number of processes.
"""

import math
from dataclasses import dataclass
from random import Random

from streetclip.demo.cues import CityCues, Colour, CountryCues, material, mix, shade
from streetclip.demo.pen import Air, View

WEATHERS = ("clear", "cloudy", "rain", "fog", "snow")
TIMES_OF_DAY = ("day", "dusk", "night")
SETTINGS = ("urban", "suburban", "rural")
OCCLUSIONS = ("none", "lorry", "leaves")
BLURS = ("none", "mild", "strong")

_WEATHER_ODDS: dict[str, tuple[float, ...]] = {
    "cold": (0.56, 0.22, 0.08, 0.05, 0.09),
    "mild": (0.64, 0.20, 0.09, 0.05, 0.02),
    "dry": (0.74, 0.16, 0.05, 0.05, 0.0),
    "wet": (0.55, 0.24, 0.14, 0.07, 0.0),
}
_TIME_ODDS = (0.80, 0.11, 0.09)
_SETTING_ODDS = (0.44, 0.32, 0.24)
_OCCLUSION_ODDS = (0.86, 0.07, 0.07)
_BLUR_ODDS = (0.86, 0.09, 0.05)
_KEPT_CUE_ODDS = {
    "car": 0.92,
    "warning_sign": 0.9,
    "direction_sign": 0.88,
    "bollards": 0.92,
    "poles": 0.7,
    "skyline": 0.92,
}
_REACH_KM = {"urban": (0.3, 5.0), "suburban": (3.0, 11.0), "rural": (8.0, 20.0)}
# Share of the sky that clouds cover, and how light they are.
_CLOUD_COVER = {
    "cloudy": (0.6, 0.94),
    "rain": (0.85, 0.72),
    "fog": (0.95, 0.96),
    "snow": (0.8, 0.98),
}
# Brightness, share of colour that is lost, and how far one sees in metres.
_AIR = {
    "clear": (1.03, 0.0, 260.0),
    "cloudy": (0.92, 0.18, 180.0),
    "rain": (0.78, 0.34, 75.0),
    "fog": (0.9, 0.3, 26.0),
    "snow": (0.95, 0.25, 60.0),
}
_HOUR_FACTORS = {"day": (1.0, 1.0, 1.0), "dusk": (0.94, 0.76, 0.70), "night": (0.34, 0.38, 0.50)}
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
    weather = rng.choices(WEATHERS, _WEATHER_ODDS[country.climate])[0]
    time_of_day = rng.choices(TIMES_OF_DAY, _TIME_ODDS)[0]
    setting = rng.choices(SETTINGS, _SETTING_ODDS)[0]
    # A rural scene takes the light of any city of its country: light identifies no city.
    light = rng.choice(country.cities).light if setting == "rural" else city.light
    sky = _sky(light, weather, time_of_day)
    occlusion = rng.choices(OCCLUSIONS, _OCCLUSION_ODDS)[0]
    blur = rng.choices(BLURS, _BLUR_ODDS)[0]
    cues = frozenset(cue for cue, odds in _KEPT_CUE_ODDS.items() if rng.random() < odds)
    view = View(
        side=1 if country.driving_side == "right" else -1,
        vanish_x_px=160.0 + rng.gauss(0.0, 7.0),
        horizon_px=112.0 + rng.gauss(0.0, 4.0),
        across_m=1.1 + rng.uniform(-0.25, 0.25),
        height_m=2.5 + rng.uniform(-0.15, 0.15),
        focal_px=260.0 * rng.uniform(0.95, 1.06),
    )
    distance_km, bearing = rng.uniform(*_REACH_KM[setting]), rng.uniform(0.0, 2.0 * math.pi)
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


def _sky(light: str, weather: str, time_of_day: str) -> tuple[Colour, Colour]:
    zenith, horizon = material("skies", light)
    if time_of_day == "dusk":
        zenith, horizon = mix(_DUSK[0], zenith, 0.25), mix(_DUSK[1], horizon, 0.2)
    if weather != "clear":
        cover, level = _CLOUD_COVER[weather]
        cloud = shade((206, 212, 218), level)
        veiled = mix(zenith, cloud, 0.75)
        grey = sum(veiled) // 3
        zenith = mix(zenith, mix(veiled, (grey, grey, grey), 0.6), cover)
        horizon = mix(horizon, cloud, cover * 0.8)
    if time_of_day == "night":
        zenith, horizon = mix(_NIGHT[0], zenith, 0.06), mix(_NIGHT[1], horizon, 0.08)
    return zenith, horizon


def _air(light: str, weather: str, time_of_day: str, haze: Colour) -> Air:
    level, grey, sight_m = _AIR[weather]
    factors = zip(material("lights", light), _HOUR_FACTORS[time_of_day], strict=True)
    red, green, blue = (level * city * hour for city, hour in factors)
    shine = 0.45 if time_of_day == "night" else 0.0
    return Air((red, green, blue), grey, haze, sight_m, shine)
