"""The overview beside a baseline and beside published figures, against plain SQL."""

import json
import math
import sqlite3
from contextlib import closing

import pytest

from tests.dashboard.pages import open_page_of, opener_of, text_of
from tests.dashboard.specs import words_of
from tests.dashboard.worlds import World

NUM_IMAGES = 237


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made = World(folder, num_images=NUM_IMAGES, text=" IM2GPS", with_files=False)
    made.add_run("older", skill=0.5, seed=1)
    made.add_run("newer", skill=0.7, seed=2)
    made.add_run("partial", skill=0.7, seed=3, num_done=90, state="interrupted")
    return made


@pytest.fixture
def open_page(monkeypatch, world):
    return opener_of(monkeypatch, world.path, "overview", run="2")


def paired(world, *, run=2, baseline=1, right="country_correct", where="1"):
    """Images that both runs have: right in both, gained, lost, wrong in both."""
    rows = world.sql(
        f"SELECT new.{right}, old.{right}, count(*) FROM predictions AS new "
        "JOIN predictions AS old USING (image_id) "
        "JOIN dataset_images ON dataset_images.image_id = new.image_id AND dataset_id = 1 "
        f"WHERE new.run_id = ? AND old.run_id = ? AND {where} GROUP BY 1, 2",
        run,
        baseline,
    )
    counts = {(now, then): n for now, then, n in rows}
    return [counts.get(pair, 0) for pair in ((1, 1), (1, 0), (0, 1), (0, 0))]


def points(share):
    return f"{100 * share:+.1f}".replace("-", "−")


def outcome_words(counts):
    n = sum(counts)
    names = ("both correct", "gained", "lost", "both wrong")
    return ", ".join(
        f"{name} {count} ({100 * count / n:.1f} %)"
        for name, count in zip(names, counts, strict=True)
    )


def alt_of(page, start):
    texts = [words_of(each.proto) for each in page.get("vega_lite_chart")]
    return next(text for text in texts if text.startswith(start))


@pytest.mark.parametrize("right", ["country_correct", "city_correct"])
def test_the_difference_from_the_baseline_is_that_of_the_same_images(open_page, world, right):
    text = text_of(open_page(baseline="1"))
    _, gained, lost, _ = paired(world, right=right)
    assert "Against baseline older IM2GPS over the same 237 images." in text
    assert f"{points((gained - lost) / NUM_IMAGES)} pp " in text


def test_gained_and_lost_images_are_those_of_sql(open_page, world):
    page = open_page(baseline="1")
    assert alt_of(page, "The country of").endswith(f": {outcome_words(paired(world))}.")


def test_a_partial_baseline_is_compared_on_the_images_that_both_have(open_page, world):
    page = open_page(baseline="3")
    assert "over the 90 of 237 images that both runs have." in text_of(page)
    counts = paired(world, baseline=3)
    assert sum(counts) == 90
    assert alt_of(page, "The country of").endswith(f": {outcome_words(counts)}.")


def test_a_partial_run_is_compared_on_the_images_that_it_has(open_page, world):
    page = open_page(run="3", baseline="1")
    assert "over the same 90 images." in text_of(page)
    counts = paired(world, run=3)
    assert alt_of(page, "The country of").endswith(f": {outcome_words(counts)}.")


def test_filters_hold_for_the_comparison_too(open_page, world):
    page = open_page(baseline="1", continent="Europe", country_is="wrong")
    counts = paired(world, where="continent = 'Europe' AND new.country_correct = 0")
    assert counts[:2] == [0, 0]
    assert alt_of(page, "The country of").endswith(f": {outcome_words(counts)}.")
    assert "These images are chosen by the outcome" in text_of(page)


def test_countries_that_gained_and_lost_most_are_those_of_sql(open_page, world):
    page = open_page(baseline="1")
    from dashboard.shell import formats

    codes = [code for (code,) in world.sql("SELECT DISTINCT country_code FROM dataset_images")]
    net = {}
    for code in codes:
        _, gained, lost, _ = paired(world, where=f"country_code = '{code}'")
        net[formats.country(code)] = gained - lost
    shown = [each.value for each in page.dataframe if "net" in each.value]
    gained_most = sorted((n for n in net.values() if n > 0), reverse=True)[:3]
    assert [int(text) for text in shown[0]["net"]] == gained_most
    for row in shown[0].itertuples():
        assert net[row.country] == int(row.net)


def test_continents_have_the_baseline_beside_them(open_page, world):
    page = open_page(baseline="1")
    table = next(each.value for each in page.dataframe if "baseline" in each.value)
    found = table.set_index("continent")["baseline"].to_dict()
    rows = world.sql(
        "SELECT continent, 100.0 * avg(country_correct) FROM predictions "
        "JOIN dataset_images USING (image_id) WHERE run_id = 1 GROUP BY 1"
    )
    assert found == pytest.approx(dict(rows))


def test_the_baselines_curve_is_drawn_under_the_runs(open_page):
    lines = [
        [each["mark"]["type"] for each in spec["layer"]].count("line")
        for spec in (
            json.loads(open_page(**given).get("vega_lite_chart")[0].proto.spec)
            for given in ({}, {"baseline": "1"})
        )
    ]
    assert lines == [1, 2]


def test_the_geoscore_differs_by_the_mean_of_the_differences(open_page, world):
    text = text_of(open_page(baseline="1"))
    rows = world.sql(
        "SELECT new.distance_km, old.distance_km FROM predictions AS new "
        "JOIN predictions AS old USING (image_id) WHERE new.run_id = 2 AND old.run_id = 1"
    )

    def score(km):
        return 0.0 if km is None else 5000 * math.exp(-km / 1492.7)

    differences = [score(new) - score(old) for new, old in rows]
    mean = sum(differences) / len(differences)
    spread = math.sqrt(sum((each - mean) ** 2 for each in differences) / (len(differences) - 1))
    half = 1.959964 * spread / math.sqrt(len(differences))
    assert f"{mean:+,.0f} {mean - half:+,.0f} to {mean + half:+,.0f}" in text


def test_a_run_is_no_baseline_of_itself(open_page):
    text = text_of(open_page(baseline="2"))
    assert "Against baseline" not in text
    assert "What changed" not in text


def test_runs_over_other_test_files_are_compared_on_the_images_they_share(monkeypatch, tmp_path):
    World(tmp_path, num_images=30, seed=1, with_files=False).add_run("first")
    world = World(tmp_path, num_images=40, seed=2, with_files=False)
    world.add_run("second")
    page = open_page_of(monkeypatch)(world.path, "overview", run="2", baseline="1")
    assert not page.exception
    assert "over the 30 of 40 images that both runs have." in text_of(page)


def test_runs_without_a_common_image_cannot_be_compared_and_it_is_said(monkeypatch, tmp_path):
    World(tmp_path, num_images=30, seed=1, with_files=False).add_run("first")
    with closing(sqlite3.connect(tmp_path / "streetclip.db")) as connection, connection:
        connection.execute("UPDATE image_folders SET path = '/another'")
    world = World(tmp_path, num_images=40, seed=2, with_files=False)
    world.add_run("second")
    page = open_page_of(monkeypatch)(world.path, "overview", run="2", baseline="1")
    assert not page.exception
    text = text_of(page)
    assert "cannot be compared: it has none of these images." in text
    assert "What changed" not in text


def test_published_figures_stand_beside_a_public_test_set(open_page):
    page = open_page()
    text = text_of(page)
    assert "Against the figures published on IM2GPS" in text
    assert "n = 237, as published." in text
    assert "arXiv 2302.00275" in text
    table = next(each.value for each in page.dataframe if "StreetCLIP" in each.value)
    assert table["StreetCLIP"].round(1).tolist() == [28.3, 45.1, 74.7, 88.2]


@pytest.mark.parametrize("parameters", [{"continent": "Europe"}, {"run": "3"}])
def test_published_figures_are_not_beside_a_part_of_the_test_set(open_page, parameters):
    assert "published" not in text_of(open_page(**parameters))


def test_another_number_of_images_than_published_is_said(monkeypatch, tmp_path):
    world = World(tmp_path, num_images=231, text=" im2gps", with_files=False)
    world.add_run()
    text = text_of(open_page_of(monkeypatch)(world.path, "overview", run="1"))
    assert "n = 231 here, 237 as published" in text
