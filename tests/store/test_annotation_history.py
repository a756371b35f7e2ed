"""Undo and redo of one's own events, while others change the same images."""

import random

import pytest

from streetclip.store import Author, annotate, open_store, read_annotations, redo, undo
from tests.store.older_stores import make_older

ANN, BEN = Author("browser a", "Ann"), Author("browser b", "Ben")


def states(store):
    frame = read_annotations(store, range(1, 158))
    return {i: (row.status, row.note, row.tags) for i, row in frame.iterrows()}


def test_undo_takes_back_the_own_event_though_another_author_did_the_last(filled):
    annotate(filled.store, [1], add_tags=["a"], author=ANN)
    annotate(filled.store, [2], add_tags=["b"], author=BEN)
    assert undo(filled.store, ANN) == ("tagged 'a'", (1,), 0)
    assert states(filled.store) == {2: ("open", "", ("b",))}
    assert undo(filled.store, ANN) is None
    assert undo(filled.store, BEN).image_ids == (2,)


def test_undo_keeps_what_another_author_changed_in_the_same_image(filled):
    annotate(filled.store, [1], add_tags=["a", "x"], note="Ann's", status="reviewed", author=ANN)
    annotate(filled.store, [1], add_tags=["b"], remove_tags=["x"], note="Ben's", author=BEN)
    assert states(filled.store) == {1: ("reviewed", "Ben's", ("a", "b"))}
    assert undo(filled.store, ANN).num_kept == 1  # the note
    assert states(filled.store) == {1: ("open", "Ben's", ("b",))}
    assert redo(filled.store, ANN).image_ids == (1,)
    assert states(filled.store) == {1: ("reviewed", "Ben's", ("a", "b", "x"))}
    [(name, number)] = filled.store.rows(
        "SELECT author_name, count(*) FROM annotation_events WHERE browser = 'browser b'"
    )
    assert (name, number) == ("Ben", 1)


def test_any_number_of_undone_events_are_redone_in_order(filled):
    rng = random.Random(3)
    seen = [states(filled.store)]
    while len(seen) < 30:
        ids, tags = rng.sample(range(1, 20), 4), rng.sample("abcdef", 2)
        status = rng.choice([None, "reviewed"])
        if annotate(filled.store, ids, add_tags=tags, status=status, author=ANN):
            seen.append(states(filled.store))
    for _ in range(5):
        back = rng.randint(1, 29)
        for expected in reversed(seen[-1 - back : -1]):
            undo(filled.store, ANN)
            assert states(filled.store) == expected
        for expected in seen[-back:]:
            redo(filled.store, ANN)
            assert states(filled.store) == expected
        assert redo(filled.store, ANN) is None


def test_an_event_that_follows_ends_the_redoing(filled):
    for tag in "abc":
        annotate(filled.store, [1], add_tags=[tag], author=ANN)
    undo(filled.store, ANN)
    annotate(filled.store, [1], add_tags=["d"], author=ANN)
    assert redo(filled.store, ANN) is None
    undo(filled.store, ANN)
    undo(filled.store, ANN)
    annotate(filled.store, [9], add_tags=["z"], author=BEN)
    assert [redo(filled.store, ANN).description for _ in range(2)] == ["tagged 'b'", "tagged 'd'"]
    assert redo(filled.store, ANN) is None
    assert states(filled.store)[1][2] == ("a", "b", "d")


@pytest.mark.parametrize("read_only", [False, True])
def test_events_of_an_older_store_belong_to_nobody_and_are_undone_as_before(filled, read_only):
    annotate(filled.store, [1], note="before")
    annotate(filled.store, [1], add_tags=["old"], author=ANN)
    filled.store.close()
    make_older(filled.path, 9)
    with open_store(filled.path, read_only=read_only) as store:
        assert store.rows("SELECT browser, author_name FROM annotation_events") == [("", "")] * 2
        assert states(store) == {1: ("open", "before", ("old",))}
    with open_store(filled.path) as store:
        assert undo(store, ANN) is None
        annotate(store, [1], add_tags=["new"], author=ANN)
        assert undo(store, ANN).image_ids == (1,)
        assert undo(store).description == "tagged 'old'"
        assert states(store) == {1: ("open", "before", ())}
