import numpy as np
import pytest

from streetclip.errors import StoreError
from streetclip.store import read_run_files, write_predictions
from streetclip.store.predictions import FILE_COLUMNS


@pytest.fixture
def described(make_filled):
    """A run without predictions, and predictions whose frame describes the files."""
    made = make_filled(9)
    made.other = made.start(name="other")
    frame = made.predictions(0)
    made.frame = frame.assign(
        **{name: np.arange(9) * 10 + i for i, name in enumerate(FILE_COLUMNS)}
    )
    return made


def test_files_are_read_as_they_were_written_by_image(described):
    frame = described.frame
    for rows in ([7, 2], [0], [1, 3, 4, 5, 6, 8]):
        write_predictions(described.store, {described.other: frame.iloc[rows]})
    found = read_run_files(described.store, described.other)
    expected = frame.sort_values("image_id")
    for name in ("image_id", *FILE_COLUMNS):
        assert found[name].tolist() == expected[name].tolist()


def test_a_prediction_that_the_run_has_already_keeps_its_file(described):
    write_predictions(described.store, {described.other: described.frame.iloc[:3]})
    later = described.frame.assign(file_size=7)
    write_predictions(described.store, {described.other: later.iloc[:4]})
    found = read_run_files(described.store, described.other)
    assert sorted(found["file_size"].tolist()) == [0, 7, 10, 20]


def test_predictions_without_files_have_none(described):
    write_predictions(described.store, {described.other: described.predictions(0)})
    assert len(read_run_files(described.store, described.other)) == 0


def test_a_run_that_is_not_there_has_no_files(described):
    with pytest.raises(StoreError, match="has no run 99"):
        read_run_files(described.store, 99)


def test_a_record_of_files_that_was_cut_is_named(described):
    write_predictions(described.store, {described.other: described.frame})
    described.store.rows("UPDATE run_files SET data = substr(data, 1, length(data) - 5)")
    with pytest.raises(StoreError, match="the record of its image files is damaged"):
        read_run_files(described.store, described.other)
