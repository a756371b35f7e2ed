"""Selections against plain SQL over the rows."""

import itertools

import numpy as np
import pytest

from streetclip.results import AnnotatedIds, Selection, select
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
    assert ids_of(world, select(world.table, Selection(**fields))) == expected


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
        predicted="GB",
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
    selection = Selection(country="FR")
    with pytest.raises(AttributeError):
        selection.country = "GB"
    assert hash(selection) == hash(Selection(country="FR"))
