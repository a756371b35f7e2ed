import sqlite3
from contextlib import closing

import pytest

from streetclip.errors import StoreError
from streetclip.store import (
    get_run,
    list_runs,
    open_store,
    read_predictions,
    schema,
    write_predictions,
)
from tests.store.older_stores import NAMES, migrations_until


@pytest.fixture
def next_schema():
    """The schema that a later version of this program might have."""
    migrations = migrations_until(len(NAMES))

    @migrations()
    def m999_notes(db):
        db.execute("ALTER TABLE runs ADD COLUMN note TEXT")

    return migrations


def test_every_table_is_strict_and_short_keyed_rows_have_no_rowid(filled):
    tables = filled.store.rows(
        "SELECT name, strict, wr FROM pragma_table_list "
        "WHERE schema = 'main' AND type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\' "
        "AND name NOT LIKE 'sqlite%'"
    )
    assert len(tables) == 22
    assert all(strict for _, strict, _ in tables)
    assert {name for name, _, without_rowid in tables if without_rowid} == {
        "dataset_images",
        "predictions",
        "prediction_rankings",
        "training_points",
        "places",
        "attribute_values",
        "predicted_places",
        "annotation_tags",
        "annotation_changes",
        "revisions",
    }


@pytest.mark.parametrize("read_only", [False, True])
def test_an_older_store_is_migrated_with_its_rows_kept(filled, next_schema, monkeypatch, read_only):
    write_predictions(filled.store, {filled.run_id: filled.predictions()[:20]})
    runs = list_runs(filled.store)
    filled.store.close()
    monkeypatch.setattr(schema, "MIGRATIONS", next_schema)
    with open_store(filled.path, read_only=read_only) as store:
        assert get_run(store, filled.run_id)["note"] is None
        assert len(read_predictions(store, filled.run_id)) == 20
        assert list_runs(store).equals(runs)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_store_is_refused(tmp_path, next_schema, monkeypatch, read_only):
    path = tmp_path / "newer.db"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", next_schema)
        open_store(path).close()
    with pytest.raises(StoreError, match="newer StreetCLIP: its schema has 'm999_notes'"):
        open_store(path, read_only=read_only)


def test_a_migration_that_fails_leaves_the_store_as_it_was(filled, monkeypatch):
    filled.store.close()
    broken = migrations_until(len(NAMES))

    @broken()
    def m998_good(db):
        db.execute("CREATE TABLE notes (text TEXT) STRICT")

    @broken()
    def m999_bad(db):
        db.execute("CREATE TABLE runs (text TEXT) STRICT")

    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", broken)
        with pytest.raises(sqlite3.OperationalError, match="already exists"):
            open_store(filled.path)
    with open_store(filled.path) as store:
        assert get_run(store, filled.run_id)["name"] == "first"
        assert store.rows("SELECT count(*) FROM sqlite_master WHERE name = 'notes'") == [(0,)]


def test_another_programs_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "bookmarks.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreError, match="database of another program"):
            open_store(path, read_only=read_only)
    assert path.read_bytes() == before


FOREIGN = {
    "swap": "CREATE TRIGGER swap AFTER INSERT ON jobs "
    "BEGIN UPDATE jobs SET arguments = '[]' WHERE id = NEW.id; END",
    "runs_made": "DROP TRIGGER runs_made; "
    "CREATE TRIGGER runs_made AFTER INSERT ON runs BEGIN SELECT 1; END",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_trigger_of_others_may_be_looked_at_and_not_written_with(filled, name):
    filled.store.close()
    with closing(sqlite3.connect(filled.path)) as connection:
        connection.executescript(FOREIGN[name])
    with open_store(filled.path, read_only=True) as store:
        assert store.rows("SELECT count(*) FROM jobs") == [(0,)]
    with pytest.raises(StoreError, match=f"holds the trigger '{name}', which is not StreetCLIP's"):
        open_store(filled.path)


def test_a_view_is_never_read_in_place_of_a_table(filled):
    filled.store.close()
    with closing(sqlite3.connect(filled.path)) as connection:
        connection.execute("CREATE VIEW my_runs AS SELECT * FROM runs")
        connection.execute("ALTER TABLE image_folders RENAME TO kept")
    open_store(filled.path, read_only=True).close()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"
    with closing(sqlite3.connect(filled.path)) as connection:
        connection.execute(f"CREATE VIEW Image_Folders (path) AS {endless}")
    for read_only in (True, False):
        with pytest.raises(StoreError, match="holds the view 'Image_Folders'"):
            open_store(filled.path, read_only=read_only)
