"""Write a report of the chosen images as one HTML file that needs no network.

All figures come from `results`, written as the dashboard writes them. Every text is escaped, and
the page's own policy forbids scripts and requests: the names in it are untrusted.
"""

import base64
import functools
import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import jinja2
import pandas as pd

import streetclip
from streetclip import results
from streetclip.data.decoding import real_image_path
from streetclip.data.previews import decode_preview
from streetclip.errors import ImageError
from streetclip.metrics.intervals import wilson_interval
from streetclip.reports import drawings
from streetclip.reports.chosen import Chosen
from streetclip.reports.run_facts import run_facts
from streetclip.results import GateOutcome, RunTable, formats
from streetclip.results.filter_words import parts_by_prediction, set_parts
from streetclip.results.run_table import Bool
from streetclip.store import image_path, image_rows, open_store
from streetclip.store.connection import utc_now

CASES: Final[Mapping[str, str]] = {
    "surest": "Wrong country, most confident first",
    "farthest": "Wrong country, farthest first",
}
"""Orders of `results.ORDERS` in which the worst images are shown."""

_NUM_CASES: Final = 12
_MOST_ROWS: Final = 15
_MOST_CHANGED: Final = 5
_THUMBNAIL_SIDE, _JPEG_QUALITY = 320, 80
_FORMATS: Final = (
    "share", "interval", "count", "kilometres", "kilometre_number", "points", "points_interval",
    "signed", "moment", "plain", "country",
)  # fmt: skip

Rows = list[dict[str, Any]]


def report_html(chosen: Chosen, gates: Sequence[GateOutcome] = ()) -> str:
    """Make the report of a run's chosen images, with what gates measured.

    Raises StoreError or ResourceError if the store cannot be read.
    """
    environment = _environment()
    style, *_ = environment.loader.get_source(environment, "report.css")  # type: ignore[union-attr]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("report.html").render(
        run=chosen.run,
        baseline=chosen.baseline,
        created=formats.moment(utc_now()),
        version=streetclip.__version__,
        style=style,
        policy=f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'",
        filters=[words for words, _ in set_parts(chosen.selection)],
        by_prediction=parts_by_prediction(chosen.selection),
        facts=_portable(run_facts(chosen.run)),
        gates=gates,
        **_figures(chosen.table, chosen.mask),
        **_against(chosen),
        cases=_cases(chosen),
        land=drawings.land_path(),
        edge=drawings.edge_path(),
    )


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(formats, name) for name in _FORMATS}
    environment.filters |= {"curve_x": drawings.curve_x, "curve_y": drawings.curve_y}
    return environment


def _figures(table: RunTable, mask: Bool) -> dict[str, Any]:
    """Compute what is shown of the run alone."""
    by_country = results.group_counts(table, mask, "country")
    codes = by_country.groupby("country", as_index=False).sum(numeric_only=True)
    attributes = results.attribute_counts(table, mask)
    has_rest = attributes.groupby("attribute")["value"].transform("size") > 1
    mistakes = results.frequent_mistakes(results.country_pairs(table, mask))
    return {
        "figures": results.run_figures(table, mask, by_country),
        "curve": drawings.curve_points(results.distance_shares(table, mask)),
        "continents": _records(results.continent_shares(by_country)),
        "countries": _worst(codes),
        "num_countries": len(codes),
        "attributes": _worst(attributes[has_rest]),
        "mistakes": _records(mistakes.head(_MOST_ROWS)),
        "num_wrong": int(mistakes["n"].sum()),
        "calibration": results.calibration(table, mask),
        "discs": drawings.discs(table, mask),
    }


def _worst(counts: pd.DataFrame) -> Rows:
    """List the groups of the lowest country accuracy, by the upper end of its interval."""
    correct, n = counts["country_correct"], counts["n"]
    low, high = wilson_interval(correct, n)
    rows = counts.assign(accuracy=correct / n, low=low, high=high)
    return _records(rows.sort_values("high", kind="stable").head(_MOST_ROWS))


def _records(frame: pd.DataFrame) -> Rows:
    return [{str(name): each for name, each in row.items()} for row in frame.to_dict("records")]


def _against(chosen: Chosen) -> dict[str, Any]:
    """Compare with the baseline over the images that both have; empty without one."""
    if chosen.baseline_table is None:
        return {"deltas": {}, "curve_of_baseline": None, "changed": {"gained": [], "lost": []}}
    pair = chosen.table, chosen.baseline_table, chosen.mask
    theirs = results.common_masks(*pair)[1]
    countries = results.compare_by(*pair, "country", "country_code")
    net = countries["gained"] - countries["lost"]
    ordered = countries.assign(net=net).sort_values("net", kind="stable")
    return {
        "deltas": {
            "country": results.compare(*pair, "country"),
            "city": results.compare(*pair, "city"),
            "hierarchical": results.compare_hierarchical(*pair),
            "geoscore": results.compare_geoscore(*pair),
            **{str(km): each for km, each in results.compare_distances(*pair).items()},
        },
        "curve_of_baseline": drawings.curve_points(
            results.distance_shares(chosen.baseline_table, theirs)
        ),
        "changed": {
            "gained": _records(ordered[ordered["net"] > 0].iloc[::-1].head(_MOST_CHANGED)),
            "lost": _records(ordered[ordered["net"] < 0].head(_MOST_CHANGED)),
        },
    }


def _cases(chosen: Chosen) -> dict[str, Rows]:
    """Read the worst images in each of `CASES`, with their pictures."""
    wrong = chosen.mask & ~chosen.table.correct("country")
    found = {}
    with open_store(chosen.path, read_only=True) as opened, opened.snapshot():
        for order, title in CASES.items():
            ids, _ = results.page_of(chosen.table, wrong, order, 0, _NUM_CASES)
            rows = _records(image_rows(opened, chosen.run["id"], ids))
            files = [image_path(opened, row["image_id"]) for row in rows]
            uris = [_picture_uri(*file) for file in files]
            found[title] = [row | {"uri": uri} for row, uri in zip(rows, uris, strict=True)]
    return found


def _picture_uri(folder: Path, name: str) -> str:
    """Make a small JPEG of an image as a data URI; "" where it cannot be read."""
    try:
        image = decode_preview(real_image_path(folder, name), _THUMBNAIL_SIDE)
    except (ImageError, OSError, ValueError, RuntimeError):  # RuntimeError: links in a circle
        return ""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _portable(facts: Sequence[tuple[str, Any]]) -> list[tuple[str, list[str]]]:
    """Make lists of lines without the folders of this machine, as the file is handed on."""
    return [
        (term, [_without_folders(str(line)) for line in lines])
        for term, value in facts
        if term != "Output folder"
        and (lines := value if isinstance(value, list) else [value]) not in ([], [None])
    ]


def _without_folders(text: str) -> str:
    """Shorten the absolute paths in a text.

    Examples:
        >>> _without_folders("test · /home/me/data/test.csv"), _without_folders("a/b.pt")
        ('test · test.csv', 'a/b.pt')
    """
    return " · ".join(
        Path(part).name if Path(part).is_absolute() else part for part in text.split(" · ")
    )
