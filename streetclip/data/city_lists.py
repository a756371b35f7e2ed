"""List candidate cities from the gazetteer, and write them as JSON."""

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
    """List the most populous cities of countries, by country name in alphabetical order.

    A country without a city of `min_population` gives its largest place, most often the capital;
    without `country_codes`, all countries are listed.
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
    """Write a candidates file, one city a line, whole or not at all.

    Raises:
        ResourceError: The disk is full.
        OutputError: The folder cannot be written.
    """
    countries_text = []
    for name, of_country in cities.items():
        lines = ",\n".join(f"    {_dump(_entry(city))}" for city in of_country)
        countries_text.append(f"  {_dump(name)}: [\n{lines}\n  ]")
    write_text(path, "{\n" + ",\n".join(countries_text) + "\n}\n")


def _entry(city: City) -> dict[str, Any]:
    region = {} if city.region is None else {"region": city.region}
    return {
        "city": city.name,
        **region,
        "latitude": round(city.latitude_deg, _COORDINATE_DIGITS),
        "longitude": round(city.longitude_deg, _COORDINATE_DIGITS),
    }


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
