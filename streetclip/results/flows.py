"""Where the images of a country are placed instead: confusions as lines on a map."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streetclip.results.blocks import selected_rows
from streetclip.results.country_pairs import country_pairs
from streetclip.results.run_table import RunTable

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


def flows(table: RunTable, mask: NDArray[np.bool_], limit: int = 300) -> pd.DataFrame:
    """The most frequent confusions of countries, each with where it starts and ends.

    Args:
        table: The run.
        mask: N booleans: which images to look at; those without a prediction are left out.
        limit: The most rows, at least 1.

    Returns:
        One row for each pair of different countries, the most frequent first (of equals by code):
        true_country, pred_country, n, mean_km (of those that have a distance, else NaN), and the
        middle of their true places (true_latitude_deg, true_longitude_deg) and of their predicted
        ones (pred_latitude_deg, pred_longitude_deg): the direction of the mean of the points on
        the sphere; NaN where none has coordinates.

    Raises:
        ValueError: `limit` < 1.
    """
    if limit < 1:
        msg = f"limit is {limit}; expected 1 or more"
        raise ValueError(msg)
    pairs = country_pairs(table, mask)
    wrong = pairs[(pairs["true_country"] != pairs["pred_country"]) & (pairs["pred_country"] != "")]
    by = ["n", "true_country", "pred_country"]
    top = wrong.sort_values(by, ascending=[False, True, True], ignore_index=True).head(limit)
    frame = top[["true_country", "pred_country", "n"]].copy()
    frame["mean_km"] = top["distance_km_sum"] / top["num_distances"].replace(0, np.nan)
    starts, ends = _middles(table, mask, top)
    frame["true_latitude_deg"], frame["true_longitude_deg"] = starts
    frame["pred_latitude_deg"], frame["pred_longitude_deg"] = ends
    return frame


def _middles(
    table: RunTable, mask: NDArray[np.bool_], top: pd.DataFrame
) -> list[tuple[Float64, Float64]]:
    """Latitudes and longitudes of the middles of the true and of the predicted places."""
    latitude, longitude = table.load("true_latitude_deg", "true_longitude_deg")
    places = table.predicted_places
    predicted_3P = _unit_vectors(
        places["latitude_deg"].to_numpy(dtype=np.float64),
        places["longitude_deg"].to_numpy(dtype=np.float64),
    )
    number_of = _numbers(table.codes, top)
    sums = np.zeros((2, 3, len(top)))
    for rows in selected_rows(table.judged(mask)):
        pair = table.true_country[rows] * np.int64(len(table.codes)) + table.pred_country[rows]
        hits = np.flatnonzero(number_of[pair] >= 0)
        number = number_of[pair[hits]]
        true_3N = _unit_vectors(latitude[rows][hits], longitude[rows][hits])
        ends_3N = predicted_3P[:, table.pred_place[rows][hits]]
        for sum_3, vectors_3N in zip(sums, (true_3N, ends_3N), strict=True):
            for total, component in zip(sum_3, vectors_3N, strict=True):
                np.add.at(total, number, component)
    return [_directions(each) for each in sums]


def _numbers(codes: tuple[str, ...], top: pd.DataFrame) -> Int64:
    """The row in `top` of each pair of positions in `codes`; −1 for none."""
    position = {code: i for i, code in enumerate(codes)}
    numbers = np.full(len(codes) ** 2, -1, dtype=np.int64)
    pairs = zip(top["true_country"], top["pred_country"], strict=True)
    for row, (true, predicted) in enumerate(pairs):
        numbers[position[true] * len(codes) + position[predicted]] = row
    return numbers


def _unit_vectors(latitude_deg: NDArray[Any], longitude_deg: NDArray[Any]) -> Float64:
    """Points on the sphere of radius 1, 3 × N; the origin where a coordinate is NaN."""
    latitude = np.radians(latitude_deg.astype(np.float64))
    longitude = np.radians(longitude_deg.astype(np.float64))
    across = np.cos(latitude)
    vectors = np.stack([across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)])
    return np.where(np.isnan(vectors).any(axis=0), 0.0, vectors)


def _directions(sums_3N: Float64) -> tuple[Float64, Float64]:
    """Latitudes and longitudes in degrees of vectors; NaN for those without a direction."""
    x, y, z = sums_3N
    nowhere = np.linalg.norm(sums_3N, axis=0) < 1e-9  # noqa: PLR2004 -- opposite points cancel out
    latitude = np.degrees(np.arctan2(z, np.hypot(x, y)))
    longitude = np.degrees(np.arctan2(y, x))
    return np.where(nowhere, np.nan, latitude), np.where(nowhere, np.nan, longitude)
