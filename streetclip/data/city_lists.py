"""List candidate cities from the gazetteer, and write them as JSON."""

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from streetclip.files import write_text
from streetclip.gazetteer import City, countries, largest_listed_place, most_populous_cities

_FEWEST_INHABITANTS = 500  # below, a territory is a research station or a lone village
_COORDINATE_DIGITS = 5  # about a metre, as GeoNames has them


def list_cities(
    country_codes: Sequence[str] = (), *, cities_per_country: int, min_population: int
) -> dict[str, list[City]]:
    """List countries' most populous cities, by country name in alphabetical order.

    A country without a city of `min_population` gives its largest place; no codes mean all.
    """
    chosen = {}
    for code in country_codes or countries():
        country = countries()[code]
        if country.population < _FEWEST_INHABITANTS and not country_codes:
            continue
        cities = most_populous_cities(code, cities_per_country, min_population)
        largest = largest_listed_place(code)
        if cities or largest:
            chosen[country.name] = cities or [city for city in (largest,) if city]
    return dict(sorted(chosen.items()))


def write_cities(path: Path, cities: Mapping[str, Sequence[City]]) -> None:
    """Write a candidates file atomically, one city a line.

    Raises:
        ResourceError: The disk is full.
        OutputError: The folder cannot be written.
    """
    dump = functools.partial(json.dumps, ensure_ascii=False, allow_nan=False)
    countries_text = []
    for name, of_country in cities.items():
        lines = ",\n".join(f"    {dump(_entry(city))}" for city in of_country)
        countries_text.append(f"  {dump(name)}: [\n{lines}\n  ]")
    write_text(path, "{\n" + ",\n".join(countries_text) + "\n}\n")


def _entry(city: City) -> dict[str, Any]:
    region = {} if city.region is None else {"region": city.region}
    latitude, longitude = (
        round(v, _COORDINATE_DIGITS) for v in (city.latitude_deg, city.longitude_deg)
    )
    return {"city": city.name, **region, "latitude": latitude, "longitude": longitude}
