"""Prepare single images and confusions of countries for a map."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from streetclip.geo import unit_vectors
from streetclip.results.confusion import country_pairs, wrong_pairs
from streetclip.results.run_table import Bool, RunTable

Float64 = NDArray[np.float64]


def num_error_arcs(table: RunTable, mask: Bool) -> int:
    """Count the images that have a true and a predicted place with coordinates."""
    return int(np.count_nonzero(_with_ends(table, mask)))


def error_arcs(table: RunTable, mask: Bool, limit: int) -> pd.DataFrame:
    """Read images with both of their places.

    Of more than `limit` images so many are taken, evenly spread over the order of the ids, always
    the same ones.

    Returns:
        One row for each image that has a true and a predicted place with coordinates, by
        ascending id: image_id, true_country, pred_country (ISO codes), distance_km (NaN where
        unknown), country_probability, and true_latitude_deg, true_longitude_deg,
        pred_latitude_deg, pred_longitude_deg.
    """
    _check_limit(limit)
    rows = np.flatnonzero(_with_ends(table, mask))
    if len(rows) > limit:
        rows = rows[np.arange(limit) * len(rows) // limit]
    names = ("true_latitude_deg", "true_longitude_deg", "distance_km", "country_probability")
    columns = dict(zip(names, table.load(*names), strict=True))
    codes = np.array(table.codes, dtype=object)
    places = table.predicted_places.iloc[table.pred_place[rows]]
    return pd.DataFrame(
        {
            "image_id": table.image_ids[rows],
            "true_country": codes[table.true_country[rows]],
            "pred_country": codes[table.pred_country[rows]],
            **{name: column[rows].astype(np.float64) for name, column in columns.items()},
            "pred_latitude_deg": places["latitude_deg"].to_numpy(),
            "pred_longitude_deg": places["longitude_deg"].to_numpy(),
        }
    )


def frequent_mistakes(pairs: pd.DataFrame) -> pd.DataFrame:
    """Sort the pairs of different countries by n, of equals by code; `pairs`: `country_pairs`.

    Returns:
        true_country, pred_country, n, and the means distance_km (NaN where unknown) and
        country_probability.
    """
    by = ["n", "true_country", "pred_country"]
    found = wrong_pairs(pairs).sort_values(by, ascending=[False, True, True], ignore_index=True)
    return found[["true_country", "pred_country", "n"]].assign(
        distance_km=found["distance_km_sum"] / found["num_distances"].replace(0, np.nan),
        country_probability=found["country_probability_sum"] / found["n"],
    )


def flows(
    table: RunTable, mask: Bool, limit: int = 300, pairs: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Find the most frequent confusions of countries, each with where it starts and ends.

    `pairs` is `country_pairs` of the same images, if that is there already.

    Returns:
        The first `limit` of `frequent_mistakes`, with the middle of their true places
        (true_latitude_deg, true_longitude_deg) and of their predicted ones (pred_latitude_deg,
        pred_longitude_deg): the direction of the mean of the points on the sphere; NaN where none
        has coordinates.
    """
    _check_limit(limit)
    pairs = country_pairs(table, mask) if pairs is None else pairs
    top = frequent_mistakes(pairs).head(limit)
    frame = top.copy()

    # Which flow an image is in, by the positions of its countries among the codes.
    position = {code: i for i, code in enumerate(table.codes)}
    flow_CC = np.full((len(position), len(position)), -1, dtype=np.int64)
    flow_CC[top["true_country"].map(position), top["pred_country"].map(position)] = top.index
    rows = np.flatnonzero(table.with_prediction(mask))
    pair = table.true_country[rows] * np.int64(len(position)) + table.pred_country[rows]
    flow = flow_CC.reshape(-1).take(pair)
    rows, flow = rows[flow >= 0], flow[flow >= 0]
    latitude, longitude = table.load("true_latitude_deg", "true_longitude_deg")
    places = table.predicted_places
    ends = {
        "true": _points(latitude[rows], longitude[rows]),
        "pred": _points(places["latitude_deg"], places["longitude_deg"])[table.pred_place[rows]],
    }
    for side, points_N3 in ends.items():
        sums = [np.bincount(flow, weights=each, minlength=len(top)) for each in points_N3.T]
        frame[f"{side}_latitude_deg"], frame[f"{side}_longitude_deg"] = _directions(np.stack(sums))
    return frame


def _check_limit(limit: int) -> None:
    if limit < 1:
        msg = f"limit is {limit}; expected 1 or more"
        raise ValueError(msg)


def _with_ends(table: RunTable, mask: Bool) -> Bool:
    places = table.predicted_places[["latitude_deg", "longitude_deg"]]
    has_place = places.notna().all(axis=1).to_numpy(dtype=np.bool_)
    latitude, longitude = table.load("true_latitude_deg", "true_longitude_deg")
    is_located: Bool = has_place[table.pred_place] & ~(np.isnan(latitude) | np.isnan(longitude))
    return table.with_prediction(mask) & is_located


def _points(latitude_deg: ArrayLike, longitude_deg: ArrayLike) -> Float64:
    """Compute points on the unit sphere, N × 3; the origin where a coordinate is NaN."""
    vectors_N3 = unit_vectors(
        np.asarray(latitude_deg, np.float64), np.asarray(longitude_deg, np.float64)
    )
    return np.where(np.isnan(vectors_N3).any(axis=1, keepdims=True), 0.0, vectors_N3)


def _directions(sums_3N: Float64) -> tuple[Float64, Float64]:
    """Compute latitudes and longitudes in degrees of vectors; NaN without a direction."""
    x, y, z = sums_3N
    nowhere = np.linalg.norm(sums_3N, axis=0) < 1e-9  # noqa: PLR2004 -- opposite points cancel out
    latitude = np.degrees(np.arctan2(z, np.hypot(x, y)))
    longitude = np.degrees(np.arctan2(y, x))
    return np.where(nowhere, np.nan, latitude), np.where(nowhere, np.nan, longitude)
