"""Check manifests, their images and the candidates before training or evaluating on them."""

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.support.cli import run_job
from jobs.support.record import Job
from streetclip.config import CheckDataConfig
from streetclip.errors import ManifestError, shown

if TYPE_CHECKING:
    from streetclip.data.candidates import Candidates
    from streetclip.data.dataset_check import CityMissing
    from streetclip.data.manifest import Manifest
    from streetclip.data.near_duplicates import Bytes
    from streetclip.data.place_matching import DoubtfulPlace

_MOST_LISTED = 20
_MOST_OTHERS = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code: 2 where anything is bad."""
    return run_job(CheckDataConfig, __doc__, argv, _check_data)


def _check_data(config: CheckDataConfig, job: Job) -> None:
    """Print the problems of the named files; raise ManifestError if any is bad."""
    from streetclip.data.candidates import load_candidates
    from streetclip.data.dataset_check import misplaced_candidates, shared_images
    from streetclip.data.manifest import read_manifest

    candidates, misplaced = None, []
    if config.candidates_file is not None:
        candidates = load_candidates(config.candidates_file)
        misplaced = misplaced_candidates(candidates)
        _print_some((f"! {candidates.path}: {text}" for text in misplaced), len(misplaced), "! ")
    manifests: list[Manifest] = []
    num_bad = 0
    has_warnings = bool(misplaced)
    for path in dict.fromkeys(config.csv):
        try:
            manifest = read_manifest(path, on_bad_rows="skip")
        except ManifestError as error:
            print(f"✗ {error}")
            num_bad += 1
            continue
        manifests.append(manifest)
        _print_manifest(manifest)
        has_warnings |= bool(manifest.warnings)
        num_bad += manifest.num_skipped if config.on_bad_rows == "fail" else 0
        if config.image_dir is not None:
            num_bad += _check_images(config, job, config.image_dir, manifest)
        if candidates is not None:
            has_warnings |= _print_coverage(manifest, candidates)
    for shared in shared_images(manifests, config.image_dir):
        print(f"✗ {shared.message}")
        num_bad += shared.count
    has_warnings |= _print_neighbours(config, job, manifests)
    if num_bad:
        msg = f"{num_bad:,} bad files, rows or images were found; correct what is listed above."
        raise ManifestError(msg)
    print("Nothing bad. Check the warnings above." if has_warnings else "All good.")


def _print_manifest(manifest: "Manifest") -> None:
    from streetclip import gazetteer

    frame = manifest.frame
    located = int(frame["latitude_deg"].notna().sum())
    print(
        f"{manifest.path}: {len(frame):,} images in {frame['country_code'].nunique():,} countries, "
        f"{located:,} with coordinates; {manifest.num_skipped:,} bad rows"
    )
    if manifest.attribute_columns:
        print(f"  attributes: {', '.join(map(shown, manifest.attribute_columns))}")
    _print_some((f"  ✗ {problem}" for problem in manifest.problems), manifest.num_skipped)
    for warning in manifest.warnings:
        print(f"  ! {warning}")
    counts, known = frame["country_code"].value_counts(), gazetteer.countries()
    names = [f"{known[str(code)].name} {n:,}" for code, n in counts.head(_MOST_LISTED).items()]
    rest = f" … and {len(counts) - len(names)} more" if len(counts) > len(names) else ""
    print(f"  images by country: {', '.join(names)}{rest}")


def _check_images(config: CheckDataConfig, job: Job, image_dir: Path, manifest: "Manifest") -> int:
    from streetclip.data.dataset_check import unreadable_images

    workers = config.num_workers
    with job.progress(f"images of {manifest.path.name}", "image") as bar:
        unreadable = unreadable_images(manifest, image_dir, num_workers=workers, progress=bar)
    print(f"  {len(manifest.frame) - len(unreadable):,} images decoded, {len(unreadable):,} not")
    lines = (f"  ✗ {manifest.path}:{line}: {error}" for line, error in unreadable)
    _print_some(lines, len(unreadable))
    return len(unreadable)


def _print_coverage(manifest: "Manifest", candidates: "Candidates") -> bool:
    """Print what the candidates cover; return whether any label fits several cities."""
    from streetclip.data.dataset_check import coverage

    found = coverage(manifest, candidates, most_listed=_MOST_LISTED)
    num_images = len(manifest.frame)
    print(
        f"  candidates name the country of {found.country / num_images:.1%} "
        f"({found.country:,}) and the city of {found.city / num_images:.1%} ({found.city:,})"
    )
    if found.countries_missing:
        print(f"  countries without candidates: {', '.join(found.countries_missing)}")
    if found.num_cities_missing:
        print(f"  cities that no candidate names: {found.num_cities_missing:,}")
        _print_some(map(_missing_line, found.cities_missing), found.num_cities_missing, "    ")
    if found.doubtful:
        print(
            f"  names without coordinates that fit several cities: {len(found.doubtful):,}. Give "
            "their images a region or coordinates."
        )
        lines = (_doubtful_line(place, candidates) for place in found.doubtful)
        _print_some(lines, len(found.doubtful), "    ")
    return bool(found.doubtful)


def _print_neighbours(config: CheckDataConfig, job: Job, manifests: "list[Manifest]") -> bool:
    """Print the pictures and places that each two files nearly share; return whether any do."""
    from streetclip.data.dataset_check import near_pictures, near_places

    thumbnails = _thumbnails(config, job, manifests) if config.near_duplicates else []
    is_any = False
    for a, b in itertools.combinations(range(len(manifests)), 2):
        pair = manifests[a], manifests[b]
        near = near_places(*pair)
        if near:
            print(
                f"! {pair[1].path}: {near:,} images are within 1 km of one of {pair[0].path}: a "
                "model may know the street. Split by place: jobs/import_dataset.py --split"
            )
        alike = near_pictures(*pair, thumbnails[a], thumbnails[b]) if thumbnails else []
        if alike:
            print(f"! {pair[0].path} and {pair[1].path} nearly share {len(alike):,} pictures:")
            _print_some((f"    {line}" for line in alike), len(alike), "    ")
        is_any |= bool(near or alike)
    return is_any


def _thumbnails(config: CheckDataConfig, job: Job, manifests: "list[Manifest]") -> "list[Bytes]":
    from streetclip.data.decoding import resolve_image_path
    from streetclip.data.near_duplicates import thumbnails

    assert config.image_dir is not None  # checked by the config
    found = []
    for manifest in manifests:
        names = manifest.frame["image_filename"]
        paths = [resolve_image_path(config.image_dir, name) for name in names]
        with job.progress(f"pictures of {manifest.path.name}", "image") as bar:
            found.append(thumbnails(paths, num_workers=config.num_workers, progress=bar))
    return found


def _missing_line(city: "CityMissing") -> str:
    nearest = "its place is unknown"
    if city.nearest:
        nearest = f"nearest candidate {shown(city.nearest)}, {city.distance_km:,.0f} km away"
    return f"    {_label(city)}: {city.num_images:,} images; {nearest}"


def _doubtful_line(place: "DoubtfulPlace", candidates: "Candidates") -> str:
    meant = "counts as no candidate; the name fits"
    if place.candidate >= 0:
        meant = f"counts as {shown(candidates.city_names[place.candidate])}, the largest; also"
    others = ", ".join(
        shown(", ".join(filter(None, (city.name, city.region))))
        for city in place.others[:_MOST_OTHERS]
    )
    rest = len(place.others) - _MOST_OTHERS
    more = f" and {rest} more" if rest > 0 else ""
    return f"    ? {_label(place)}: {place.num_images:,} images; {meant} {others}{more}"


def _label(place: "CityMissing | DoubtfulPlace") -> str:
    return shown(", ".join(filter(None, (place.city, place.region, place.country_code))))


def _print_some(lines: Iterable[str], total: int, indent: str = "  ") -> None:
    """Print the first lines, and how many of the total are left out."""
    printed = list(itertools.islice(lines, _MOST_LISTED))
    for line in printed:
        print(line)
    if total > len(printed):
        print(f"{indent}… and {total - len(printed):,} more")


if __name__ == "__main__":
    raise SystemExit(main())
