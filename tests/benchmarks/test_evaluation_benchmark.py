import contextlib
import dataclasses
import io
import json
import shutil

import numpy as np
import pytest

from benchmarks.evaluation import figures, ours, photos, processes, rounds
from benchmarks.evaluation.processes import Task
from benchmarks.evaluation.report import tables
from benchmarks.evaluation.setup import Setup, Way
from jobs import benchmark
from streetclip.config import BenchmarkConfig
from streetclip.errors import ModelError, ResourceError
from streetclip.models.identity import ModelIdentity
from streetclip.models.loading import load_encoder

IDENTITY = ModelIdentity("weights", "config", "images", "tokenizer")
MEASURED = {
    "default_fp32",
    "exact_fp32",
    "forward_fp32",
    "decode_default",
    "decode_exact",
    "first",
    "write",
    "second",
    "plain_loop",
    "pipeline",
}


def flags(world, folder, **changes):
    values = {
        "db": folder / "streetclip.db",
        "output": folder / "benchmark.json",
        "model_name": world / "model",
        "candidates_file": world / "candidates.json",
        "image_dir": world / "images",
        "precision": "fp32",
        "num_workers": 0,
        "num_images": 7,
        "batch_size": 3,
        "rounds": 2,
        "pipeline_images": 2,
        "num_labels": 45,
        "estimate": 1000,
    } | changes
    return [f"--{name}={value}" for name, value in values.items() if value is not None]


def run_here(arguments):
    """Its exit code and what it prints, with all measured in this process, which is faster."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed):
        patch.setattr(processes, "run_apart", processes.measure)
        code = benchmark.main(arguments)
    return code, printed.getvalue()


@pytest.fixture(scope="module")
def labelled(small_world, tmp_path_factory):
    """The report of a benchmark of labelled images, and what was printed."""
    folder = tmp_path_factory.mktemp("labelled")
    arguments = flags(small_world, folder, test_csv=small_world / "test.csv", peak_tflops=2)
    code, printed = run_here(arguments)
    assert code == 0
    return json.loads((folder / "benchmark.json").read_text()), printed


@pytest.fixture(scope="module")
def unlabelled(small_world, tmp_path_factory):
    """The report of a benchmark of four images of a folder, one of them damaged, seven times."""
    folder = tmp_path_factory.mktemp("unlabelled")
    (folder / "photos" / "deep").mkdir(parents=True)
    for path in sorted((small_world / "images").rglob("*.jpg"))[:3]:
        shutil.copy(path, folder / "photos" / "deep")
    (folder / "photos" / "broken.JPG").write_bytes(b"\xff\xd8 no more than this")
    (folder / "photos" / "notes.txt").write_text("no image")
    arguments = flags(small_world, folder, image_dir=folder / "photos", rounds=1, pipeline_images=0)
    code, printed = run_here(arguments)
    assert code == 0
    return json.loads((folder / "benchmark.json").read_text()), printed


def test_everything_is_measured_in_every_round(labelled):
    report, _ = labelled
    assert set(report["measurements"]) == MEASURED
    for name, each in report["measurements"].items():
        assert each["num_images"] == (2 if name == "pipeline" else 7)
        assert len(each["images_per_s"]["rounds"]) == 2
        assert each["images_per_s"]["unit"] == "images/s"
        of_seconds = [each["num_images"] / s for s in each["seconds"]["rounds"]]
        assert each["images_per_s"]["rounds"] == pytest.approx(of_seconds)
        if name not in ("write", "second"):  # they share a process with "first"
            assert each["peak_memory"]["median"] > 100
    assert report["measurements"]["pipeline"]["num_labels"] == 45


def test_the_table_has_what_the_file_has(labelled):
    report, printed = labelled
    assert tables(report) in printed
    for words in ("decode alone", "predict and write alone", "transformers loop", "pipeline"):
        assert words in printed
    for each in report["ratios"]:
        assert f"({each['low']:.3g}–" in printed or f"({each['low']:,.0f}–" in printed
    assert "45 labels" in printed
    assert "1,000 images" in printed


def test_a_ratio_is_the_quotient_of_rates_of_the_same_round(labelled):
    report, _ = labelled
    pairs = {tuple(each["of"]) for each in report["ratios"]}
    assert ("default_fp32", "plain_loop") in pairs
    assert ("default_fp32", "pipeline") in pairs
    assert ("second", "first") in pairs
    for each in report["ratios"]:
        above, below = (report["measurements"][n]["images_per_s"]["rounds"] for n in each["of"])
        assert each["rounds"] == pytest.approx([a / b for a, b in zip(above, below, strict=True)])
        assert each["median"] == pytest.approx(np.median(each["rounds"]))


def test_the_roof_on_a_cpu_is_what_decode_forward_and_write_take_together(labelled):
    report, _ = labelled
    seconds = {
        name: np.array(each["seconds"]["rounds"]) for name, each in report["measurements"].items()
    }
    whole = seconds["decode_exact"] + seconds["forward_fp32"] + seconds["write"]
    found = next(each for each in report["roofs"] if each["of"] == "exact_fp32")
    assert found["images_per_s"]["rounds"] == pytest.approx(7 / whole)
    assert found["share"]["rounds"] == pytest.approx(100 * whole / seconds["exact_fp32"])


def test_accuracies_have_intervals_over_the_images_that_differ(labelled):
    report, printed = labelled
    for each in report["accuracy"].values():
        assert each["country"]["n"] == 7
        assert each["country"]["low"] <= each["country"]["value"] <= each["country"]["high"]
    (same,) = report["agreement"]
    assert same["of"] == ["default_fp32", "exact_fp32"]
    assert same["city"]["n"] == 7
    assert same["city"]["value"] <= same["country"]["value"]
    assert "accuracy" in printed


def test_the_share_of_the_peak_is_what_the_tower_computes(labelled):
    report, _ = labelled
    found = report["computing"]["fp32"]
    rates = report["measurements"]["forward_fp32"]["images_per_s"]["rounds"]
    in_tflops = [rate * found["gflop_per_image"] / 1000 for rate in rates]
    assert found["forward"]["rounds"] == pytest.approx(in_tflops)
    assert found["forward_share_of_peak"]["rounds"] == pytest.approx([50 * t for t in in_tflops])


def test_the_machine_is_named(labelled):
    report, printed = labelled
    assert report["machine"]["device"] == "cpu"
    assert report["machine"]["precision"] == "fp32: asked for"
    assert "fp32: asked for" in printed
    assert report["machine"]["cores"] >= 1
    assert "torch" in report["machine"]["versions"]
    assert report["machine"]["cpu"] in printed


def test_photos_without_labels_have_no_accuracy_and_no_peak_share(unlabelled):
    report, printed = unlabelled
    assert "accuracy" not in report
    assert "accuracy" not in printed
    assert "pipeline" not in report["measurements"]
    assert "forward_share_of_peak" not in report["computing"]["fp32"]


def test_unreadable_images_are_told_and_not_compared(unlabelled):
    report, printed = unlabelled
    assert report["images"]["num_distinct"] == 4
    assert report["images"]["num_unreadable"] == 2  # one of four, in seven rows
    assert report["measurements"]["plain_loop"]["num_unreadable"] == 2
    assert "2 unreadable" in printed
    assert report["agreement"][0]["country"]["n"] == 3


def test_random_weights_are_not_asked_what_they_see(labelled, small_world):
    report, _ = labelled
    report = json.loads(json.dumps(report))
    report["settings"]["model_shape"] = "vit-b-32"
    del report["agreement"], report["accuracy"]
    assert "random weights" in tables(report)
    assert "same prediction" not in tables(report)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_dir": None}, "of --image_dir and --synthetic neither is given"),
        ({"synthetic": 64}, "of --image_dir and --synthetic both are given"),
        ({"image_dir": None, "synthetic": 64, "test_csv": "a.csv"}, "without --image_dir"),
        ({"image_dir": "missing"}, "missing: there is no such folder"),
        ({"rounds": 0}, "--rounds is 0; expected at least 1"),
        ({"model_name": "missing.pt"}, "missing.pt"),
        ({"device": "cuda:99"}, "--device is 'cuda:99'"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_2(small_world, tmp_path, capsys, changes, message):
    assert benchmark.main(flags(small_world, tmp_path, **changes)) == 2
    told = [x for x in capsys.readouterr().err.splitlines() if "error: " in x]
    assert len(told) == 1
    assert message in told[0]
    assert not (tmp_path / "benchmark.json").exists()


def test_a_folder_without_images_is_refused(small_world, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert benchmark.main(flags(small_world, tmp_path, image_dir=tmp_path / "empty")) == 2
    assert "has no image" in capsys.readouterr().err


def test_a_report_that_stands_is_not_overwritten_unasked(small_world, tmp_path, capsys):
    (tmp_path / "benchmark.json").write_text("mine")
    assert benchmark.main(flags(small_world, tmp_path)) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "benchmark.json").read_text() == "mine"


# What it is made of


def test_where_stages_do_not_share_cores_the_slowest_is_the_roof():
    def rounds(*seconds):
        return [{"num_images": 10, "seconds": s, "cpu_s": 2 * s} for s in seconds]

    results = {
        "all": rounds(8.0, 10.0),
        "decode": rounds(2.0, 1.0),
        "forward": rounds(4.0, 5.0),
        "write": rounds(1.0, 2.0),
    }
    stages = ("decode", "forward", "write")
    slowest = figures.roof(results, "all", stages, shared=False)
    assert slowest["images_per_s"]["rounds"] == [2.5, 2.0]
    assert slowest["share"]["rounds"] == [50.0, 50.0]
    assert "share_of_cpu_time" not in slowest
    together = figures.roof(results, "all", stages, shared=True)
    assert together["images_per_s"]["rounds"] == pytest.approx([10 / 7, 10 / 8])
    assert together["share"]["rounds"] == pytest.approx([87.5, 80.0])
    assert together["share_of_cpu_time"]["rounds"] == pytest.approx([87.5, 80.0])


def test_an_estimate_is_the_pass_and_what_comes_once():
    rounds = [
        {"num_images": 10, "seconds": s, "load_s": 3.0, "around_s": 0.5} for s in (2.0, 5.0, 4.0)
    ]
    found = figures.estimate({"a": rounds}, "a", texts_s=1.5, num_images=1000)
    assert found["fixed"]["value"] == pytest.approx(5.0)
    assert found["seconds"]["value"] == pytest.approx(5.0 + 1000 / 2.5)


def test_agreement_leaves_out_what_either_could_not_read():
    ours = [["FR", "Paris"], ["FR", "Lyon"], None, ["DE", "Bonn"], ["IT", "Rome"]]
    theirs = [["FR", "Paris"], ["FR", "Nice"], ["FR", "Nice"], None, ["ES", "Rome"]]
    results = {"a": [{"predictions": ours}], "b": [{"predictions": theirs}]}
    found = figures.agreement(results, "a", "b")
    assert (found["country"]["successes"], found["country"]["n"]) == (2, 3)
    assert (found["city"]["successes"], found["city"]["n"]) == (1, 3)


def test_both_precisions_are_measured_where_the_machine_has_a_faster_one(tmp_path):
    config = BenchmarkConfig(image_dir=tmp_path, pipeline_images=0)
    plan = rounds.plan_tasks(("bf16", "fp32"), config)
    assert plan["default_bf16"] == Task("evaluation", Way("bf16"))
    assert plan["exact_fp32"] == Task("evaluation", Way("fp32", exact=True))
    assert plan["forward_fp32"].way.precision == "fp32"
    assert plan["cache"].way.precision == "bf16"
    assert "pipeline" not in plan


def test_few_photos_are_many_files_and_stay_as_they_are(small_world, tmp_path):
    config = BenchmarkConfig(
        image_dir=small_world / "images", test_csv=small_world / "test.csv", num_images=120
    )
    before = {path: path.stat() for path in (small_world / "images").rglob("*.jpg")}
    assert photos.lay_out(config, tmp_path, "France") == 50
    assert {path: path.stat() for path in before} == before
    setup = _setup(small_world, tmp_path, num_images=120, num_distinct=50)
    paths = setup.paths()
    assert len(set(paths)) == 120
    rows = (small_world / "test.csv").read_text().splitlines()
    name_of_row_3 = rows[1 + 3].split(",")[0]
    assert {paths[i].resolve() for i in (3, 53, 103)} == {
        (small_world / "images" / name_of_row_3).resolve()
    }
    city_of_row_3 = rows[1 + 3].split(",")[rows[0].split(",").index("city")]
    laid_out = setup.test_csv.read_text().splitlines()
    assert city_of_row_3 in laid_out[1 + 53]


def test_photos_are_drawn_of_the_size_that_photos_have(tmp_path):
    config = BenchmarkConfig(synthetic=320, num_images=3)
    assert photos.lay_out(config, tmp_path, "France") == 3
    paths = _setup(tmp_path, tmp_path, num_images=3, num_distinct=3).paths()
    sizes = [path.stat().st_size for path in paths]
    assert all(0.15 < size / 320**2 < 0.45 for size in sizes)
    assert len({path.read_bytes() for path in paths}) == 3
    assert (tmp_path / "test.csv").read_text().count("France") == 3


def test_the_operations_of_the_image_tower_are_those_counted_by_hand(small_world):
    encoder = load_encoder(small_world / "model", device="cpu", precision="fp32")
    pixels = encoder.preprocess(photos.draw_photo(64, 0)).transpose(2, 0, 1)[None]
    tokens, width, hidden, patches, layers = 17, 128, 256, 16, 2
    products = patches * (3 * 16 * 16) * width
    products += layers * tokens * (4 * width**2 + 2 * tokens * width + 2 * width * hidden)
    products += width * 128
    flops = ours.image_tower_flops(encoder, ours.torch.from_numpy(pixels.copy()))
    assert flops == 2 * products


def test_texts_that_were_encoded_before_are_read(small_world, tmp_path):
    texts = ["a", "b b", "c"]
    made = []
    for _ in range(2):
        encoder = load_encoder(small_world / "model", device="cpu", precision="fp32")
        kept = ours.KeptTexts(encoder, tmp_path, IDENTITY)
        made.append((kept, encoder.encode_texts(texts)))
    (first, features), (second, again) = made
    assert (first.num_encoded, second.num_encoded) == (3, 0)
    assert ours.torch.equal(features, again)
    assert not ours.torch.equal(features, encoder.encode_texts(["a", "b b", "d"]))


@pytest.mark.parametrize("part", ["weights", "model_config", "tokenizer"])
def test_texts_of_another_model_or_precision_are_encoded(small_world, tmp_path, part):
    changes = [{}, {part: "other"}]
    models = [(dataclasses.replace(IDENTITY, **change), "fp32") for change in changes]
    for identity, precision in [*models, (IDENTITY, "bf16")]:
        encoder = load_encoder(small_world / "model", device="cpu", precision=precision)
        kept = ours.KeptTexts(encoder, tmp_path, identity)
        encoder.encode_texts(["a"])
        assert kept.num_encoded == 1


@pytest.mark.slow
def test_a_process_of_its_own_gives_the_same_and_raises_the_same(small_world, tmp_path):
    config = BenchmarkConfig(image_dir=small_world / "images", num_images=4)
    photos.lay_out(config, tmp_path, "France")
    setup = _setup(small_world, tmp_path, num_images=4, num_distinct=4)
    task = Task("forward", Way("fp32"))
    found = processes.run_apart(task, setup)
    assert found["flops_per_image"] == processes.measure(task, setup)["flops_per_image"]
    assert found["num_images"] == 4
    assert found["decoders_peak_bytes"] == 0
    broken = _setup(tmp_path, tmp_path, num_images=4, num_distinct=4)
    with pytest.raises(ModelError, match="there is no such"):
        processes.run_apart(Task("decode", Way("fp32")), broken)


def test_a_process_that_is_killed_is_told_as_such(small_world, tmp_path, monkeypatch):
    def kill(process):
        process.kill()
        process.wait()
        return 0

    monkeypatch.setattr(processes, "_waited_for", kill)
    setup = _setup(small_world, tmp_path, num_images=4, num_distinct=4)
    with pytest.raises(ResourceError, match=r"plain_loop was killed \(SIGKILL\)"):
        processes.run_apart(Task("plain_loop", Way("fp32")), setup)


def _setup(world, folder, *, num_images, num_distinct):
    return Setup(
        folder=folder,
        model_folder=world / "model",
        candidates_file=world / "candidates.json",
        device="cpu",
        batch_size=3,
        num_workers=0,
        num_images=num_images,
        num_distinct=num_distinct,
        countries=("France", "Spain"),
        labels=("France", "Spain"),
        pipeline_images=1,
    )
