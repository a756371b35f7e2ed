"""Numbers of images where a filter is chosen: those that one sees after choosing the value."""

import pytest

from dashboard.queries import filter_values, run_queries
from streetclip.results import ATTRIBUTE
from streetclip.results.filters import Selection, Values
from streetclip.store import annotate, open_store
from tests.dashboard.worlds import World

WEATHER = f"{ATTRIBUTE}weather"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("filters"), num_images=150, with_files=False)
    made.add_run(skill=0.5, num_done=130, state="interrupted")
    ids = [row[0] for row in made.sql("SELECT image_id FROM predictions ORDER BY image_id")]
    with open_store(made.path) as store:
        annotate(store, ids[:60], add_tags=["odd"], status="reviewed")
        annotate(store, ids[30:90], add_tags=["even"])
    return made


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(country=("FR", "JP"), tags=("odd",), status="reviewed"),
        Selection(country=("FR",), region="Brittany", continent="Europe", file_name="0"),
        Selection(
            country_correct=False,
            attributes=(("weather", "rain"), ("camera", "dash")),
            excluded=Values(country=("FR",), predicted=("JP",), tags=("even",)),
        ),
    ],
    ids=["all", "alternatives", "place", "excluded"],
)
def test_a_number_is_that_of_the_images_left_once_its_value_is_chosen(world, selection):
    view = run_queries.make_view(world.path, 1, None, selection, Selection())
    found = filter_values.counts(view)
    names = {"continent", "country", "predicted", "country_correct", "city_correct", WEATHER}
    assert names | {f"{ATTRIBUTE}camera", f"{ATTRIBUTE}scene", "tags", "status"} == found.keys() - {
        "region",
        "city",
    }
    assert ("city" in found) == (selection.only("country") is not None)
    for name, counts in found.items():
        assert counts, name
        for value, n in counts.items():
            chosen = filter_values.without(view, name).but(**{name: value}).selection
            after = run_queries.make_view(world.path, 1, None, chosen, Selection())
            assert n == run_queries.num_selected(after), (name, value)
