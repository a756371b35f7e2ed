"""The Training page shows one or several trainings in every state."""

import json
import math

import pandas as pd
import pytest
import streamlit as st

from dashboard.queries import store_state, trainings
from dashboard.shell import theme
from streetclip import store as library
from streetclip.process_identity import ProcessId, current_process
from streetclip.runtime import JobSpec, register_job
from streetclip.store import (
    log_training_points,
    open_store,
    restart_training,
    set_training_best,
    set_training_state,
)
from tests.dashboard.pages import text_of
from tests.dashboard.plain import wilson
from tests.dashboard.specs import assert_valid, layers_of, words_of
from tests.dashboard.training_records import NUM_VAL, epoch_table, label, points, spec
from tests.dashboard.worlds import HOSTILE, World


def charts(page):
    return [json.loads(each.proto.spec) for each in page.get("vega_lite_chart")]


def links(page):
    return [each.proto for each in page.get("page_link") if each in list(page.main)]


class TestWithoutATraining:
    def test_without_a_store_it_names_the_command_and_the_form(self, open_training):
        page = open_training()
        assert not page.exception
        assert "No training yet" in text_of(page)
        assert "python main.py --mode train --train_csv" in text_of(page)
        (link,) = links(page)
        assert "form=train" in link.query_string

    def test_a_store_of_runs_alone_says_the_same(self, open_training, trained):
        with open_store(trained.path):
            pass
        page = open_training()
        assert not page.exception
        assert "No training yet" in text_of(page)


class TestOneTraining:
    def test_it_says_which_and_how_it_stands(self, open_training, trained):
        trained.add()
        text = text_of(open_training())
        assert "Training 1 · b32 · from openai/clip · done, epoch 2 of 3 · started 20" in text

    def test_the_headline_is_of_the_chosen_epoch_with_its_interval(self, open_training, trained):
        trained.add()
        low, high = wilson(20, NUM_VAL)
        text = text_of(open_training())
        assert (
            f"Validation country accuracy 50.0 % {100 * low:.1f}–{100 * high:.1f} n = 40 · epoch 1"
            in text
        )
        assert "Validation loss 2.000 epoch 1 · training loss now 0.250" in text
        assert "Images per second 35 median · batches of 5" in text

    def test_the_chosen_checkpoint_has_its_reason_and_its_file(self, open_training, trained):
        trained.add()
        text = "epoch 1 of 3, step 3: 20 of 40 are right. "
        assert f"{text}Missing file: {trained.path.parent}" in text_of(open_training())
        (trained.path.parent / "best_model.pt").write_bytes(b"weights")
        assert f"{text}File: {trained.path.parent}" in text_of(open_training())

    def test_the_table_has_the_mean_losses_and_the_intervals(self, open_training, trained):
        trained.add()
        table = epoch_table(open_training())
        assert table["step"].tolist() == [0, 3, 6]
        assert math.isnan(table["train_loss"][0])
        # Two steps of 4.0 and one of 1.0; then two of 2.0 and one of 0.5.
        assert table["train_loss"].tolist()[1:] == pytest.approx([9 / 3, 4.5 / 3])
        assert table["val_loss"].tolist() == [3.0, 2.0, 1.0]
        assert table["accuracy"].tolist() == pytest.approx([7.5, 50.0, 42.5])
        assert table["n"].tolist() == [NUM_VAL] * 3
        assert table["checkpoint"].tolist() == ["", "chosen", ""]
        low, high = wilson(17, NUM_VAL)
        assert table["interval"][2] == f"{100 * low:.1f}–{100 * high:.1f}"

    @pytest.mark.parametrize("axis", ["step", "epoch"])
    def test_every_chart_is_valid_and_says_what_it_shows(self, open_training, trained, axis):
        trained.add()
        page = open_training(axis=axis)
        drawn = page.get("vega_lite_chart")
        assert len(drawn) == 7
        for chart in drawn:
            assert_valid(json.loads(chart.proto.spec))
            assert f"by {axis}. " in words_of(chart.proto)
            assert label(1) in words_of(chart.proto)
        assert "training loss 0.25 at step 7 · epoch 2.333" in words_of(drawn[0].proto)

    @pytest.mark.parametrize(("axis", "place"), [("step", 3), ("epoch", 1)])
    def test_a_rule_marks_the_chosen_checkpoint(
        self, open_training, trained, monkeypatch, axis, place
    ):
        trained.add()
        specs = []
        monkeypatch.setattr(st, "vega_lite_chart", lambda spec, **_: specs.append(spec))
        open_training(axis=axis)
        for spec_ in specs[:2]:
            rule = next(each for each in spec_["layer"] if each["mark"]["type"] == "rule")
            assert spec_["datasets"][rule["data"]["name"]]["x"].tolist() == [place]
        assert "rule" not in json.dumps([each["layer"] for each in specs[2:]])

    def test_a_run_of_these_weights_is_linked_and_the_others_are_not(self, open_training, trained):
        world = World(trained.path.parent, num_images=20, with_files=False)
        world.add_run("same")  # of the weights "abc"
        trained.path = world.path
        trained.add()
        page = open_training()
        assert "Run 1: same" in [each.label.replace("\\", "") for each in links(page)]
        assert "has not been evaluated" not in text_of(page)

    def test_weights_without_a_run_have_the_command_that_evaluates_them(
        self, open_training, trained
    ):
        trained.add(config={"num_epochs": 3, "image_dir": "my photos"})
        text = text_of(open_training())
        assert "This checkpoint has not been evaluated." in text
        assert "--image_dir 'my photos' --checkpoint_path" in text

    def test_without_a_chosen_checkpoint_it_says_so(self, open_training, trained):
        trained.add(best=False)
        page = open_training()
        assert "none is recorded" in text_of(page)
        assert set(epoch_table(page)["checkpoint"]) == {""}

    @pytest.mark.parametrize("best", ["text", {"epoch": "x"}, {"epoch": 1, "step": None}, []])
    def test_a_checkpoint_that_cannot_be_read_is_left_out(self, open_training, trained, best):
        training = trained.add(best=False)
        with open_store(trained.path) as store:
            set_training_best(store, training, best)
        page = open_training()
        assert not page.exception
        assert "none is recorded" in text_of(page)


class TestOddPoints:
    def test_one_point_is_drawn_as_a_dot(self, open_training, trained, monkeypatch):
        trained.add("running", [(1, 0.1, "loss", 3.5)], best=False)
        page = open_training()
        assert not page.exception
        (chart,) = page.get("vega_lite_chart")
        assert "training loss 3.5 at step 1" in words_of(chart.proto)
        assert "No data yet." in text_of(page)
        assert "the first is chosen after the first epoch" in text_of(page)

    def test_no_point_yet_is_said(self, open_training, trained):
        trained.add("running", [], best=False)
        page = open_training()
        assert not page.exception
        assert not page.get("vega_lite_chart")
        assert "Preparing…" in text_of(page)

    def test_numbers_that_are_none_leave_gaps(self, open_training, trained):
        gaps = {(6, "val_loss"), (5, "loss"), (7, "lr")}
        rows = [
            (step, epoch, name, math.nan if (step, name) in gaps else value)
            for step, epoch, name, value in points()
        ]
        rows = [(*row[:3], math.inf) if row[2] == "grad_norm" else row for row in rows]
        trained.add(rows=rows)
        page = open_training()
        assert not page.exception
        table = epoch_table(page)
        assert math.isnan(table["val_loss"][2])
        assert math.isnan(table["train_loss"][2])
        assert table["accuracy"][2] == pytest.approx(42.5)
        assert len(page.get("vega_lite_chart")) == 6  # of the gradient nothing is left
        for chart in charts(page):
            assert_valid(chart)

    def test_counts_that_cannot_be_are_left_out(self, open_training, trained):
        trained.add(rows=points(correct=(3, 41, -1)))
        page = open_training()
        assert not page.exception
        assert epoch_table(page)["interval"].tolist()[1:] == ["–", "–"]

    def test_a_training_of_an_earlier_version_has_no_interval(self, open_training, trained):
        trained.add(rows=[row for row in points() if not row[2].startswith("val_num")])
        page = open_training()
        assert not page.exception
        assert epoch_table(page)["accuracy"].tolist() == pytest.approx([7.5, 50.0, 42.5])
        assert set(epoch_table(page)["interval"]) == {"–"}

    @pytest.mark.parametrize("config", [{}, {"num_epochs": "many"}, {"num_epochs": -1}, []])
    def test_odd_settings_are_survived(self, open_training, trained, config):
        trained.add("running", config=config)
        page = open_training()
        assert not page.exception
        assert "b32" in text_of(page)


class TestSeveral:
    def test_each_has_its_colour_and_its_rows(self, open_training, trained, monkeypatch):
        for name in ("one", "two", "three"):
            trained.add(name=name)
        specs = []
        monkeypatch.setattr(st, "vega_lite_chart", lambda spec, **_: specs.append(spec))
        page = open_training(training=["3", "1"])
        assert not page.exception
        text = text_of(page)
        assert f"{label(3, 'three')} · done, epoch 2 of 3" in text
        assert f"{label(1, 'one')} · done, epoch 2 of 3" in text
        assert set(epoch_table(page)["training"]) == {label(3, "three"), label(1, "one")}
        line = layers_of(specs[0], "line")[0]["encoding"]["stroke"]["scale"]
        assert line == {
            "domain": [label(3, "three"), label(1, "one")],
            "range": list(theme.SERIES[:2]),
        }
        rows = next(iter(specs[0]["datasets"].values()))
        assert rows.groupby("training").size().tolist() == [5, 5]

    def test_trainings_of_one_name_stay_apart(self, open_training, trained):
        trained.add(), trained.add()
        page = open_training(training=["1", "2"])
        assert len(set(epoch_table(page)["training"])) == 2

    def test_the_newest_is_shown_where_the_link_names_none(self, open_training, trained):
        trained.add(name="older"), trained.add(name="newer")
        assert "Training 2 · newer" in text_of(open_training())

    def test_more_than_can_be_told_apart_are_left_out(self, open_training, trained):
        for _ in range(7):
            trained.add()
        page = open_training(training=[str(each) for each in range(1, 8)])
        assert not page.exception
        assert "names 7 trainings; the first 6 are shown" in text_of(page)
        assert len(set(epoch_table(page)["training"])) == 6

    @pytest.mark.parametrize("wanted", ["99", "-1", "1e3", "9" * 40, HOSTILE, "١"])
    def test_a_bad_parameter_is_named_and_left_out(self, open_training, trained, wanted):
        trained.add()
        page = open_training(training=[wanted, "1"], axis=wanted)
        assert not page.exception
        assert "A part of the link was left out" in text_of(page)
        assert "Training 1 · b32" in text_of(page)

    def test_choosing_writes_the_link(self, open_training, trained):
        trained.add(), trained.add()
        page = open_training()
        page.multiselect(key="training_picker").set_value([1, 2]).run()
        assert page.query_params["training"] == ["1", "2"]
        assert not page.exception


class TestStates:
    def test_a_failed_one_says_why(self, open_training, trained):
        trained.add("failed", error="out of memory")
        text = text_of(open_training())
        assert f"Training {label(1)} failed out of memory Resume it" in text

    def test_one_that_ended_early_says_why(self, open_training, trained):
        trained.add(why="no better for 2 epochs")
        text = text_of(open_training())
        assert f"Training {label(1)} ended before its last epoch: no better for 2 epochs." in text

    def test_one_that_ended_in_time_says_nothing_of_it(self, open_training, trained):
        trained.add()
        assert "before its last epoch" not in text_of(open_training())

    def test_an_interrupted_one_says_how_to_go_on(self, open_training, trained):
        trained.add("failed", error="out of memory")
        trained.add("interrupted")
        assert "was interrupted Finished epochs are kept. Resume it" in text_of(open_training())

    def test_a_running_one_says_how_far_it_is(self, open_training, trained, monkeypatch):
        trained.add("running")
        intervals = []
        monkeypatch.setattr(
            st, "fragment", lambda body, *, run_every: intervals.append(run_every) or body
        )
        page = open_training()
        assert "7 of 9 steps" in page.get("progress")[0].proto.text
        assert intervals == [2.0]

    def test_only_a_running_one_is_polled(self, open_training, trained, monkeypatch):
        trained.add("running")
        trained.add("done")
        intervals = []
        monkeypatch.setattr(
            st, "fragment", lambda body, *, run_every: intervals.append(run_every) or body
        )
        open_training(training="2")
        open_training(training=["2", "1"])
        assert intervals == [None, 2.0]

    def test_one_whose_process_is_gone_is_interrupted_at_the_first_look(
        self, open_training, trained
    ):
        training = trained.add("running")
        mine = current_process()
        gone = ProcessId(mine.host, mine.pid, mine.started_at - 1000)  # its number is another's
        job = JobSpec(
            kind="train", arguments=(), parameters={}, output_dir=None, cwd=trained.path.parent
        )
        with open_store(trained.path) as store:
            ticket = register_job(store, job, gone)
            set_training_state(store, training, "running", job_id=ticket.job_id)
        page = open_training()
        assert not page.exception
        assert "was interrupted" in text_of(page)
        assert "job=1" in [each.query_string for each in links(page)][-1]

    def test_hostile_texts_are_drawn_as_texts(self, open_training, trained):
        for state in ("failed", "interrupted", "running", "done"):
            trained.add(state, text=HOSTILE, error=HOSTILE, why=HOSTILE)
        for wanted in ("1", "2", "3", "4", ["1", "2", "3", "4"]):
            page = open_training(training=wanted)
            assert not page.exception
            for kind in ("markdown", "caption", "header", "subheader", "title"):
                assert not [each for each in page.get(kind) if "evil" in each.value]
            labels = [each.label for each in page.get("expander")]
            assert not [each for each in labels if "evil" in each]


class TestReading:
    def test_only_new_points_are_read(self, trained, monkeypatch):
        st.cache_data.clear()
        st.cache_resource.clear()
        # What was just written would be read twice, as the file's clock may not tell.
        monkeypatch.setattr(store_state, "SETTLED_NS", -(10**18))
        training = trained.add("running")
        asked = []
        original = library.training_curves
        monkeypatch.setattr(
            library,
            "training_curves",
            lambda *given, from_step: (
                asked.append(from_step) or original(*given, from_step=from_step)
            ),
        )
        row = trainings.listed(trained.path)[0]
        before = trainings.curves(trained.path, row)
        assert trainings.curves(trained.path, row) is before  # nothing was written since
        # The validation comes after the window that ends at the same step.
        trained.log(training, [(7, 7 / 3, "val_loss", 0.5), (9, 3.0, "loss", 0.125)])
        after = trainings.curves(trained.path, row)
        assert asked == [0, 7]
        with open_store(trained.path, read_only=True) as store:
            pd.testing.assert_frame_equal(after.points, original(store, training))
        assert len(after.points) == len(before.points) + 2

    def test_a_restarted_training_is_read_from_its_start(self, trained):
        training = trained.add("running")
        assert len(trainings.curves(trained.path, trainings.listed(trained.path)[0]).points)
        with open_store(trained.path) as store:
            restart_training(store, training, spec())
            log_training_points(store, training, [(1, 0.5, "loss", 9.0)])
        row = trainings.listed(trained.path)[0]
        assert trainings.curves(trained.path, row)["loss"]["value"].tolist() == [9.0]
