"""Write a candidates file: the most populous cities of every country, from GeoNames."""

from collections.abc import Sequence

from jobs.support.cli import build_config_parser, run_job
from jobs.support.record import Job
from streetclip.config import CandidatesConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job and return its exit code."""
    return run_job(build_config_parser(CandidatesConfig, __doc__), CandidatesConfig, argv, _build)


def _build(config: CandidatesConfig, job: Job) -> None:
    from streetclip.data.candidates import list_cities, write_cities
    from streetclip.files import refuse_existing
    from streetclip.gazetteer import resolve_country

    if not config.overwrite:
        refuse_existing(config.output_file, advice="Name another file, or add --overwrite.")
    cities = list_cities(
        [resolve_country(name).code for name in config.countries],
        cities_per_country=config.cities_per_country,
        min_population=config.min_population,
    )
    write_cities(config.output_file, cities)
    job.add_output(config.output_file)
    count = sum(map(len, cities.values()))
    print(f"{config.output_file}: {len(cities)} countries, {count} cities (GeoNames, CC BY 4.0)")


if __name__ == "__main__":
    raise SystemExit(main())
