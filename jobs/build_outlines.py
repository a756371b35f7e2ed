"""Write the country outlines that the dashboard draws, from Natural Earth."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jobs.support.cli import OneLineParser, build_config_parser, run_job
from jobs.support.record import Job
from streetclip.config import OutlinesConfig

if TYPE_CHECKING:
    from streetclip.gazetteer.topojson import Topology


def build_parser() -> OneLineParser:
    """The parser of this job, one flag for each setting."""
    return build_config_parser(OutlinesConfig, "Write the outlines of all countries, as TopoJSON.")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the job.

    Args:
        argv: The flags; None takes those of the process.

    Returns:
        The exit code.
    """
    return run_job(build_parser(), OutlinesConfig, argv, _build)


def _build(config: OutlinesConfig, job: Job) -> None:
    from streetclip.files import write_text
    from streetclip.gazetteer.outlines import OBJECT_NAME
    from streetclip.gazetteer.simplification import simplify
    from streetclip.gazetteer.topojson import write_topology

    _refuse_to_overwrite(config)
    simple = simplify(
        _read(config),
        least_km2=config.least_km2,
        least_island_km2=config.least_island_km2,
    )
    text = _lines(write_topology(simple, OBJECT_NAME))
    write_text(config.output, text)
    job.add_output(config.output)
    size = len(text.encode()) / 1000
    print(f"{config.output}: {len(simple.shapes)} shapes, {size:.0f} kB (Natural Earth)")


def _read(config: OutlinesConfig) -> "Topology":
    import dataclasses

    from streetclip.errors import ConfigError, shown
    from streetclip.gazetteer.outline_shapes import shapes_by_code
    from streetclip.gazetteer.topojson import read_topology

    where = f"--topojson {config.topojson}"
    get = "Get it with `npm pack world-atlas@2.0.2` and unpack countries-50m.json."
    try:
        topology = read_topology(json.loads(config.topojson.read_bytes()), "countries")
        return dataclasses.replace(topology, shapes=shapes_by_code(topology))
    except OSError as error:
        msg = f"{where}: cannot be read ({error.strerror}); expected world-atlas's file. {get}"
        raise ConfigError(msg) from error
    except (LookupError, TypeError, ValueError) as error:
        msg = f"{where}: is not world-atlas's countries-50m.json ({shown(error)}). {get}"
        raise ConfigError(msg) from error


def _lines(content: dict[str, Any]) -> str:
    """Compact JSON with a line for each shape and arc, so that versions can be compared."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.replace('},{"type"', '},\n{"type"').replace("]],[[", "]],\n[[") + "\n"


def _refuse_to_overwrite(config: OutlinesConfig) -> None:
    from streetclip.errors import OutputError

    if config.output.exists() and not config.overwrite:
        msg = f"{config.output}: stands already. Name another file, or add --overwrite."
        raise OutputError(msg)


if __name__ == "__main__":
    raise SystemExit(main())
