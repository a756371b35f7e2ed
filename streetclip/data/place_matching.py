"""Match true places with candidates.

The rule is in data/README.md, "Which candidate a label means". Axes: N images, K candidates
whose name fits a label.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.data.candidates import Candidates, Int64
from streetclip.gazetteer import SAME_PLACE_KM, City, CityMeant, normalise_name
from streetclip.geo import haversine_km

NEAR_KM = 50.0
"""An image this near to a candidate whose name fits its label is of that city."""

NO_CANDIDATE = -1

Label = tuple[str, str, str]
"""Country code, city and region, as a manifest has them."""


@dataclass(frozen=True)
class DoubtfulPlace:
    """Describe a label without coordinates that fits several cities of its country."""

    country_code: str
    city: str
    region: str
    num_images: int
    candidate: int  # index of the one it counts as, −1 where it counts as none
    others: tuple[City, ...]  # that could be meant as well, most populous first


@dataclass(frozen=True)
class PlaceMatches:
    """Hold the candidates that N images' labels mean."""

    country_N: Int64  # indices, −1 where no candidate is meant
    city_N: Int64  # also −1 where the city is ambiguous
    doubtful: tuple[DoubtfulPlace, ...]  # labels that fit several cities, most images first


def match_places(frame: pd.DataFrame, candidates: Candidates) -> PlaceMatches:
    """Find the candidate that each label means; `frame` is a `Manifest`'s."""
    country_N = np.full(len(frame), NO_CANDIDATE, np.int64)
    city_N = np.full(len(frame), NO_CANDIDATE, np.int64)
    latitude_deg_N = frame["latitude_deg"].to_numpy(np.float64)
    longitude_deg_N = frame["longitude_deg"].to_numpy(np.float64)
    is_located_N = ~(np.isnan(latitude_deg_N) | np.isnan(longitude_deg_N))
    country_of = {code: index for index, code in enumerate(candidates.country_codes)}
    matchers: dict[str, _CountryMatcher] = {}
    doubtful: list[DoubtfulPlace] = []
    # Many images share a label: decide once for each, then measure all of its images at once.
    for (code, city, region), rows in rows_by_label(frame).items():
        country = country_of.get(code, NO_CANDIDATE)
        country_N[rows] = country
        if country == NO_CANDIDATE or not city:
            continue
        if code not in matchers:
            matchers[code] = _CountryMatcher(candidates, country)
        located, unlocated = rows[is_located_N[rows]], rows[~is_located_N[rows]]
        fitting = matchers[code].fitting(city, region)
        if fitting.bonus_km:
            city_N[located] = matchers[code].nearest(
                fitting, latitude_deg_N[located], longitude_deg_N[located]
            )
            city_N[unlocated] = fitting.by_name
        others = fitting.others
        if others is None and len(unlocated):
            others = gazetteer.resolve_city(code, city, region).others
        if others and len(unlocated):
            doubtful.append(
                DoubtfulPlace(code, city, region, len(unlocated), fitting.by_name, others)
            )
    doubtful.sort(key=lambda place: (-place.num_images, place.country_code, place.city))
    return PlaceMatches(country_N, city_N, tuple(doubtful))


def rows_by_label(frame: pd.DataFrame) -> Mapping[Label, Int64]:
    """Find the positions of the images of each distinct label."""
    columns = frame[["country_code", "city", "region"]]
    if not len(columns):
        return {}
    groups = columns.groupby(columns.columns.tolist(), sort=False, dropna=False)
    return cast("Mapping[Label, Int64]", groups.indices)


class _Fitting(NamedTuple):
    """Candidates whose name fits a label."""

    bonus_km: Mapping[int, float]  # of those that the region allows: 15 if spelled alike, else 0
    decoys: tuple[City, ...] = ()  # other cities of that name that are no candidate
    by_name: int = NO_CANDIDATE  # meant by an image without coordinates
    others: tuple[City, ...] | None = None  # it could mean too; None if no candidate has the name


class _CountryMatcher:
    """Index the candidates of one country by name and by gazetteer place."""

    def __init__(self, candidates: Candidates, country: int) -> None:
        self._candidates = candidates
        self._code = candidates.country_codes[country]
        self._indices = range(*candidates.city_offsets[country : country + 2].tolist())

    @cached_property
    def _by_spelling(self) -> dict[str, list[int]]:
        spelled: dict[str, list[int]] = {}
        for index in self._indices:
            name = normalise_name(self._candidates.city_names[index])
            spelled.setdefault(name, []).append(index)
        return spelled

    @cached_property
    def _places(self) -> dict[int, tuple[City, ...]]:
        """Find the gazetteer's cities of each candidate's name within 15 km."""
        return {
            index: tuple(
                city
                for city in gazetteer.listed_cities_named(
                    self._code, self._candidates.city_names[index]
                )
                if self._distance_km(index, city) <= SAME_PLACE_KM
            )
            for index in self._indices
        }

    @cached_property
    def _by_place(self) -> dict[City, list[int]]:
        by_place: dict[City, list[int]] = {}
        for index, places in self._places.items():
            for place in places:
                by_place.setdefault(place, []).append(index)
        return by_place

    def _distance_km(self, index: int, city: City) -> float:
        here, there = self._point(index), (city.latitude_deg, city.longitude_deg)
        # Candidates that took their place from the gazetteer are often at it.
        return 0.0 if here == there else float(haversine_km(*here, *there))

    def _point(self, index: int) -> tuple[float, float]:
        latitude_deg_M = self._candidates.city_latitude_deg_M
        return latitude_deg_M[index], self._candidates.city_longitude_deg_M[index]

    def fitting(self, city: str, region: str) -> _Fitting:
        """Find the candidates that fit a label's name and those meant."""
        keys = gazetteer.name_keys(city)
        spelled = next((self._by_spelling[key] for key in keys if key in self._by_spelling), [])
        bearers = gazetteer.listed_cities_named(self._code, city)
        named = [index for place in bearers for index in self._by_place.get(place, ())]
        related = list(dict.fromkeys([*spelled, *named]))
        if not related:
            return _Fitting({})
        allowed = [index for index in related if not self._is_elsewhere(index, city, region)]
        # A region without such a city cannot outweigh coordinates: "Kyiv, Kyiv Oblast".
        near = allowed if gazetteer.in_region(bearers, city, region) else related
        bonus_km = {index: SAME_PLACE_KM if index in spelled else 0.0 for index in near}
        decoys = tuple(place for place in bearers if place not in self._by_place)
        return _Fitting(bonus_km, decoys, *self._by_name(city, region, allowed, set(spelled)))

    def nearest(
        self,
        fitting: _Fitting,
        latitude_deg_R: NDArray[np.float64],
        longitude_deg_R: NDArray[np.float64],
    ) -> Int64:
        """Find images' candidate within 50 km; −1 if another city is nearer."""
        best_R = np.full(len(latitude_deg_R), NO_CANDIDATE, np.int64)
        lowest_km_R = np.full(len(latitude_deg_R), np.inf)
        reached_km_R = np.full(len(latitude_deg_R), np.inf)
        for index, bonus_km in fitting.bonus_km.items():
            distance_km_R = haversine_km(latitude_deg_R, longitude_deg_R, *self._point(index))
            is_better_R = (distance_km_R <= NEAR_KM) & (distance_km_R - bonus_km < lowest_km_R)
            best_R[is_better_R] = index
            lowest_km_R[is_better_R] = distance_km_R[is_better_R] - bonus_km
            reached_km_R[is_better_R] = distance_km_R[is_better_R]
        for city in fitting.decoys:
            distance_km_R = haversine_km(
                latitude_deg_R, longitude_deg_R, city.latitude_deg, city.longitude_deg
            )
            best_R[distance_km_R < reached_km_R] = NO_CANDIDATE
        return best_R

    def _is_elsewhere(self, index: int, city: str, region: str) -> bool:
        """Return whether a label's region has such a city, not the candidate."""
        label_region = gazetteer.known_region(self._code, city, region)
        text = self._candidates.city_regions[index]
        own_region = gazetteer.known_region(self._code, self._candidates.city_names[index], text)
        if not own_region and self._places[index] and not text:
            own_region = self._places[index][0].region
        if label_region is None or own_region is None or label_region == own_region:
            return False
        # The region counts only if it has such a city: "Moscow, Moscow Oblast" is Moscow.
        bearers = gazetteer.listed_cities_named(self._code, city)
        return any(place.region == label_region for place in bearers)

    def _by_name(
        self, city: str, region: str, allowed: list[int], spelled: set[int]
    ) -> tuple[int, tuple[City, ...]]:
        """Find the candidate that a label without coordinates means, and alternatives."""
        meant = gazetteer.resolve_city(self._code, city, region)
        if meant.city is not None:
            place = meant.city
            here = [index for index in allowed if self._distance_km(index, place) <= SAME_PLACE_KM]
            if here:
                best = min(here, key=lambda i: (i not in spelled, self._distance_km(i, place), i))
                return best, meant.others
        # Where the gazetteer cannot decide, the spelling does, and a region where one is given.
        alike = [i for i in allowed if i in spelled and self._region_agrees(i, city, region, meant)]
        if len(alike) == 1:
            return alike[0], ()
        # A candidate of the name and region that is not at the city's place: which one is meant?
        elsewhere = (meant.city,) if meant.city is not None and allowed else ()
        return NO_CANDIDATE, (*elsewhere, *meant.others)

    def _region_agrees(self, index: int, city: str, region: str, meant: CityMeant) -> bool:
        """Return whether the regions allow a candidate of the label's spelling.

        Other cities of that name, of which the gazetteer knows, must be excluded by a region that
        both sides write alike; where it knows of none, a region that is missing agrees with any.
        """
        own = normalise_name(self._candidates.city_regions[index] or "")
        label = normalise_name(region)
        label_region = gazetteer.known_region(self._code, city, region)
        if meant.city is not None or meant.others:
            return bool(own) and own == label and label_region is None
        if label_region is not None:
            own_region = gazetteer.find_region(self._code, own)
            has_namesake = bool(gazetteer.listed_cities_named(self._code, city))
            return own_region == label_region or (not own and not has_namesake)
        return not own or not label or own == label
