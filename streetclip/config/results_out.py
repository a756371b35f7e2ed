"""Define the settings of the jobs that hand results on."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from streetclip.config.options import JobConfig, option
from streetclip.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class _ChosenOptions(JobConfig):
    is_recorded: ClassVar[bool] = False
    run: str = option(help="name or number of the run; of several of a name, the newest")
    filter: str = option(
        "", help='images to keep, as in the URL of a page: "country=FR&not_predicted=DE"'
    )
    overwrite: bool = option(False, help="replace existing files")


def _check_apart(*outputs: Path | None) -> None:
    """Raise ConfigError if two outputs are one file: the later would replace the earlier."""
    files = [path.resolve() for path in outputs if path is not None]
    if len(set(files)) < len(files):
        msg = f"{outputs[0]}: is named for two outputs; expected a file for each."
        raise ConfigError(msg)


@dataclass(frozen=True, kw_only=True)
class ReportConfig(_ChosenOptions):
    """Settings of the `report` job."""

    kind: ClassVar[str] = "report"
    baseline: str | None = option(None, help="name or number of the run to compare with")
    gate: tuple[str, ...] = option(
        (),
        help="bounds that fail the job: country_accuracy>=0.6, night:city_accuracy>=0.4, "
        "weather=rain:country_accuracy>=0.4, country_accuracy>=baseline-0.02",
    )
    output: Path | None = option(None, help="HTML file to write")
    json: Path | None = option(None, help="JSON file for what the gates measured")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output is None and not self.gate:
            msg = "neither --output nor --gate is given; expected one of them or both."
            raise ConfigError(msg)
        if self.json is not None and not self.gate:
            msg = "--json is given without --gate; name a gate to measure."
            raise ConfigError(msg)
        _check_apart(self.output, self.json)


@dataclass(frozen=True, kw_only=True)
class ExportPredictionsConfig(_ChosenOptions):
    """Settings of the `export_predictions` job."""

    kind: ClassVar[str] = "export_predictions"
    output: Path | None = option(None, help=".csv, .parquet or .geojson file of the predictions")
    annotations: Path | None = option(None, help="CSV of tags, notes and statuses")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.output is None and self.annotations is None:
            msg = "neither --output nor --annotations is given; expected one of them or both."
            raise ConfigError(msg)
        _check_apart(self.output, self.annotations)
