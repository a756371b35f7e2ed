"""Every page in every state of the store: it says something helpful and never fails."""

import json
import sqlite3
from contextlib import closing

import pytest

from streetclip.store import open_store
from tests.dashboard.pages import PAGES, open_page_of, text_of
from tests.dashboard.specs import assert_valid
from tests.dashboard.worlds import HOSTILE, World


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"))
    made.add_run("older", skill=0.4, seed=1)
    made.add_run("newer", skill=0.7, seed=2)
    return made


@pytest.fixture
def open_page(monkeypatch):
    return open_page_of(monkeypatch)


@pytest.mark.parametrize("name", PAGES)
class TestEveryView:
    def test_without_a_store_it_names_the_file_and_the_commands(self, open_page, tmp_path, name):
        page = open_page(tmp_path / "streetclip.db", name)
        assert not page.exception
        assert "streetclip.db: does not exist" in text_of(page)
        assert "make demo-run" in text_of(page)

    def test_an_empty_store_names_the_commands_that_fill_it(self, open_page, tmp_path, name):
        with open_store(tmp_path / "streetclip.db"):
            pass
        page = open_page(tmp_path / "streetclip.db", name)
        assert not page.exception
        assert "No run yet" in text_of(page)

    def test_a_run_without_predictions_says_so(self, open_page, tmp_path, name):
        world = World(tmp_path, num_images=40, with_files=False)
        world.add_run(num_done=0, state="running")
        page = open_page(world.path, name)
        assert not page.exception
        assert "No image judged yet" in text_of(page)

    def test_a_partial_run_is_shown_as_partial(self, open_page, tmp_path, name):
        world = World(tmp_path, num_images=40, with_files=False)
        world.add_run(num_done=25, state="interrupted")
        page = open_page(world.path, name)
        assert not page.exception
        assert "partial, 25 of 40" in text_of(page)

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

    @pytest.mark.parametrize(
        "parameters",
        [
            {"run": "99"},
            {"run": "1; DROP TABLE runs"},
            {"run": "1", "baseline": "77"},
            {"country": "Mars"},
            {"continent": HOSTILE},
            {"predicted": "fr"},
            {"km": "25"},
            {"km": "nan..inf"},
            {"confidence": "0.9..0.1"},
            {"attr": "no mark"},
            {"status": "sleeping"},
            {"country_is": "perhaps"},
        ],
        ids=str,
    )
    def test_a_bad_parameter_is_named_and_left_out(self, open_page, world, name, parameters):
        page = open_page(world.path, name, **parameters)
        assert not page.exception
        assert "A part of the link was left out" in text_of(page)

    @pytest.mark.parametrize(
        "parameters",
        [
            {"image": "99999999"},
            {"image": HOSTILE},
            {"page": "100000"},
            {"page": "-1"},
            {"sort": HOSTILE, "by": HOSTILE, "top": "1e9", "norm": "x", "level": "y", "layer": "z"},
            {"region": HOSTILE},
            {"city": "x" * 500},
            {"tag": HOSTILE},
            {"attr": f"{HOSTILE}={HOSTILE}"},
            {"attr": "unheard=of"},
            {"unknown": "parameter"},
        ],
        ids=lambda each: next(iter(each)),
    )
    def test_a_parameter_that_fits_nothing_is_survived(self, open_page, world, name, parameters):
        page = open_page(world.path, name, run="2", **parameters)
        assert not page.exception
        assert "Nothing to show" not in text_of(page)

    def test_hostile_texts_are_drawn_as_texts(self, open_page, tmp_path, name):
        world = World(tmp_path, num_images=40, text=HOSTILE, with_files=False)
        world.add_run("older", seed=3)
        failed = world.add_run("newer", num_done=30, state="failed", error=HOSTILE)
        for run in (failed, failed - 1):
            page = open_page(world.path, name, run=str(run), baseline="1")
            assert not page.exception
            for kind in ("markdown", "caption", "header", "subheader", "title"):
                assert not [each for each in page.get(kind) if "evil" in each.value]

    def test_another_programs_database_is_refused_in_words(self, open_page, tmp_path, name):
        with closing(sqlite3.connect(tmp_path / "streetclip.db")) as other:
            other.execute("CREATE TABLE runs (id)")
            other.commit()
        page = open_page(tmp_path / "streetclip.db", name)
        assert not page.exception
        assert "another program" in text_of(page)

    def test_a_store_of_a_newer_version_is_refused_in_words(self, open_page, tmp_path, name):
        world = World(tmp_path, num_images=20, with_files=False)
        world.add_run()
        with closing(sqlite3.connect(world.path)) as other:
            other.execute(
                "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
                "VALUES ('streetclip', 'm999_more', '2030-01-01')"
            )
            other.commit()
        page = open_page(world.path, name)
        assert not page.exception
        assert "newer StreetCLIP" in text_of(page)

    def test_a_store_deleted_while_the_page_is_open_is_said(self, open_page, tmp_path, name):
        world = World(tmp_path, num_images=40, with_files=False)
        world.add_run()
        page = open_page(world.path, name)
        world.path.unlink()
        page = page.run()
        assert not page.exception
        assert "does not exist" in text_of(page)

    def test_a_store_locked_by_a_writer_is_still_read(self, open_page, tmp_path, name):
        world = World(tmp_path, num_images=40, with_files=False)
        world.add_run()
        with closing(sqlite3.connect(world.path, isolation_level=None)) as writer:
            writer.execute("BEGIN IMMEDIATE")
            page = open_page(world.path, name)
            writer.execute("ROLLBACK")
        assert not page.exception
        assert "Nothing to show" not in text_of(page)
