import numpy as np
import pytest

from streetclip.results.run_table import nearly_selected_rows, selected_rows, signed_rows


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_selected_rows_are_those_of_the_mask_in_order(share):
    mask = np.random.default_rng(1).random(100) < share
    rows = np.arange(100)
    found = [i for part in selected_rows(mask, 9) for i in rows[part].tolist()]
    assert found == np.flatnonzero(mask).tolist()


def test_a_block_that_is_selected_whole_is_not_copied():
    mask = np.array([True, True, True, False])
    first, *rest = selected_rows(mask, 2)
    assert first == slice(0, 2)
    assert [part.tolist() for part in rest] == [[2]]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.87, 0.89, 0.999, 1.0])
def test_rows_less_those_left_out_are_those_of_the_mask(share):
    mask = np.random.default_rng(2).random(1000) < share
    everything = np.arange(1000)
    times = np.zeros(1000, np.int64)
    for rows, sign in signed_rows(mask, 64):
        times[rows] += sign
    assert times.tolist() == mask.astype(int).tolist()
    found = [
        np.delete(everything[rows], left_out) for rows, left_out in nearly_selected_rows(mask, 64)
    ]
    assert [row for rows in found for row in rows] == np.flatnonzero(mask).tolist()
