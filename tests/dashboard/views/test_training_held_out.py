"""The Training page shows the accuracy for countries that were held out."""

import json

import pytest
import streamlit as st

from tests.dashboard.pages import text_of
from tests.dashboard.plain import one_decimal, wilson
from tests.dashboard.specs import assert_valid, words_of
from tests.dashboard.training_records import NUM_HELD_OUT, epoch_table, points


class TestCountriesHeldOut:
    def test_the_headline_has_their_accuracy_and_its_change(self, open_training, trained):
        trained.add(rows=points(held_out=(12, 4, 5)))
        (low, high), text = wilson(4, NUM_HELD_OUT), text_of(open_training())
        assert (
            f"Held-out country accuracy 25.0 % {100 * low:.1f}–{100 * high:.1f} "
            f"n = 16 · epoch 1 −50.0 pp" in text.replace("\xa0", " ")
        )
        assert "against before training" in text
        assert "Images per second 35" not in text  # its chart is there

    @pytest.mark.parametrize(
        ("after", "css"), [(4, "sc-worse"), (10, "sc-unclear"), (16, "sc-better")]
    )
    def test_a_change_has_the_colour_of_its_direction_and_is_grey_where_chance_explains_it(
        self, open_training, trained, after, css
    ):
        trained.add(rows=points(held_out=(12, after, 5)))
        drawn = " ".join(each.proto.body for each in open_training().get("html"))
        assert f"sc-delta {css}" in drawn

    def test_the_table_has_them_beside_the_other_images(self, open_training, trained):
        trained.add(rows=points(held_out=(12, 4, 5)))
        table = epoch_table(open_training())
        assert one_decimal(*table["holdout_accuracy"]) == one_decimal(75.0, 25.0, 31.25)
        assert table["holdout_n"].tolist() == [NUM_HELD_OUT] * 3
        low, high = wilson(5, NUM_HELD_OUT)
        assert table["holdout_interval"][2] == f"{100 * low:.1f}–{100 * high:.1f}"
        assert table["accuracy"].tolist() == pytest.approx([7.5, 50.0, 42.5])

    def test_a_dotted_line_is_theirs(self, open_training, trained, monkeypatch):
        trained.add(rows=points(held_out=(12, 4, 5)))
        specs = []
        monkeypatch.setattr(st, "vega_lite_chart", lambda spec, **_: specs.append(spec))
        assert "Dotted: images of countries held out" in text_of(open_training())
        (dotted,) = (
            each
            for each in specs[1]["layer"]
            if each["mark"]["type"] == "line" and each["mark"].get("strokeDash")
        )
        rows = specs[1]["datasets"][dotted["data"]["name"]]
        assert rows["value"].tolist() == pytest.approx([75.0, 25.0, 31.25])

    def test_the_chart_says_them_in_words_and_is_valid(self, open_training, trained):
        trained.add(rows=points(held_out=(12, 4, 5)))
        chart = open_training().get("vega_lite_chart")[1].proto
        assert_valid(json.loads(chart.spec))
        assert "accuracy on held-out countries 31.2 % at step 6" in words_of(chart)

    def test_a_training_without_any_is_as_before(self, open_training, trained):
        trained.add()
        page = open_training()
        assert "eld-out" not in text_of(page)
        assert "held out" not in text_of(page)
        assert not [name for name in epoch_table(page) if name.startswith("holdout")]

    def test_one_with_and_one_without_are_laid_over_one_another(self, open_training, trained):
        trained.add(rows=points(held_out=(12, 4, 5)), name="with")
        trained.add(name="without")
        page = open_training(training=["1", "2"])
        assert not page.exception
        table = epoch_table(page)
        assert table["holdout_accuracy"].notna().tolist() == [True] * 3 + [False] * 3

    def test_counts_that_are_missing_leave_the_accuracy_alone(self, open_training, trained):
        rows = [row for row in points(held_out=(12, 4, 5)) if not row[2].startswith("holdout_num")]
        trained.add(rows=rows)
        page = open_training()
        assert not page.exception
        assert "Held-out country accuracy 25.0 %" in text_of(page).replace("\xa0", " ")
        assert "against before training" not in text_of(page)
