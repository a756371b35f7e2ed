"""Tags, notes and statuses, and their undoing, against a plain dictionary."""

import random
import subprocess
import sys

import pytest

from streetclip.errors import ConfigError, StoreError
from streetclip.store import (
    STATUSES,
    annotate,
    annotations_version,
    get_run,
    open_store,
    read_annotations,
    register_dataset,
    status_image_ids,
    tag_counts,
    tagged_image_ids,
    undo,
    write_predictions,
)

HOSTILE = [
    '<img src=x onerror="alert(1)">',
    "![a](https://x/y.png)",
    "'; DROP TABLE annotations; --",
    '=HYPERLINK("x")',
    "../../etc/passwd",
    "שלום \u202eabc",
    "👩‍👩‍👧 %s {0} \\n",
    "t" * 500,
]


def everything(store):
    """All annotations as they stand, without the times."""
    frame = read_annotations(store, range(1, 200))
    return {
        image_id: (row.status, row.note, row.tags)
        for image_id, row in zip(frame.index, frame.itertuples(), strict=True)
    }


def test_tags_notes_and_statuses_are_kept_with_their_images(filled):
    assert annotate(filled.store, [3, 5, 3], add_tags=["no cue", "own"]) == 2
    assert annotate(filled.store, [5], note="  blurred\r\nsign ", status="reviewed") == 1
    assert annotate(filled.store, [5, 9], remove_tags=["own"], status="to check") == 2
    assert everything(filled.store) == {
        3: ("open", "", ("no cue", "own")),
        5: ("to check", "blurred\nsign", ("no cue",)),
        9: ("to check", "", ()),
    }
    counts = tag_counts(filled.store)
    assert list(counts.itertuples(index=False, name=None)) == [("no cue", 2), ("own", 1)]
    assert tagged_image_ids(filled.store, ["no cue"])["no cue"].tolist() == [3, 5]
    assert tagged_image_ids(filled.store, ["none"])["none"].tolist() == []
    assert status_image_ids(filled.store, "to check").tolist() == [5, 9]
    assert status_image_ids(filled.store, "reviewed").tolist() == []
    assert read_annotations(filled.store, [9, 4])["updated_at"].str.startswith("20").tolist() == [
        True
    ]


def test_what_changes_nothing_is_no_event(filled):
    assert annotate(filled.store, [1, 2]) == 0
    assert annotate(filled.store, [1], status="open", note=" ", remove_tags=["x"]) == 0
    assert annotate(filled.store, [], add_tags=["x"]) == 0
    assert undo(filled.store) is None
    annotate(filled.store, [1], add_tags=["x"])
    assert annotate(filled.store, [1, 2], add_tags=["x"]) == 1
    assert undo(filled.store).description == "tagged 'x'"
    assert everything(filled.store) == {1: ("open", "", ("x",))}


def test_what_was_tagged_before_stays_tagged_when_tagging_more_is_undone(filled):
    annotate(filled.store, [1], add_tags=["x"], note="first")
    annotate(filled.store, [1, 2, 3], add_tags=["x", "y"], note="second", status="reviewed")
    step = undo(filled.store)
    assert step.description == "tagged 'x', tagged 'y', saved note, marked reviewed (3 images)"
    assert everything(filled.store) == {1: ("open", "first", ("x",))}
    assert undo(filled.store).description == "tagged 'x', saved note"
    assert everything(filled.store) == {}
    assert undo(filled.store) is None


def test_any_number_of_events_can_be_undone_one_by_one(filled):
    rng = random.Random(4)
    tags = [f"tag {i}" for i in range(40)]
    states = [everything(filled.store)]
    versions = {annotations_version(filled.store)}
    for _ in range(60):
        changed = annotate(
            filled.store,
            rng.sample(range(1, 158), rng.randint(1, 6)),
            add_tags=rng.sample(tags, rng.randint(0, 9)),
            remove_tags=rng.sample(tags, rng.randint(0, 3)),
            note=rng.choice([None, "", "a", "b"]),
            status=rng.choice([None, *STATUSES]),
        )
        if changed:
            states.append(everything(filled.store))
            versions.add(annotations_version(filled.store))
    assert len(versions) == len(states) > 40
    for state in reversed(states):
        assert everything(filled.store) == state
        undone = undo(filled.store)
    assert undone is None
    assert filled.store.rows("SELECT count(*) FROM annotations") == [(0,)]
    assert filled.store.rows("SELECT count(*) FROM annotation_tags") == [(0,)]


def test_undo_goes_on_where_it_stopped_after_something_new(filled):
    annotate(filled.store, [1], add_tags=["a"])
    annotate(filled.store, [1], add_tags=["b"])
    undo(filled.store)
    annotate(filled.store, [1], add_tags=["c"])
    assert everything(filled.store)[1][2] == ("a", "c")
    undo(filled.store)
    undo(filled.store)
    assert everything(filled.store) == {}


def test_hostile_texts_come_back_as_they_were(filled):
    for text in HOSTILE:
        annotate(filled.store, [7], add_tags=[text], note=text)
        assert tagged_image_ids(filled.store, [text])[text].tolist() == [7]
        assert read_annotations(filled.store, [7]).loc[7, "note"] == text
    assert read_annotations(filled.store, [7]).loc[7, "tags"] == tuple(sorted(HOSTILE))
    assert set(tag_counts(filled.store)["tag"]) == set(HOSTILE)
    while undo(filled.store):
        pass
    assert everything(filled.store) == {}


def test_what_looks_the_same_is_the_same_tag(filled):
    annotate(filled.store, [1], add_tags=["cafe\u0301"])
    annotate(filled.store, [2], add_tags=["  caf\u00e9 "])
    assert tag_counts(filled.store)["n"].tolist() == [2]
    assert tagged_image_ids(filled.store, ["cafe\u0301"])["cafe\u0301"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "tag", ["", "  \t", "x" * 501, "a\nb", "a\x00b", "a\x1b[31m", "\ud800", "a\u2028b"]
)
def test_a_tag_that_cannot_be_shown_in_a_line_is_refused(filled, tag):
    with pytest.raises(ConfigError, match="tag"):
        annotate(filled.store, [1, 2], add_tags=["good", tag])
    assert everything(filled.store) == {}
    assert tagged_image_ids(filled.store, [tag])[tag].tolist() == []


def test_a_note_or_status_out_of_range_is_refused(filled):
    with pytest.raises(ConfigError, match="10,001 characters; expected at most 10,000"):
        annotate(filled.store, [1], note="x" * 10_001)
    with pytest.raises(ConfigError, match="control character"):
        annotate(filled.store, [1], note="a\x00b")
    with pytest.raises(ConfigError, match="status is 'done'; expected one of 'open'"):
        annotate(filled.store, [1], status="done")
    with pytest.raises(ConfigError, match="status is 'done'"):
        status_image_ids(filled.store, "done")
    with pytest.raises(ConfigError, match="all images without another"):
        status_image_ids(filled.store, "open")
    with pytest.raises(ConfigError, match="100,001 images to annotate"):
        annotate(filled.store, range(100_001), note="x")


@pytest.mark.parametrize("image_id", [0, -3, 9_999, 2**70])
def test_an_image_that_is_not_there_changes_nothing(filled, image_id):
    with pytest.raises(StoreError, match=r"has no image (0|-3|9999|1.18)"):
        annotate(filled.store, [1, image_id], add_tags=["x"])
    assert everything(filled.store) == {}


def test_a_reader_cannot_annotate(filled):
    with open_store(filled.path, read_only=True) as reader:
        with pytest.raises(StoreError, match="write permission"):
            annotate(reader, [1], add_tags=["x"])
        assert undo_refused(reader)


def undo_refused(reader):
    with pytest.raises(StoreError, match="write permission"):
        undo(reader)
    return True


def test_annotations_outlive_the_connection_and_belong_to_every_dataset_of_the_image(filled):
    annotate(filled.store, [4], add_tags=["kept"])
    filled.store.close()
    with open_store(filled.path) as store:
        spec = filled.dataset_spec
        other = register_dataset(store, type(spec)(**(vars(spec) | {"csv_sha256": "new"})))
        assert 4 in other.image_ids
        assert tagged_image_ids(store, ["kept"])["kept"].tolist() == [4]
        undo(store)
        assert everything(store) == {}


WRITER = """
import sys
import pandas as pd
from streetclip.store import open_store, write_predictions

path, frame_path, run_id = sys.argv[1], sys.argv[2], int(sys.argv[3])
predictions = pd.read_pickle(frame_path)
with open_store(path) as store:
    for start in range(0, len(predictions), 10):
        write_predictions(store, {run_id: predictions[start : start + 10]})
"""


def test_the_dashboard_annotates_while_a_job_writes(make_filled):
    filled = make_filled(600)
    frame_path = filled.folder / "predictions.pickle"
    filled.predictions().to_pickle(frame_path)
    arguments = [str(filled.path), str(frame_path), str(filled.run_id)]
    job = subprocess.Popen([sys.executable, "-c", WRITER, *arguments])
    written = []
    with open_store(filled.path, busy_timeout_s=20.0) as dashboard:
        while job.poll() is None or len(written) < 3:
            image_id = len(written) % 600 + 1
            written.append(annotate(dashboard, [image_id], note=f"note {len(written)}"))
            assert read_annotations(dashboard, [image_id]).loc[image_id, "note"]
        assert job.returncode == 0
        assert set(written) == {1}
        assert get_run(dashboard, filled.run_id)["num_done"] == 600
        events = dashboard.rows("SELECT count(*) FROM annotation_events")
        assert events == [(len(written),)]


def test_predictions_can_be_written_after_annotating(filled):
    annotate(filled.store, [1, 2, 3], add_tags=["x"])
    write_predictions(filled.store, {filled.run_id: filled.predictions()})
    assert tagged_image_ids(filled.store, ["x"])["x"].tolist() == [1, 2, 3]


def test_the_images_of_many_tags_are_read_at_once(filled):
    tags = {f"tag {number}": [number, number + 1] for number in range(1, 100)}
    for tag, ids in tags.items():
        annotate(filled.store, ids, add_tags=[tag])
    asked = []
    filled.store.db.conn.set_trace_callback(asked.append)
    found = tagged_image_ids(filled.store, [*tags, "none"])
    filled.store.db.conn.set_trace_callback(None)
    assert len(asked) == 1
    assert {tag: ids.tolist() for tag, ids in found.items()} == tags | {"none": []}
