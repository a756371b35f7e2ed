"""Find the country, region and city of coordinates, without a network.

A country is the outline that contains the point, corrected by the gazetteer's places of 500
inhabitants or more; docs/gazetteer.md states the rules and how often they are right.

Arrays: N points, V places of the gazetteer, as vectors on the unit sphere.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from streetclip.gazetteer.cities import City, all_cities, is_part_of_city
from streetclip.gazetteer.countries import countries
from streetclip.gazetteer.data_files import country_additions
from streetclip.gazetteer.outlines import ANTARCTIC_TREATY_DEG, country_km2, outline_polygons
from streetclip.geo import EARTH_RADIUS_KM, haversine_km, unit_vectors

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

FARTHEST_KM: Final = 100.0
"""A point farther from all land has no country, and one farther from all places no city."""

# How far a place outweighs the coarse outlines; more where it lies outside its country's.
_REACH_KM = 2.0
_REACH_OUTSIDE_KM = 5.0
_ENOUGH_PLACES = 10  # of another country, and none of its own, to rename a polygon
_BORDER_STEP_DEG = 0.1

_LARGEST_CITY_KM = 20.0  # from a part of a city to its middle
_LEAST_PARENT = 20_000  # inhabitants of a city that has parts
_NUM_PARENTS = 8  # nearest cities compared

Degrees = NDArray[np.float64]
Kilometres = NDArray[np.float64]
_Codes = NDArray[np.str_]
_Index = NDArray[np.int64]


class _Places(NamedTuple):
    """Hold V places; `city` is the index of the city that each is, or is part of."""

    code: _Codes
    name: NDArray[Any]
    region: NDArray[Any]
    latitude_deg: Degrees
    longitude_deg: Degrees
    vectors_V3: Degrees
    city: _Index


def places_at(latitude_deg: ArrayLike, longitude_deg: ArrayLike) -> pd.DataFrame:
    """Find country, region and nearest city of N points, one row each.

    Columns: `country`, an ISO 3166-1 alpha-2 code; `region`, the first-level division of that
    country's nearest place; `city`, that place or the city that it is part of; `distance_km` to
    that city. Unknown is "" or NaN: all of them where a coordinate is NaN or more than 100 km from
    land, all but the country more than 100 km from the country's places.

    Raises:
        ValueError: A latitude is beyond ±90, or a longitude infinite.

    Examples:
        >>> places_at([41.9, -29.3, 0.0], [12.5, 29.06, -30.0])[["country", "city"]].values.tolist()
        [['IT', 'Rome'], ['LS', 'Mokhotlong'], ['', '']]
    """
    latitude, longitude = np.asarray(latitude_deg, float), np.asarray(longitude_deg, float)
    vectors = unit_vectors(latitude, longitude)
    known = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    code, place = _locate(latitude[known], longitude[known], vectors[known])
    located, place = known[place >= 0], place[place >= 0]
    places = _places()
    city = places.city[place]
    names = pd.DataFrame("", range(len(latitude)), ["country", "region", "city"], dtype=object)
    names.iloc[known, 0] = code
    names.iloc[located, 1] = places.region[place]
    names.iloc[located, 2] = places.name[city]
    distance_km = np.full(len(latitude), np.nan)
    distance_km[located] = haversine_km(
        latitude[located],
        longitude[located],
        places.latitude_deg[city],
        places.longitude_deg[city],
    )
    return names.astype("str").assign(distance_km=distance_km)


def _locate(
    latitude_deg: Degrees, longitude_deg: Degrees, vectors_N3: Degrees
) -> tuple[_Codes, _Index]:
    """Find countries of points, and their nearest places there: −1 where none is near."""
    places = _places()
    km, place = _nearest(_place_tree(""), vectors_N3)
    code = _outlines().code[_polygon_at(latitude_deg, longitude_deg)]
    code[latitude_deg <= ANTARCTIC_TREATY_DEG] = "AQ"
    # The outlines are coarse: a place outside its own shows where a border is drawn wrong.
    reached = km <= _outlines().reach_km_V[place]
    code[reached] = places.code[place[reached]]
    undrawn = np.flatnonzero(code == "")
    tree, land_codes = _land()
    land_km, land = _nearest(tree, vectors_N3[undrawn])
    code[undrawn] = np.where(land_km <= FARTHEST_KM, land_codes[land], "")
    # Near a border the nearest place may be another country's.
    abroad = np.flatnonzero(places.code[place] != code)
    km[abroad] = np.inf
    for each in np.intersect1d(code[abroad], places.code).tolist():
        rows, own = abroad[code[abroad] == each], np.flatnonzero(places.code == each)
        km[rows], nearest = _nearest(_place_tree(each), vectors_N3[rows])
        place[rows] = own[nearest]
    return code, np.where(km <= FARTHEST_KM, place, -1)


def _nearest(tree: "cKDTree", vectors_N3: Degrees, count: int = 1) -> tuple[Kilometres, _Index]:
    """Find the nearest points of a tree and their distances, 20,015 km if farther than 100."""
    bound = 2 * math.sin(FARTHEST_KM / (2 * EARTH_RADIUS_KM))
    chord, index = tree.query(vectors_N3, count, distance_upper_bound=bound, workers=-1)
    km = 2 * EARTH_RADIUS_KM * np.arcsin(np.minimum(chord / 2, 1.0))
    return km, np.minimum(index, tree.n - 1)


@functools.cache
def _places() -> _Places:
    cities = list(itertools.chain.from_iterable(all_cities().values()))
    latitude_deg, longitude_deg = np.array([(c.latitude_deg, c.longitude_deg) for c in cities]).T
    vectors = unit_vectors(latitude_deg, longitude_deg)
    return _Places(
        code=np.array([city.country_code for city in cities]),
        name=np.array([city.name for city in cities], object),
        region=np.array([city.region or "" for city in cities], object),
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        vectors_V3=vectors,
        city=_cities_of(cities, vectors),
    )


def _cities_of(places: Sequence[City], vectors_V3: Degrees) -> _Index:
    """Find the city of each place: a part's is the nearest for its population."""
    from scipy.spatial import cKDTree

    code = np.array([place.country_code for place in places])
    population = np.array([place.population for place in places])
    is_part = np.array([is_part_of_city(place) for place in places])
    parts = np.flatnonzero(is_part)
    parents = np.flatnonzero(~is_part & (population >= _LEAST_PARENT))
    km, nearest = _nearest(cKDTree(vectors_V3[parents]), vectors_V3[parts], _NUM_PARENTS)
    parent = parents[nearest]
    fits = (km <= _LARGEST_CITY_KM) & (code[parent] == code[parts, None])
    best = np.where(fits, km**2 / population[parent], np.inf).argmin(axis=1)
    rows = np.flatnonzero(fits.any(axis=1))
    city = np.arange(len(places))
    city[parts[rows]] = parent[rows, best[rows]]
    return city


@functools.cache
def _place_tree(code: str) -> "cKDTree":
    """Build a tree of a country's places, of all for ""."""
    from scipy.spatial import cKDTree

    places = _places()
    return cKDTree(places.vectors_V3[places.code == code] if code else places.vectors_V3)


@functools.cache
def _land() -> tuple["cKDTree", _Codes]:
    """Build a tree of places, coasts, borders and outlying islands, with their countries."""
    import shapely
    from scipy.spatial import cKDTree

    lines = shapely.segmentize(_polygons(), _BORDER_STEP_DEG)
    points, polygon = shapely.get_coordinates(lines, return_index=True)
    drawn = _outlines().code[polygon] != ""
    islands = [
        (code, latitude_deg, longitude_deg)
        for code in countries()
        for latitude_deg, longitude_deg in country_additions(code).get("outlying", {}).values()
    ]
    island_code, *islands_deg = zip(*islands, strict=True)
    vectors = [
        _places().vectors_V3,
        unit_vectors(points[drawn, 1], points[drawn, 0]),
        unit_vectors(*np.array(islands_deg)),
    ]
    code = np.concatenate([_places().code, _outlines().code[polygon[drawn]], island_code])
    return cKDTree(np.concatenate(vectors)), code


class _Outlines(NamedTuple):
    """Hold codes of the polygons and, last, "" for none; how far places outweigh them."""

    code: _Codes
    reach_km_V: Kilometres


@functools.cache
def _outlines() -> _Outlines:
    """Name each polygon's country: the places' where they all are another's."""
    places = _places()
    code = np.array([code for code, each in outline_polygons().items() for _ in each] + [""])
    polygon = _polygon_at(places.latitude_deg, places.longitude_deg)
    for number in np.unique(polygon[polygon >= 0]).tolist():
        found, counts = np.unique(places.code[polygon == number], return_counts=True)
        if code[number] not in found and counts.max() >= _ENOUGH_PLACES:
            code[number] = found[counts.argmax()]
    # No country is redrawn farther than its own size: Vatican City is 0.4 km².
    own, inverse = np.unique(places.code, return_inverse=True)
    radius_km = np.array([math.sqrt(country_km2(each) / math.pi) or math.inf for each in own])
    reach_km = np.where(code[polygon] == places.code, _REACH_KM, _REACH_OUTSIDE_KM)
    return _Outlines(code, np.minimum(reach_km, radius_km[inverse]))


def _polygon_at(latitude_deg: Degrees, longitude_deg: Degrees) -> _Index:
    """Find the polygon of `_polygons` that contains each point, −1 where none does."""
    import shapely

    longitude = (longitude_deg + 180.0) % 360.0 - 180.0
    found = np.full(len(longitude), -1)
    eastward = np.argsort(longitude)
    for number, polygon in enumerate(_polygons()):
        west, south, east, north = polygon.bounds
        start = np.searchsorted(longitude, west, "left", eastward)
        rows = eastward[start : np.searchsorted(longitude, east, "right", eastward)]
        rows = rows[(latitude_deg[rows] >= south) & (latitude_deg[rows] <= north)]
        found[rows[shapely.intersects_xy(polygon, longitude[rows], latitude_deg[rows])]] = number
    return found


@functools.cache
def _polygons() -> NDArray[Any]:
    """Make the outlines' polygons, prepared for many points."""
    import shapely

    pieces = itertools.chain.from_iterable(outline_polygons().values())
    polygons = np.array([shapely.Polygon(outer, holes) for outer, *holes in pieces])
    shapely.prepare(polygons)
    return polygons
