"""Check manifests, their images and the candidates before training or evaluating on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.cli import OneLineParser, build_config_parser, run_job
from jobs.record import Job
from streetclip.config import CheckDataConfig
from streetclip.errors import ManifestError, shown

if TYPE_CHECKING:
    from streetclip.data.candidates import Candidates
    from streetclip.data.dataset_check import CityMissing, Coverage
    from streetclip.data.manifest import Manifest
    from streetclip.data.place_matching import DoubtfulPlace

_SPELLED_OUT = 20
_OTHERS_SPELLED_OUT = 3


def build_parser() -> OneLineParser:
    """Make the parser of this job's flags."""
    return build_config_parser(CheckDataConfig, __doc__ or "")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code: 2 where anything is bad."""
    return run_job(build_parser(), CheckDataConfig, argv, check_data)


def check_data(config: CheckDataConfig, job: Job) -> None:
    """Check what the flags name, and print what was found.

    Args:
        config: The flags.
        job: Its record.

    Raises:
        ManifestError: Something is bad; what, is printed.
        CandidatesError: The candidates cannot be used.
    """
    from streetclip.data.candidates import load_candidates
    from streetclip.data.manifest import Manifest
    from streetclip.data.shared_images import shared_images

    candidates = None if config.candidates_file is None else load_candidates(config.candidates_file)
    manifests: list[Manifest] = []
    is_doubtful = candidates is not None and _print_misplaced_candidates(candidates)
    num_bad = 0
    for path in dict.fromkeys(config.csv):
        manifest = _read(path)
        if manifest is None:
            num_bad += 1
            continue
        manifests.append(manifest)
        num_bad += _check_one(config, job, manifest)
        if candidates is not None:
            is_doubtful |= _print_coverage(manifest, candidates)
    for shared in shared_images(manifests, config.image_dir):
        print(f"✗ {shared.message}")
        num_bad += shared.count
    if num_bad:
        msg = f"{num_bad:,} bad files, rows or images were found; mend what is listed above."
        raise ManifestError(msg)
    is_doubtful |= any(manifest.warnings for manifest in manifests)
    print("Nothing bad. Check the warnings above." if is_doubtful else "All good.")


def _read(path: Path) -> "Manifest | None":
    from streetclip.data.manifest import read_manifest

    try:
        return read_manifest(path, on_bad_rows="skip")
    except ManifestError as error:
        print(f"✗ {error}")
        return None


def _check_one(config: CheckDataConfig, job: Job, manifest: "Manifest") -> int:
    """Print what is found in one manifest, and count what is bad."""
    frame = manifest.frame
    located = int(frame["latitude_deg"].notna().sum())
    print(
        f"{manifest.path}: {len(frame):,} images in {frame['country_code'].nunique():,} countries, "
        f"{located:,} with coordinates; {manifest.num_skipped:,} bad rows"
    )
    if manifest.attribute_columns:
        print(f"  attributes: {', '.join(map(shown, manifest.attribute_columns))}")
    _print_problems(list(manifest.problems), manifest.num_skipped)
    for warning in manifest.warnings:
        print(f"  ! {warning}")
    _print_countries(manifest)
    num_bad = manifest.num_skipped if config.on_bad_rows == "fail" else 0
    if config.image_dir is not None:
        num_bad += _check_images(config, job, config.image_dir, manifest)
    return num_bad


def _print_problems(problems: list[str], total: int) -> None:
    for problem in problems:
        print(f"  ✗ {problem}")
    if total > len(problems):
        print(f"  … and {total - len(problems):,} more")


def _print_countries(manifest: "Manifest") -> None:
    from streetclip import gazetteer

    counts = manifest.frame["country_code"].value_counts()
    shown = [
        f"{gazetteer.countries()[str(code)].name} {count:,}"
        for code, count in counts.head(_SPELLED_OUT).items()
    ]
    rest = f" … and {len(counts) - len(shown)} more" if len(counts) > len(shown) else ""
    print(f"  images by country: {', '.join(shown)}{rest}")


def _print_misplaced_candidates(candidates: "Candidates") -> bool:
    """Print the candidates that lie outside their country; say whether there are any."""
    from streetclip.data.dataset_check import misplaced_candidates

    found = misplaced_candidates(candidates)
    for text in found[:_SPELLED_OUT]:
        print(f"! {candidates.path}: {text}")
    if len(found) > _SPELLED_OUT:
        print(f"! … and {len(found) - _SPELLED_OUT:,} more candidates outside their country")
    return bool(found)


def _print_coverage(manifest: "Manifest", candidates: "Candidates") -> bool:
    """Print what the candidates can name; say whether any label fits several cities."""
    from streetclip.data.dataset_check import coverage

    found = coverage(manifest, candidates, most_listed=_SPELLED_OUT)
    print(
        f"  candidates name the country of {found.country / found.num_images:.1%} "
        f"({found.country:,}) and the city of {found.city / found.num_images:.1%} ({found.city:,})"
    )
    if found.countries_missing:
        print(f"  countries without candidates: {', '.join(found.countries_missing)}")
    _print_missing_cities(found)
    _print_doubtful(found, candidates)
    return bool(found.doubtful)


def _print_missing_cities(found: "Coverage") -> None:
    if not found.num_cities_missing:
        return
    print(f"  cities that no candidate names: {found.num_cities_missing:,}")
    for city in found.cities_missing:
        nearest = "its place is unknown"
        if city.nearest:
            nearest = f"nearest candidate {shown(city.nearest)}, {city.distance_km:,.0f} km away"
        print(f"    {_label(city)}: {city.num_images:,} images; {nearest}")
    rest = found.num_cities_missing - len(found.cities_missing)
    if rest:
        print(f"    … and {rest:,} more")


def _print_doubtful(found: "Coverage", candidates: "Candidates") -> None:
    if not found.doubtful:
        return
    print(
        f"  names without coordinates that fit several cities: {len(found.doubtful):,}. Give "
        "their images a region or coordinates."
    )
    for place in found.doubtful[:_SPELLED_OUT]:
        meant = "counts as no candidate; the name fits"
        if place.candidate >= 0:
            meant = f"counts as {shown(candidates.city_names[place.candidate])}, the largest; also"
        others = ", ".join(
            shown(", ".join(filter(None, (city.name, city.region))))
            for city in place.others[:_OTHERS_SPELLED_OUT]
        )
        more = (
            f" and {len(place.others) - _OTHERS_SPELLED_OUT} more"
            if len(place.others) > _OTHERS_SPELLED_OUT
            else ""
        )
        print(f"    ? {_label(place)}: {place.num_images:,} images; {meant} {others}{more}")
    if len(found.doubtful) > _SPELLED_OUT:
        print(f"    … and {len(found.doubtful) - _SPELLED_OUT:,} more")


def _label(place: "CityMissing | DoubtfulPlace") -> str:
    return shown(", ".join(filter(None, (place.city, place.region, place.country_code))))


def _check_images(config: CheckDataConfig, job: Job, image_dir: Path, manifest: "Manifest") -> int:
    from streetclip.data.dataset_check import unreadable_images

    with job.progress(f"images of {manifest.path.name}", "image") as bar:
        unreadable = unreadable_images(
            manifest, image_dir, num_workers=config.num_workers, progress=bar
        )
    print(f"  {len(manifest.frame) - len(unreadable):,} images decoded, {len(unreadable):,} not")
    problems = [f"{manifest.path}:{line}: {error}" for line, error in unreadable[:_SPELLED_OUT]]
    _print_problems(problems, len(unreadable))
    return len(unreadable)


if __name__ == "__main__":
    raise SystemExit(main())
