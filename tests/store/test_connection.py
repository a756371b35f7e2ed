import sqlite3
import threading
import time

import pytest

from streetclip.errors import ResourceError, StoreError
from streetclip.store import get_run, list_runs, open_store, write_predictions


def test_a_writer_makes_the_file_and_its_folders(tmp_path):
    path = tmp_path / "outputs" / "deep" / "streetclip.db"
    with open_store(path) as store:
        assert list_runs(store).empty
        assert store.rows("PRAGMA journal_mode") == [("wal",)]
    assert path.is_file()


def test_a_name_that_looks_like_a_uri_is_a_name(tmp_path):
    path = tmp_path / "50% of #1?mode=memory.db"
    open_store(path).close()
    assert path.is_file()
    with open_store(path, read_only=True) as store:
        assert list_runs(store).empty


def test_a_reader_does_not_make_a_missing_file(tmp_path):
    path = tmp_path / "none.db"
    with pytest.raises(StoreError, match=r"none\.db: does not exist.*Run a training or an eval"):
        open_store(path, read_only=True)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_no_store_for_a_reader_and_a_new_one_for_a_writer(tmp_path):
    path = tmp_path / "empty.db"
    path.touch()
    with pytest.raises(StoreError, match="is empty"):
        open_store(path, read_only=True)
    with open_store(path) as store:
        assert list_runs(store).empty


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path, read_only):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but a text of some length\n" * 100)
    with pytest.raises(StoreError, match="is no SQLite database"):
        open_store(path, read_only=read_only)
    assert path.read_text().startswith("not a database")


@pytest.mark.parametrize("read_only", [False, True])
def test_a_folder_is_refused(tmp_path, read_only):
    with pytest.raises(StoreError, match="is a folder; expected a SQLite file"):
        open_store(tmp_path, read_only=read_only)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="its folder cannot be made or entered"):
        open_store(tmp_path / "file" / "streetclip.db")


def test_a_file_that_cannot_be_opened_is_refused(tmp_path):
    # A dangling link into a folder that is not there; permissions would not stop root.
    link = tmp_path / "streetclip.db"
    link.symlink_to(tmp_path / "missing" / "streetclip.db")
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(link)


def test_a_damaged_file_is_told(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    filled.store.close()
    whole = bytearray(filled.path.read_bytes())
    whole[4096:] = b"\xff" * (len(whole) - 4096)
    filled.path.write_bytes(whole)
    with (
        pytest.raises(StoreError, match="is damaged"),
        open_store(filled.path, read_only=True) as store,
    ):
        list_runs(store)


def test_a_full_disk_is_told_and_what_was_written_stays(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()[:20]})
    pages = filled.store.rows("PRAGMA page_count")[0][0]
    filled.store.rows(f"PRAGMA max_page_count = {pages}")
    big = filled.predictions().assign(top_cities="x" * 10_000)
    with pytest.raises(ResourceError, match=r"the disk is full; what was written before is kept"):
        write_predictions(filled.store, {filled.run_id: big})
    assert get_run(filled.store, filled.run_id)["num_done"] == 20
    filled.store.rows("PRAGMA max_page_count = 1000000")
    assert write_predictions(filled.store, {filled.run_id: big}) == {filled.run_id: 137}


def test_a_lock_held_for_too_long_is_told(filled):
    with (
        filled.store.transaction(),
        open_store(filled.path, busy_timeout_s=0.05) as impatient,
        pytest.raises(ResourceError, match="kept it locked for too long"),
        impatient.transaction(),
    ):
        pass


def test_a_writer_waits_for_its_turn(filled):
    waited = []

    def write():
        with open_store(filled.path) as store:
            waited.append(write_predictions(store, {filled.run_id: filled.predictions()[:9]}))

    with filled.store.transaction():
        thread = threading.Thread(target=write)
        thread.start()
        time.sleep(0.2)
        assert waited == []
    thread.join(timeout=20)
    assert waited == [{filled.run_id: 9}]


def test_a_reader_cannot_write(filled):
    with (
        open_store(filled.path, read_only=True) as reader,
        pytest.raises(StoreError, match="write permission"),
    ):
        write_predictions(reader, {filled.run_id: filled.predictions()[:9]})


def test_a_snapshot_stays_as_it_was_while_a_job_writes(filled):
    with open_store(filled.path, read_only=True) as reader:
        with reader.snapshot():
            before = get_run(reader, filled.run_id)["num_done"]
            write_predictions(filled.store, {filled.run_id: filled.predictions()[:9]})
            with reader.snapshot():
                assert get_run(reader, filled.run_id)["num_done"] == before == 0
        assert get_run(reader, filled.run_id)["num_done"] == 9


def test_a_stop_inside_a_transaction_undoes_it(filled):
    def stopped_halfway():
        with filled.store.transaction():
            filled.store.rows("UPDATE runs SET name = 'changed'")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped_halfway()
    assert get_run(filled.store, filled.run_id)["name"] == "first"


def test_our_own_mistakes_are_not_dressed_up(filled):
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        filled.store.rows("SELECT * FROM missing")
    with pytest.raises(sqlite3.IntegrityError), filled.store.transaction():
        filled.store.rows("INSERT INTO runs (name) VALUES (NULL)")


def test_a_job_in_the_middle_of_writing_does_not_stop_a_reader(filled):
    with (
        filled.store.transaction(),
        open_store(filled.path, read_only=True, busy_timeout_s=0.0) as reader,
    ):
        assert list_runs(reader)["name"].tolist() == ["first"]
