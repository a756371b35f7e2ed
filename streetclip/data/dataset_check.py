"""Check manifests, their images and their candidates before hours of computing."""

import os
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from streetclip import gazetteer
from streetclip.data.candidates import Candidates
from streetclip.data.coordinates import MisplacedFinder, Points
from streetclip.data.decoding import canonical_name, resolve_image_path
from streetclip.data.manifest import Manifest
from streetclip.data.near_duplicates import Bytes, near_duplicates
from streetclip.data.place_matching import DoubtfulPlace, Label, match_places, rows_by_label
from streetclip.data.place_split import are_near
from streetclip.errors import shown
from streetclip.geo import haversine_km
from streetclip.progress import Progress, no_progress

_BATCH = 8
_EXAMPLES = 3


@dataclass(frozen=True)
class CityMissing:
    """Describe a label's city that no candidate can name.

    `nearest` is the nearest candidate's "city, country"; `distance_km` goes from there to the
    images' median coordinates, or else to the gazetteer's city. They are "" and NaN where unknown.
    """

    country_code: str
    city: str
    region: str
    num_images: int
    nearest: str
    distance_km: float


@dataclass(frozen=True)
class Coverage:
    """Count the images whose places a candidate list can name; lists have most images first."""

    country: int  # images whose country is a candidate
    city: int
    countries_missing: tuple[str, ...]  # codes
    cities_missing: tuple[CityMissing, ...]  # the first that no candidate can name
    num_cities_missing: int
    doubtful: tuple[DoubtfulPlace, ...]  # labels without coordinates that fit several cities


def unreadable_images(
    manifest: Manifest, image_dir: Path, *, num_workers: int, progress: Progress = no_progress
) -> list[tuple[int, str]]:
    """Decode every image; return line and error of the unreadable ones."""
    from streetclip.data.image_batches import iterate_batches  # imports torch

    frame = manifest.frame
    paths = [resolve_image_path(image_dir, name) for name in frame["image_filename"]]
    errors: dict[int, str] = {}
    progress(0, len(paths))
    batches = iterate_batches(paths, _one_pixel, batch_size=_BATCH, num_workers=num_workers)
    for number, batch in enumerate(batches, start=1):
        errors |= batch.errors
        progress(min(number * _BATCH, len(paths)), len(paths), unreadable=len(errors))
    lines = frame["line"].to_numpy()
    return [(int(lines[i]), errors[i]) for i in sorted(errors)]


def coverage(manifest: Manifest, candidates: Candidates, *, most_listed: int = 20) -> Coverage:
    """Count images whose places are candidates; list some missing cities."""
    matches = match_places(manifest.frame, candidates)
    missing = manifest.frame["country_code"][matches.country_N < 0].value_counts()
    unnamed = manifest.frame[(matches.city_N < 0) & (manifest.frame["city"] != "").to_numpy()]
    cities = sorted(rows_by_label(unnamed).items(), key=lambda item: (-len(item[1]), item[0]))
    return Coverage(
        country=int((matches.country_N >= 0).sum()),
        city=int((matches.city_N >= 0).sum()),
        countries_missing=tuple(map(str, missing.index)),
        cities_missing=tuple(
            _locate(label, unnamed.iloc[rows], candidates) for label, rows in cities[:most_listed]
        ),
        num_cities_missing=len(cities),
        doubtful=matches.doubtful,
    )


def misplaced_candidates(candidates: Candidates) -> list[str]:
    """Describe the candidates whose coordinates contradict their country."""
    codes = [candidates.country_codes[i] for i in candidates.city_country_M.tolist()]
    points = Points(candidates.city_latitude_deg_M, candidates.city_longitude_deg_M, codes)
    return [
        f"{shown(f'{candidates.city_names[row]}, {codes[row]}')}: {text}"
        for row, _, text in sorted(MisplacedFinder().find(points))
    ]


def _locate(label: Label, frame: pd.DataFrame, candidates: Candidates) -> CityMissing:
    """Find the candidate nearest to a label's images or city."""
    located = frame[["latitude_deg", "longitude_deg"]].dropna()
    city = None if len(located) else gazetteer.resolve_city(*label).city
    if city is None and not len(located):
        return CityMissing(*label, num_images=len(frame), nearest="", distance_km=np.nan)
    distance_km = haversine_km(
        city.latitude_deg if city else located["latitude_deg"].median(),
        city.longitude_deg if city else located["longitude_deg"].median(),
        candidates.city_latitude_deg_M,
        candidates.city_longitude_deg_M,
    )
    nearest = int(distance_km.argmin())
    country_name = candidates.country_names[candidates.city_country_M[nearest]]
    return CityMissing(
        *label,
        num_images=len(frame),
        nearest=f"{candidates.city_names[nearest]}, {country_name}",
        distance_km=float(distance_km[nearest]),
    )


def _one_pixel(_image: Image.Image) -> NDArray[np.uint8]:
    return np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True)
class SharedImages:
    """Count the shared images; the message names lines of both manifests."""

    count: int
    message: str


def shared_images(
    manifests: Sequence[Manifest], image_dir: Path | None = None
) -> list[SharedImages]:
    """Find the images that each two manifests share, under any spelling.

    With `image_dir`, names are the same image if they are the same file, links followed; without,
    if they differ at most in `./`, `//` and case.
    """
    lines_by_image = []
    for manifest in manifests:
        names, lines = (manifest.frame[column].tolist() for column in ("image_filename", "line"))
        images = (_image_of(name, image_dir) for name in names)
        lines_by_image.append(dict(zip(images, zip(names, lines, strict=True), strict=True)))
    found = []
    for a, b in combinations(range(len(manifests)), 2):
        shared = [image for image in lines_by_image[b] if image in lines_by_image[a]]
        if not shared:
            continue
        pairs = "; ".join(
            " and ".join(
                f"{shown(name)} on line {line}"
                for name, line in (lines_by_image[a][image], lines_by_image[b][image])
            )
            for image in shared[:_EXAMPLES]
        )
        more = "; …" if len(shared) > _EXAMPLES else ""
        message = (
            f"{manifests[a].path} and {manifests[b].path} share {len(shared):,} "
            f"image{'s' * (len(shared) != 1)} ({pairs}{more}): a model is tested on what it was "
            "trained on. Remove them from one file."
        )
        found.append(SharedImages(len(shared), message))
    return found


def _image_of(name: str, image_dir: Path | None) -> Hashable:
    canonical = canonical_name(name)
    if image_dir is None:
        return canonical.casefold()
    try:
        status = os.stat(f"{image_dir}/{canonical}")  # noqa: PTH116 -- a Path each takes longer
    except (OSError, ValueError):
        return canonical
    return status.st_dev, status.st_ino


def near_places(first: Manifest, second: Manifest, within_km: float = 1.0) -> int:
    """Count the second manifest's images within a distance of an image of the first."""
    degrees = ["latitude_deg", "longitude_deg"]
    one, other = (each.frame[degrees].to_numpy(np.float64) for each in (first, second))
    return int(are_near((other[:, 0], other[:, 1]), (one[:, 0], one[:, 1]), within_km).sum())


def near_pictures(
    first: Manifest, second: Manifest, first_thumbnails: Bytes, second_thumbnails: Bytes
) -> list[str]:
    """Describe the pictures that two manifests nearly share, most alike first."""
    found = near_duplicates(first_thumbnails, second_thumbnails)
    rows = zip(found.first_P, found.second_P, found.cosine_P, strict=True)
    return [f"{_row(first, a)} and {_row(second, b)}: {cosine:.0%} alike" for a, b, cosine in rows]


def _row(manifest: Manifest, row: int) -> str:
    name, line = manifest.frame["image_filename"].iloc[row], manifest.frame["line"].iloc[row]
    return f"{shown(name)} on line {line}"
