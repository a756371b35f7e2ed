"""Backups are whole and checked; annotations follow the content of images."""

import contextlib
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from streetclip.errors import ConfigError, OutputError, ResourceError, StoreError
from streetclip.store import (
    annotate,
    list_runs,
    open_store,
    read_annotations,
    read_predictions,
    undo,
    write_predictions,
)
from streetclip.store.backup import (
    FORMAT,
    backup_annotations,
    backup_store,
    restore_annotations,
    restore_store,
)
from streetclip.store.predictions import FILE_COLUMNS
from tests.disks import fill, is_whole

from .conftest import Filled


def unknown(_folder, _name):
    return ""


def with_files(filled, seed=0, digests=None):
    """Predictions with the content of each image's file; images of one name are equal."""
    frame = filled.predictions(seed)
    names = filled.manifest["image_filename"]
    numbers = [hash(name) % 2**31 for name in names] if digests is None else digests
    columns = dict.fromkeys(FILE_COLUMNS[:3], 1) | {
        "file_digest_0": np.array(numbers, np.int64),
        "file_digest_1": np.array(numbers, np.int64) - 2**40,
    }
    return frame.assign(**columns)


def test_a_backup_is_one_whole_file_with_the_same_rows(filled, tmp_path):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    output = tmp_path / "backups" / "copy.db"
    steps = []
    backup_store(filled.path, output, lambda done, total: steps.append((done, total)))
    assert steps[-1][0] == steps[-1][1] > 0
    assert [each.name for each in output.parent.iterdir()] == ["copy.db"]
    assert is_whole(output)
    with open_store(output, read_only=True) as store:
        rows = read_predictions(filled.store, filled.run_id)
        assert read_predictions(store, filled.run_id).equals(rows)


def test_a_backup_while_a_job_writes_is_one_state_of_the_store(filled, tmp_path, monkeypatch):
    monkeypatch.setattr("streetclip.store.backup._PAGES_PER_STEP", 1)
    predictions = filled.predictions()
    stopped = threading.Event()

    def write():
        with open_store(filled.path) as store:
            for start in range(0, 157, 5):
                write_predictions(store, {filled.run_id: predictions[start : start + 5]})
                if stopped.wait(0.01):
                    return

    thread = threading.Thread(target=write)
    thread.start()
    for number in range(3):
        backup_store(filled.path, tmp_path / f"{number}.db")
    stopped.set()
    thread.join(timeout=20)
    for number in range(3):
        with open_store(tmp_path / f"{number}.db", read_only=True) as store:
            num_done = list_runs(store)["num_done"].item()
            assert len(read_predictions(store, filled.run_id)) == num_done
            assert num_done % 5 == 0 or num_done == 157


def test_a_backup_overwrites_nothing(filled, tmp_path):
    output = tmp_path / "mine.txt"
    output.write_text("mine")
    for write in (backup_store, lambda *paths: backup_annotations(*paths, unknown)):
        with pytest.raises(OutputError, match=r"mine\.txt exists already.*another --output"):
            write(filled.path, output)
    assert output.read_text() == "mine"


def test_of_a_damaged_store_no_backup_is_made(filled, tmp_path):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    filled.store.rows("UPDATE column_parts SET crc32 = 7 WHERE name = 'flags'")
    with pytest.raises(StoreError, match=r"column 'flags' of run 1 is damaged; no backup was made"):
        backup_store(filled.path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()
    backup_store(filled.path, tmp_path / "copy.db", is_checked=False)
    assert (tmp_path / "copy.db").exists()


def test_a_backup_on_a_full_disk_leaves_nothing(filled, small_disk):
    fill(small_disk, leave_bytes=100_000)
    before = sorted(small_disk.iterdir())
    with pytest.raises(ResourceError, match="disk is full"):
        backup_store(filled.path, small_disk / "copy.db")
    assert sorted(small_disk.iterdir()) == before


def test_a_backup_becomes_a_store_where_there_is_none(filled, tmp_path):
    backup_store(filled.path, tmp_path / "copy.db")
    restore_store(tmp_path / "copy.db", tmp_path / "new" / "streetclip.db")
    with open_store(tmp_path / "new" / "streetclip.db") as store:
        assert annotate(store, [1], add_tags=["x"]) == 1
    with pytest.raises(OutputError, match="Move it away"):
        restore_store(tmp_path / "copy.db", filled.path)


@pytest.fixture
def annotated(filled):
    """A store in which three images are annotated, and the file of its annotations."""
    write_predictions(filled.store, {filled.run_id: with_files(filled)})
    annotate(filled.store, [1, 2], add_tags=["no cue"], status="reviewed")
    annotate(filled.store, [3], note="a note\nof two lines")
    filled.file = filled.folder / "annotations.json"
    assert backup_annotations(filled.path, filled.file, unknown) == 3
    return filled


def test_annotations_find_their_images_in_another_store_by_content(annotated, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    other = Filled(folder, 157)
    contents = with_files(annotated).sort_values("image_id")["file_digest_0"].to_numpy()
    # The same files under other names and ids: image 10 has the content of image 1, and so on.
    moved = np.roll(contents, 9)[np.argsort(np.argsort(other.dataset.image_ids))]
    with contextlib.closing(other.store):
        write_predictions(other.store, {other.run_id: with_files(other, digests=moved)})
        restored = restore_annotations(annotated.file, other.path, unknown)
        assert restored == (3, 3, 3)
        found = read_annotations(other.store, range(1, 158))
        assert found.index.tolist() == [10, 11, 12]
        assert found["tags"].tolist() == [("no cue",), ("no cue",), ()]
        assert found["status"].tolist() == ["reviewed", "reviewed", "open"]
        assert found["note"].tolist() == ["", "", "a note\nof two lines"]
        assert "restored annotations (3 images)" in undo(other.store).description
        assert read_annotations(other.store, range(1, 158)).empty


def test_without_a_known_content_the_name_decides_unless_the_file_is_another(annotated, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    other = Filled(folder, 157)
    names = dict(annotated.store.rows("SELECT id, filename FROM images"))
    with contextlib.closing(other.store):
        content = json.loads(annotated.file.read_text())[FORMAT]
        digests = {names[1]: content[0]["content"], names[2]: "0" * 32}
        by_name = {Path(name).name: each for name, each in digests.items()}
        restored = restore_annotations(
            annotated.file, other.path, lambda _, name: by_name.get(Path(name).name, "")
        )
    assert restored.total == 3
    assert restored.found == restored.changed == 2


def test_what_a_store_has_is_kept_when_annotations_are_restored(annotated):
    annotate(annotated.store, [1, 3], add_tags=["mine"], note="my note", status="to check")
    assert restore_annotations(annotated.file, annotated.path, unknown) == (3, 3, 0)
    undo(annotated.store)
    annotate(annotated.store, [1], remove_tags=["no cue"], status="to check")
    assert restore_annotations(annotated.file, annotated.path, unknown).changed == 1
    found = read_annotations(annotated.store, [1])
    assert found["tags"].item() == ("no cue",)
    assert found["status"].item() == "to check"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"a": 1}', f'{{"{FORMAT}": 7}}', f'{{"{FORMAT}": [{{}}]}}', "[" * 100_000],
    ids=range(7),
)
def test_a_file_of_something_else_is_refused(filled, tmp_path, text):
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(OutputError, match=r"file\.json: is no"):
        restore_annotations(path, filled.path, unknown)


def test_a_hostile_annotation_is_refused(annotated):
    value = json.loads(annotated.file.read_text())
    value[FORMAT][0]["tags"] = ["a\x1b[31m"]
    annotated.file.write_text(json.dumps(value))
    with pytest.raises(ConfigError, match="control character"):
        restore_annotations(annotated.file, annotated.path, unknown)


def test_a_missing_file_or_store_is_named(filled, tmp_path):
    with pytest.raises(OutputError, match=r"none\.json: cannot be read"):
        restore_annotations(tmp_path / "none.json", filled.path, unknown)
    with pytest.raises(StoreError, match=r"none\.db: does not exist"):
        backup_store(tmp_path / "none.db", tmp_path / "copy.db")
