"""Draw the scenes of each split: one scene as a file and a row."""

import io
import json
import math
from pathlib import Path
from random import Random

from streetclip.demo.cues import CityCues, CountryCues, drawn_countries
from streetclip.demo.drawing import Picture, draw
from streetclip.demo.scene import Scene, sample_scene
from streetclip.errors import UnknownPlaceError
from streetclip.gazetteer import countries, find_city
from streetclip.geo import EARTH_RADIUS_KM

SPLITS = ("train", "val", "test")
JPEG_QUALITY = 88
_KM_PER_DEGREE = EARTH_RADIUS_KM * math.pi / 180.0


def place_of(seed: int, split: str, index: int) -> tuple[CountryCues, CityCues]:
    """Choose country and city of a scene, each city in turn.

    Examples:
        >>> len({place_of(42, "val", index)[0].code for index in range(40)})
        40
    """
    known = drawn_countries()
    order = list(range(len(known)))
    Random(f"{seed}/{split}/order").shuffle(order)
    turn, position = divmod(index, len(known))
    country = known[order[position]]
    return country, country.cities[turn % len(country.cities)]


def make_scene(seed: int, split: str, index: int) -> tuple[Scene, Picture]:
    """Draw the scene at an index; no scene is in two splits."""
    rng = Random(f"{seed}/{split}/{index}")
    country, city = place_of(seed, split, index)
    scene = sample_scene(f"{split}-{index:05d}", country, city, rng)
    return scene, draw(scene, rng)


def write_scene(folder: Path, seed: int, split: str, index: int) -> dict[str, str]:
    """Draw a scene, write its JPEG into a folder, return its CSV row."""
    scene, picture = make_scene(seed, split, index)
    name = f"{split}_{index:05d}.jpg"
    content = io.BytesIO()  # Pillow's own errors about a full disk lack the system's number
    picture.image.save(content, "JPEG", quality=JPEG_QUALITY)
    (folder / name).write_bytes(content.getvalue())
    country = countries()[scene.country.code]
    latitude_deg, longitude_deg = city_coordinates(scene.country.code, scene.city.name)
    north_km, east_km = scene.kilometres
    # No city of the drawn world is near a pole or the date line.
    per_degree_east = _KM_PER_DEGREE * math.cos(math.radians(latitude_deg))
    boxes = {cue: list(box) for cue, box in sorted(picture.boxes.items())}
    return {
        "image_filename": name,
        "city": scene.city.name,
        "region": scene.city.region,
        "country": country.name,
        "continent": country.continent,
        "latitude": f"{latitude_deg + north_km / _KM_PER_DEGREE:.5f}",
        "longitude": f"{longitude_deg + east_km / per_degree_east:.5f}",
        "scene_id": scene.scene_id,
        "setting": scene.setting,
        "weather": scene.weather,
        "time_of_day": scene.time_of_day,
        "occlusion": scene.occlusion,
        "blur": scene.blur,
        "driving_side": scene.country.driving_side,
        "script": scene.country.script,
        "neighbourhood": scene.country.cluster,
        "cue_boxes": json.dumps(boxes, separators=(",", ":")),
    }


def city_coordinates(country_code: str, city_name: str) -> tuple[float, float]:
    """Look up the coordinates of a city of the drawn world in the gazetteer."""
    city = find_city(country_code, city_name)
    if city is None:
        msg = (
            f"drawn world: the gazetteer has no city {city_name!r} in {country_code}; "
            "expected one. Correct its name in streetclip/demo/countries.toml."
        )
        raise UnknownPlaceError(msg)
    return city.latitude_deg, city.longitude_deg
