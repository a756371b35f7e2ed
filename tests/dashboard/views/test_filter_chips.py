"""Chips of set filters: what they say, and what is left when one is clicked."""

from streetclip.results import filter_words
from streetclip.results.filters import Selection, Values

CHOSEN = Selection(
    continent="Europe",
    country=("FR", "DE"),
    region="",
    country_correct=False,
    confidence=(0.5, None),
    attributes=(("{0} %s", "a" * 50), ("{0} %s", "a" * 60), ("sky", "")),
    tags=("odd",),
    status="open",
    file_name="IMG_0",
    excluded=Values(predicted=("", "JP"), attributes=(("sky", "fog"),), tags=("even",)),
)


def test_each_value_has_a_chip_that_removes_it_alone():
    parts = filter_words.set_parts(CHOSEN)
    cut = f"{{0}} %s: {'a' * 39}…"
    assert [words for words, _ in parts] == [
        *("Europe", "true country France", "true country Germany", "region (blank)"),
        *("predicted not no prediction", "predicted not Japan", "status unreviewed"),
        *("wrong country", "confidence from 50 %", "tag odd", "tag not even", "file name IMG_0"),
        *(cut, cut, "sky: (blank)", "sky: not fog"),
    ]
    left = dict(parts)
    assert left["true country Germany"] == CHOSEN.but(country="FR")
    assert left["predicted not Japan"].excluded == CHOSEN.excluded.but(predicted="")
    assert left["wrong country"] == CHOSEN.but(country_correct=None)
    rest = CHOSEN
    for _ in parts:
        _, rest = filter_words.set_parts(rest)[0]
    assert rest == Selection()


def test_many_values_of_a_filter_share_a_chip():
    many = Selection(excluded=Values(tags=tuple(map(str, range(1200))), country=("FR",)))
    parts = dict(filter_words.set_parts(many))
    assert parts == {
        "true country not France": Selection(excluded=Values(tags=many.excluded.tags)),
        "tag not 1,200 values": Selection(excluded=Values(country=("FR",))),
    }
