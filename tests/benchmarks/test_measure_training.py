"""The arithmetic of the tables of `measure_training.py`, and its flags; nothing is timed."""

import csv
import math

import pytest
import torch

from benchmarks.measure_training import build_parser
from benchmarks.training import losses, memory
from benchmarks.training.clock import StepClock
from benchmarks.training.figures import (
    Interval,
    city_difference,
    city_share,
    country_difference,
    country_share,
    markdown,
    mean_over_seeds,
    on_the_line,
    percent,
)
from benchmarks.training.loss_tables import tables
from benchmarks.training.losses import Place, learning_rates, read_answers
from benchmarks.training.speed import best_of_others, speeds_by_name
from benchmarks.training.variants import COMPARISONS, VARIANTS
from benchmarks.training.workload import Workload, captioned


@pytest.mark.parametrize("measurement", ["trainer", "memory", "demo", "exactness"])
def test_each_measurement_needs_no_flag(measurement):
    assert build_parser().parse_args([measurement]).measurement == measurement


def test_a_gpu_run_is_asked_for_by_flags():
    flags = "--shape vit-l-14-336 --device cuda --precision bf16 --peak_tflops 989 --modes loop"
    options = build_parser().parse_args(["trainer", *flags.split()])
    assert (options.shape, options.device, options.precision) == ("vit-l-14-336", "cuda", "bf16")
    assert options.peak_tflops == 989.0
    assert options.modes == ["loop"]


def test_further_flags_of_a_training_are_passed_on():
    options = build_parser().parse_args(["demo", "--seeds", "1", "--train_flags", "--device=cpu"])
    assert options.train_flags == ["--device=cpu"]


def test_variants_take_the_same_images_a_step_but_for_the_one_without_accumulation():
    sizes = {name: 32 * each.passes for name, each in VARIANTS.items()}
    assert sizes.pop("batch_32") == 32
    assert set(sizes.values()) == {256}


def test_flags_of_every_variant_are_known_to_the_job():
    from jobs.support.cli import build_config_parser
    from streetclip.config import TrainConfig

    needed = ["--train_csv=a", "--val_csv=b", "--image_dir=c"]
    for each in VARIANTS.values():
        options = build_config_parser(TrainConfig, None).parse_args([*needed, *each.flags()])
        assert options.duplicates == each.duplicates
        assert options.gradient_accumulation_steps == each.passes


def test_comparisons_name_variants():
    assert {name for pair in COMPARISONS for name in pair} <= set(VARIANTS)


def test_a_rate_for_one_variant_beats_the_rate_for_all():
    given = ["batch_32=5e-4", "2e-3"]
    rates = learning_rates(given, ["batch_32", "ignore_micro"])
    assert rates == {"batch_32": 5e-4, "ignore_micro": 2e-3}


@pytest.mark.parametrize("text", ["fast", "batch_33=1e-3", "batch_32=fast"])
def test_a_rate_that_means_nothing_is_refused(text):
    with pytest.raises(SystemExit, match="--learning_rate"):
        learning_rates([text], [*VARIANTS])


def test_mean_over_seeds_has_students_interval():
    # Of 1, 2 and 6: mean 3, s = √7, t(0.975, 2) = 4.3027, so 3 ± 4.3027 · √(7/3).
    found = mean_over_seeds([1.0, 2.0, 6.0])
    assert found == pytest.approx((3.0, 3 - 6.5724, 3 + 6.5724), abs=1e-3)


def test_one_seed_has_no_interval():
    found = mean_over_seeds([0.25])
    assert found.value == 0.25
    assert math.isnan(found.low)
    assert percent(found) == "25.0"


def test_city_counts_only_where_the_country_is_right():
    answers = "0012222"  # 5 of 7 countries, 4 of those 5 cities
    assert country_share(answers).value == pytest.approx(5 / 7)
    assert city_share(answers).value == pytest.approx(4 / 5)


def test_differences_are_of_the_first_minus_the_second():
    better, worse = "22120", "20100"
    assert country_difference(better, worse).value == pytest.approx(4 / 5 - 2 / 5)
    assert city_difference(better, worse).value == pytest.approx(3 / 4 - 1 / 2)
    assert country_difference(worse, better).value == pytest.approx(2 / 5 - 4 / 5)


def test_the_line_through_peaks_goes_on():
    assert on_the_line({64: 3.0, 128: 5.0, 256: 9.0}, 512) == pytest.approx(17.0)


def test_percents_are_signed_for_differences():
    assert percent(Interval(0.853, 0.832, 0.8722)) == "85.3 [83.2–87.2]"
    assert percent(Interval(0.0, -0.0104, 0.02), signed=True) == "+0.0 [-1.0 to +2.0]"
    assert percent(Interval(-0.0001, -0.02, 0.02), signed=True) == "+0.0 [-2.0 to +2.0]"


def test_a_markdown_table_has_a_cell_for_each_head():
    assert markdown(["", "a"], [["b", "1"]]) == "|  | a |\n| --- | ---: |\n| b | 1 |"


def test_tables_pair_trainings_of_the_same_seed():
    trainings = [
        ("positive_global", 1, "2211"),
        ("positive_global", 2, "2210"),
        ("ignore_global", 2, "2200"),
        ("sigmoid_ignore", 1, ""),
    ]
    outcomes = [
        {"variant": variant, "seed": seed, "answers": answers, "diverged": not answers}
        for variant, seed, answers in trainings
    ]
    text = tables(outcomes)
    assert "| positives, 256 contrasted | 87.5 [" in text
    assert "sigmoid, plain, 256 (1 of 1 diverged) | – | – |" in text
    (difference,) = [line for line in text.splitlines() if " − " in line]
    assert difference.split(" | ")[1] == "+25.0"  # seed 2 alone: 3/4 − 2/4


def test_answers_are_read_from_an_evaluation(tmp_path):
    rows = [("country_correct", "city_correct"), (1, 0), (0, 0), (1, 1)]
    with (tmp_path / "predictions.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert read_answers(tmp_path / "predictions.csv") == "102"


def test_a_finished_training_is_not_repeated(tmp_path, monkeypatch):
    place = Place(tmp_path / "demo", tmp_path)
    calls = []
    monkeypatch.setattr(Place, "_train", lambda *_: bool(calls.append(1)))
    place.train("batch_32", 1, ["--a"])
    place.train("batch_32", 1, ["--a"])
    place.train("batch_32", 2, ["--a"])
    assert len(calls) == 2
    assert len(place.outcomes(["batch_32"], [1, 2])) == 2
    assert len(place.outcomes(["batch_32"], [2])) == 1


@pytest.mark.parametrize(("code", "has_begun"), [(2, False), (1, True), (130, True)])
def test_a_job_that_fails_is_no_divergence(tmp_path, monkeypatch, code, has_begun):
    place, work = Place(tmp_path / "demo", tmp_path), tmp_path / "batch_32-1" / "training"
    work.mkdir(parents=True)
    (tmp_path / "model-1").mkdir()
    if has_begun:
        (work / "last_checkpoint.pt").touch()
    monkeypatch.setattr(losses, "_exit_code", lambda *_: code)
    with pytest.raises(SystemExit):
        place.train("batch_32", 1, [])
    assert place.outcomes(["batch_32"], [1]) == []


def test_a_training_that_diverges_is_kept_as_such(tmp_path, monkeypatch):
    place, work = Place(tmp_path / "demo", tmp_path), tmp_path / "batch_32-1" / "training"
    work.mkdir(parents=True)
    (tmp_path / "model-1").mkdir()
    (work / "last_checkpoint.pt").touch()
    monkeypatch.setattr(losses, "_exit_code", lambda *_: 2)
    place.train("batch_32", 1, [])
    assert place.outcomes(["batch_32"], [1])[0]["diverged"]


def test_a_training_of_other_flags_is_refused(tmp_path, monkeypatch):
    place = Place(tmp_path / "demo", tmp_path)
    monkeypatch.setattr(Place, "_train", lambda *_: False)
    place.train("batch_32", 1, ["--a"])
    with pytest.raises(SystemExit, match="another --folder"):
        place.train("batch_32", 1, ["--b"])


def test_the_best_other_way_counts():
    results = [
        {"round": number, "name": name, "images_per_s": value}
        for number, name, value in (
            (2, "ours", 9.0), (1, "ours", 8.0), (1, "a", 7.0), (2, "a", 5.0), (1, "b", 1.0),
            (2, "b", 99.0),
        )
    ]  # fmt: skip
    speeds = speeds_by_name(results)
    assert speeds["ours"] == [8.0, 9.0]  # by round
    assert next(iter(speeds)) == "ours"
    assert best_of_others(speeds) == "b"


def test_the_clock_counts_the_images_of_the_timed_steps(tmp_path, monkeypatch):
    seconds = iter([10.0, 14.0])
    monkeypatch.setattr("benchmarks.training.clock.time.perf_counter", lambda: next(seconds))
    workload = Workload(tmp_path, batch_size=3, accumulation=2, skipped=2, timed=4, trailing=1)
    clock = StepClock(workload, torch.device("cpu"))
    for step in range(workload.num_steps + 1):
        clock(step)
    assert clock.result()["images_per_s"] == 3 * 2 * 4 / 4.0


def test_a_training_with_too_few_steps_is_noticed(tmp_path):
    clock = StepClock(Workload(tmp_path), torch.device("cpu"))
    clock(5)
    with pytest.raises(RuntimeError, match="expected"):
        clock.result()


def test_captions_are_distinct_unless_told():
    names = [f"{number}.jpg" for number in range(50)]
    assert len({row[5] for row in captioned(names, 0)}) == 50
    assert len({row[5] for row in captioned(names, 7)}) == 7


@pytest.mark.parametrize("free", [1e9, 1e12])
def test_a_plain_batch_that_does_not_fit_is_told_from_smaller_ones(monkeypatch, tmp_path, free):
    monkeypatch.setattr(memory, "_free_bytes", lambda _device: free)
    monkeypatch.setattr(
        memory, "_peak", lambda _o, _f, name, size, n: memory.Peak(name, size, n, 1e8 * size, True)
    )
    options = build_parser().parse_args(["memory", "--effective_batch", "16", "--plain", "4", "8"])
    peaks = memory._plain_peaks(options, tmp_path, "ours:train")
    assert [each.batch_size for each in peaks] == [4, 8, 16]
    assert peaks[-1].num_bytes == pytest.approx(1.6e9)
    assert peaks[-1].is_measured == (free > 1.6e9)
