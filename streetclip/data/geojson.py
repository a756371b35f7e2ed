"""Convert rows with coordinates to GeoJSON (RFC 7946)."""

from collections.abc import Iterable, Mapping
from typing import Any


def point_collection(
    rows: Iterable[Mapping[str, Any]], latitude_deg: str, longitude_deg: str
) -> dict[str, Any]:
    """Make a point of each row, with the row as its properties.

    `latitude_deg` and `longitude_deg` name columns; where they are None, a feature has no place.

    Examples:
        >>> point_collection([{"lat": 48.86, "lon": 2.35}], "lat", "lon")["features"][0]["geometry"]
        {'type': 'Point', 'coordinates': [2.35, 48.86]}
    """
    features = []
    for row in rows:
        position = [row[longitude_deg], row[latitude_deg]]
        point = None if None in position else {"type": "Point", "coordinates": position}
        features.append({"type": "Feature", "geometry": point, "properties": dict(row)})
    return {"type": "FeatureCollection", "features": features}
