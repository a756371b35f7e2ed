"""The Compare page on stores of known predictions, against plain SQL."""

import json
import math

import pytest

from streetclip.gazetteer import countries
from tests.dashboard.galleries import cards_of
from tests.dashboard.pages import open_page_of, opener_of, text_of
from tests.dashboard.plain import one_decimal
from tests.dashboard.specs import assert_valid, words_of
from tests.dashboard.worlds import World

NEWER, OLDER = 2, 1
OUTCOMES = {
    "gained": "a.{0}_correct AND NOT b.{0}_correct",
    "lost": "b.{0}_correct AND NOT a.{0}_correct",
    "both_right": "a.{0}_correct AND b.{0}_correct",
    "both_wrong": "NOT a.{0}_correct AND NOT b.{0}_correct",
}
BOTH = (
    "FROM predictions AS a JOIN predictions AS b USING (image_id) "
    "WHERE a.run_id = 2 AND b.run_id = 1"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"), num_images=400).with_two_runs(0.5, 0.6)


@pytest.fixture
def open_page(monkeypatch, world):
    return opener_of(monkeypatch, world.path, "compare", run="2", baseline="1")


class Elsewhere(World):
    """The same file names in another folder, which makes them other images."""

    @property
    def image_dir(self):
        return self.path.parent / "elsewhere"

    @image_dir.setter
    def image_dir(self, _):
        pass


def counts(world, level="country", where="1"):
    return {
        name: world.sql(f"SELECT count(*) {BOTH} AND {test.format(level)} AND {where}")[0][0]
        for name, test in OUTCOMES.items()
    }


def table_with(page, *columns):
    return next(each.value for each in page.dataframe if {*columns} <= {*each.value})


@pytest.mark.parametrize("level", ["country", "city"])
def test_the_bar_counts_what_sql_counts(open_page, world, level):
    charts = open_page(level=level).get("vega_lite_chart")
    bar = next(text for each in charts if "baseline" in (text := words_of(each.proto)))
    for name, n in counts(world, level).items():
        assert n > 3
        words = name.replace("_", " ").replace("right", "correct")
        assert f"{words} {n} " in bar.replace("\u00a0", " ")


def test_differences_stand_with_both_shares_and_n(open_page, world):
    text = text_of(open_page())
    for level, title in (("country", "Country accuracy"), ("city", "City accuracy")):
        found = counts(world, level)
        mine, theirs = (100 * (found["both_right"] + found[x]) / 400 for x in ("gained", "lost"))
        sign = "+" if mine > theirs else "−"
        assert f"{title} {sign}{abs(mine - theirs):.1f} pp" in text
        assert f"{mine:.1f} % against {theirs:.1f} % · n = 400" in text


def test_countries_have_their_difference_gained_and_lost(open_page, world):
    table = table_with(open_page(), "gained").set_index("country")
    france = counts(world, where="a.true_country = 'FR'")
    row = table.loc["France"]
    assert (row["gained"], row["lost"], row["n"]) == (
        france["gained"],
        france["lost"],
        sum(france.values()),
    )
    difference = 100 * (france["gained"] - france["lost"]) / sum(france.values())
    assert row["difference"] == pytest.approx(difference)
    assert table["gained"].sum() == counts(world)["gained"]
    assert set(table["verdict"]) <= {"better", "n.s.", "worse"}
    order = [{"better": 0, "n.s.": 1, "worse": 2}[each] for each in table["verdict"]]
    assert order == sorted(order)


def test_without_a_baseline_the_newest_other_run_over_the_images_is_taken_and_named(
    monkeypatch, tmp_path
):
    world = World(tmp_path, num_images=60, with_files=False)
    for seed in (1, 2, 3):
        world.add_run(f"run {seed}", seed=seed)
    opener = open_page_of(monkeypatch)
    for run, expected in (("3", "2"), ("1", "3")):
        page = opener(world.path, "compare", run=run)
        assert not page.exception
        assert page.query_params["baseline"] == expected
        assert f"Against baseline run {expected} over the same 60 images." in text_of(page)
    same = opener(world.path, "compare", run="2", baseline="2")
    assert same.query_params["baseline"] == "3"


def test_a_single_run_has_nothing_to_be_compared_with(monkeypatch, tmp_path):
    world = World(tmp_path, num_images=40, with_files=False)
    world.add_run()
    page = open_page_of(monkeypatch)(world.path, "compare")
    assert not page.exception
    assert "Nothing to compare with" in text_of(page)
    assert "python main.py --mode evaluate" in text_of(page)


def test_a_baseline_that_is_not_there_is_said_and_another_offered(open_page):
    page = open_page(baseline="77")
    assert not page.exception
    assert "'77', which this store does not hold (any more)" in text_of(page)
    offer = next(each for each in page.button if each.label == "Compare with run 1").click().run()
    assert offer.query_params["baseline"] == "1"
    assert "Against baseline older" in text_of(offer)


def test_runs_over_other_images_cannot_be_compared(monkeypatch, tmp_path):
    World(tmp_path, num_images=40, with_files=False).add_run("first")
    other = Elsewhere(tmp_path, num_images=40, seed=8, with_files=False)
    other.add_run("second")
    page = open_page_of(monkeypatch)(other.path, "compare", run="2", baseline="1")
    assert not page.exception
    assert "it has none of these images. Choose another baseline." in text_of(page)
    assert not page.get("vega_lite_chart")


def test_of_two_datasets_the_images_of_both_are_compared(monkeypatch, tmp_path):
    fewer = World(tmp_path, num_images=40, seed=1, with_files=False)
    fewer.add_run("first")
    more = World(tmp_path, num_images=50, seed=9, with_files=False)
    more.add_run("second")
    opener = open_page_of(monkeypatch)
    page = opener(more.path, "compare", run="2", baseline="1")
    assert not page.exception
    assert "over the 40 of 50 images that both runs have" in text_of(page)
    alone = opener(more.path, "compare", run="2")  # no other run over the same test file
    assert "Nothing to compare with" in text_of(alone)


def test_only_images_that_both_have_judged_count(monkeypatch, tmp_path):
    world = World(tmp_path, num_images=90, with_files=False)
    world.add_run("older", num_done=50, state="interrupted", seed=1)
    world.add_run("newer", num_done=70, state="interrupted", seed=2)
    page = open_page_of(monkeypatch)(world.path, "compare", run="2", baseline="1")
    assert "over the 50 of 70 images that both runs have" in text_of(page)
    assert sum(counts(world).values()) == 50
    assert table_with(page, "gained")["n"].sum() == 50


def test_within_each_distance_the_shares_are_those_of_sql(open_page, world):
    table = table_with(open_page(), "verdict", "threshold_km").set_index("threshold_km")
    assert table.index.tolist() == [1, 25, 200, 750, 2500]
    for km, row in table.iterrows():
        shares = [
            world.sql(
                "SELECT avg(coalesce(distance_km, 1e9) <= ?) FROM predictions WHERE run_id = ?",
                km,
                run,
            )[0][0]
            for run in (NEWER, OLDER)
        ]
        found = row[["value", "baseline_value"]]
        assert one_decimal(*found) == one_decimal(*(100 * share for share in shares))
        # A half is rounded, and which way hangs on the last bit of the difference.
        assert row["difference"] == pytest.approx(100 * (shares[0] - shares[1]), abs=0.0501)


def test_a_country_filters_the_figures_but_not_the_map_and_the_table(open_page, world):
    page = open_page(country="FR")
    n = sum(counts(world, where="a.true_country = 'FR'").values())
    assert f"· n = {n}" in text_of(page)
    assert len(table_with(page, "gained")) == len(table_with(open_page(), "gained"))


@pytest.mark.parametrize("delta", list(OUTCOMES))
def test_the_images_shown_are_those_of_sql_the_surest_first(open_page, world, delta):
    page = open_page(delta=delta, country="FR")
    expected = world.sql(
        f"SELECT image_id, b.pred_country {BOTH} AND {OUTCOMES[delta].format('country')} "
        "AND a.true_country = 'FR' "
        "ORDER BY a.country_probability IS NULL, a.country_probability DESC, image_id"
    )
    assert expected
    shown = cards_of(page)
    assert [card["id"] for card in shown] == [image_id for image_id, _ in expected[:8]]
    for card, (_, code) in zip(shown, expected, strict=False):
        said = countries()[code].name if code else "no prediction"
        assert card["line"].startswith(f"Baseline: {said}")
    assert f"{min(8, len(expected))} of {len(expected)} images" in text_of(page)


def test_a_further_page_of_images_is_a_link(open_page):
    page = open_page(delta="both_wrong")
    following = next(each for each in page.button if each.label == "Next").click().run()
    assert following.query_params["page"] == "2"
    assert "Page 2 of" in text_of(following)
    last = open_page(delta="both_wrong", page="999")
    assert not last.exception
    assert next(each for each in last.button if each.label == "Next").disabled


def test_an_unknown_choice_falls_back_on_what_was_gained(open_page):
    page = open_page(delta="stolen", level="street")
    assert not page.exception
    control = next(each for each in page.get("button_group") if each.key == "outcome_shown")
    assert control.value == "gained"


def test_every_chart_is_valid_and_says_what_it_shows(open_page):
    for chart in open_page().get("vega_lite_chart"):
        assert_valid(json.loads(chart.proto.spec))
        assert len(words_of(chart.proto)) > 30


def test_intervals_are_those_of_newcombe(open_page, world):
    found = counts(world)
    n = 400
    mine, theirs = (found["both_right"] + found[name] for name in ("gained", "lost"))
    z = 1.959963984540054

    def ends(k):
        middle, half = k + z * z / 2, z * math.sqrt(k * (n - k) / n + z * z / 4)
        return (middle - half) / (n + z * z), (middle + half) / (n + z * z)

    (low_a, high_a), (low_b, high_b) = ends(mine), ends(theirs)
    product = found["both_right"] * found["both_wrong"] - found["gained"] * found["lost"]
    product = max(product - n / 2, 0) if product > 0 else product
    phi = product / math.sqrt(mine * (n - mine) * theirs * (n - theirs))
    below = (mine / n - low_a, high_b - theirs / n)
    above = (high_a - mine / n, theirs / n - low_b)
    low, high = (
        100 * ((mine - theirs) / n + sign * math.sqrt(x * x - 2 * phi * x * y + y * y))
        for sign, (x, y) in ((-1, below), (1, above))
    )
    words = f"{low:+.1f} to {high:+.1f}".replace("-", "−")
    assert words in text_of(open_page())
