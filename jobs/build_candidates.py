"""Write a candidates file: the most populous cities of every country, from GeoNames."""

from collections.abc import Sequence

from jobs.cli import OneLineParser, build_config_parser, run_job
from jobs.record import Job
from streetclip.config import CandidatesConfig


def build_parser() -> OneLineParser:
    """The parser of this job, one flag for each setting."""
    return build_config_parser(CandidatesConfig, "Write the cities to choose from, as JSON.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job.

    Args:
        argv: The flags; None takes those of the process.

    Returns:
        The exit code.
    """
    return run_job(build_parser(), CandidatesConfig, argv, _build)


def _build(config: CandidatesConfig, job: Job) -> None:
    from streetclip.data.city_lists import list_cities, write_cities
    from streetclip.gazetteer import resolve_country

    _refuse_to_overwrite(config)
    cities = list_cities(
        [resolve_country(name).code for name in config.countries],
        cities_per_country=config.cities_per_country,
        min_population=config.min_population,
    )
    write_cities(config.output_file, cities)
    job.add_output(config.output_file)
    count = sum(map(len, cities.values()))
    print(f"{config.output_file}: {len(cities)} countries, {count} cities (GeoNames, CC BY 4.0)")


def _refuse_to_overwrite(config: CandidatesConfig) -> None:
    from streetclip.errors import OutputError

    if config.output_file.exists() and not config.overwrite:
        msg = f"{config.output_file}: stands already. Name another file, or add --overwrite."
        raise OutputError(msg)


if __name__ == "__main__":
    raise SystemExit(main())
