"""The parts of the pages of judgement: what they draw, and what a click on them hands on."""

import json

import numpy as np
import pandas as pd
import pytest

from dashboard.charts import metric_cards, selection_events
from dashboard.views.calibration import country_scatter, reliability_diagram
from dashboard.views.compare import outcomes
from dashboard.views.confusion import confused_pairs, confusion_heatmap
from dashboard.views.confusion.confusion_heatmap import Matrix, Style
from streetclip import results
from streetclip.metrics.calibration import bins_of_counts, count_bins
from streetclip.results import OTHER
from tests.dashboard.specs import Drawn, layers_of, rows_of

GROUPS = {"FR": "Europe", "DE": "Europe", "JP": "Asia", "KR": "Asia", "BR": "South America"}
COUNTS = {
    ("FR", "FR"): 40, ("FR", "DE"): 9, ("FR", "JP"): 1, ("DE", "FR"): 3, ("DE", "DE"): 27,
    ("JP", "KR"): 14, ("JP", "JP"): 6, ("KR", "KR"): 11, ("KR", ""): 2, ("BR", "BR"): 5,
    ("BR", "FR"): 1,
}  # fmt: skip


def confusion(top=None, counts=None):
    counts = COUNTS if counts is None else counts
    pairs = pd.DataFrame(
        {
            "true_country": [true for true, _ in counts],
            "pred_country": [predicted for _, predicted in counts],
            "n": list(counts.values()),
            "city_correct": 0,
            "num_distances": [n if said else 0 for (_, said), n in counts.items()],
            "distance_km_sum": [100.0 * n if said else 0.0 for (_, said), n in counts.items()],
            "country_probability_sum": 1.0,
        }
    )
    order = {code: f"{GROUPS.get(code, '')} {code}" for code in GROUPS}
    return results.matrix(pairs, top, order)


def style(**changes):
    values = {"norm": "row", "is_diagonal_coloured": False, "chosen": (None, None)}
    return Style(unit="country", **(values | changes))


@pytest.fixture
def kept(monkeypatch):
    return Drawn(monkeypatch)


def cells_of(kept):
    """The matrix's layer of cells, and its rows by class."""
    spec = kept.only("charts")
    layer = next(each for each in layers_of(spec, "rect") if "params" in each)
    return layer, rows_of(spec, layer).set_index(["true", "predicted"])


def test_rows_without_images_are_left_out_and_columns_without_are_not():
    predicted_only = COUNTS | {("FR", "AR"): 2}
    made = Matrix.of(confusion(counts=predicted_only), GROUPS | {"AR": "South America"})
    assert made.rows == ["JP", "KR", "DE", "FR", "BR"]
    assert set(made.columns) == {*made.rows, "AR", ""}
    assert made.columns[-1] == ""
    narrow = Matrix.of(
        confusion(counts={("FR", "DE"): 1, ("DE", "DE"): 2}), GROUPS, is_square=False
    )
    assert (narrow.rows, narrow.columns) == (["DE", "FR"], ["DE"])


def test_what_is_rolled_up_comes_last_and_blank_after_it():
    made = Matrix.of(confusion(top=2), GROUPS)
    assert made.rows[-1] == OTHER
    assert made.columns[-2:] == [OTHER, ""]
    assert made.cells["n"].sum() == sum(COUNTS.values())
    assert made.name("FR") == "France" if "FR" in made.rows else made.name("JP") == "Japan"
    assert made.name("") == "no prediction"


def test_a_code_that_no_gazetteer_knows_is_a_text_and_nothing_else(kept):
    hostile = '"]; alert(1) //'
    counts = {(hostile, hostile): 3, (hostile, "FR"): 2, ("FR", "FR"): 5}
    confusion_heatmap.draw(
        Matrix.of(confusion(counts=counts), GROUPS), style(), key="m", on_pick=print
    )
    expression = cells_of(kept)[0]["encoding"]["x"]["axis"]["labelExpr"]
    assert json.dumps(hostile) in expression
    assert expression.count("alert") == 4  # a key and a value in each of two tables of names


def test_mean_distances_leave_out_images_without_one():
    cells = Matrix.of(confusion(), GROUPS).cells.set_index(["true", "predicted"])
    assert cells.loc[("FR", "DE"), "mean_km"] == 100
    assert np.isnan(cells.loc[("KR", ""), "mean_km"])


@pytest.mark.parametrize(
    ("norm", "cell", "text"),
    [
        ("row", ("JP", "KR"), "70"),
        ("column", ("JP", "KR"), "56"),
        ("count", ("JP", "KR"), "14"),
        ("row", ("FR", "JP"), "2"),
    ],
)
def test_cells_say_what_their_colour_says(kept, norm, cell, text):
    confusion_heatmap.draw(Matrix.of(confusion(), GROUPS), style(norm=norm), key="m", on_pick=print)
    assert cells_of(kept)[1].loc[cell, "text"] == text


@pytest.mark.parametrize(
    ("n", "text"),
    [(7, "7"), (999, "999"), (1234, "1.2k"), (45_678, "46k"), (2_500_000, "2.5M")],
)
def test_large_counts_are_shortened(kept, n, text):
    made = Matrix.of(confusion(counts={("FR", "DE"): n, ("DE", "DE"): 1}), GROUPS)
    confusion_heatmap.draw(made, style(norm="count"), key="m", on_pick=print)
    assert cells_of(kept)[1].loc[("FR", "DE"), "text"] == text


def test_a_share_that_would_read_0_is_left_blank(kept):
    made = Matrix.of(confusion(counts={("FR", "DE"): 1, ("FR", "FR"): 400}), GROUPS)
    confusion_heatmap.draw(made, style(), key="m", on_pick=print)
    assert cells_of(kept)[1].loc[("FR", "DE"), "text"] == ""


def test_lines_stand_between_continents_and_nowhere_in_another_order(kept):
    made = Matrix.of(confusion(), GROUPS)
    confusion_heatmap.draw(made, style(), key="m", on_pick=print)
    spec = kept.only("charts")
    rules = layers_of(spec, "rule")
    first = [rows_of(spec, each).iloc[:, 0].tolist() for each in rules]
    assert first == [["DE", "BR"], ["DE", "BR", ""]]
    mixed = Matrix.of(confusion(), GROUPS)
    mixed = Matrix(**{**vars(mixed), "rows": ["JP", "FR", "KR", "DE", "BR"]})
    kept.charts.clear()
    confusion_heatmap.draw(mixed, style(), key="m", on_pick=print)
    assert len(layers_of(kept.only("charts"), "rule")) == 1


@pytest.mark.parametrize(
    ("chosen", "channels"),
    [
        (("FR", "DE"), {"x", "y"}),
        (("FR", None), {"y"}),
        ((None, "DE"), {"x"}),
        (("FR", "XX"), None),
        ((None, None), None),
    ],
)
def test_the_chosen_cell_row_or_column_is_framed(kept, chosen, channels):
    confusion_heatmap.draw(
        Matrix.of(confusion(), GROUPS), style(chosen=chosen), key="m", on_pick=print
    )
    rects = layers_of(kept.only("charts"), "rect")
    frames = [each for each in rects if each["mark"].get("strokeWidth") == 3]
    if channels is None:
        assert frames == []
        return
    encoding = frames[0]["encoding"]
    assert {each for each in "xy" if "field" in encoding[each]} == channels


def test_a_click_hands_on_the_cell_and_one_on_the_rest_or_beside_nothing(kept):
    clicked = []
    made = Matrix.of(confusion(top=3), GROUPS)
    confusion_heatmap.draw(made, style(), key="m", on_pick=lambda *cell: clicked.append(cell))
    kept.click_mark(true="JP", predicted="KR")
    kept.click_mark(true="JP", predicted="ZZ")
    kept.click_mark(true=made.rows[0], predicted=OTHER)
    kept.click_mark()
    assert clicked == [("JP", "KR")]


def test_the_table_has_mistakes_first_and_hands_on_the_row(kept):
    clicked = []
    made = Matrix.of(confusion(), GROUPS)
    confused_pairs.cells(made, style(), key="t", on_pick=lambda *cell: clicked.append(cell))
    frame, _, _ = kept.only("tables")
    assert frame["n"].tolist() == [14, 9, 3, 2, 1, 1, 40, 27, 11, 6, 5]
    kept.click_row(1)
    assert clicked == [("FR", "DE")]


def test_the_most_frequent_mistakes_are_some_that_have_images_of_their_own(kept):
    made = Matrix.of(confusion(top=2), GROUPS)
    confused_pairs.cells(made, style(), key="t", on_pick=print, most=1)
    frame, _, _ = kept.only("tables")
    assert frame[["true", "predicted", "n"]].to_numpy().tolist() == [["Japan", "South Korea", 14]]


def test_a_second_click_on_the_chosen_row_hands_the_same_cell_on_again(kept):
    clicked = []
    made = Matrix.of(confusion(), GROUPS)
    confused_pairs.cells(
        made,
        style(chosen=("FR", "DE")),
        key="t",
        on_pick=lambda *cell: clicked.append(cell),
    )
    _, settings, _ = kept.only("tables")
    assert settings["selection_default"] == {"selection": {"rows": [1]}}
    kept.click_row(None)
    assert clicked == [("FR", "DE")]


def test_a_new_state_has_a_new_key():
    assert selection_events.keyed("m", None, "FR") != selection_events.keyed("m", "FR", None)
    assert selection_events.keyed("m", None) != selection_events.keyed("m", "-")


# Reliability


def test_bins_have_the_wilson_interval_of_their_accuracy():
    sure = [0.05] * 4 + [0.95] * 20
    right = [True] + [False] * 3 + [True] * 15 + [False] * 5
    frame = reliability_diagram.bin_frame(bins_of_counts(count_bins(sure, right, num_bins=10)))
    assert frame["n"].tolist() == [4, 0, 0, 0, 0, 0, 0, 0, 0, 20]
    assert frame["value"].iloc[[0, 9]].tolist() == [0.25, 0.75]
    z2, k, n = 1.959963984540054**2, 15, 20
    half = (z2 * (k * (n - k) / n + z2 / 4)) ** 0.5
    assert frame["value_low"].iloc[9] == pytest.approx((k + z2 / 2 - half) / (n + z2))
    assert frame["value_high"].iloc[9] == pytest.approx((k + z2 / 2 + half) / (n + z2))
    assert np.isnan(frame["value_low"].iloc[1])


def curve(n_at):
    """A coverage curve of 1,000 images, from answered images by threshold."""
    thresholds = sorted(n_at)
    n = np.array([n_at[each] for each in thresholds])
    return pd.DataFrame(
        {
            "threshold": thresholds,
            "n": n,
            "coverage": n / 1000,
            "value": 0.8,
            "low": 0.7,
            "high": 0.9,
        }
    )


def test_thresholds_are_marked_where_enough_is_answered_and_labels_keep_apart(kept):
    answered = {0.0: 1000, 0.5: 900, 0.7: 850, 0.8: 600, 0.9: 300, 0.95: 100, 0.99: 29}
    reliability_diagram.coverage(curve(answered), "country")
    marked = pd.concat([kept.layer("coverage", "text", i)[1] for i in (1, 0)])
    assert marked["threshold_label"].tolist() == ["≥ 50 %", "≥ 80 %", "≥ 90 %", "≥ 95 %"]
    assert "80.0 % of the 90.0 % with ≥ 50 %" in kept.alts["coverage"]


def test_a_country_with_few_images_is_pale_and_has_no_name(kept):
    frame = pd.DataFrame(
        {
            "country": ["FR", "DE", "JP"],
            "n": [29, 30, 500],
            "confidence": [0.9, 0.8, 0.75],
            "accuracy": [0.1, 0.7, 0.72],
            "low": [0.0, 0.5, 0.7],
            "high": [0.3, 0.8, 0.8],
        }
    )
    clicked = []
    country_scatter.countries(frame, "country", "JP", clicked.append)
    spec = kept.only("charts")
    texts = [rows_of(spec, each) for each in layers_of(spec, "text")]
    assert sorted(pd.concat(texts)["name"]) == ["Germany", "Japan"]
    assert "Germany 70.0" in kept.only("alts")
    table, settings, _ = kept.only("tables")
    assert table["gap"].round(1).tolist() == [80, 10, 3]
    assert settings["selection_default"] == {"selection": {"rows": [2]}}
    kept.click_mark(country="DE")
    kept.click_mark(country="JP")
    kept.click_mark(country="XX")
    assert clicked == ["DE", None]


# Differences


def comparison(**changes):
    values = {"n": 50, "value": 0.6, "baseline_value": 0.5, "difference": 0.1}
    return results.Comparison(**(values | {"low": 0.02, "high": 0.18, "outcomes": {}} | changes))


@pytest.mark.parametrize(
    ("changes", "css"),
    [
        ({}, "sc-better"),
        ({"difference": -0.1, "low": -0.18, "high": -0.02}, "sc-worse"),
        ({"low": -0.02}, "sc-unclear"),
        ({"n": 0, "difference": np.nan, "low": np.nan, "high": np.nan}, "sc-unclear"),
    ],
)
def test_a_difference_is_coloured_only_where_its_interval_leaves_zero_out(kept, changes, css):
    metric_cards.figures(outcomes.card("country", comparison(**changes)))
    assert css in kept.text
    assert sum(each in kept.text for each in ("better", "worse", "unclear")) == 1


def test_countries_stand_from_certain_gains_to_certain_losses(kept, monkeypatch):
    monkeypatch.setattr(outcomes.choropleth, "choropleth", lambda *_, **__: None)
    frame = pd.DataFrame(
        {
            "country": ["FR", "DE", "JP", "KR", "BR"],
            "n": [2, 90, 80, 70, 60],
            "difference": [0.5, 0.1, -0.2, 0.2, 0.0],
            "low": [-0.3, 0.02, -0.3, 0.12, -0.1],
            "high": [0.9, 0.2, -0.1, 0.3, 0.1],
            "gained": [1, 10, 1, 15, 3],
            "lost": [0, 1, 17, 1, 3],
            "value": 0.5,
            "baseline_value": 0.4,
        }
    )
    outcomes.countries(frame, "country", None, print)
    table, _, _ = kept.only("tables")
    assert table["country"].tolist() == ["South Korea", "Germany", "France", "Brazil", "Japan"]
    assert table["verdict"].tolist() == ["better", "better", "n.s.", "n.s.", "worse"]
