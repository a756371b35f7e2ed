"""Filters in the sidebar: what they offer, and what a choice writes into the URL."""

import pytest

from streetclip.store import annotate, open_store
from tests.dashboard.pages import open_page_of
from tests.dashboard.worlds import World

ALIKE = ["a" * 70, "a" * 80]  # cut to the same label


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("bar"), num_images=60, with_files=False)
    made.add_run(skill=0.5)
    tag(made, [1, 2], "odd", *ALIKE)
    return made


def tag(world, image_ids, *tags):
    with open_store(world.path) as store:
        annotate(store, image_ids, add_tags=tags)


def test_values_that_look_alike_are_distinct_choices(monkeypatch, world):
    page = open_page_of(monkeypatch)(world.path)
    field = page.multiselect(key="filter_tags")
    assert len(set(field.options)) == 3
    field.select(ALIKE[1]).run()
    assert page.query_params["tag"] == ALIKE[1]


def test_a_value_chosen_while_its_number_changes_is_that_value(monkeypatch, world):
    page = open_page_of(monkeypatch)(world.path)
    [seen] = [each for each in page.multiselect(key="filter_tags").options if "odd" in each]
    tag(world, [3], "odd")
    page.run()
    field = page.multiselect(key="filter_tags")
    assert seen not in field.options
    field.set_value([seen]).run()
    assert page.query_params["tag"] == "odd"


def test_a_confidence_above_1_is_shown_as_the_highest(monkeypatch, world):
    page = open_page_of(monkeypatch)(world.path, confidence="5..7")
    assert not page.exception
    assert page.slider(key="filter_confidence").value == (100, 100)
