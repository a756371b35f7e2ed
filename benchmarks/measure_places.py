"""Measure how the gazetteer's cities are found by their other names; prints the figures.

python benchmarks/measure_places.py
"""

import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, tests/ alone is there
from streetclip.config import DEFAULT_CANDIDATES
from streetclip.data.candidates import Candidates, load_candidates
from streetclip.data.place_matching import match_places
from streetclip.gazetteer import City, countries
from streetclip.gazetteer.cities import alternate_names, listed_cities
from streetclip.geo import haversine_km

NUM_CITIES = 3_000
ANOTHER_CITY_KM = 15.0


@dataclass(frozen=True)
class Found:
    """Spellings of cities and what the candidates made of them.

    Attributes:
        frame: One row a spelling: country_code, city, region, true (position in the cities),
            found (index of the candidate), distance_km (of that candidate from the city).
    """

    frame: pd.DataFrame

    @property
    def share_found(self) -> float:
        return float((self.frame["found"] == self.frame["true"]).mean())

    @property
    def elsewhere(self) -> pd.DataFrame:
        is_other = (self.frame["found"] >= 0) & (self.frame["found"] != self.frame["true"])
        return self.frame[is_other & (self.frame["distance_km"] > ANOTHER_CITY_KM)]


def largest_cities(num_cities: int = NUM_CITIES) -> list[City]:
    cities = [city for code in countries() for city in listed_cities(code)]
    return sorted(cities, key=lambda city: -city.population)[:num_cities]


def candidates_of(cities: Sequence[City]) -> tuple[Candidates, list[int]]:
    """Candidates of these cities, and the index of each among them."""
    codes = sorted({city.country_code for city in cities})
    order = sorted(range(len(cities)), key=lambda i: codes.index(cities[i].country_code))
    grouped = [cities[i] for i in order]
    country_M = np.array([codes.index(city.country_code) for city in grouped])
    counts = np.bincount(country_M, minlength=len(codes))
    candidates = Candidates(
        country_codes=tuple(codes),
        country_names=tuple(countries()[code].name for code in codes),
        city_names=tuple(city.name for city in grouped),
        city_regions=tuple(city.region for city in grouped),
        city_country_M=country_M,
        city_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        city_latitude_deg_M=np.array([city.latitude_deg for city in grouped]),
        city_longitude_deg_M=np.array([city.longitude_deg for city in grouped]),
        sha256="",
        path=Path("cities.json"),
    )
    index = np.empty(len(cities), np.int64)
    index[order] = np.arange(len(cities))
    return candidates, index.tolist()


def latin_names(city: City) -> Iterable[str]:
    """Main and other names in Latin script."""
    return sorted(name for name in {city.name, *alternate_names().get(city, ())} if _is_latin(name))


def _is_latin(name: str) -> bool:
    letters = [character for character in name if character.isalpha()]
    return bool(letters) and all("LATIN" in unicodedata.name(c, "") for c in letters)


def find_spellings(
    cities: Sequence[City], candidates: Candidates, true: Sequence[int], *, with_region: bool
) -> Found:
    """Spell each city by each Latin name, without coordinates, and match the labels."""
    rows = [
        (city.country_code, name, (city.region or "") if with_region else "", index,
         city.latitude_deg, city.longitude_deg)
        for city, index in zip(cities, true, strict=True)
        for name in latin_names(city)
    ]  # fmt: skip
    columns = ["country_code", "city", "region", "true", "latitude", "longitude"]
    frame = pd.DataFrame(rows, columns=columns).assign(latitude_deg=np.nan, longitude_deg=np.nan)
    found = match_places(frame, candidates).city_N
    distance_km = haversine_km(
        frame["latitude"],
        frame["longitude"],
        candidates.city_latitude_deg_M[found],
        candidates.city_longitude_deg_M[found],
    )
    return Found(frame.assign(found=found, distance_km=np.where(found >= 0, distance_km, np.nan)))


def shipped_cities(cities: Sequence[City]) -> tuple[list[City], Candidates, list[int]]:
    """Those of the cities that the shipped candidates hold."""
    candidates = load_candidates(DEFAULT_CANDIDATES)
    index = {}
    for i, country in enumerate(candidates.city_country_M):
        place = (candidates.country_codes[country], candidates.city_names[i],
                 round(float(candidates.city_latitude_deg_M[i]), 4))  # fmt: skip
        index[place] = i
    held = [
        (city, index[key])
        for city in cities
        if (key := (city.country_code, city.name, round(city.latitude_deg, 4))) in index
    ]
    return [city for city, _ in held], candidates, [i for _, i in held]


def _print(title: str, found: Found) -> None:
    frame = found.frame
    missed = frame[frame["found"] < 0]
    near = frame[(frame["found"] >= 0) & (frame["found"] != frame["true"])]
    print(f"{title}: {len(frame):,} spellings, {found.share_found:.3%} found, "
          f"{len(missed):,} as none, {len(near) - len(found.elsewhere):,} as a neighbour within "
          f"15 km, {len(found.elsewhere):,} as another city")  # fmt: skip
    print("  as none, by country:", Counter(missed["country_code"]).most_common(8))
    print(
        "  such as:", missed[["country_code", "city", "region"]].head(400)[::20].to_numpy().tolist()
    )
    print("  as another city:", found.elsewhere.head(20).to_numpy().tolist())
    print(
        "  as a neighbour:",
        near[["country_code", "city", "distance_km"]].head(300)[::20].to_numpy().tolist(),
    )


def main() -> None:
    cities = largest_cities()
    all_of_them, index = candidates_of(cities)
    held, shipped, shipped_index = shipped_cities(cities)
    for with_region in (True, False):
        given = "with region" if with_region else "without region"
        _print(f"candidates of all {len(cities):,}, {given}",
               find_spellings(cities, all_of_them, index, with_region=with_region))  # fmt: skip
        _print(f"shipped candidates, {len(held):,} of them, {given}",
               find_spellings(held, shipped, shipped_index, with_region=with_region))  # fmt: skip


if __name__ == "__main__":
    main()
