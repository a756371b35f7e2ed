"""Write the gazetteer's tables of region names and of parts of cities."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from jobs.support.cli import OneLineParser, build_config_parser, run_job
from jobs.support.record import Job
from streetclip.config import PlaceTablesConfig

T = TypeVar("T")


def build_parser() -> OneLineParser:
    """Make the parser of this job's flags."""
    return build_config_parser(PlaceTablesConfig, __doc__ or "")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(build_parser(), PlaceTablesConfig, argv, _build)


def _build(config: PlaceTablesConfig, job: Job) -> None:
    from streetclip.files import write_text
    from streetclip.gazetteer.table_building import (
        find_parts_of_cities,
        read_codings,
        read_regions,
    )

    regions_path = config.output_dir / "regions.json"
    parts_path = config.output_dir / "parts_of_cities.json"
    _refuse_to_overwrite([regions_path, parts_path], config)
    regions = _read(read_regions, config.admin1_json, config.subdivisions_tsv)
    parts = find_parts_of_cities(_read(read_codings, config.cities500_txt))
    # A line for each entry, so that versions can be compared.
    write_text(regions_path, _regions_text(regions))
    write_text(parts_path, "[\n" + ",\n".join(map(str, parts)) + "\n]\n")
    job.add_output(regions_path)
    job.add_output(parts_path)
    count = sum(map(len, regions.values()))
    print(f"{config.output_dir}: {count:,} regions, {len(parts):,} parts of cities (GeoNames)")


def _refuse_to_overwrite(paths: Sequence[Path], config: PlaceTablesConfig) -> None:
    from streetclip.errors import OutputError

    for path in paths:
        if path.exists() and not config.overwrite:
            msg = f"{path}: exists. Name another --output_dir, or add --overwrite."
            raise OutputError(msg)


def _read(reader: Callable[..., T], *paths: Path) -> T:
    from streetclip.errors import ConfigError, shown

    names = " and ".join(map(str, paths))
    get = "data/README.md names the packages that have it."
    try:
        return reader(*paths)
    except OSError as error:
        msg = f"{error.filename}: cannot be read ({error.strerror}). {get}"
        raise ConfigError(msg) from error
    except (LookupError, TypeError, ValueError) as error:
        msg = f"{names}: unexpected content ({shown(error)}). {get}"
        raise ConfigError(msg) from error


def _regions_text(regions: Mapping[str, Mapping[str, Sequence[str]]]) -> str:
    lines = (
        f"{json.dumps(code)}: {json.dumps(names, ensure_ascii=False)}"
        for code, names in regions.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    raise SystemExit(main())
