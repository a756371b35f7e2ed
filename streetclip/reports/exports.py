"""Export images with their predictions and annotations, in portions: CSV, Parquet, GeoJSON."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Final

import pandas as pd

from streetclip.data.csv_formulas import defuse
from streetclip.data.geojson import point_collection
from streetclip.errors import ConfigError, shown
from streetclip.store import Store, get_run, image_rows, read_annotations

COLUMNS: Final = (
    "image_filename", "line", "status", "country",
    "true_country", "true_continent", "true_region", "true_city", "pred_country", "pred_city",
    "country_correct", "city_correct", "country_reachable", "city_reachable",
    "country_probability", "city_probability", "true_country_rank", "true_city_rank",
    "true_latitude_deg", "true_longitude_deg", "pred_latitude_deg", "pred_longitude_deg",
    "coordinate_source", "distance_km", "nearest_candidate_km",
)  # fmt: skip
"""Columns named as in `predictions.csv`; tags, note, triage status and attributes follow."""

PORTION: Final = 5_000
"""Images that are in memory at once."""

_UNMARKED: Final[Mapping[str, Any]] = {"tags": (), "note": "", "status": "open"}
_ANNOTATION: Final = ("image_filename", "triage_status", "tags", "note", "updated_at")

Columns = dict[str, list[Any]]
Write = Callable[[Iterable[Columns], IO[bytes]], None]


def portions(
    opened: Store, run_id: int, image_ids: Sequence[int], size: int = PORTION
) -> Iterator[Columns]:
    """Yield the columns of some images of a run in their order, at least once.

    A column is a list of plain values, None where missing: `COLUMNS`, then tags ("; " between
    them), note, triage_status, and each attribute as "attribute:NAME".
    """
    names = get_run(opened, run_id)["attribute_columns"]
    for start in range(0, max(len(image_ids), 1), size):
        rows = image_rows(opened, run_id, image_ids[start : start + size])
        found = read_annotations(opened, rows["image_id"].tolist()).to_dict("index")
        marks = [found.get(each, _UNMARKED) for each in rows["image_id"].tolist()]
        attributes = [json.loads(text) if text else {} for text in rows["attributes"]]
        # By column, which is several times faster than by row.
        yield {
            **{name: _plain(rows[name]) for name in COLUMNS},
            "tags": ["; ".join(each["tags"]) for each in marks],
            "note": [each["note"] for each in marks],
            "triage_status": [each["status"] for each in marks],
            **{
                f"attribute:{name}": [_text(each.get(name)) for each in attributes]
                for name in names
            },
        }


def _plain(column: "pd.Series[Any]") -> list[Any]:
    values: list[Any] = column.tolist()
    if column.hasnans:
        return [None if pd.isna(each) else each for each in values]
    return values


def _text(value: object) -> str | None:
    return value if value is None or isinstance(value, str) else str(value)


def annotation_portions(
    opened: Store, run_id: int, image_ids: Sequence[int], size: int = PORTION
) -> Iterator[Columns]:
    """Yield the annotations of those of some images that have one, at least once."""
    for start in range(0, max(len(image_ids), 1), size):
        found = read_annotations(opened, image_ids[start : start + size])
        names = image_rows(opened, run_id, found.index)["image_filename"]
        tags = ["; ".join(each) for each in found["tags"]]
        lists = (names, found["status"], pd.Series(tags), found["note"], found["updated_at"])
        yield {name: each.tolist() for name, each in zip(_ANNOTATION, lists, strict=True)}


def write_csv(columns: Iterable[Columns], file: IO[bytes]) -> None:
    """Write UTF-8 with a byte order mark and no cell that a spreadsheet runs as a formula."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline="")
    writer = csv.writer(text)
    for i, each in enumerate(columns):
        if i == 0:
            writer.writerow(map(harmless, each))
        writer.writerows(zip(*(map(harmless, column) for column in each.values()), strict=True))
    text.flush()
    text.detach()


def harmless(value: object) -> object:
    """Make a cell as `defuse`; what is missing is blank, and booleans are 0 and 1.

    Examples:
        >>> harmless("=1+1"), harmless(-3.5), harmless(True), harmless(None)
        ("'=1+1", -3.5, 1, '')
    """
    if value is None:
        return ""
    return int(value) if isinstance(value, bool) else defuse(value)


def write_parquet(columns: Iterable[Columns], file: IO[bytes]) -> None:
    """Write typed columns: texts, booleans, integers (lines, ranks) and 64-bit floats."""
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    types = {"_correct": pa.bool_(), "_reachable": pa.bool_(), "_rank": pa.int64()}
    types |= dict.fromkeys(("_probability", "_deg", "_km"), pa.float64()) | {"line": pa.int64()}
    writer = None
    for each in columns:
        if writer is None:
            ends = {n: n if n == "line" else f"_{n.rpartition('_')[2]}" for n in COLUMNS}
            fields = [(name, types.get(ends.get(name, ""), pa.string())) for name in each]
            writer = pq.ParquetWriter(file, pa.schema(fields), compression="zstd")
        texts = {name: _sendable(column) for name, column in each.items()}
        writer.write_table(pa.table(texts, writer.schema))
    if writer is not None:
        writer.close()


def _sendable(column: list[Any]) -> list[Any]:
    """Replace what is no Unicode in texts, such as the odd bytes of a file name."""
    return [x.encode("utf-8", "replace").decode() if isinstance(x, str) else x for x in column]


def write_geojson(columns: Iterable[Columns], file: IO[bytes]) -> None:
    """Write a point at each predicted place (RFC 7946), with all columns as properties."""
    start = '{"type": "FeatureCollection", "features": [\n'
    for each in columns:
        rows = [dict(zip(each, row, strict=True)) for row in zip(*each.values(), strict=True)]
        points = point_collection(rows, "pred_latitude_deg", "pred_longitude_deg")
        for feature in points["features"]:
            text = json.dumps(feature, ensure_ascii=False, allow_nan=False)
            file.write(f"{start}{text}".encode("utf-8", "backslashreplace"))
            start = ",\n"
    end = "\n]}\n" if start == ",\n" else f"{start}]}}\n"
    file.write(end.encode())


WRITERS: Final[Mapping[str, Write]] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "geojson": write_geojson,
}
"""By the ending of the file's name."""


def writer_of(name: str) -> Write:
    """Choose the format of a file by its name; raise ConfigError for an unknown ending."""
    ending = name.rpartition(".")[2].lower()
    if ending not in WRITERS:
        endings = ", ".join(f".{each}" for each in WRITERS)
        msg = f"{shown(name)} ends with none of {endings}; name the file so."
        raise ConfigError(msg)
    return WRITERS[ending]
