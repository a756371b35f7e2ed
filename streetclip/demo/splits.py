"""Which scene belongs to which split, and one scene as a file and a row."""

import io
import json
import math
from pathlib import Path
from random import Random

from streetclip.demo.atlas import world
from streetclip.demo.cues import CityCues, CountryCues
from streetclip.demo.drawing import Picture, draw
from streetclip.demo.scene import Scene, sample_scene
from streetclip.errors import UnknownPlaceError
from streetclip.gazetteer import countries, find_city

SPLITS = ("train", "val", "test")
COLUMNS = (
    "image_filename",
    "city",
    "region",
    "country",
    "continent",
    "latitude",
    "longitude",
    "scene_id",
    "setting",
    "weather",
    "time_of_day",
    "occlusion",
    "blur",
    "driving_side",
    "script",
    "neighbourhood",
    "cue_boxes",
)
JPEG_QUALITY = 88
_KM_PER_DEGREE = 6371.0088 * math.pi / 180.0


def place_of(seed: int, split: str, index: int) -> tuple[CountryCues, CityCues]:
    """Country and city of the scene at an index: each city in turn, in an order of the split's own.

    The first 40 indices show 40 countries, the first 120 all cities; then it starts again.

    Examples:
        >>> len({place_of(42, "val", index)[0].code for index in range(40)})
        40
    """
    known = world()
    order = list(range(len(known)))
    Random(f"{seed}/{split}/order").shuffle(order)
    turn, position = divmod(index, len(known))
    country = known[order[position]]
    return country, country.cities[turn % len(country.cities)]


def make_scene(seed: int, split: str, index: int) -> tuple[Scene, Picture]:
    """Draw the scene at an index.

    The split's name is part of the random seed, so that no scene is in two splits.

    Args:
        seed: The world's.
        split: One of `SPLITS`.
        index: From 0.
    """
    rng = Random(f"{seed}/{split}/{index}")
    country, city = place_of(seed, split, index)
    scene = sample_scene(f"{split}-{index:05d}", country, city, rng)
    return scene, draw(scene, rng)


def write_scene(folder: Path, seed: int, split: str, index: int) -> dict[str, str]:
    """Draw the scene at an index, write its JPEG, and return its row of the CSV.

    Args:
        folder: Image folder, which exists.
        seed: The world's.
        split: One of `SPLITS`.
        index: From 0.
    """
    scene, picture = make_scene(seed, split, index)
    name = f"{split}_{index:05d}.jpg"
    content = io.BytesIO()
    picture.image.save(content, "JPEG", quality=JPEG_QUALITY)
    (folder / name).write_bytes(content.getvalue())
    return _row(name, scene, picture)


def city_coordinates(country_code: str, city_name: str) -> tuple[float, float]:
    """Latitude and longitude of a city of the drawn world, from the gazetteer.

    Raises:
        UnknownPlaceError: The gazetteer lacks it, as after an update of its data.
    """
    city = find_city(country_code, city_name)
    if city is None:
        msg = (
            f"drawn world: the gazetteer has no city {city_name!r} in {country_code}; "
            "expected one. Correct its name in streetclip/demo/cues_*.py."
        )
        raise UnknownPlaceError(msg)
    return city.latitude_deg, city.longitude_deg


def _row(name: str, scene: Scene, picture: Picture) -> dict[str, str]:
    country = countries()[scene.country.code]
    latitude, longitude = _coordinates(scene)
    boxes = {cue: list(box) for cue, box in sorted(picture.boxes.items())}
    return {
        "image_filename": name,
        "city": scene.city.name,
        "region": scene.city.region,
        "country": country.name,
        "continent": country.continent,
        "latitude": f"{latitude:.5f}",
        "longitude": f"{longitude:.5f}",
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


def _coordinates(scene: Scene) -> tuple[float, float]:
    latitude, longitude = city_coordinates(scene.country.code, scene.city.name)
    north_km, east_km = scene.kilometres
    # No city of the drawn world is near a pole or the date line.
    per_degree_east = _KM_PER_DEGREE * math.cos(math.radians(latitude))
    return latitude + north_km / _KM_PER_DEGREE, longitude + east_km / per_degree_east
