"""Measure the speed of reverse geocoding, and how often its country is right; print the figures.

    python benchmarks/measure_reverse_geocoding.py [--topojson FILE ...]

Random land is compared with the shipped outlines, or with each FILE: `countries-50m.json` and
`countries-10m.json` of the npm package world-atlas 2.0.2, more detailed outlines of Natural Earth.
A file's overseas departments and dependencies count as their state.
"""

import argparse
import contextlib
import itertools
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, tests/ alone is there
from streetclip.gazetteer import outlines
from streetclip.gazetteer import reverse_geocoding as geocoding
from streetclip.gazetteer.cities import all_cities
from streetclip.gazetteer.data_files import read_geonames

NUM_POINTS = 10**6
WITHOUT_NUMBER = {
    "Kosovo": "XK", "Somaliland": "SO", "N. Cyprus": "CY", "Indian Ocean Ter.": "CC",
}  # fmt: skip
DRAWN_WITH = {
    **dict.fromkeys(("GF", "GP", "MQ", "RE", "YT"), "FR"),
    "BQ": "NL", "SJ": "NO", "TK": "NZ", "CX": "CC",
}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--topojson", type=Path, nargs="*", default=[])
    files = [outlines._FILE, *parser.parse_args().topojson]
    rng = np.random.default_rng(0)

    seconds, _ = timed(lambda: geocoding.places_at([0.0], [0.0]))
    print(f"first call, which reads the gazetteer: {seconds:.1f} s, {peak_mb():.0f} MB")
    sphere = (
        np.degrees(np.arcsin(rng.uniform(-1, 1, NUM_POINTS))),
        rng.uniform(-180, 180, NUM_POINTS),
    )
    seconds, found = timed(lambda: geocoding.places_at(*sphere))
    print(f"{NUM_POINTS:,} points anywhere: {seconds:.1f} s, {peak_mb():.0f} MB")
    settled = near_places(rng, NUM_POINTS)
    seconds, near = timed(lambda: geocoding.places_at(*settled))
    print(f"{NUM_POINTS:,} points around places: {seconds:.1f} s, {peak_mb():.0f} MB")

    places = geocoding._places()
    at_places = geocoding.places_at(places.latitude_deg, places.longitude_deg)
    print(f"places of the gazetteer in their country: {share(at_places.country == places.code)}")
    for file in files:
        for name, points, geocoded in (("land", sphere, found), ("around places", settled, near)):
            with outlines_of(file):
                truth = by_outline(*points)
            report(f"{file.name}, {name}", truth, geocoded.country.to_numpy())
    report_unseen(rng)


def timed(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def share(mask):
    return f"{100 * np.mean(mask):.3f} % of {len(mask):,}"


def near_places(rng, count):
    """Draw points about 2 km from places, which many photographs are."""
    places = geocoding._places()
    index = rng.integers(0, len(places.code), count)
    latitude = (places.latitude_deg[index] + rng.normal(0, 2 / 111, count)).clip(-90, 90)
    step = rng.normal(0, 2 / 111, count) / np.cos(np.radians(latitude))
    return latitude, (places.longitude_deg[index] + step + 180) % 360 - 180


@contextlib.contextmanager
def outlines_of(file):
    """Use another file of outlines; Natural Earth's own is first given the gazetteer's codes."""
    cached = (outlines.outline_topojson, outlines._decoded, outlines.outline_polygons)
    cached += (outlines._sizes, geocoding._polygons)
    shipped = outlines._FILE
    with tempfile.TemporaryDirectory() as folder:
        if file != shipped:
            coded = Path(folder) / file.name
            coded.write_text(json.dumps(with_codes(json.loads(file.read_text()))))
            file = coded
        try:
            outlines._FILE = file
            for each in cached:
                each.cache_clear()
            pieces = whole_rings(outlines.outline_polygons())
            geocoding.outline_polygons = lambda: pieces
            yield
        finally:
            outlines._FILE = shipped
            geocoding.outline_polygons = outlines.outline_polygons
            for each in cached:
                each.cache_clear()


def with_codes(topology):
    """Merge Natural Earth's shapes by the gazetteer's codes; "" is no country."""
    rows = read_geonames("countries.json").items()
    by_number = {int(row["isonumeric"]): code for code, row in rows}
    merged = {}
    for shape in topology["objects"]["countries"]["geometries"]:
        name = shape["properties"]["name"]
        code = by_number[int(shape["id"])] if shape.get("id") else WITHOUT_NUMBER.get(name, "")
        polygons = [shape["arcs"]] if shape["type"] == "Polygon" else shape["arcs"]
        merged.setdefault(code, []).extend(polygons)
    shapes = [{"properties": {"code": code}, "arcs": merged[code]} for code in merged]
    return {**topology, "objects": {"countries": {"geometries": shapes}}}


def whole_rings(polygons):
    """Leave out islands of 1:10m that are a line forth and back."""
    pieces = {
        code: [[r for r in piece if len(r) > 3] for piece in polygons[code]] for code in polygons
    }
    return {code: [piece for piece in each if piece] for code, each in pieces.items()}


def by_outline(latitude, longitude):
    """Find the country of the outline that contains each point, "" for none."""
    polygons = geocoding.outline_polygons()
    code = np.array([code for code, each in polygons.items() for _ in each] + [""])
    return code[geocoding._polygon_at(latitude, longitude)]


def report(name, truth, found):
    land = truth != ""
    right = as_drawn(truth[land]) == as_drawn(found[land])
    print(f"{name}: {share(right)} in the country of the outline")
    # Natural Earth counts Crimea to Russia, the gazetteer to Ukraine.
    crimea = (truth[land] == "RU") & (found[land] == "UA")
    print(f"    without Crimea: {share(right[~crimea])}")


def as_drawn(codes):
    """Replace territories that Natural Earth's files draw with their state."""
    for territory, state in DRAWN_WITH.items():
        codes = np.where(codes == territory, state, codes)
    return codes


def report_unseen(rng):
    """Judge half of the gazetteer's places by the other half."""
    half = [[], []]
    for place in itertools.chain.from_iterable(all_cities().values()):
        half[int(rng.integers(2))].append(place)
    known = {code: tuple(p for p in half[0] if p.country_code == code) for code in all_cities()}
    geocoding.all_cities = lambda: known
    for each in (geocoding._places, geocoding._place_tree, geocoding._land, geocoding._outlines):
        each.cache_clear()
    unseen = [(p.country_code, p.region or "", p.latitude_deg, p.longitude_deg) for p in half[1]]
    code, region, latitude, longitude = map(np.array, zip(*unseen, strict=True))
    found = geocoding.places_at(latitude, longitude)
    print(f"places that the gazetteer lacks, country: {share(found.country == code)}")
    print(f"    region: {share((found.country == code) & (found.region == region))}")


if __name__ == "__main__":
    main()
