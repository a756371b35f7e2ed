"""Prepare single images and confusions of countries for a map."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.results.confusion import wrong_pairs
from streetclip.results.country_pairs import country_pairs
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


def flows(table: RunTable, mask: Bool, limit: int = 300) -> pd.DataFrame:
    """Find the most frequent confusions of countries, each with where it starts and ends.

    Returns:
        At most `limit` pairs of different countries, the most frequent first (of equals by code):
            true_country, pred_country, n, mean_km (of those that have a distance, else NaN), and
            the middle of their true places (true_latitude_deg, true_longitude_deg) and of their
            predicted ones (pred_latitude_deg, pred_longitude_deg): the direction of the mean of the
            points on the sphere; NaN where none has coordinates.
    """
    _check_limit(limit)
    by = ["n", "true_country", "pred_country"]
    pairs = wrong_pairs(country_pairs(table, mask))
    top = pairs.sort_values(by, ascending=[False, True, True], ignore_index=True).head(limit)
    frame = top[["true_country", "pred_country", "n"]].copy()
    frame["mean_km"] = top["distance_km_sum"] / top["num_distances"].replace(0, np.nan)

    # Which flow an image is in, by the positions of its countries among the codes.
    position = {code: i for i, code in enumerate(table.codes)}
    flow_CC = np.full((len(position), len(position)), -1, dtype=np.int64)
    flow_CC[top["true_country"].map(position), top["pred_country"].map(position)] = top.index
    mask = table.with_prediction(mask)
    flow = np.where(mask, flow_CC[table.true_country, table.pred_country], -1)
    rows = np.flatnonzero(flow >= 0)
    flow = flow[rows]
    latitude, longitude = table.load("true_latitude_deg", "true_longitude_deg")
    places = table.predicted_places
    true_3N = _unit_vectors(latitude[rows], longitude[rows])
    predicted_3P = _unit_vectors(
        places["latitude_deg"].to_numpy(), places["longitude_deg"].to_numpy()
    )
    for side, points in (("true", true_3N), ("pred", predicted_3P[:, table.pred_place[rows]])):
        sums = [np.bincount(flow, weights=each, minlength=len(top)) for each in points]
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


def _unit_vectors(latitude_deg: NDArray[Any], longitude_deg: NDArray[Any]) -> Float64:
    """Compute points on the unit sphere, 3 × N; the origin where a coordinate is NaN."""
    latitude = np.radians(latitude_deg.astype(np.float64))
    longitude = np.radians(longitude_deg.astype(np.float64))
    across = np.cos(latitude)
    vectors = np.stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)])
    return np.where(np.isnan(vectors).any(axis=0), 0.0, vectors)


def _directions(sums_3N: Float64) -> tuple[Float64, Float64]:
    """Compute latitudes and longitudes in degrees of vectors; NaN without a direction."""
    x, y, z = sums_3N
    nowhere = np.linalg.norm(sums_3N, axis=0) < 1e-9  # noqa: PLR2004 -- opposite points cancel out
    latitude = np.degrees(np.arctan2(z, np.hypot(x, y)))
    longitude = np.degrees(np.arctan2(y, x))
    return np.where(nowhere, np.nan, latitude), np.where(nowhere, np.nan, longitude)
