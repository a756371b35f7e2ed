"""The check of a store, and its repair, as commands."""

import json
import sqlite3
from contextlib import closing

import pytest

from jobs import backup_store, check_store, evaluate
from streetclip.store import annotate, find_faults, open_store, read_annotations
from tests.dashboard.worlds import World
from tests.store.damaged_stores import DAMAGE


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, num_images=40)
    made.add_run()
    with closing(sqlite3.connect(made.path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    return made


def check(world, *flags):
    return check_store.main([f"--db={world.path}", *flags])


def test_a_whole_store_has_no_fault(world, capsys):
    before = world.path.read_bytes()
    assert check(world) == 0
    assert capsys.readouterr().out == f"{world.path}: no fault\n"
    assert world.path.read_bytes() == before  # the check records no job


def test_a_missing_image_folder_is_named(world, capsys):
    world.image_dir.rename(world.image_dir.with_name("moved"))
    assert check(world) == 0
    assert f"! the image folder {world.image_dir} is missing" in capsys.readouterr().out


def test_damage_is_named_and_repaired_after_a_backup(world, capsys):
    DAMAGE["flipped bytes in a column"](world.path)
    damaged = world.path.read_bytes()
    assert check(world) == 2
    out, err = capsys.readouterr()
    assert "✗ the column 'distance_km' of run 1 is damaged (can be repaired)" in out
    assert "has 1 fault. Add --repair" in err
    assert world.path.read_bytes() == damaged
    assert check(world, "--repair") == 0
    assert "repaired 1 of 1 faults" in capsys.readouterr().out
    (backup,) = world.path.parent.glob("streetclip-before-repair-*.db")
    with open_store(backup, read_only=True) as store:
        assert len(list(find_faults(store))) == 1
    assert check(world) == 0


@pytest.mark.parametrize("kind", ["no runs table", "text for a number", "cut to half"])
def test_what_cannot_be_repaired_is_left_as_it_is(world, capsys, kind):
    DAMAGE[kind](world.path)
    before = world.path.read_bytes()
    assert check(world, "--repair") == 2
    err = capsys.readouterr().err
    assert "Restore a backup" in err or "restore a backup" in err
    assert "Traceback" not in err
    assert world.path.read_bytes() == before


@pytest.mark.parametrize("kind", DAMAGE)
def test_each_kind_of_damage_ends_a_job_with_one_line(world, capsys, kind, tmp_path):
    DAMAGE[kind](world.path)
    for job, flags in ((check_store, ()), (backup_store, (f"--output={tmp_path / 'b.db'}",))):
        code = job.main([f"--db={world.path}", *flags, "--log_level=error"])
        err = capsys.readouterr().err
        lines = [line for line in err.splitlines() if ": error: " in line]
        assert code in {0, 2}
        assert len(lines) == (code != 0)
        assert "Traceback" not in err


@pytest.mark.parametrize("kind", ["no jobs table", "text for a number", "no migrations table"])
def test_a_job_that_meets_damage_explains_it(world, capsys, kind, tmp_path):
    DAMAGE[kind](world.path)
    flags = [f"--test_csv={tmp_path / 'none.csv'}", f"--image_dir={tmp_path}"]
    assert evaluate.main([f"--db={world.path}", *flags, f"--output_dir={tmp_path / 'o'}"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["../secret", "/dev/zero", "secret"])
def test_no_file_outside_the_folder_of_images_is_hashed(world, tmp_path, name):
    (tmp_path / "secret").write_text("secret")
    (world.image_dir / "secret").symlink_to(tmp_path / "secret")
    with open_store(world.path) as store:
        annotate(store, [1], add_tags=["no cue"])
    with closing(sqlite3.connect(world.path)) as connection, connection:
        connection.execute("UPDATE images SET filename = ? WHERE id = 1", (name,))
        connection.execute("DELETE FROM run_files")
    notes = tmp_path / "notes.json"
    flags = [f"--output={notes}", "--annotations_only"]
    assert backup_store.main([f"--db={world.path}", *flags]) == 0
    (record,) = json.loads(notes.read_text())["streetclip annotations 1"]
    assert (record["image_filename"], record["content"]) == (name, "")


def test_a_backup_and_its_annotations_are_written_and_restored(world, capsys, tmp_path):
    with open_store(world.path) as store:
        annotate(store, [1, 2], add_tags=["no cue"], note="x")
    db, copy, notes = f"--db={world.path}", tmp_path / "copy.db", tmp_path / "notes.json"
    assert backup_store.main([db, f"--output={copy}"]) == 0
    assert "MB, checked" in capsys.readouterr().out
    assert backup_store.main([db, f"--output={copy}"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert backup_store.main([db, f"--output={notes}", "--annotations_only"]) == 0
    assert "annotations of 2 images" in capsys.readouterr().out
    new = tmp_path / "new.db"
    assert backup_store.main([f"--db={new}", f"--restore={copy}"]) == 0
    assert backup_store.main([f"--db={new}", f"--restore={copy}"]) == 2
    with open_store(new) as store:
        annotate(store, [1, 2], remove_tags=["no cue"])
    capsys.readouterr()
    assert backup_store.main([f"--db={new}", f"--restore={notes}"]) == 0
    assert "found the images of 2 of 2 annotations, changed 2 images" in capsys.readouterr().out
    with open_store(new, read_only=True) as store:
        assert read_annotations(store, [1, 2])["tags"].tolist() == [("no cue",)] * 2


@pytest.mark.parametrize(
    "flags",
    [(), ("--output=a", "--restore=b"), ("--output=a", "--restore=b", "--annotations_only")],
)
def test_a_backup_needs_one_of_output_and_restore(flags, capsys):
    assert backup_store.main(list(flags)) == 2
    assert "expected one of them" in capsys.readouterr().err
