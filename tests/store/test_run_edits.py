"""Runs are described, archived and deleted; what belongs to images stays."""

import pytest

from streetclip.errors import ConfigError, StoreError
from streetclip.store import (
    annotate,
    archive_run,
    delete_run,
    deleted_run,
    describe_run,
    find_faults,
    get_run,
    image_detail,
    list_runs,
    open_store,
    read_annotations,
    read_predictions,
    register_dataset,
    rename_dataset,
    run_revision,
    set_run_state,
    write_predictions,
)
from tests.store.older_stores import dump, make_older

NAMES = ("**bold** ![x](http://x)", "<img src=x onerror=alert(1)>", "🦘 New Zealand 🇳🇿", "n" * 500)


def state(store, run_id):
    run = get_run(store, run_id)
    return run["uid"], run["revision"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_and_a_description_are_kept_as_typed_and_renew_the_revision(filled, name):
    uid, before = state(filled.store, filled.run_id)
    describe_run(filled.store, filled.run_id, uid, name=name, description=f"{name}\n\n- a list")
    run = get_run(filled.store, filled.run_id)
    assert (run["name"], run["description"]) == (name, f"{name}\n\n- a list")
    assert (run["uid"] == uid, run["revision"] == before) == (True, False)


@pytest.mark.parametrize(
    ("name", "why"), [("  ", "is blank"), ("n" * 501, "has 501 characters"), ("a\nb", "line break")]
)
def test_a_name_that_is_not_allowed_changes_nothing(filled, name, why):
    uid, before = state(filled.store, filled.run_id)
    with pytest.raises(ConfigError, match=f"the name of a run.*{why}"):
        describe_run(filled.store, filled.run_id, uid, name=name, description="new")
    assert state(filled.store, filled.run_id) == (uid, before)
    with pytest.raises(ConfigError, match=f"the name of a dataset.*{why}"):
        rename_dataset(filled.store, filled.dataset.id, name)


def test_a_dataset_keeps_its_own_name_when_it_is_evaluated_again(filled):
    revision = state(filled.store, filled.run_id)[1]
    rename_dataset(filled.store, filled.dataset.id, "Rainy streets")
    assert register_dataset(filled.store, filled.dataset_spec).id == filled.dataset.id
    assert list_runs(filled.store)["dataset"].tolist() == ["Rainy streets"]
    assert state(filled.store, filled.run_id)[1] != revision


def test_an_archived_run_is_listed_as_such_until_it_is_taken_back(filled):
    uid, before = state(filled.store, filled.run_id)
    archive_run(filled.store, filled.run_id, uid, is_archived=True)
    assert list_runs(filled.store)["archived_at"].notna().tolist() == [True]
    assert state(filled.store, filled.run_id)[1] != before
    archive_run(filled.store, filled.run_id, uid, is_archived=False)
    assert list_runs(filled.store)["archived_at"].notna().tolist() == [False]


def test_deleting_a_run_removes_its_rows_and_nothing_else(filled):
    other = filled.start(name="other")
    predictions = {each: filled.predictions() for each in (filled.run_id, other)}
    write_predictions(filled.store, predictions)
    image_id = int(filled.dataset.image_ids[0])
    annotate(filled.store, [image_id], add_tags=["no cue"], note="a tram")
    kept_tables = ("images", "annotations", "annotation_tags", "datasets", "dataset_images")
    before = dump(filled.path)
    set_run_state(filled.store, filled.run_id, "interrupted")
    delete_run(filled.store, filled.run_id, state(filled.store, filled.run_id)[0])
    after = dump(filled.path)
    for table in kept_tables:
        assert after[table] == before[table]
    for table, rows in after.items():
        assert not [row for row in rows if row.get("run_id") == filled.run_id], table
    owners = {(row["owner"], row["owner_id"]) for row in after["column_parts"]}
    assert owners == {("dataset", filled.dataset.id), ("run", other)}
    assert list_runs(filled.store)["id"].tolist() == [other]
    assert len(read_predictions(filled.store, other)) == len(predictions[other])
    assert read_annotations(filled.store, [image_id])["note"].tolist() == ["a tram"]
    assert image_detail(filled.store, other, image_id)
    assert list(find_faults(filled.store)) == []


def test_the_number_of_a_deleted_run_is_never_given_to_another(filled):
    newest = filled.start(name="newest")
    uid = state(filled.store, newest)[0]
    set_run_state(filled.store, newest, "failed")
    delete_run(filled.store, newest, uid)
    assert filled.start(name="later") == newest + 1
    assert deleted_run(filled.store, newest)[0] == "newest"
    assert deleted_run(filled.store, newest + 1) is None
    with pytest.raises(StoreError, match=f"run {newest} was deleted"):
        run_revision(filled.store, newest, uid)


def test_a_run_that_is_written_or_was_replaced_is_not_deleted(filled):
    uid = state(filled.store, filled.run_id)[0]
    with pytest.raises(StoreError, match=r"is still written\. Cancel its job"):
        delete_run(filled.store, filled.run_id, uid)
    set_run_state(filled.store, filled.run_id, "done")
    for change in (
        lambda: delete_run(filled.store, filled.run_id, "another"),
        lambda: archive_run(filled.store, filled.run_id, "another", is_archived=True),
        lambda: describe_run(filled.store, filled.run_id, "another", name="n", description=""),
    ):
        with pytest.raises(StoreError, match="was replaced"):
            change()
    assert list_runs(filled.store)["id"].tolist() == [filled.run_id]


def test_a_store_of_before_opens_with_its_runs_kept(filled):
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    filled.store.close()
    before = dump(filled.path)["runs"]
    make_older(filled.path, 9)
    with open_store(filled.path) as store:
        run = get_run(store, filled.run_id)
        assert (run["description"], run["archived_at"]) == ("", None)
    after = dump(filled.path)["runs"]
    new = {"uid": "", "revision": ""}  # `make_older` inserts the rows again
    assert [row | new for row in after] == [row | new for row in before]
