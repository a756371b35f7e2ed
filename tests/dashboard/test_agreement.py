"""Pages, files and tables agree on random runs, and no value passes its ceiling.

The figures are computed a second time in plain Python from predictions.csv; a longer search is
`benchmarks/measure_agreement.py`.
"""

import math

import pytest

from dashboard.shell import formats
from jobs.support.metrics_table import metrics_table
from streetclip.files import read_json
from streetclip.results.filters import Selection
from tests.agreement.checks import Checker, DisagreementError, check_run
from tests.agreement.drawn_runs import KINDS, draw_run, draw_selections
from tests.agreement.plain_figures import figures, passes, read_rows
from tests.dashboard.pages import open_page_of, text_of

SEEDS = range(len(KINDS))  # a run of each kind
MORE = [pytest.param(seed, marks=pytest.mark.slow) for seed in range(len(KINDS), 15)]
FEW_IMAGES = 50


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Runs by seed, drawn when they are first asked for."""
    made = {}

    def run(seed):
        if seed not in made:
            folder = tmp_path_factory.mktemp(f"run_{seed}")
            made[seed] = draw_run(folder, seed, most_images=FEW_IMAGES)
        return made[seed]

    return run


def rows_of(drawn, number=0):
    of_images = {
        row["image_filename"]: {"weather": row["weather"], "tagged": row["tagged"]}
        for row in drawn.manifest.to_dict("records")
    }
    return read_rows(drawn.folders[number] / "predictions.csv", of_images)


def test_the_kinds_of_runs_are_what_their_names_say(runs):
    assert {KINDS[seed % len(KINDS)] for seed in SEEDS} == set(KINDS)
    by_kind = {KINDS[seed]: rows_of(runs(seed)) for seed in range(len(KINDS))}
    assert len(by_kind["one image"]) == 1
    assert len({row["true_country"] for row in by_kind["one country"]}) == 1
    assert not any(row["country_correct"] for row in by_kind["all wrong"])
    assert {row["status"] for row in by_kind["all unreadable"]} == {"unreadable"}
    assert {row["coordinate_source"] for row in by_kind["no coordinates"]} == {"none"}
    assert len(by_kind["partial"]) < len(runs(KINDS.index("partial")).manifest)
    # Some predictions are as near as the nearest candidate, some of those abroad.
    ordinary = [row for seed in SEEDS for row in rows_of(runs(seed)) if row["distance_km"]]
    nearest = [row for row in ordinary if row["distance_km"] == row["nearest_candidate_km"]]
    assert any(row["country_correct"] for row in nearest)
    assert not all(row["country_correct"] for row in nearest)


@pytest.mark.parametrize("seed", [*SEEDS, *MORE])
def test_every_place_shows_the_figures_of_predictions_csv(runs, seed):
    drawn, checker = runs(seed), Checker()
    check_run(drawn, draw_selections(drawn, seed, 3), checker)
    assert checker.num_figures > 400
    assert checker.num_ceilings > 20


@pytest.mark.parametrize("seed", [*SEEDS, *MORE])
def test_no_prediction_is_nearer_than_the_nearest_candidate(runs, seed):
    for number in (0, 1):
        for row in rows_of(runs(seed), number):
            if row["distance_km"] is not None:
                assert row["distance_km"] >= row["nearest_candidate_km"], row["image_filename"]


def test_a_wrong_figure_is_noticed(runs):
    checker = Checker()
    for check in (checker.same, checker.near):
        with pytest.raises(DisagreementError, match=r"here: 0\.5, but by predictions.csv 0\.6"):
            check(0.5, 0.6, "here")
        with pytest.raises(DisagreementError):
            check(None, 0.0, "here")
    with pytest.raises(DisagreementError, match=r"0\.5 with a ceiling of 0\.4"):
        checker.below(0.5, 0.4, "here")
    with pytest.raises(DisagreementError, match="None"):
        checker.below(0.5, None, "here")


# The text of the pages


def per_cent(share):
    return "–" if share is None else f"{100 * share:.1f} %"


def kilometres(value):
    if math.isinf(value):
        return "∞"
    return f"{value:.1f}" if round(value, 1) < 10 else f"{value:,.0f}"


def accuracy_text(label, found):
    interval = f" {100 * found['low']:.1f}–{100 * found['high']:.1f}" if found["n"] else ""
    text = f"{label} {per_cent(found['value'])}{interval} n = {found['n']}"
    if found["n"]:
        text += f" · ceiling {per_cent(found['ceiling'])}"
        text += f" · macro {per_cent(found['macro'])}, ceiling {per_cent(found['macro_ceiling'])}"
    return text


def median_text(median):
    value, *ends = map(kilometres, median)
    return f"Median distance {value} km {'–'.join(ends)}"


@pytest.mark.parametrize(
    ("seed", "parameters", "selection"),
    [
        (0, {}, Selection()),
        (1, {"city_is": "wrong"}, Selection(city_correct=False)),
        (2, {"km": "..2500"}, Selection(distance_km=(None, 2500))),
    ],
)
def test_the_pages_write_what_predictions_csv_says(runs, seed, parameters, selection, monkeypatch):
    drawn, open_page = runs(seed), open_page_of(monkeypatch)
    found = figures([row for row in rows_of(drawn) if passes(row, selection)])
    first, second = map(str, drawn.run_ids)
    text = text_of(open_page(drawn.path, "overview", run=first, **parameters))
    for label, name in (
        ("Country accuracy", "country"),
        ("City accuracy", "city"),
        ("City given country", "hierarchical"),
    ):
        assert accuracy_text(label, found[name]) in text
    assert f"{median_text(found['median'])} n = {found['distance_n']}" in text
    assert f"GeoScore {found['geoscore']:,.0f} of 5,000 n = {found['distance_n']}" in text
    text = text_of(open_page(drawn.path, "accuracy", run=first, **parameters))
    assert f"macro {per_cent(found['country']['macro'])} mean of" in text
    text = text_of(open_page(drawn.path, "compare", run=first, baseline=second, **parameters))
    assert f"{per_cent(found['country']['value'])} against" in text
    assert median_text(found["median"]) in text


def test_the_table_of_a_job_writes_what_predictions_csv_says(runs):
    drawn = runs(0)
    found = figures(rows_of(drawn))
    metrics = read_json(drawn.folders[0] / "metrics.json") | {"num_skipped_rows": 0}
    lines = metrics_table(metrics).splitlines()
    line = next(line for line in lines if line.startswith("city given country"))
    each = found["hierarchical"]
    shares = [per_cent(each[name])[:-2] for name in ("value", "ceiling", "macro", "macro_ceiling")]
    assert line.split()[3] == shares[0]
    assert line.split()[6:] == shares[1:]
    value, *ends = map(kilometres, found["median"])
    assert any(each.startswith(f"median {value} km (95 %: {' to '.join(ends)})") for each in lines)
    assert formats.count(found["n"]) in lines[1]
