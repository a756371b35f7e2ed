import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streetclip.results import ORDERS, neighbours_of, page_of
from tests.random_search import examples
from tests.results.conftest import make_table

# Order → the value it goes by, and whether it descending.
PLAIN = {
    "surest": ("country_probability", True),
    "unsurest": ("country_probability", False),
    "farthest": ("distance_km", True),
    "nearest": ("distance_km", False),
    "margin": ("margin", False),
    "file": ("image_id", False),
}


def plain_order(rows, order):
    """Ids in order: a plain sort of the rows, missing values last, equals by id."""
    name, descending = PLAIN[order]

    def key(row):
        value, sign = row[name], -1 if descending else 1
        return value is None, sign * (value or 0), row["image_id"]

    return [row["image_id"] for row in sorted(rows, key=key)]


def all_pages(table, mask, order, size):
    pages, total = [], None
    for page in range(10_000):
        ids, total = page_of(table, mask, order, page, size)
        if not len(ids):
            return pages, total
        pages.append(ids.tolist())
    pytest.fail("pages never end")


def test_every_order_is_tried():
    assert set(PLAIN) == set(ORDERS)


@pytest.mark.parametrize("order", ORDERS)
def test_pages_together_are_the_plain_order(world, chosen, order):
    expected = plain_order(world.chosen(chosen), order)
    pages, total = all_pages(world.table, chosen, order, 97)
    assert total == len(expected)
    assert [image_id for page in pages for image_id in page] == expected
    assert all(len(page) == 97 for page in pages[:-1])


@pytest.mark.parametrize("order", ["surest", "farthest"])
def test_pages_of_any_size_agree(world, order):
    expected = plain_order(world.rows, order)
    for size in (1, 2, 1000):
        for page in (0, 3, 100):
            found, _ = page_of(world.table, world.table.done, order, page, size)
            assert found.tolist() == expected[page * size : (page + 1) * size]


@pytest.mark.parametrize("order", ORDERS)
def test_neighbours_are_those_of_the_plain_order(world, chosen, order):
    expected = plain_order(world.chosen(chosen), order)
    for rank in {*range(0, len(expected), 41), len(expected) - 1} - {-1}:
        before = expected[rank - 1] if rank else None
        after = expected[rank + 1] if rank + 1 < len(expected) else None
        found = neighbours_of(world.table, chosen, order, expected[rank])
        assert found == (rank, before, after)


def test_neighbours_of_an_image_that_is_not_selected_are_none(world):
    nothing = np.zeros(world.table.num_images, dtype=np.bool_)
    first = world.rows[0]["image_id"]
    for mask, image_id in ((nothing, first), (world.table.done, 10**12), (world.table.done, -1)):
        assert neighbours_of(world.table, mask, "surest", image_id) == (None, None, None)
    undone = set(world.image_ids) - {row["image_id"] for row in world.rows}
    everything = np.ones(world.table.num_images, dtype=np.bool_)
    for image_id in sorted(undone)[:3]:
        assert neighbours_of(world.table, everything, "file", image_id) == (None, None, None)


@pytest.mark.parametrize(("order", "page", "size"), [("x", 0, 1), ("file", -1, 1), ("file", 0, 0)])
def test_a_page_that_cannot_be_is_refused(world, order, page, size):
    with pytest.raises(ValueError, match="expected"):
        page_of(world.table, world.table.done, order, page, size)


ANY = st.one_of(
    st.floats(width=32, allow_nan=True, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 1.0, 1.0, float("nan"), -float("nan")]),
)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(ANY, max_size=30), st.sampled_from(["f4", "f8"]), st.integers(1, 7))
def test_any_numbers_are_ordered_as_a_plain_sort_orders_them(values, dtype, size):
    table = make_table({"distance_km": np.array(values, dtype)})
    rows = [
        {"image_id": int(i), "distance_km": None if np.isnan(x) else x}
        for i, x in zip(table.image_ids, values, strict=True)
    ]
    for order in ("farthest", "nearest"):
        pages, _ = all_pages(table, table.done, order, size)
        assert [image_id for page in pages for image_id in page] == plain_order(rows, order)
