"""Only what a run wrote is removed with it."""

import json
import subprocess
import sys

import pytest

from streetclip.errors import OutputError
from streetclip.evaluation.run_folder import files_of_run, remove_files

METRICS = {"version": 2, "country_accuracy": {"successes": 3, "value": 0.1 + 0.2}}
MADE_BY = {"versions": {"torch": "2.13.0"}, "commit": "e3a0417"}


def run(run_id, strategy="hierarchical", **changes):
    values = {"id": run_id, "strategy": strategy, "metrics": METRICS, "commit_sha": "e3a0417"}
    values |= {"config": {"strategy": ["hierarchical", "flat"]}, "versions": MADE_BY["versions"]}
    return values | changes


@pytest.fixture
def folder(tmp_path):
    """An evaluation's folder as run 7 (hierarchical) and run 8 (flat) left it."""
    made = tmp_path / "outputs" / "evaluation"
    for run_id, strategy, place in ((7, "hierarchical", made), (8, "flat", made / "flat")):
        place.mkdir(parents=True)
        written = {"run_id": run_id, "strategy": strategy} | METRICS
        (place / "metrics.json").write_text(json.dumps(written, indent=2))
        (place / "predictions.csv").write_text("image\n")
    settings = {"run_ids": {"hierarchical": 7, "flat": 8}, "config": {}} | MADE_BY
    (made / "config.json").write_text(json.dumps(settings))
    return made


def test_each_run_of_an_evaluation_takes_its_own_files_the_last_one_the_settings(folder):
    first = files_of_run(run(7), folder, {8})
    assert [str(each.relative_to(folder)) for each in first] == ["metrics.json", "predictions.csv"]
    remove_files(first, folder)
    assert (folder / "config.json").exists()
    second = files_of_run(run(8, "flat"), folder, {3})
    names = ["flat/metrics.json", "flat/predictions.csv", "config.json"]
    assert [str(each.relative_to(folder)) for each in second] == names
    remove_files(second, folder)
    assert not folder.exists()
    assert folder.parent.exists()


def test_a_file_that_was_added_stays_with_its_folder(folder):
    (folder / "notes.txt").write_text("mine")
    remove_files(files_of_run(run(7), folder, ()), folder)
    remove_files(files_of_run(run(8, "flat"), folder, ()), folder)
    assert [each.name for each in folder.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "other",
    [
        run(5),
        run(7, metrics=METRICS | {"version": 1}, commit_sha="another"),
        run(7, metrics=None, versions={}),
        run(8),  # the number of a run of another strategy
    ],
)
def test_files_of_another_run_or_store_are_not_listed(folder, other):
    assert files_of_run(other, folder, ()) == []


@pytest.mark.parametrize("text", ["", "[]", "{", '{"run_ids": [7]}', '{"run_ids": {"flat": []}}'])
def test_files_of_another_program_are_not_listed(folder, text):
    (folder / "metrics.json").write_text(text)
    (folder / "config.json").write_text(text)
    assert files_of_run(run(7), folder, ()) == []


def test_a_link_is_not_followed(folder, tmp_path):
    target = tmp_path / "precious.csv"
    target.write_text("x")
    (folder / "predictions.csv").unlink()
    (folder / "predictions.csv").symlink_to(target)
    assert folder / "predictions.csv" not in files_of_run(run(7), folder, ())


def test_a_folder_that_a_job_holds_keeps_its_files(folder):
    code = (
        "import sys; from pathlib import Path; from streetclip.files import locked_folder\n"
        "with locked_folder(Path(sys.argv[1]), 'evaluate, process 1'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match="is in use by evaluate, process 1"):
            remove_files(files_of_run(run(7), folder, ()), folder)
        holder.stdin.close()
    assert (folder / "metrics.json").exists()
