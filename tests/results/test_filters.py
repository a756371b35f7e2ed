"""Selections against plain SQL over the rows."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streetclip.results import ATTRIBUTE, AnnotatedIds, Selection, num_among, select, value_counts
from streetclip.results.filters import Values
from streetclip.store import open_store

LEVEL_SQL = {
    "continent": "d.continent = ?",
    "country": "d.country_code = ?",
    "region": "d.region = ?",
    "city": "d.city = ?",
    "predicted": "coalesce(p.pred_country, '') = ?",
    "country_correct": "p.country_correct = ?",
    "city_correct": "p.city_correct = ?",
}


def ids_by_sql(world, conditions, values):
    sql = f"""
        SELECT p.image_id FROM predictions AS p
        JOIN dataset_images AS d ON d.dataset_id = ? AND d.image_id = p.image_id
        WHERE p.run_id = ? AND {" AND ".join(conditions or ["1"])} ORDER BY p.image_id"""
    with open_store(world.path, read_only=True) as store:
        rows = store.rows(sql, (world.table.dataset_id, world.run_id, *values))
    return [row[0] for row in rows]


def ids_of(world, mask):
    assert mask.dtype == np.bool_
    return world.table.image_ids[mask].tolist()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"continent": "Europe"},
        {"country": "FR"},
        {"country": "RU", "continent": "Asia"},
        {"country": "XX"},
        {"region": ""},
        {"city": "", "country": "FR"},
        {"city": "London"},
        {"city": "'; DROP TABLE runs; --"},
        {"predicted": ""},
        {"predicted": "JP"},
        {"predicted": "SG"},
        {"predicted": "XX"},
        {"country_correct": True},
        {"country_correct": False},
        {"city_correct": True},
        {"country_correct": True, "city_correct": False, "country": "FR"},
        {"country_correct": False, "city_correct": True},
    ],
    ids=str,
)
def test_a_selection_finds_what_sql_finds(world, fields):
    conditions = [LEVEL_SQL[name] for name in fields]
    expected = ids_by_sql(world, conditions, fields.values())
    assert ids_of(world, select(world.table, Selection().but(**fields))) == expected


BOUNDS = [None, 0.0, 0.2, 0.9, 0.9 + 1e-12, 1.0, 25, 1e9]


@pytest.mark.parametrize("field", ["distance_km", "confidence"])
def test_bounds_find_what_sql_finds(world, field):
    column = {"distance_km": "p.distance_km", "confidence": "p.country_probability"}[field]
    for low, high in itertools.product(BOUNDS, BOUNDS):
        asked = [(f"{column} >= ?", low), (f"{column} <= ?", high)]
        given = [each for each in asked if each[1] is not None]
        expected = ids_by_sql(world, [sql for sql, _ in given], [x for _, x in given])
        found = ids_of(world, select(world.table, Selection(**{field: (low, high)})))
        assert found == expected, (low, high)


@pytest.mark.parametrize(
    "attributes",
    [
        (("weather", "rain"),),
        (("weather", ""),),
        (("weather", "rain"), ("weather", "sun")),
        (("weather", "rain"), ("weather", "fog"), ("road", "paved")),
        (("weather", "hail"),),
        (("weather", "hail"), ("weather", "sun")),
        (("moon", "full"),),
        (("moon", "full"), ("weather", "sun")),
    ],
)
def test_attributes_are_alternatives_by_name_and_all_names_hold(world, attributes):
    def keep(row):
        names = {name for name, _ in attributes}
        return all(
            any(row["attributes"].get(n) == value for n, value in attributes if n == name)
            for name in names
        )

    found = select(world.table, Selection(attributes=attributes))
    assert found.tolist() == world.mask(keep).tolist()


def test_everything_is_what_is_done(world):
    assert select(world.table, Selection()).tolist() == world.table.done.tolist()
    assert sum(world.table.done) == len(world.rows) == world.table.num_done


def test_tags_are_alternatives_and_may_be_of_strange_images(world):
    ids = world.table.image_ids
    by_tag = {
        "label error": np.array([ids[40], ids[3], 10**12, -5]),
        "no cue": np.array([ids[3], ids[9]]),
        "unused": np.array([], dtype=np.int64),
    }
    found = select(
        world.table,
        Selection(tags=("label error", "no cue", "unused")),
        AnnotatedIds(by_tag=by_tag),
    )
    done = {row["image_id"] for row in world.rows}
    assert set(ids_of(world, found)) == {int(ids[i]) for i in (3, 9, 40)} & done
    none = select(world.table, Selection(tags=("unused",)), AnnotatedIds(by_tag=by_tag))
    assert not none.any()


def test_open_is_every_image_of_no_other_status(world):
    ids = world.table.image_ids
    annotated = AnnotatedIds(
        by_status={"reviewed": ids[[5, 2]], "to check": np.append(ids[8], 10**12)}
    )
    others = {int(ids[i]) for i in (2, 5, 8)}
    done = {row["image_id"] for row in world.rows}
    found = {
        status: set(ids_of(world, select(world.table, Selection(status=status), annotated)))
        for status in ("open", "reviewed", "to check")
    }
    assert found["open"] == done - others
    assert found["reviewed"] == {int(ids[2]), int(ids[5])} & done
    assert found["to check"] == {int(ids[8])} & done


def test_ids_that_are_needed_must_be_given(world):
    with pytest.raises(ValueError, match="'no cue' are not given"):
        select(world.table, Selection(tags=("no cue",)))
    with pytest.raises(ValueError, match="'reviewed' are not given"):
        select(world.table, Selection(status="reviewed"))


def test_all_filters_hold_together(world):
    selection = Selection(
        continent="Europe",
        predicted=("GB",),
        country_correct=False,
        distance_km=(0.05, 2500),
        confidence=(0.1, 1),
        attributes=(("road", "paved"),),
        tags=("seen",),
    )
    ids = world.table.image_ids
    found = select(world.table, selection, AnnotatedIds(by_tag={"seen": ids[::2]}))
    seen = set(ids[::2].tolist())

    def keep(row):
        return (
            row["continent"] == "Europe"
            and row["pred_country"] == "GB"
            and not row["country_correct"]
            and row["distance_km"] is not None
            and 0.05 <= row["distance_km"] <= 2500
            and 0.1 <= row["country_probability"] <= 1
            and row["attributes"]["road"] == "paved"
            and row["image_id"] in seen
        )

    expected = world.mask(keep)
    assert expected.any()
    assert found.tolist() == expected.tolist()


def test_a_selection_can_be_changed_only_by_making_another():
    selection = Selection(country=("FR",))
    with pytest.raises(AttributeError):
        selection.country = "GB"
    assert hash(selection) == hash(Selection(country=("FR",)))


# Several values, what is excluded, file names and counts, against plain pandas

CODES = ("FR", "GB", "RU", "SG", "JP", "ZZ")
SEVERAL = {
    "country": st.lists(st.sampled_from(CODES), max_size=3).map(tuple),
    "predicted": st.lists(st.sampled_from([*CODES, ""]), max_size=3).map(tuple),
    "attributes": st.lists(
        st.sampled_from([("weather", "rain"), ("weather", ""), ("road", "dirt"), ("moon", "full")]),
        max_size=3,
    ).map(tuple),
    "tags": st.lists(st.sampled_from(["odd", "even", "unused"]), max_size=2).map(tuple),
}
SELECTIONS = st.builds(
    Selection,
    **SEVERAL,
    excluded=st.builds(Values, **SEVERAL),
    continent=st.sampled_from([None, None, "Europe"]),
    country_correct=st.sampled_from([None, None, True]),
    file_name=st.sampled_from(["", "", "1", "3.J", ".*", "%", "7"]),
)


@pytest.fixture
def plain(world):
    """The predictions as a frame, with the texts that filters look at in columns."""
    names = ["weather", "road"]
    rows = pd.DataFrame(world.rows).set_index("image_id").sort_index()
    attributes = pd.DataFrame(rows.pop("attributes").tolist(), index=rows.index)[names]
    rows["pred_country"] = rows["pred_country"].fillna("")
    position = pd.Series(range(world.table.num_images), index=world.table.image_ids)
    tags = position.loc[rows.index] % 3
    return rows.join(attributes).assign(odd=tags == 1, even=tags == 0, unused=False)


def annotated_of(plain):
    ids = {name: plain.index[plain[name]].to_numpy() for name in ("odd", "even", "unused")}
    return AnnotatedIds(by_tag=ids)


def kept_by_pandas(plain, selection):
    kept = pd.Series(True, index=plain.index)
    for values, sign in ((selection, True), (selection.excluded, False)):
        found = [
            plain[column].isin(given)
            for column, given in (
                ("true_country", values.country),
                ("pred_country", values.predicted),
            )
            if given
        ]
        for name in {name for name, _ in values.attributes}:
            given = [value for each, value in values.attributes if each == name]
            found.append(plain.get(name, pd.Series(None, index=plain.index)).isin(given))
        if values.tags:
            found.append(plain[list(values.tags)].any(axis=1))
        for each in found:
            kept &= each == sign
    if selection.continent is not None:
        kept &= plain["continent"] == selection.continent
    if selection.country_correct is not None:
        kept &= plain["country_correct"] == selection.country_correct
    names = plain["filename"].str.lower()
    return kept & names.str.contains(selection.file_name.lower(), regex=False)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(selection=SELECTIONS)
def test_several_and_excluded_values_find_what_pandas_finds(world, plain, selection):
    kept = kept_by_pandas(plain, selection)
    mask = select(world.table, selection, annotated_of(plain))
    assert ids_of(world, mask) == plain.index[kept].tolist()
    names = ["country", "predicted", "continent", "city", "country_correct", f"{ATTRIBUTE}weather"]
    columns = ["true_country", "pred_country", "continent", "city", "country_correct", "weather"]
    found = value_counts(world.table, mask, names)
    for name, column in zip(names, columns, strict=True):
        expected = plain.loc[kept, column].value_counts().to_dict()
        assert {value: n for value, n in found[name].items() if n} == expected, name
    for tag, ids in annotated_of(plain).by_tag.items():
        strange = np.array([*ids[::-1], -4, 10**12])
        assert num_among(world.table, mask, strange) == plain.loc[kept, tag].sum()


def test_dropping_a_filter_drops_what_it_excludes():
    chosen = Selection(
        country=("FR",),
        city="Lyon",
        attributes=(("sky", "blue"), ("road", "dirt")),
        excluded=Values(country=("DE",), attributes=(("sky", "grey"),), tags=("x",)),
    )
    assert chosen.without("country", "city", f"{ATTRIBUTE}sky") == Selection(
        attributes=(("road", "dirt"),), excluded=Values(tags=("x",))
    )
    assert chosen.only("country") == "FR"
    assert chosen.but(country=("FR", "DE")).only("country") is chosen.but(country=None).only(
        "country"
    )
