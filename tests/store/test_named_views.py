"""Views are named, renamed and deleted; names are unique, texts and numbers bounded."""

import pytest

from streetclip.errors import ConfigError, StoreError
from streetclip.store import (
    NamedView,
    add_view,
    delete_view,
    find_faults,
    list_views,
    named_views,
    open_store,
    rename_view,
    write_predictions,
)
from streetclip.store.backup import backup_store
from tests.store.older_stores import dump, make_older

NAMES = ("**bold** ![x](http://x)", "<img src=x onerror=alert(1)>", "🦘 New Zealand 🇳🇿", "n" * 500)
ASIA = NamedView("Asia", "map", "run=1&continent=Asia")


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "streetclip.db") as opened:
        yield opened


def test_views_are_kept_as_named_and_listed_by_name(store):
    views = [NamedView(name, "failures", "run=1&attr=a%3Db") for name in NAMES]
    for view in (*views, ASIA, ASIA):  # as after a second click
        add_view(store, view)
    assert sorted(list_views(store)) == sorted([*views, ASIA])
    names = [view.name for view in list_views(store)]
    assert names == sorted(names, key=str.casefold)
    assert list(find_faults(store)) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("  ", "is blank"),
        ("n" * 501, "has 501 characters"),
        ("a\nb", "line break"),
        ("a\0b", "control character"),
        ("Asia ", "a view is named 'Asia' already"),
        ("Cafe\u0301", "a view is named 'Café' already"),  # the same letters, not composed
    ],
)
def test_a_name_that_is_not_allowed_or_taken_changes_nothing(store, name, why):
    for taken in (ASIA, ASIA._replace(name="Caf\u00e9"), ASIA._replace(name="asia")):
        add_view(store, taken)
    before = list_views(store)
    with pytest.raises(ConfigError, match=why):
        add_view(store, ASIA._replace(name=name, page="accuracy"))
    with pytest.raises(ConfigError, match=why):
        rename_view(store, "asia", name)
    assert list_views(store) == before


def test_a_view_is_renamed_also_to_itself_and_deleted(store):
    add_view(store, ASIA)
    rename_view(store, "Asia", " Asia ")
    rename_view(store, "Asia", "asia")
    assert list_views(store) == [ASIA._replace(name="asia")]
    delete_view(store, "asia")
    assert list_views(store) == []
    for change in (lambda: rename_view(store, "asia", "b"), lambda: delete_view(store, "asia")):
        with pytest.raises(StoreError, match=r"has no view 'asia' \(any more\)"):
            change()


def test_number_and_length_are_bounded(store, monkeypatch):
    with pytest.raises(ConfigError, match="longer than 20,000 characters"):
        add_view(store, ASIA._replace(query="x" * 20_001))
    monkeypatch.setattr(named_views, "MOST_VIEWS", 2)
    for name in "ab":
        add_view(store, ASIA._replace(name=name))
    with pytest.raises(ConfigError, match="Delete one first"):
        add_view(store, ASIA)
    assert len(list_views(store)) == 2


def test_a_store_of_before_opens_with_its_rows_and_a_backup_holds_the_views(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    filled.store.close()
    before = dump(filled.path)["predictions"]
    make_older(filled.path, 11)
    with open_store(filled.path) as opened:
        assert list_views(opened) == []
        add_view(opened, ASIA)
    assert dump(filled.path)["predictions"] == before
    copy = filled.path.with_name("copy.db")
    backup_store(filled.path, copy)
    with open_store(copy, read_only=True) as opened:
        assert list_views(opened) == [ASIA]
