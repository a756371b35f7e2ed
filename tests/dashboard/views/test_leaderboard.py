"""The Leaderboard: figures as in `results`, differences paired, runs by dataset."""

import json
import math
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboard.shell import formats
from streetclip import results
from streetclip.metrics.intervals import FEWEST_CLUSTERS, cluster_bootstrap
from streetclip.metrics.published import benchmark_of
from streetclip.results import RunTable
from streetclip.store import archive_run, get_run, open_store, rename_dataset
from tests.dashboard.pages import opener_of, text_of
from tests.dashboard.sites import DESK, serve
from tests.dashboard.worlds import World

NEWER, OLDER = 2, 1


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"), num_images=200, with_files=False)
    return made.with_two_runs(0.5, 0.6)


@pytest.fixture
def open_page(monkeypatch, world):
    return opener_of(monkeypatch, world.path, "leaderboard", run=str(NEWER))


def tables(page):
    return [each.value for each in page.dataframe]


def test_figures_and_intervals_are_those_of_results(open_page, world):
    page = open_page(metric="within_750", by="attribute:weather")
    (rows,) = tables(page)
    assert rows["within_750"].is_monotonic_decreasing
    assert rows["kind"].tolist() == ["hierarchical", "hierarchical"]
    row = rows.set_index("run").loc["newer"]
    table = RunTable.open(world.path, NEWER)
    figures = results.run_figures(table, table.done)
    distance = figures["distance"]
    for name in ("country", "city", "hierarchical"):
        found = figures[f"{name}_accuracy"]
        assert row[name] == pytest.approx(100 * found["value"], abs=0.051)
        assert row[f"{name}_ends"] == f"{100 * found['low']:.1f}–{100 * found['high']:.1f}"
    for each in distance["share_within_km"]:
        assert row[f"within_{each['threshold_km']}"] == pytest.approx(
            100 * each["value"], abs=0.051
        )
    assert row["geoscore"] == pytest.approx(distance["geoscore"], abs=0.51)
    assert row["median"] == pytest.approx(distance["median_km"]["value"], abs=0.51)
    (chart,) = page.get("vega_lite_chart")
    spoken = json.loads(chart.proto.spec)["description"]
    share = formats.share(figures["distance"]["share_within_km"][3]["value"])
    assert f"{NEWER} · newer {share}" in spoken
    by_weather = results.group_counts(table, table.done, "attribute:weather").set_index("value")
    for value, counts in by_weather.iterrows():
        expected = 100 * counts["within_750"] / counts["with_coordinates"]
        assert row[f"slice:{value}"] == pytest.approx(expected, abs=0.051)


@pytest.mark.parametrize("metric", ["country", "geoscore", "median"])
def test_differences_from_the_baseline_are_paired(open_page, world, metric):
    page = open_page(metric=metric, baseline=str(OLDER))
    (rows,) = tables(page)
    if metric == "median":
        assert "difference" not in rows
        return
    rows = rows.set_index("run")
    newer, older = (RunTable.open(world.path, i) for i in (NEWER, OLDER))
    compared = results.compare_geoscore if metric == "geoscore" else results.compare
    expected = compared(newer, older, newer.done)
    scale = 1 if metric == "geoscore" else 100
    row = rows.loc["newer"]
    assert row["difference"] == pytest.approx(scale * expected.difference, abs=0.051 * 100 / scale)
    is_clear = expected.low > 0 or expected.high < 0
    assert row["significance"] == ("significant" if is_clear else "not significant")
    assert row["num_common"] == expected.n
    assert math.isnan(rows.loc["older"]["difference"])


def test_intervals_can_be_clustered_by_an_attribute(open_page, world):
    page = open_page(baseline=str(OLDER), cluster="attribute:scene")
    (rows,) = tables(page)
    row = rows.set_index("run").loc["newer"]
    newer, older = (RunTable.open(world.path, i) for i in (NEWER, OLDER))
    counts = results.group_counts(newer, newer.done, "attribute:scene")
    assert len(counts) >= FEWEST_CLUSTERS
    _, low, high = cluster_bootstrap(counts["country_correct"], counts["n"], seed=0)
    assert row["country_ends"] == f"{100 * low:.1f}–{100 * high:.1f}"
    pairs = results.compare_by(newer, older, newer.done, "country", "attribute:scene")
    _, low, high = cluster_bootstrap(pairs["gained"] - pairs["lost"], pairs["n"], seed=0)
    assert row["difference_ends"] == formats.points_interval(low, high)
    assert row["median_ends"] == "–"
    page = open_page(cluster="attribute:camera")  # of two values
    assert tables(page)[0]["country_ends"].tolist() == ["–", "–"]
    assert f"clustered by fewer than {FEWEST_CLUSTERS} values are left out." in text_of(page)


def test_runs_are_grouped_by_dataset_archived_ones_hidden_and_published_ones_ranked(
    monkeypatch, tmp_path
):
    world = World(tmp_path, num_images=60, with_files=False).with_two_runs()
    world.add_run("hidden")
    with open_store(world.path) as database:
        archive_run(database, 3, get_run(database, 3)["uid"], is_archived=True)
        rename_dataset(database, 1, "IM2GPS3k")
    monkeypatch.setattr(
        "dashboard.queries.report.benchmark_of", lambda name, n: benchmark_of(name, 2997)
    )
    open_page = opener_of(monkeypatch, world.path, "leaderboard", run="2", metric="within_750")
    page = open_page()
    (rows,) = tables(page)
    shares = rows.set_index("run")["within_750"]
    assert shares["GeoRanker"] == pytest.approx(76.3)
    assert shares["StreetCLIP"] == pytest.approx(61.3)
    assert shares.is_monotonic_decreasing
    assert "hidden" not in shares
    assert "GeoRanker: Jia et al. (2025), arXiv 2505.13731" in text_of(page)
    page = open_page(archived="all", continent="Europe")
    (rows,) = tables(page)
    assert set(rows["run"]) == {"older", "newer", "hidden"}


@pytest.mark.browser
def test_a_click_on_a_run_opens_its_overview(world, tmp_path, visit):
    with serve(world.path, tmp_path) as address:
        page = visit(viewport=DESK).go(f"{address}/leaderboard?run=2&baseline=1&continent=Europe")
        table = page.get_by_test_id("stDataFrame")
        box = table.bounding_box()
        page.mouse.click(box["x"] + 100, box["y"] + box["height"] - 18)  # the last row
        page.get_by_role("heading", name="Overview", exact=True).wait_for(timeout=30_000)
        found = parse_qs(urlsplit(page.url).query)
        assert found == {"run": ["1"], "continent": ["Europe"]}
