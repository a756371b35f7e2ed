"""What a cache may know a run, a training, a dataset and annotations by, in whatever file."""

import dataclasses
import shutil

import pytest

from streetclip.errors import StoreError
from streetclip.store import (
    TrainingSpec,
    annotate,
    annotations_version,
    dataset_columns,
    finish_run,
    get_run,
    list_runs,
    list_trainings,
    log_training_points,
    open_store,
    register_dataset,
    restart_training,
    run_revision,
    set_run_state,
    set_training_state,
    start_training,
    undo,
    write_predictions,
)


def back_up(store):
    """A copy of a store, as one may keep of it."""
    copy = store.path.with_name("backup.db")
    store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copyfile(store.path, copy)
    return copy


def identity(store, run_id):
    run = get_run(store, run_id)
    return run["uid"], run["revision"]


@pytest.mark.parametrize(
    "change",
    [
        lambda filled: write_predictions(filled.store, {filled.run_id: filled.predictions()[:9]}),
        lambda filled: set_run_state(filled.store, filled.run_id, "failed", "why"),
        lambda filled: filled.store.rows("UPDATE runs SET metrics = '{}'"),
    ],
)
def test_a_change_of_a_run_renews_its_revision_but_not_its_uid(filled, change):
    uid, before = identity(filled.store, filled.run_id)
    other = filled.start()
    others = identity(filled.store, other)
    change(filled)
    assert get_run(filled.store, filled.run_id)["uid"] == uid
    assert get_run(filled.store, filled.run_id)["revision"] != before
    if filled.store.rows("SELECT metrics FROM runs WHERE id = ?", (other,)) == [(None,)]:
        assert identity(filled.store, other) == others
    assert len({uid, before, *others}) == 4


def test_what_is_written_again_renews_no_revision(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    before = identity(filled.store, filled.run_id)
    assert write_predictions(filled.store, {filled.run_id: filled.predictions()[:9]}) == {
        filled.run_id: 0
    }
    assert identity(filled.store, filled.run_id) == before


def test_a_finished_run_has_another_revision_than_its_last_batch(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    before = identity(filled.store, filled.run_id)
    finish_run(filled.store, filled.run_id, {})
    assert identity(filled.store, filled.run_id) != before


def test_the_same_batch_written_to_a_restored_backup_gets_another_revision(filled):
    copy = back_up(filled.store)
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    with open_store(copy) as store:
        write_predictions(store, {filled.run_id: filled.predictions(1)})
        uid, revision = identity(filled.store, filled.run_id)
        assert identity(store, filled.run_id)[0] == uid
        assert identity(store, filled.run_id)[1] != revision


def test_a_run_in_the_place_of_a_removed_one_is_another(filled):
    uid = get_run(filled.store, filled.run_id)["uid"]
    filled.store.rows("DELETE FROM runs")
    assert filled.start() == filled.run_id
    assert get_run(filled.store, filled.run_id)["uid"] != uid
    with pytest.raises(StoreError, match="was replaced"):
        run_revision(filled.store, filled.run_id, uid)


def test_the_list_of_runs_tells_their_identities(filled):
    row = list_runs(filled.store).iloc[0]
    assert (row["uid"], row["revision"]) == identity(filled.store, filled.run_id)
    assert row["dataset_id"] == filled.dataset.id
    assert row["revision"] == run_revision(filled.store, filled.run_id, row["uid"])


def test_annotations_get_a_random_version_at_each_change(filled):
    versions = [annotations_version(filled.store)]
    copy = back_up(filled.store)
    annotate(filled.store, [1], add_tags=["a"])
    versions.append(annotations_version(filled.store))
    undo(filled.store)
    versions.append(annotations_version(filled.store))
    with open_store(copy) as store:
        assert annotations_version(store) == versions[0]
        annotate(store, [2], add_tags=["a"])
        versions.append(annotations_version(store))
        undo(store)
        versions.append(annotations_version(store))
    assert len(set(versions)) == 5


SPEC = TrainingSpec(
    name="t", model_source="m", train_csv="a", val_csv="b", output_dir="o", config={}
)


@pytest.fixture
def training(filled):
    training_id = start_training(filled.store, SPEC)
    log_training_points(filled.store, training_id, [(1, 0.1, "loss", 3.0), (2, 0.2, "loss", 2.0)])
    return training_id


def revision(store):
    return list_trainings(store)["revision"].tolist()


def test_points_that_are_added_keep_the_revision_of_a_training(filled, training):
    before = revision(filled.store)
    again = [(2, 0.2, "loss", 2.0), (2, 0.2, "val_loss", 2.5), (3, 0.3, "loss", float("nan"))]
    log_training_points(filled.store, training, again)
    log_training_points(filled.store, training, again)
    assert revision(filled.store) == before


@pytest.mark.parametrize(
    "change",
    [
        lambda store, i: log_training_points(store, i, [(1, 0.1, "loss", 2.9)]),
        lambda store, i: log_training_points(store, i, [(1, 0.1, "loss", float("nan"))]),
        lambda store, i: restart_training(store, i, SPEC),
        lambda store, i: set_training_state(store, i, "running"),
        lambda store, i: store.rows("DELETE FROM training_points WHERE step = 1"),
    ],
)
def test_points_that_go_or_change_renew_the_revision_of_a_training(filled, training, change):
    uid, before = list_trainings(filled.store)["uid"].tolist(), revision(filled.store)
    change(filled.store, training)
    assert revision(filled.store) != before
    assert list_trainings(filled.store)["uid"].tolist() == uid


def test_a_file_that_is_read_otherwise_is_another_dataset_with_its_own_places(filled):
    before = dataset_columns(filled.store, filled.dataset.id)
    frame = filled.manifest.replace({"country_code": {"RE": "FR"}})
    other = register_dataset(filled.store, dataclasses.replace(filled.dataset_spec, frame=frame))
    after = dataset_columns(filled.store, other.id)
    assert other.image_ids.tolist() == filled.dataset.image_ids.tolist()
    assert set(before.places["country"]) - set(after.places["country"]) == {"RE"}
    assert after.content != before.content
    assert dataset_columns(filled.store, filled.dataset.id).places.equals(before.places)


def test_datasets_of_equal_content_have_one_hash_in_every_store(make_filled):
    one, same, longer = (make_filled(n) for n in (157, 157, 158))
    contents = [dataset_columns(each.store, 1).content for each in (one, same, longer)]
    assert contents[0] == contents[1] != contents[2]
