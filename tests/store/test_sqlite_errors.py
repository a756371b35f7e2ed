"""What becomes of the store when the disk gives out, as the system really reports it."""

import contextlib

import pytest

from streetclip.errors import ResourceError
from streetclip.store import (
    TrainingSpec,
    get_run,
    log_training_points,
    open_store,
    read_predictions,
    start_training,
    training_curves,
    write_predictions,
)
from tests.disks import file_size_limit, fill, free_space, has_room, is_whole

from .conftest import Filled

SPEC = TrainingSpec(
    name="t", model_source="m", train_csv="a", val_csv="b", output_dir="o", config={}
)
MOST_BATCHES = 1000
WRITTEN_BEFORE_IS_KEPT = r"disk is full.* what was written before is kept. Free some space and run"


def write_points(store, training_id, first=0, last=MOST_BATCHES):
    """Write points of 100 steps in each transaction, until that fails."""
    for batch in range(first, last):
        rows = [(100 * batch + step, 1.0, "loss", 2.0) for step in range(100)]
        log_training_points(store, training_id, rows)


def num_batches(store, training_id):
    steps = training_curves(store, training_id)["step"]
    assert steps.tolist() == list(range(len(steps)))
    return len(steps) / 100


def test_beyond_a_limit_every_transaction_before_is_kept(tmp_path):
    with open_store(tmp_path / "streetclip.db") as store:
        training_id = start_training(store, SPEC)
        with (
            file_size_limit(400_000),
            pytest.raises(ResourceError, match=r"over its quota, or fails; what .* is kept"),
        ):
            write_points(store, training_id)
        written = num_batches(store, training_id)
        assert 0 < written == int(written) < MOST_BATCHES
        assert is_whole(store.path)
        write_points(store, training_id, int(written), int(written) + 3)
        assert num_batches(store, training_id) == written + 3


def test_on_a_full_disk_every_transaction_before_is_kept(small_disk):
    path = small_disk / "streetclip.db"
    with open_store(path) as store:
        training_id = start_training(store, SPEC)
        fill(small_disk, leave_bytes=300_000)
        with pytest.raises(ResourceError, match=WRITTEN_BEFORE_IS_KEPT):
            write_points(store, training_id)
        assert not has_room(small_disk)
        written = num_batches(store, training_id)
        assert 0 < written == int(written) < MOST_BATCHES
        assert is_whole(path)
        free_space(small_disk)
        write_points(store, training_id, int(written), int(written) + 3)
    with open_store(path, read_only=True) as store:
        assert num_batches(store, training_id) == written + 3


def test_predictions_are_written_with_all_that_follows_or_not_at_all(small_disk):
    filled = Filled(small_disk, 400)
    with filled.store as store:
        predictions = filled.predictions()
        write_predictions(store, {filled.run_id: predictions[:20]})
        fill(small_disk, leave_bytes=60_000)
        with pytest.raises(ResourceError, match=WRITTEN_BEFORE_IS_KEPT):
            write_predictions(store, {filled.run_id: predictions})
        assert get_run(store, filled.run_id)["num_done"] == 20
        assert len(read_predictions(store, filled.run_id)) == 20
        assert is_whole(filled.path)
        free_space(small_disk)
        assert write_predictions(store, {filled.run_id: predictions}) == {filled.run_id: 380}
        assert get_run(store, filled.run_id)["num_done"] == 400


def test_a_store_on_a_full_disk_can_still_be_read(small_disk):
    path = small_disk / "streetclip.db"
    with open_store(path) as store:
        training_id = start_training(store, SPEC)
        write_points(store, training_id, last=4)
        fill(small_disk)
        with open_store(path, read_only=True) as reader:
            assert num_batches(reader, training_id) == 4


@pytest.mark.parametrize("free_kb", range(0, 64, 4))
def test_with_little_space_each_call_works_or_says_that_the_disk_is_full(small_disk, free_kb):
    filled = Filled(small_disk, 157)
    filled.store.close()
    fill(small_disk, leave_bytes=free_kb * 1024)

    def read(path):
        with open_store(path, read_only=True) as store:
            get_run(store, filled.run_id)

    def write(path):
        with open_store(path) as store:
            write_predictions(store, {filled.run_id: filled.predictions()})

    for call in (read, lambda path: open_store(path.with_name("new.db")).close()):
        with contextlib.suppress(ResourceError):  # and no other error
            call(filled.path)
    with pytest.raises(ResourceError, match="disk is full"):
        write(filled.path)
    free_space(small_disk)
    write(filled.path)
    assert is_whole(filled.path)


def test_a_store_cannot_be_made_on_a_full_disk(small_disk):
    fill(small_disk)
    with pytest.raises(ResourceError, match="disk is full"):
        open_store(small_disk / "streetclip.db")
    free_space(small_disk)
    with open_store(small_disk / "streetclip.db") as store:
        assert store.rows("SELECT count(*) FROM runs") == [(0,)]
