"""Compute distances on the sphere, the scores that follow from them, and places on a flat map.

Latitudes and longitudes are in degrees, distances in kilometres. A distance of NaN is missing: the
image could not be read, or the prediction names no place.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

EARTH_RADIUS_KM: Final = 6371.0088
"""Mean radius R1 of the WGS 84 ellipsoid, (2a + b) / 3 (IUGG; Moritz 2000, J. Geodesy 74)."""

THRESHOLDS_KM: Final[Mapping[str, int]] = {
    "street": 1,
    "city": 25,
    "region": 200,
    "country": 750,
    "continent": 2500,
}
"""The radii of the field (Weyand et al. 2016, PlaNet; Vo et al. 2017), smallest first."""

GEOSCORE_SCALE_KM: Final = 1492.7
"""Decay length of GeoGuessr's score on its world map (PIGEON, Haas et al. 2023)."""

GEOSCORE_MAXIMUM: Final = 5000.0
"""Score of a prediction at distance 0."""

MAP_MIDDLE_DEG: Final = 11.0
"""Central meridian of maps of the world: their edges, at 169° W, cut through no country."""

MAP_WIDTH, MAP_HEIGHT = 310.157, 150.959
"""Extent of `equal_earth` along the equator and from pole to pole, around (0, 0)."""

_EQUAL_EARTH: Final = (1.340264, -0.081106, 0.000893, 0.003796)  # A1 to A4 of the paper


def haversine_km(
    latitude_a_deg: ArrayLike,
    longitude_a_deg: ArrayLike,
    latitude_b_deg: ArrayLike,
    longitude_b_deg: ArrayLike,
) -> NDArray[np.float64]:
    """Compute great-circle distances on a sphere of radius `EARTH_RADIUS_KM`.

    By the haversine formula (Sinnott 1984, Sky and Telescope 68) in float64: precise for near
    points, good to about 0.2 m near the antipode. Latitudes are −90 to 90 degrees, longitudes any
    finite angle. The result is NaN wherever an argument is.

    Raises:
        ValueError: A latitude is beyond ±90, a longitude infinite, or shapes do not broadcast.

    Examples:
        >>> round(float(haversine_km(48.8566, 2.3522, 51.5074, -0.1278)), 1)  # Paris to London
        343.6
        >>> haversine_km([0, 0], [0, 0], [0, 90], 0).round(1).tolist()
        [0.0, 10007.6]
    """
    latitude_a, longitude_a = _radians(latitude_a_deg, longitude_a_deg)
    latitude_b, longitude_b = _radians(latitude_b_deg, longitude_b_deg)
    across = np.cos(latitude_a) * np.cos(latitude_b)
    haversine = (
        np.sin((latitude_b - latitude_a) / 2) ** 2
        + across * np.sin((longitude_b - longitude_a) / 2) ** 2
    )
    haversine = np.clip(haversine, 0.0, 1.0)
    angle = 2 * np.arctan2(np.sqrt(haversine), np.sqrt(1.0 - haversine))
    return np.asarray(EARTH_RADIUS_KM * angle, dtype=np.float64)


def _radians(
    latitude_deg: ArrayLike, longitude_deg: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    latitude = np.asarray(latitude_deg, dtype=np.float64)
    longitude = np.asarray(longitude_deg, dtype=np.float64)
    beyond = np.abs(latitude) > 90.0  # noqa: PLR2004 -- the poles; False for NaN
    if np.any(beyond):
        found = float(latitude[beyond].flat[0])
        msg = f"latitude is {found}; expected −90 to 90. Are latitude and longitude swapped?"
        raise ValueError(msg)
    if np.any(np.isinf(longitude)):
        msg = "longitude is infinite; expected a finite angle in degrees, or NaN"
        raise ValueError(msg)
    return np.radians(latitude), np.radians(longitude)


def unit_vectors(
    latitude_deg: NDArray[np.float64], longitude_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Convert N places to unit vectors, N × 3, from the centre of the sphere; NaN stays NaN.

    Raises:
        ValueError: A latitude is beyond ±90, or a longitude infinite.
    """
    latitude, longitude = _radians(latitude_deg, longitude_deg)
    x, y = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
    return np.stack([x, y, np.sin(latitude)], axis=1)


def geoscore(distance_km: ArrayLike) -> NDArray[np.float64]:
    """Compute GeoScores, 0 to 5000: 5000 · exp(−d / 1492.7 km), not rounded; 0 for NaN.

    Source: PIGEON (Haas et al. 2023, arXiv 2307.05845), after the score of the game GeoGuessr; as
    in OSV-5M (Astruc et al. 2024), averaged over images by the caller.

    Raises:
        ValueError: A distance is negative.

    Examples:
        >>> geoscore([0.0, 1492.7, float("nan")]).round(1).tolist()
        [5000.0, 1839.4, 0.0]
    """
    distance = np.asarray(distance_km, dtype=np.float64)
    if np.any(distance < 0):
        msg = f"distance is {float(np.nanmin(distance))} km; expected 0 or more"
        raise ValueError(msg)
    score = GEOSCORE_MAXIMUM * np.exp(-distance / GEOSCORE_SCALE_KM)
    return np.where(np.isnan(score), 0.0, score)


def equal_earth(
    latitude_deg: NDArray[Any], east_deg: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Project N places to a map of the world of equal areas: x eastward, y northward.

    Equal Earth (Šavrič, Patterson and Jenny 2018, IJGIS 33), in degrees of a sphere of its area and
    in the precision of the arguments. `east_deg`: of the central meridian, as `east_of_middle`.

    Examples:
        >>> x, y = equal_earth(np.array([0.0, 90.0]), np.array([180.0, 180.0]))
        >>> x.round(3).tolist(), y.round(3).tolist()
        ([155.078, 91.879], [0.0, 75.479])
    """
    a1, a2, a3, a4 = _EQUAL_EARTH
    half_root = 3**0.5 / 2
    sine = half_root * np.sin(np.radians(latitude_deg))
    theta = np.arcsin(sine)
    square = theta * theta
    sixth = square * square * square
    slope = a1 + 3 * a2 * square + sixth * (7 * a3 + 9 * a4 * square)
    x = east_deg * np.sqrt(1 - sine * sine) / (half_root * slope)
    return x, np.degrees(theta * (a1 + a2 * square + sixth * (a3 + a4 * square)))


def east_of_middle(longitude_deg: NDArray[Any]) -> NDArray[Any]:
    """Convert longitudes of −180 to 180 to degrees east of `MAP_MIDDLE_DEG`, −180 to 180."""
    east = longitude_deg - MAP_MIDDLE_DEG
    return np.where(east < -180.0, east + 360.0, east)  # noqa: PLR2004 -- the map's edge


def on_map(
    latitude_deg: NDArray[Any], longitude_deg: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Project N places, longitudes −180 to 180, to x and y of `equal_earth`; NaN stays NaN."""
    return equal_earth(latitude_deg, east_of_middle(longitude_deg))
