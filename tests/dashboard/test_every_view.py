"""Every page in every state of the store: it says something helpful and never fails.

What the frame decides before a page draws anything is looked at on one page; that every page goes
through the frame is a test of its own.
"""

import json
import sqlite3
from contextlib import closing

import pytest

from dashboard import navigation
from dashboard.shell import formats
from dashboard.views import frame
from streetclip.store import open_store
from tests.dashboard.pages import PAGES, WORK_PAGES, open_page_of, text_of
from tests.dashboard.specs import assert_valid
from tests.dashboard.worlds import HOSTILE, World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world")).with_two_runs()


@pytest.fixture(scope="module")
def partial_world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("partial"), num_images=40, with_files=False)
    made.add_run(num_done=25, state="interrupted")
    return made


@pytest.fixture(scope="module")
def hostile_world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    made = World(folder, num_images=40, text=HOSTILE, with_files=False)
    made.add_run("older", seed=3)
    made.add_run("newer", num_done=30, state="failed", error=HOSTILE)
    return made


@pytest.fixture
def small(tmp_path):
    made = World(tmp_path, num_images=40, with_files=False)
    made.add_run()
    return made


@pytest.fixture
def open_page(monkeypatch):
    return open_page_of(monkeypatch)


# What each page draws


@pytest.mark.parametrize("name", PAGES)
class TestEveryView:
    def test_a_full_run_is_drawn(self, open_page, world, name):
        page = open_page(world.path, name)
        assert not page.exception
        text = text_of(page)
        assert "newer" in text
        assert "Nothing to show" not in text
        for chart in page.get("vega_lite_chart"):
            assert_valid(json.loads(chart.proto.spec))

    def test_a_baseline_and_filters_are_drawn(self, open_page, world, name):
        page = open_page(
            world.path, name, run="2", baseline="1", continent="Europe", attr="weather=rain"
        )
        assert not page.exception
        assert "images match" in text_of(page)

    def test_unreadable_images_are_drawn(self, open_page, world, name):
        page = open_page(world.path, name, run="2", predicted="none")
        assert not page.exception
        assert "predicted no prediction" in " ".join(each.label for each in page.button)

    def test_filters_that_leave_nothing_say_so(self, open_page, world, name):
        page = open_page(world.path, name, run="2", country="FR", city="Nowhere")
        assert not page.exception
        assert "No image matches" in text_of(page)

    def test_parameters_of_its_own_that_fit_nothing_are_survived(self, open_page, world, name):
        names = ("sort", "by", "top", "norm", "level", "layer", "cell", "outcome", "unknown")
        own = dict.fromkeys(names, HOSTILE) | {"image": "99999999", "page": "100000"}
        page = open_page(world.path, name, run="2", **own)
        assert not page.exception
        assert "Nothing to show" not in text_of(page)

    def test_hostile_texts_are_drawn_as_texts(self, open_page, hostile_world, name):
        page = open_page(hostile_world.path, name, run="2", baseline="1")
        assert not page.exception
        for kind in ("markdown", "caption", "header", "subheader", "title"):
            assert not [each for each in page.get(kind) if "evil" in each.value]


@pytest.mark.parametrize("name", ["failures", "map"])
def test_an_image_and_a_page_that_are_no_numbers_are_survived(open_page, world, name):
    page = open_page(world.path, name, run="2", image=HOSTILE, page="-1")
    assert not page.exception
    assert "Nothing to show" not in text_of(page)


# What the frame decides for all of them


def test_a_partial_run_is_shown_as_partial(open_page, partial_world):
    page = open_page(partial_world.path)
    assert not page.exception
    assert "partial, 25 of 40" in text_of(page)


def test_hostile_texts_of_a_finished_run_are_drawn_as_texts(open_page, hostile_world):
    page = open_page(hostile_world.path, run="1", baseline="1")
    assert not page.exception
    for kind in ("markdown", "caption", "header", "subheader", "title"):
        assert not [each for each in page.get(kind) if "evil" in each.value]


@pytest.mark.parametrize("view", [view for of in navigation._PAGES.values() for view, *_ in of])
def test_every_page_goes_through_the_frame(monkeypatch, view):
    framed = []
    for name in ("show", "frame"):
        monkeypatch.setattr(frame, name, lambda title, body, **_: framed.append(title))
    view.render()
    assert len(framed) == 1


def test_every_page_of_the_navigation_is_opened_by_a_test():
    paths = [path for of in navigation._PAGES.values() for *_, path in of]
    assert sorted(paths) == sorted([*PAGES, *WORK_PAGES])


def test_without_a_store_the_page_names_the_file_and_the_commands(open_page, tmp_path):
    page = open_page(tmp_path / "streetclip.db")
    assert not page.exception
    assert "streetclip.db: does not exist" in text_of(page)
    assert "make demo-run" in text_of(page)


def test_an_empty_store_names_the_commands_that_fill_it(open_page, tmp_path):
    with open_store(tmp_path / "streetclip.db"):
        pass
    page = open_page(tmp_path / "streetclip.db")
    assert not page.exception
    assert "No run yet" in text_of(page)


def test_a_run_without_predictions_says_so(open_page, tmp_path):
    world = World(tmp_path, num_images=40, with_files=False)
    world.add_run(num_done=0, state="running")
    page = open_page(world.path)
    assert not page.exception
    assert "No predictions yet" in text_of(page)


@pytest.mark.parametrize(
    "parameters",
    [
        {"run": "99"},
        {"run": "1; DROP TABLE runs"},
        {"run": "1", "baseline": "77"},
        {"continent": HOSTILE},
        {"country": "Mars", "predicted": "fr", "km": "nan..inf", "status": "sleeping"},
        {"confidence": "0.9..0.1", "attr": "no mark", "country_is": "perhaps", "km": "25"},
    ],
    ids=str,
)
def test_a_bad_parameter_is_named_and_left_out(open_page, world, parameters):
    page = open_page(world.path, **parameters)
    assert not page.exception
    text = text_of(page)
    assert "A part of the link was left out" in text
    assert text.count("The link ") == len(parameters.keys() - {"run"} or parameters)


@pytest.mark.parametrize(
    "parameters",
    [{"region": HOSTILE, "tag": HOSTILE}, {"city": "x" * 500, "attr": f"{HOSTILE}={HOSTILE}"}],
    ids=lambda each: next(iter(each)),
)
def test_a_filter_that_fits_nothing_leaves_nothing(open_page, world, parameters):
    page = open_page(world.path, run="2", **parameters)
    assert not page.exception
    assert "No image matches" in text_of(page)


def test_another_programs_database_is_refused_in_words(open_page, tmp_path):
    with closing(sqlite3.connect(tmp_path / "streetclip.db")) as other:
        other.execute("CREATE TABLE runs (id)")
        other.commit()
    page = open_page(tmp_path / "streetclip.db")
    assert not page.exception
    assert "another program" in text_of(page)


def test_a_store_of_a_newer_version_is_refused_in_words(open_page, small):
    with closing(sqlite3.connect(small.path)) as other:
        other.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('streetclip', 'm999_more', '2030-01-01')"
        )
        other.commit()
    page = open_page(small.path)
    assert not page.exception
    assert "newer StreetCLIP" in text_of(page)


@pytest.mark.parametrize("name", ["overview", "failures"])
def test_a_store_deleted_while_the_page_is_open_is_said(open_page, small, name):
    page = open_page(small.path, name)
    small.path.unlink()
    page = page.run()
    assert not page.exception
    assert "does not exist" in text_of(page)


@pytest.mark.parametrize("name", ["overview", "failures"])
def test_a_store_locked_by_a_writer_is_still_read(open_page, small, name):
    with closing(sqlite3.connect(small.path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        page = open_page(small.path, name)
        writer.execute("ROLLBACK")
    assert not page.exception
    assert "Nothing to show" not in text_of(page)


def test_choosing_another_country_clears_region_and_city(open_page, world):
    page = open_page(world.path, run="2", country="FR", region="Brittany", city="Rennes")
    page.sidebar.multiselect(key="filter_country").set_value(["JP"]).run()
    assert not page.exception
    assert page.query_params["country"] in ("JP", ["JP"])
    assert not {"region", "city"} & set(page.query_params)


def test_a_switch_turns_the_values_of_a_filter_around(open_page, world):
    page = open_page(world.path, run="2", attr=["weather=rain", "weather=sun"])
    (weather,) = (each for each in page.sidebar.multiselect if each.label == "weather")
    page.sidebar.checkbox(key=weather.key.replace("filter_", "filter_not_")).check().run()
    assert not page.exception
    assert page.query_params["not_attr"] == ["weather=rain", "weather=sun"]
    assert "attr" not in page.query_params
    weather = page.sidebar.multiselect(key=weather.key)
    words = [formats.plain(each) for each in weather.options]
    assert [each.split(" (")[0] for each in words] == ["not rain", "snow", "not sun"]
    weather.set_value(["rain", "snow"]).run()
    assert page.query_params["not_attr"] == ["weather=rain", "weather=snow"]


@pytest.mark.parametrize("state", ["done", "interrupted"])
def test_the_table_of_runs_divides_by_the_images_with_a_prediction(open_page, tmp_path, state):
    world = World(tmp_path, num_images=40, with_files=False)
    num_done = 40 if state == "done" else 25
    world.add_run(num_done=num_done, state=state, skill=0.5)
    [(n, country, city)] = world.sql(
        "SELECT count(*), sum(country_correct), sum(city_correct) FROM predictions"
    )
    assert (n, 0 < city < country < n) == (num_done, True)
    [row] = open_page(world.path).dataframe[-1].value.to_dict("records")
    assert row["n"] == n
    assert row["country"] == pytest.approx(100 * country / n)
    assert row["city"] == pytest.approx(100 * city / n)
    assert row["hierarchical"] == pytest.approx(100 * city / country)
