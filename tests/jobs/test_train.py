import importlib.util
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from jobs import train
from tests import warm

ROOT = Path(__file__).parents[2]


def _training_fixtures():
    path = ROOT / "tests" / "training" / "conftest.py"
    spec = importlib.util.spec_from_file_location("training_fixtures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_FIXTURES = _training_fixtures()
drawn = _FIXTURES.drawn
tiny_clip = _FIXTURES.tiny_clip
world = _FIXTURES.world


@pytest.fixture
def precision():
    """One number format: what is computed is tested with the training."""
    return "fp32"


def flags(world, **changes):
    config = world.config(**changes)
    names = ("train_csv", "val_csv", "image_dir", "output_dir", "db", "model_name", "batch_size",
             "num_epochs", "learning_rate", "num_workers", "device", "precision")  # fmt: skip
    return [text for name in names for text in (f"--{name}", str(getattr(config, name)))]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_training_prints_its_epochs_and_the_next_command(world, capsys):
    assert train.main(flags(world, num_epochs=2)) == 0
    output = capsys.readouterr().out
    rows = [line.split() for line in output.splitlines() if line.strip()[:1].isdigit()]
    assert [row[:2] for row in rows] == [["0", "0"], ["1", "4"], ["2", "8"]]
    assert output.count("  best\n") == 1
    best = world.folder / "out" / "best_model.pt"
    assert f"--checkpoint_path {best}" in output
    assert "python main.py --mode evaluate" in output
    assert best.is_file()


def test_a_rerun_is_refused_and_a_resume_says_that_nothing_is_left(world, capsys):
    assert train.main(flags(world, num_epochs=1)) == 0
    first = capsys.readouterr().out
    assert train.main(flags(world, num_epochs=1)) == 2
    assert "holds a training already" in capsys.readouterr().err.splitlines()[-1]
    assert train.main([*flags(world, num_epochs=1), "--resume"]) == 0
    again = capsys.readouterr().out
    assert "was finished already" in again
    assert again.splitlines()[2:] == first.splitlines()[2:]


def test_unreadable_images_are_reported_at_the_end(world, capsys):
    (world.folder / "images" / "train3.png").write_bytes(b"")
    assert train.main(flags(world, num_epochs=1)) == 0
    assert "unreadable images: 1 for training (skipped), 0 for" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("--image_dir", "nowhere", "nowhere"),
        ("--train_csv", "nowhere.csv", "nowhere.csv"),
        ("--batch_size", "1", "--batch_size is 1; expected at least 2."),
        ("--templates", "poem", "template 'poem' is unknown"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(world, capsys, flag, value, message):
    assert train.main([*flags(world), flag, value]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(errors) == 1
    assert message in errors[0]
    assert not (world.folder / "out").exists()


def test_doubtful_labels_and_images_of_both_splits_are_warned_of_first(world, capsys):
    with (world.folder / "val.csv").open("a") as file:
        file.write("./train3.png,nan,,France,Asia\n")
    assert train.main([*flags(world), "--model_name", str(world.folder / "nowhere")]) == 2
    warned = [line for line in capsys.readouterr().err.splitlines() if "WARNING" in line]
    val = world.folder / "val.csv"
    assert any(f"{val}:13: city 'nan' is read as missing." in line for line in warned)
    assert any(f"{val}:13: continent is 'Asia', but France" in line for line in warned)
    assert any("share 1 image ('train3.png' on line 5 and './train3" in line for line in warned)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_exits_with_130_and_leaves_what_a_resume_needs(world):
    command = ["jobs/train.py", *flags(world, num_epochs=400)]
    process = warm.Job(command, stderr=subprocess.PIPE, text=True)
    checkpoint = world.folder / "out" / "last_checkpoint.pt"
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted" in errors.splitlines()[-1]
    from streetclip.store import list_trainings, open_store

    with open_store(world.folder / "store.db", read_only=True) as store:
        assert list_trainings(store)["state"].tolist() == ["interrupted"]


def test_captions_that_lose_their_country_are_refused(world, capsys):
    """Else 26 captions become one, and the loss stays that of guessing, with exit code 0."""
    train_csv = world.folder / "train.csv"
    header, *rows = train_csv.read_text(encoding="utf-8").splitlines()
    words = "A Street View photo close to the town " * 3
    captioned = [f"{row},{words}in {row.split(',')[3]}." for row in rows]
    train_csv.write_text("\n".join([f"{header},caption", *captioned]), encoding="utf-8")
    assert train.main(flags(world)) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "26 of 26 captions name their country after the 24 tokens" in error
    assert f"{train_csv}:2: 'A Street View photo" in error
    assert not (world.folder / "out" / "best_model.pt").exists()
