import numpy as np
import pandas as pd
import pytest

from streetclip.store import PREDICTION_COLUMNS, read_predictions, write_predictions


def test_what_was_written_is_read_back_in_manifest_order(filled):
    predictions = filled.predictions()
    shuffled = predictions.sample(frac=1, random_state=3)
    assert write_predictions(filled.store, {filled.run_id: shuffled}) == {filled.run_id: 157}
    found = read_predictions(filled.store, filled.run_id)
    assert found["line"].tolist() == list(range(2, 159))
    assert found["image_filename"].tolist() == filled.manifest["image_filename"].tolist()
    assert found["country"].tolist() == filled.manifest["country"].tolist()
    pd.testing.assert_frame_equal(found[list(PREDICTION_COLUMNS)], predictions, check_dtype=False)
