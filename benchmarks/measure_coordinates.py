"""Measure which coordinates are flagged as outside their country: wrong ones, and true ones.

    python benchmarks/measure_coordinates.py [--seed 0] [--num_true 100000] [--num_lost 10000]

Wrong are places of GeoNames that lost a minus sign and so moved by more than 2,000 km, and those
that moved as far by a swap of latitude and longitude. True are places that the reference does not
hold (half of them are taken out of it first), points up to 20 km around places, and points drawn
inside the outlines. The time is that of a million rows.
"""

import argparse
import contextlib
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # run as a script, tests/ alone is there

from streetclip.data import coordinates  # noqa: E402
from streetclip.data.coordinates import (  # noqa: E402
    FAR,
    NULL_ISLAND,
    SWAPPED,
    WRONG_SIGN,
    MisplacedFinder,
    Points,
)
from streetclip.gazetteer.cities import all_cities  # noqa: E402
from streetclip.gazetteer.outlines import outline_rings  # noqa: E402
from streetclip.geo import haversine_km  # noqa: E402

MOVED_KM = 2000
JITTER_KM = 20
KM_A_DEGREE = 111.2


def main():
    options = _parse()
    rng = np.random.default_rng(options.seed)
    places = all_places()
    print(f"{len(places.codes):,} places of GeoNames; seed {options.seed}")

    report("a sign lost", lost_signs(places, options.num_lost, rng))
    report("swapped", swapped(places, options.num_lost, rng))
    with half_of_the_places(places, rng) as unseen:
        report("true, not in the reference", take(unseen, options.num_true, rng))
        report("true, not in it, jittered", jittered(take(unseen, options.num_true, rng), rng))
    report("true, jittered", jittered(take(places, options.num_true, rng), rng))
    report("true, inside the outlines", inside_outlines(options.num_true, rng))

    measure_time("true", take(places, 10**6, rng))
    lost = lost_signs(places, options.num_lost, rng)
    measure_time("a sign lost", take(lost, 10**6, rng))


def _parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--num_true", type=int, default=100_000)
    parser.add_argument("--num_lost", type=int, default=10_000)
    return parser.parse_args()


def all_places():
    cities = [city for places in all_cities().values() for city in places]
    return Points(
        np.array([city.latitude_deg for city in cities]),
        np.array([city.longitude_deg for city in cities]),
        [city.country_code for city in cities],
    )


def take(points, count, rng):
    """Draw so many points, again and again the same ones where there are too few."""
    index = rng.permutation(len(points.codes))
    return subset(points, np.resize(index, count))


def subset(points, index):
    codes = [points.codes[i] for i in index.tolist()]
    return Points(points.latitude_deg[index], points.longitude_deg[index], codes)


def lost_signs(places, count, rng):
    """Places that lost the minus of latitude, longitude or both, and moved far."""
    drawn = take(places, 20 * count, rng)
    loses = rng.integers(1, 4, len(drawn.codes))  # bits: latitude, longitude
    latitude_deg = np.where(loses & 1, np.abs(drawn.latitude_deg), drawn.latitude_deg)
    longitude_deg = np.where(loses & 2, np.abs(drawn.longitude_deg), drawn.longitude_deg)
    moved_km = haversine_km(drawn.latitude_deg, drawn.longitude_deg, latitude_deg, longitude_deg)
    moved = Points(latitude_deg, longitude_deg, drawn.codes)
    return subset(moved, np.flatnonzero(moved_km > MOVED_KM)[:count])


def swapped(places, count, rng):
    """Places whose latitude and longitude are swapped, as far as that is a place at all."""
    drawn = take(places, 20 * count, rng)
    moved_km = haversine_km(
        drawn.latitude_deg,
        drawn.longitude_deg,
        drawn.longitude_deg.clip(-90, 90),
        drawn.latitude_deg,
    )
    is_possible = (np.abs(drawn.longitude_deg) <= 90) & (moved_km > MOVED_KM)
    moved = Points(drawn.longitude_deg, drawn.latitude_deg, drawn.codes)
    return subset(moved, np.flatnonzero(is_possible)[:count])


@contextlib.contextmanager
def half_of_the_places(places, rng):
    """Leave half of the places out of the reference, and yield these."""
    kept = rng.random(len(places.codes)) < 0.5
    by_code = {}
    for i in np.flatnonzero(kept).tolist():
        by_code.setdefault(places.codes[i], []).append(i)
    whole = coordinates._place_points

    def half(code):
        index = np.array(by_code.get(code, []), int)
        return coordinates.unit_vectors(places.latitude_deg[index], places.longitude_deg[index])

    coordinates._place_points = half
    try:
        yield subset(places, np.flatnonzero(~kept))
    finally:
        coordinates._place_points = whole


def jittered(points, rng):
    """Move each point in a random direction, by at most `JITTER_KM`."""
    radius_deg = JITTER_KM / KM_A_DEGREE * np.sqrt(rng.random(len(points.codes)))
    angle = rng.uniform(0, 2 * np.pi, len(points.codes))
    latitude_deg = (points.latitude_deg + radius_deg * np.cos(angle)).clip(-90, 90)
    longitude_deg = points.longitude_deg + radius_deg * np.sin(angle) / np.cos(
        np.radians(latitude_deg)
    )
    return Points(latitude_deg, (longitude_deg + 180) % 360 - 180, points.codes)


def inside_outlines(count, rng):
    """Points in the boxes of the outlines' rings, those inside kept, ring by ring."""
    rings = [(code, ring) for code, each in outline_rings().items() if code for ring in each]
    a_ring = max(1, round(count / len(rings)))
    latitudes, longitudes, codes = [], [], []
    for code, ring in rings:
        west, south, east, north = *ring.min(axis=0), *ring.max(axis=0)
        longitude_deg = rng.uniform(west, east, 8 * a_ring)
        latitude_deg = rng.uniform(south, north, 8 * a_ring)
        inside = coordinates._inside_own(latitude_deg, longitude_deg, code)
        latitudes.append(latitude_deg[inside][:a_ring])
        longitudes.append(longitude_deg[inside][:a_ring])
        codes += [code] * len(latitudes[-1])
    return Points(np.concatenate(latitudes), np.concatenate(longitudes), codes)


def report(name, points):
    found = MisplacedFinder().find(points)
    counts = Counter(kind for _, kind, _ in found)
    names = {SWAPPED: "swapped", NULL_ISLAND: "0,0", WRONG_SIGN: "wrong sign", FAR: "far"}
    kinds = ", ".join(f"{text} {counts[kind]:,}" for kind, text in names.items())
    most = Counter(points.codes[warning.row] for warning in found).most_common(5)
    print(
        f"{name:28} {len(points.codes):9,} points: {len(found):,} flagged, "
        f"{len(found) / len(points.codes):.4%} "
        f"({kinds}); most {most}"
    )


def measure_time(name, points):
    finder = MisplacedFinder()
    start, start_cpu = time.perf_counter(), time.process_time()
    for first in range(0, len(points.codes), 2**13):
        chunk = slice(first, first + 2**13)
        finder.find(
            Points(points.latitude_deg[chunk], points.longitude_deg[chunk], points.codes[chunk])
        )
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    print(
        f"{name}: {len(points.codes):,} rows in chunks of 8,192 took {seconds:.1f} s, {cpu:.1f} s "
        "of CPU time"
    )


if __name__ == "__main__":
    main()
