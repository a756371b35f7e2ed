"""Tables: the browser writes their numbers as the page's texts do."""

from contextlib import nullcontext
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from dashboard.charts import tables
from dashboard.shell import formats

PER_CENT = {"share": st.column_config.NumberColumn(format="%.1f")}


def as_the_browser(value):
    """JavaScript's toFixed(1): halves away from zero."""
    return str(Decimal(value).quantize(Decimal("0.1"), ROUND_HALF_UP))


@pytest.mark.parametrize("n", [400, 480, 1200, 7])
def test_a_share_reads_alike_in_a_table_and_in_a_text(n):
    shares = pd.Series(np.arange(n + 1) / n)
    settled = tables.halves_settled(pd.DataFrame({"share": 100 * shares}), PER_CENT)["share"]
    in_texts = [formats.share(value).removesuffix(f"{formats.NBSP}%") for value in shares]
    assert [as_the_browser(value) for value in settled] == in_texts


def test_a_difference_reads_alike_in_a_table_and_in_a_text():
    config = {"difference": st.column_config.NumberColumn(format="%+.1f")}
    rows = pd.DataFrame({"difference": [-3.75, -3.25, 3.25, -3.26, np.nan]})
    settled = tables.halves_settled(rows, config)["difference"].tolist()
    assert settled[:4] == [-3.8, -3.2, 3.2, -3.26]
    assert np.isnan(settled[4])


def test_other_columns_and_digits_stay():
    rows = pd.DataFrame({"share": [47.26, 100 / 3], "n": [2, 3], "name": ["a", None]})
    config = PER_CENT | {"n": st.column_config.NumberColumn(format="localized"), "name": "title"}
    pd.testing.assert_frame_equal(tables.halves_settled(rows, config), rows)


def test_a_missing_value_of_any_kind_stays_missing():
    rows = pd.DataFrame({"share": pd.Series([None, 47.25], dtype=object)})
    settled = tables.halves_settled(rows, PER_CENT)["share"]
    assert settled.isna().tolist() == [True, False]
    assert settled[1] == 47.2


def test_a_missing_number_is_a_dash_and_a_row_is_clickable_as_a_whole(monkeypatch):
    drawn, containers = {}, []
    monkeypatch.setattr(st, "dataframe", lambda rows, **settings: drawn.update(settings))
    monkeypatch.setattr(st, "container", lambda **each: containers.append(each) or nullcontext())
    rows = pd.DataFrame({"n": [1.0, np.nan]})
    columns = {"n": tables.whole()}
    tables.show(rows, columns, key="k", values=["a", "b"], on_pick=lambda value: None)
    tables.show(rows, columns, key="k")
    assert drawn["placeholder"] == formats.NONE == "–"
    assert [each["key"] for each in containers] == ["pick_row_k", "read_row_k"]
