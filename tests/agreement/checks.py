"""Compare what every page, file and table says of a run with the plain figures of its rows."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dashboard.images import exports
from dashboard.queries import comparisons, filter_values, group_ranking, run_queries
from dashboard.queries import report as overview
from dashboard.shell.page_query import View
from streetclip.reports.exports import COLUMNS
from streetclip.results.filters import Selection
from tests.agreement.drawn_runs import DrawnRun
from tests.agreement.plain_figures import figures, passes, read_rows

Figures = Mapping[str, Any]

ACCURACIES = ("country", "city", "hierarchical")
GROUPINGS = (
    "continent",
    "country",
    "country_code",
    "region",
    "city",
    "predicted",
    "attribute:weather",
)
_KEYS = {
    "continent": ("true_continent",),
    "country": ("true_continent", "true_country"),
    "country_code": ("true_country",),
    "region": ("true_continent", "true_country", "true_region"),
    "city": ("true_continent", "true_country", "true_region", "true_city"),
    "predicted": ("pred_country",),
    "attribute:weather": ("weather",),
}


class DisagreementError(AssertionError):
    """Two places show different figures, or a value passes its ceiling."""


class Checker:
    """Counts what it compares.

    Attributes:
        num_figures: Figures that were compared.
        num_ceilings: Values that were held against their ceiling.
    """

    def __init__(self) -> None:
        self.num_figures = 0
        self.num_ceilings = 0

    def same(self, found: Any, expected: Any, where: str) -> None:
        """Two figures are the same to the last bit; NaN and None are no figure."""
        self.num_figures += 1
        if _plain(found) != _plain(expected):
            msg = f"{where}: {found!r}, but by predictions.csv {expected!r}"
            raise DisagreementError(msg)

    def near(self, found: Any, expected: Any, where: str) -> None:
        """Two figures by different formulas are the same but for rounding."""
        self.num_figures += 1
        one, other = _plain(found), _plain(expected)
        same = one == other
        if not same and None not in (one, other):
            same = math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-12)
        if not same:
            msg = f"{where}: {found!r}, but by predictions.csv {expected!r}"
            raise DisagreementError(msg)

    def below(self, value: Any, ceiling: Any, where: str) -> None:
        """A value does not pass its ceiling; both are there or neither."""
        self.num_ceilings += 1
        value, ceiling = _plain(value), _plain(ceiling)
        if (value is None) != (ceiling is None) or (value is not None and value > ceiling):
            msg = f"{where}: {value!r} with a ceiling of {ceiling!r}"
            raise DisagreementError(msg)


def _plain(value: Any) -> Any:
    return None if value is None or value != value else float(value)  # noqa: PLR0124 -- NaN


def check_run(drawn: DrawnRun, selections: Iterable[Selection], checker: Checker) -> None:
    """Check a run under some filters.

    Raises:
        DisagreementError: With the place and both figures.
    """
    of_images = {
        str(row["image_filename"]): {"weather": row["weather"], "tagged": bool(row["tagged"])}
        for row in drawn.manifest.to_dict("records")
    }
    mine, theirs = (read_rows(folder / "predictions.csv", of_images) for folder in drawn.folders)
    _check_metrics(drawn, mine, checker)
    for selection in selections:
        view = run_queries.make_view(drawn.path, *drawn.run_ids, selection, Selection())
        rows = [row for row in mine if passes(row, selection)]
        expected = figures(rows)
        where = f"{drawn.kind}, {selection}"
        check_overview(view, expected, checker, where)
        _check_groups(view, rows, expected, checker, where)
        names = {row["image_filename"] for row in rows}
        common = names & {row["image_filename"] for row in theirs}
        pair = tuple(
            figures([row for row in each if row["image_filename"] in common])
            for each in (rows, theirs)
        )
        _check_compare(view, pair, checker, where)
        _check_export(view, rows, checker, where)


def _check_metrics(drawn: DrawnRun, rows: Sequence[Figures], checker: Checker) -> None:
    """metrics.json is of all rows."""
    expected = figures(rows)
    found = json.loads((drawn.folders[0] / "metrics.json").read_text(encoding="utf-8"))
    where = f"{drawn.kind}, metrics.json"
    checker.same(found["num_images"], expected["n"], where)
    checker.same(found["num_unreadable"], expected["unreadable"], where)
    for name in ACCURACIES:
        _check_accuracy(found[f"{name}_accuracy"], expected[name], checker, f"{where} {name}")
    distance = found["distance"]
    checker.same(distance["n"], expected["distance_n"], f"{where} distance n")
    ends = distance["median_km"]
    median = [ends[name] for name in ("value", "low", "high")]
    if distance["n"]:  # there None stands for infinity
        median = [math.inf if end is None else end for end in median]
    _check_median(median, expected["median"], checker, where)
    checker.near(distance["mean_km"], expected["mean_km"], f"{where} mean")
    checker.same(distance["mean_km_n"], expected["mean_km_n"], f"{where} mean n")
    checker.near(distance["geoscore"], expected["geoscore"], f"{where} GeoScore")
    for each in distance["share_within_km"]:
        _check_within(each, expected, checker, where)
    view = run_queries.make_view(drawn.path, *drawn.run_ids, Selection(), Selection())
    against_chance = comparisons.nearness(view)[1] or {}
    for name, value in found["neighbours"].items():
        checker.near(against_chance.get(name), value, f"{where} and Confusion, {name}")


def check_overview(view: View, expected: Figures, checker: Checker, where: str) -> None:
    """The figures behind Overview."""
    report = overview.report(view)
    where = f"{where}, Overview"
    checker.same(report.num_images, expected["n"], f"{where} n")
    checker.same(report.num_unreadable, expected["unreadable"], f"{where} unreadable")
    for name in ACCURACIES:
        _check_accuracy(getattr(report, name)._asdict(), expected[name], checker, f"{where} {name}")
    distance = report.distance
    checker.same(distance.n, expected["distance_n"], f"{where} distance n")
    median = distance.median_km
    _check_median((median.value, median.low, median.high), expected["median"], checker, where)
    checker.near(distance.geoscore, expected["geoscore"], f"{where} GeoScore")
    for each in report.thresholds.to_dict("records"):
        _check_within(each, expected, checker, where)
    for row in report.curve[report.curve["distance_km"].isin(expected["within"])].itertuples():
        share = expected["within"][int(row.distance_km)]
        checker.same(row.value, share["value"], f"{where} curve at {row.distance_km}")
    if view.is_whole_run:
        row = run_queries.runs_with_correct(view.path).set_index("id").loc[view.run_id]
        checker.same(row["num_done"], expected["n"], f"{where} runs n")
        checker.same(row["country_correct"], _right(expected["country"]), f"{where} runs")
        checker.same(row["city_correct"], _right(expected["city"]), f"{where} runs")


def _right(share: Figures) -> int:
    return round((share["value"] or 0) * share["n"])


def _check_accuracy(found: Figures, expected: Figures, checker: Checker, where: str) -> None:
    for name in ("value", "n", "ceiling", "macro", "macro_ceiling"):
        checker.same(found[name], expected[name], f"{where} {name}")
    for name in ("low", "high"):
        checker.near(found[name], expected[name], f"{where} {name}")
    checker.below(found["value"], found["ceiling"], where)
    checker.below(found["macro"], found["macro_ceiling"], f"{where} macro")


def _check_median(found: Sequence[Any], expected: Any, checker: Checker, where: str) -> None:
    for name, one, other in zip(
        ("median", "low", "high"), found, expected or (None,) * 3, strict=True
    ):
        checker.same(one, other, f"{where} {name} of the median distance")


def _check_within(found: Figures, figures_: Figures, checker: Checker, where: str) -> None:
    expected = figures_["within"][found["threshold_km"]]
    where = f"{where} within {found['threshold_km']} km"
    for name in ("value", "n", "ceiling"):
        checker.same(found[name], expected[name], f"{where} {name}")
    for name in ("low", "high"):
        checker.near(found[name], expected[name], f"{where} {name}")
    checker.below(found["value"], found["ceiling"], where)


def _check_groups(
    view: View, rows: Sequence[Figures], expected: Figures, checker: Checker, where: str
) -> None:
    """The figures behind Accuracy: the headline, and every group of every grouping."""
    names = {"country": "country", "city": "city", "given": "hierarchical"}
    where = f"{where}, Accuracy"
    for metric, name in names.items():
        macro = group_ranking.macro(run_queries.groups(view, "country"), metric)
        if macro is None:
            msg = f"{where} {metric}: no macro average"
            raise DisagreementError(msg)
        checker.same(macro.value, expected[name]["macro"], f"{where} macro {name}")
        checker.same(macro.ceiling, expected[name]["macro_ceiling"], f"{where} macro {name}")
        checker.below(macro.value, macro.ceiling, f"{where} macro {name}")
    _check_group(view, "overall", [((), rows)], checker, where)
    attributes = {f"attribute:{name}" for name in filter_values.attribute_names(view)}
    for by in {*GROUPINGS} - ({"attribute:weather"} - attributes):
        inside: dict[tuple[str, ...], list[Figures]] = {}
        for row in rows:
            inside.setdefault(tuple(row[key] for key in _KEYS[by]), []).append(row)
        _check_group(view, by, sorted(inside.items()), checker, where)


def _check_group(
    view: View,
    by: str,
    inside: Sequence[tuple[tuple[str, ...], Sequence[Figures]]],
    checker: Checker,
    where: str,
) -> None:
    if by == "overall" and not inside[0][1]:
        inside = []
    groups = run_queries.groups(view, by)
    checker.same(len(groups), len(inside), f"{where} groups by {by}")
    plain = [figures(rows) for _, rows in inside]
    names = {"country": "country", "city": "city", "given": "hierarchical"}
    for metric, name in names.items():
        found = group_ranking.group_shares(groups, metric).to_dict("records")
        for row, (key, _), each in zip(found, inside, plain, strict=True):
            place = f"{where} {by} {key} {name}"
            for column in ("value", "n", "ceiling"):
                checker.same(row[column], each[name][column], f"{place} {column}")
            checker.near(row["low"], each[name]["low"], f"{place} low")
            checker.near(row["high"], each[name]["high"], f"{place} high")
            checker.below(row["value"], row["ceiling"], place)
    found = group_ranking.group_shares(groups, group_ranking.MEDIAN).to_dict("records")
    for row, (key, _), each in zip(found, inside, plain, strict=True):
        place = f"{where} {by} {key}"
        checker.same(row["n"], each["distance_n"], f"{place} n of the median")
        median = [row[name] for name in ("value", "low", "high")]
        _check_median(median, each["median"], checker, place)


def _check_compare(view: View, pair: tuple[Figures, ...], checker: Checker, where: str) -> None:
    """The figures behind Compare, of the images that both runs have."""
    where = f"{where}, Compare"
    mine, theirs = pair
    for level in ACCURACIES:
        found = comparisons.comparison(view, level)
        checker.same(found.value, mine[level]["value"], f"{where} {level}")
        checker.same(found.baseline_value, theirs[level]["value"], f"{where} baseline {level}")
        if level != "hierarchical":
            checker.same(found.n, mine["n"], f"{where} {level} n")
    found = comparisons.comparison(view, "geoscore")
    distances = comparisons.distances(view)
    for one, each in ((found.value, mine), (found.baseline_value, theirs)):
        checker.near(one, each["geoscore"], f"{where} GeoScore")
    for median, each in (
        (distances.median_km, mine),
        (distances.baseline_median_km, theirs),
    ):
        ends = (median.value, median.low, median.high)
        _check_median(ends, each["median"], checker, where)
    for km, compared in distances.by_threshold.items():
        checker.same(compared.value, mine["within"][km]["value"], f"{where} within {km}")
        baseline = theirs["within"][km]["value"]
        checker.same(compared.baseline_value, baseline, f"{where} baseline within {km}")
    by_country = comparisons.comparison_by_country(view, "country")
    codes = by_country["country"].tolist()
    if len(codes) != len(set(codes)):
        msg = f"{where}: a country has two rows: {codes}"
        raise DisagreementError(msg)
    checker.same(by_country["n"].sum(), mine["n"], f"{where} n of all countries")
    for run, name in ((mine, "value"), (theirs, "baseline_value")):
        mean = math.fsum(by_country[name]) / len(codes) if codes else None
        checker.same(mean, run["country"]["macro"], f"{where} mean over countries of {name}")
    report = overview.report(view)
    if mine["n"] == report.num_images:  # the same images: the very same figures as on Overview
        checker.same(found.value, report.distance.geoscore, f"{where} and Overview, GeoScore")


def _check_export(view: View, rows: Sequence[Figures], checker: Checker, where: str) -> None:
    """The CSV of the filtered images has the rows of predictions.csv."""
    text = exports.file_of(view, "file").read().decode("utf-8-sig")
    exported = {row["image_filename"]: row for row in csv.DictReader(io.StringIO(text, newline=""))}
    checker.same(len(exported), len(rows), f"{where}, export")
    for row in rows:
        found = exported[row["image_filename"]]
        for name in COLUMNS:
            one, other = found[name], row[name]
            if isinstance(other, float) or other is None:
                one = float(one) if one else None
                checker.same(one, other, f"{where}, export of {row['image_filename']} {name}")
            elif one != other:
                msg = f"{where}, export of {row['image_filename']} {name}: {one!r}, not {other!r}"
                raise DisagreementError(msg)
