"""Match imported predictions with images, and decide which city each one means.

Shapes: N images of the manifest, R rows of predictions, M cities that were predicted.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.data.candidates import Candidates, Float64, Int64
from streetclip.data.place_matching import rows_by_label
from streetclip.data.predictions import PredictionTable
from streetclip.errors import ManifestError, shown
from streetclip.gazetteer import City, normalise_name
from streetclip.gazetteer.reverse_geocoding import places_at
from streetclip.geo import haversine_km

NONE: Final = -1


def _whole(name: str) -> str:
    return name


def _base(name: str) -> str:
    return name.replace("\\", "/").rpartition("/")[2]


def _stem(name: str) -> str:
    return _base(name).rpartition(".")[0] or _base(name)


_WAYS: Final = ((_whole, _whole), (_base, _base), (_base, _stem), (_stem, _stem))
"""How a row's image and one of the manifest are compared, the strictest first."""


def match_images(names_R: Iterable[str], known_N: Iterable[str]) -> Int64:
    """Find the image of each of R names: positions among N known ones, −1 for none.

    Names are compared as written, else without folder, else without extension; a shorter form that
    several images of the manifest share fits none of them.

    Examples:
        >>> match_images(["a/1.jpg", "2", "x.png", "9.jpg"], ["1.jpg", "b/2.jpg", "x.jpg"]).tolist()
        [0, 1, 2, -1]
    """
    names = pd.Series(names_R)
    image_R = np.full(len(names), NONE, np.int64)
    for of_row, of_image in _WAYS:
        left = np.flatnonzero(image_R == NONE)
        if not len(left):
            break
        keys = _hashes(of_image, known_N)
        unique = np.flatnonzero(~keys.duplicated(keep=False))
        found = keys[unique].get_indexer(_hashes(of_row, names.iloc[left]))
        image_R[left[found >= 0]] = unique[found[found >= 0]]
    return image_R


def _hashes(key: Callable[[str], str], names: Iterable[str]) -> "pd.Index[Any]":
    """Hash names, for a million texts weigh ten times as much."""
    return pd.Index(np.fromiter((hash(key(name)) for name in names), np.int64))


@dataclass(frozen=True)
class RowChoice:
    """Which row predicts each image.

    `row_N` has positions of rows, −1 for an image without one; `num_strangers` rows are of images
    that the manifest lacks; `num_repeated` are further rows of an image.
    """

    row_N: Int64
    num_strangers: int
    num_repeated: int


def choose_rows(table: PredictionTable, known_N: "pd.Series[str]", duplicates: str) -> RowChoice:
    """Choose the row of each image: the lowest rank, then as `duplicates` (first, last, error).

    Raises ManifestError if no row is of an image of the manifest, or an image has several rows.
    """
    frame = table.frame
    image_R = match_images(frame["image"], known_N)
    rows = np.flatnonzero(image_R >= 0)
    if not len(rows):
        msg = (
            f"{table.path}: none of its images is in the test file: found "
            f"{shown(frame['image'].iloc[0])}, expected names such as {shown(known_N.iloc[0])}. "
            "Name the column with --columns image=COLUMN, or the test file that belongs to it."
        )
        raise ManifestError(msg)
    rank_R = frame["rank"].fillna(np.inf).to_numpy(np.float64)
    lowest_N = np.full(len(known_N), np.inf)
    np.minimum.at(lowest_N, image_R[rows], rank_R[rows])
    ranked = rows[rank_R[rows] == lowest_N[image_R[rows]]]
    if duplicates == "error":
        _refuse_repeated(table, image_R, ranked)
    row_N = np.full(len(known_N), NONE, np.int64)
    for_last = ranked if duplicates == "last" else ranked[::-1]
    row_N[image_R[for_last]] = for_last  # of equal images, numpy keeps the last assigned
    num_repeated = len(ranked) - int(np.count_nonzero(row_N >= 0))
    return RowChoice(row_N, len(frame) - len(rows), num_repeated)


def _refuse_repeated(table: PredictionTable, image_R: Int64, rows: Int64) -> None:
    images = pd.Series(image_R[rows], index=rows)
    repeated = images[images.duplicated()]
    if not len(repeated):
        return
    second = int(repeated.index[0])
    first = int(images.index[images == repeated.iloc[0]][0])
    lines, name = table.frame["line"], table.frame["image"][second]
    msg = (
        f"{table.path}:{lines[second]}: image {shown(name)} repeats line {lines[first]}, one of "
        f"{len(repeated):,} repeated rows. Choose with --duplicates first or last."
    )
    raise ManifestError(msg)


@dataclass(frozen=True)
class PredictedPlaces:
    """Predicted places of N images.

    `frame` has country_code, region and city as text, latitude_deg and longitude_deg; `candidates`
    are all countries with the M cities that were predicted; `city_N` are indices among these, −1
    where the gazetteer does not know the predicted city.
    """

    frame: pd.DataFrame
    candidates: Candidates
    city_N: Int64


def locate_predictions(frame: pd.DataFrame) -> PredictedPlaces:
    """Find the cities that predictions mean, names for coordinates without, and the reverse.

    `frame` has the columns of `PredictedPlaces.frame`. A name that several cities bear means the
    one nearest to the predicted coordinates; without these, as in a list of candidates, the most
    populous.
    """
    latitude_deg, longitude_deg = (
        frame[name].to_numpy(np.float64, copy=True) for name in ("latitude_deg", "longitude_deg")
    )
    frame = _with_names(frame, latitude_deg, longitude_deg)
    names = frame["city"].to_numpy(object, copy=True)
    number_of: dict[City, int] = {}
    city_N = np.full(len(frame), NONE, np.int64)
    for (code, name, region), rows in rows_by_label(frame).items():
        meant = gazetteer.resolve_city(code, name, region) if code and name else None
        bearers = [] if meant is None else [*filter(None, [meant.city]), *meant.others]
        if not bearers:
            continue
        numbers = np.array([number_of.setdefault(each, len(number_of)) for each in bearers])
        city_N[rows] = numbers[_nearest(bearers, latitude_deg[rows], longitude_deg[rows])]
    cities = list(number_of)
    is_known = city_N >= 0
    places = [(each.name, each.latitude_deg, each.longitude_deg) for each in cities]
    if places:
        of_city, latitudes, longitudes = (np.array(each) for each in zip(*places, strict=True))
        names[is_known] = of_city.astype(object)[city_N[is_known]]
        unplaced = is_known & frame["lacks_coordinates"].to_numpy(np.bool_)
        latitude_deg[unplaced] = latitudes[city_N[unplaced]]
        longitude_deg[unplaced] = longitudes[city_N[unplaced]]
    candidates, position_M = _as_candidates(cities)
    if cities:
        city_N[is_known] = position_M[city_N[is_known]]
    frame = frame.assign(city=names, latitude_deg=latitude_deg, longitude_deg=longitude_deg)
    return PredictedPlaces(frame, candidates, city_N)


def same_unknown_city(predicted: PredictedPlaces, truth: pd.DataFrame) -> NDArray[np.bool_]:
    """Find the images whose city the gazetteer lacks, with prediction and label spelled alike."""
    of_prediction = predicted.frame["city"].to_numpy(object)
    alike = np.zeros(len(truth), np.bool_)
    open_rows = (predicted.city_N < 0) & (of_prediction != "")
    rows = np.flatnonzero(open_rows)
    for i, label in zip(rows.tolist(), truth["city"].iloc[rows], strict=True):
        alike[i] = bool(label) and normalise_name(of_prediction[i]) == normalise_name(label)
    return alike


def _with_names(frame: pd.DataFrame, latitude_deg: Float64, longitude_deg: Float64) -> pd.DataFrame:
    """Fill in the names at coordinates: the country, and the city if it lies in that country."""
    codes, regions, cities = (
        frame[name].to_numpy(object, copy=True) for name in ("country_code", "region", "city")
    )
    rows = np.flatnonzero(~np.isnan(latitude_deg) & ((codes == "") | (cities == "")))
    if len(rows):
        there = places_at(latitude_deg[rows], longitude_deg[rows])
        codes[rows] = np.where(codes[rows] == "", there["country"], codes[rows])
        inside = ((cities[rows] == "") & (codes[rows] == there["country"])).to_numpy()
        regions[rows[inside]] = there["region"].to_numpy(object)[inside]
        cities[rows[inside]] = there["city"].to_numpy(object)[inside]
    return frame.assign(country_code=codes, region=regions, city=cities)


def _nearest(bearers: Sequence[City], latitude_deg: Float64, longitude_deg: Float64) -> Int64:
    best = np.zeros(len(latitude_deg), np.int64)
    if len(bearers) == 1:
        return best
    distance_km = np.stack(
        [
            haversine_km(latitude_deg, longitude_deg, each.latitude_deg, each.longitude_deg)
            for each in bearers
        ]
    )
    is_located = ~np.isnan(latitude_deg)
    best[is_located] = distance_km[:, is_located].argmin(axis=0)
    return best


def _as_candidates(cities: Sequence[City]) -> tuple[Candidates, Int64]:
    """List all countries with these cities; return the new position of each city."""
    countries = gazetteer.countries()
    codes = tuple(countries)
    country_of = {code: i for i, code in enumerate(codes)}
    country = np.array([country_of[each.country_code] for each in cities], np.int64)
    order = np.argsort(country, kind="stable")
    position_M = np.empty(len(cities), np.int64)
    position_M[order] = np.arange(len(cities))
    sorted_cities = [cities[i] for i in order.tolist()]
    counts = np.bincount(country, minlength=len(codes))
    candidates = Candidates(
        country_codes=codes,
        country_names=tuple(each.name for each in countries.values()),
        city_names=tuple(each.name for each in sorted_cities),
        city_regions=tuple(each.region for each in sorted_cities),
        city_country_M=country[order],
        city_offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        city_latitude_deg_M=np.array([each.latitude_deg for each in sorted_cities], np.float64),
        city_longitude_deg_M=np.array([each.longitude_deg for each in sorted_cities], np.float64),
        sha256="",
        path=Path(),
    )
    return candidates, position_M
