"""Filters in the URL: what is written is read again, and what makes no sense is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.shell import filter_urls
from streetclip.gazetteer import CONTINENTS
from streetclip.results.filters import Selection, Values
from streetclip.store import STATUSES

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = texts.filter(bool)
ends = st.none() | st.floats(0, 20_040)
bounds = st.tuples(ends, ends).filter(lambda both: None in both or both[0] <= both[1])
outcomes = st.none() | st.booleans()
several = {
    "country": st.sampled_from([(), ("FR",), ("SK", "FR")]),
    "predicted": st.sampled_from([(), ("",), ("CZ", "")]),
    "attributes": st.lists(st.tuples(names, texts), max_size=3, unique=True).map(tuple),
    "tags": st.lists(texts, max_size=3, unique=True).map(tuple),
}
selections = st.builds(
    Selection,
    **several,
    excluded=st.builds(Values, **several),
    continent=st.none() | st.sampled_from(CONTINENTS),
    region=st.none() | texts,
    city=st.none() | texts,
    country_correct=outcomes,
    city_correct=outcomes,
    distance_km=bounds,
    confidence=bounds,
    status=st.none() | st.sampled_from(STATUSES),
    file_name=texts,
)


@given(selections)
def test_what_is_written_is_read_again(selection):
    found = filter_urls.read_filters(filter_urls.written(selection))
    assert found.problems == ()
    assert found.selection == selection


def test_a_column_with_the_marks_of_the_url_is_escaped():
    written = filter_urls.written(Selection(attributes=(("=5 %3D", "a=b"),)))
    assert written == {"attr": ["%3D5 %253D=a=b"]}
    assert filter_urls.read_filters(written).selection.attributes == (("=5 %3D", "a=b"),)


def test_nothing_in_the_url_filters_by_nothing():
    assert filter_urls.read_filters({}) == filter_urls.Filters(Selection())
    assert filter_urls.written(Selection()) == {}


def test_a_pages_default_holds_until_the_url_says_otherwise():
    wrong = Selection(country_correct=False)
    assert filter_urls.read_filters({}, wrong).selection.country_correct is False
    assert (
        filter_urls.read_filters({"country_is": ["any"]}, wrong).selection.country_correct is None
    )
    assert (
        filter_urls.read_filters({"country_is": ["right"]}, wrong).selection.country_correct is True
    )


@pytest.mark.parametrize(
    ("name", "texts", "said"),
    [
        ("continent", ["Atlantis"], "continent 'Atlantis'; expected one of Africa"),
        ("country", ["fr"], "country 'fr'; expected a code"),
        ("continent", ["Asia", "Asia"], "continent 2 times; expected once"),
        ("country", ["Mars", "fr"], "country 'Mars'; expected a code such as FR (and 1 more)."),
        ("not_country", ["Mars"], "by not_country 'Mars'; expected a code"),
        ("tag", map(str, range(1001)), "tag 1001 times; expected at most 1000 values"),
        ("file", ["a", "b"], "file 2 times; expected once"),
        ("file", ["x" * 2001], "a file of 2001 characters"),
        ("region", ["x" * 3000], "a region of 3000 characters"),
        ("predicted", [""], "predicted ''; expected a code"),
        ("country_is", ["maybe"], "expected right, wrong or any"),
        ("km", ["25"], "expected two ends as in 25..750"),
        ("km", ["750..25"], "expected two ends"),
        ("km", ["-1..25"], "expected two ends"),
        ("km", ["nan..25"], "expected two ends"),
        ("confidence", ["..inf"], "expected two ends"),
        ("attr", ["weather"], "expected column=value"),
        ("attr", ["=rain"], "expected column=value"),
        ("status", ["asleep"], "expected one of open"),
    ],
)
def test_what_makes_no_sense_is_named_and_left_out(name, texts, said):
    found = filter_urls.read_filters({name: list(texts), "city": ["Lyon"]})
    assert found.selection == Selection(city="Lyon")
    assert len(found.problems) == 1
    assert said in found.problems[0]


def test_of_several_values_those_that_make_sense_are_kept_once():
    found = filter_urls.read_filters(
        {"country": ["FR", "Mars", "DE", "FR"], "not_attr": ["sky", "sky=fog"], "not_tag": ["!x"]}
    )
    assert found.selection == Selection(
        country=("FR", "DE"), excluded=Values(attributes=(("sky", "fog"),), tags=("!x",))
    )
    assert len(found.problems) == 2
