"""Submitting with stand-ins for Slurm's programs, which run the job here and at once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jobs import submit_slurm
from streetclip import store
from streetclip.errors import ConfigError

ROOT = Path(__file__).parents[2]
NEEDED = ("--test_csv=a.csv", "--image_dir=b")

SBATCH = """
cat > taken.sh
SLURM_JOB_ID=77 SLURM_JOB_NODELIST=localhost bash taken.sh > slurm-77.log 2>&1
echo 'Submitted batch job 77'
"""
SCONTROL = """
[ "$*" = "show hostnames localhost" ] && printf '%s\\n' localhost other
"""
SRUN = """
while [ "${1#--}" != "$1" ]; do shift; done
exec "$@"
"""


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Adds stand-ins for programs to the front of PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def add(**programs):
        for name, text in programs.items():
            (folder / name).write_text("#!/bin/bash\n" + text)
            (folder / name).chmod(0o755)

    return add


def script(arguments=(), folder=Path("/"), **asked):
    flags = submit_slurm.build_parser().parse_args([f"--{k}={v}" for k, v in asked.items()])
    return submit_slurm.sbatch_script(flags, arguments, folder)


def directives(text):
    return [line[8:] for line in text.splitlines() if line.startswith("#SBATCH ")]


def one_line_of(argv, capsys):
    """The one line on stderr of a command that is refused as the user's mistake."""
    try:
        code = submit_slurm.main(argv)
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    assert code == 2
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


def test_slurm_is_asked_for_what_the_flags_say(capsys):
    argv = ["--nodes=2", "--gpus_per_node=4", "--time=1-02:00:00", "--partition=gpu,big"]
    argv += ["--account=lab-1", "--cpus_per_task=32", "--mem=64G", "--dry_run", "--", *NEEDED]
    assert submit_slurm.main(argv) == 0
    printed = capsys.readouterr()
    assert set(directives(printed.out)) == {
        "--job-name=streetclip-evaluate",
        "--nodes=2",
        "--ntasks-per-node=1",
        "--gpus-per-node=4",
        "--cpus-per-task=32",
        "--mem=64G",
        "--time=1-02:00:00",
        "--partition=gpu,big",
        "--account=lab-1",
        "--output=slurm-%j.log",
        "--open-mode=append",
        "--signal=TERM@120",
        "--requeue",
    }
    assert " --nnodes=2 --nproc_per_node=4 " in printed.out
    assert "srun --kill-on-bad-exit=1 --cpus-per-task=32 " in printed.out
    assert 'export OMP_NUM_THREADS="${OMP_NUM_THREADS:-8}"' in printed.out
    assert "nothing was submitted" in printed.err


def test_what_was_not_asked_for_is_left_to_slurm():
    asked = " ".join(directives(script()))
    for name in ("gpus", "cpus", "mem", "partition", "account"):
        assert f"--{name}" not in asked


@pytest.mark.parametrize(
    ("argv", "nproc"),
    [([], 1), (["--gpus_per_node=3"], 3), (["--nproc_per_node=5"], 5)],
)
def test_there_is_one_process_a_gpu_else_as_many_as_asked_for(argv, nproc, capsys):
    submit_slurm.main([*argv, "--dry_run", "--", *NEEDED])
    assert f" --nproc_per_node={nproc} " in capsys.readouterr().out


def test_the_evaluation_goes_on_where_it_stopped_though_not_told_to(capsys):
    submit_slurm.main(["--dry_run", "--", *NEEDED])
    assert "    --resume \\\n" in capsys.readouterr().out


def test_every_word_reaches_the_evaluation_as_it_is(slurm, tmp_path):
    folder = tmp_path / "it's $HOME; #1"
    folder.mkdir()
    words = ["--a=b c", "$(touch hit)", "`touch hit`", "'\"'", "a\\", "é*?{}", "", "-x", "!", "%j"]
    slurm(scontrol=SCONTROL, srun=SRUN.replace("exec ", "pwd; exec printf '%s\\n' "))
    text = script(words, folder)
    done = subprocess.run(
        ["bash", "-n"], input=text, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stderr == ""
    environment = os.environ | {"SLURM_JOB_ID": "31234", "SLURM_JOB_NODELIST": "localhost"}
    done = subprocess.run(
        ["bash"], input=text, capture_output=True, text=True, check=True, env=environment
    )
    where, *got = done.stdout.splitlines()
    assert where == str(folder)
    assert got[:2] == [sys.executable, str(ROOT / "jobs" / "launch.py")]
    assert "--rdzv_endpoint=localhost:21234" in got
    assert "--rdzv_id=31234" in got
    assert got[got.index(str(ROOT / "jobs" / "evaluate.py")) + 1 :] == words
    assert not (folder / "hit").exists()


@pytest.mark.parametrize("word", ["a\nb", "a\r", "\x1b[31m", "\udcff"])
def test_what_no_script_can_hold_is_refused(word, capsys):
    with pytest.raises(ConfigError, match="cannot be written into a batch script"):
        script([word])
    with pytest.raises(ConfigError, match="cannot be written into a batch script"):
        script(folder=Path("/", word))
    assert "without line breaks" in one_line_of(["--", *NEEDED, "--run_name", word], capsys)


@pytest.mark.slow
def test_an_evaluation_is_handed_over_and_done(slurm, small_world, tmp_path, monkeypatch, capfd):
    slurm(sbatch=SBATCH, scontrol=SCONTROL, srun=SRUN)
    folder = tmp_path / 'it\'s a "world" #1 $HOME'
    folder.mkdir()
    shutil.copy(small_world / "test.csv", folder / "a b.csv")
    monkeypatch.chdir(folder)
    argv = ["--nproc_per_node=1", "--script=kept.sh", "--", "--test_csv=a b.csv"]
    argv += [f"--image_dir={small_world / 'images'}", f"--model_name={small_world / 'model'}"]
    argv += [f"--candidates_file={small_world / 'candidates.json'}", "--db=the store/s.db"]
    assert submit_slurm.main([*argv, "--output_dir=what'comes", "--num_workers=1"]) == 0
    log = folder / "the store" / "slurm-77.log"
    assert capfd.readouterr().out.startswith("Submitted batch job 77\nlog    ")
    assert "50 images · done" in log.read_text(encoding="utf-8")
    assert (folder / "kept.sh").read_text() == (folder / "the store" / "taken.sh").read_text()
    assert (folder / "what'comes" / "metrics.json").exists()
    with store.open_store(folder / "the store" / "s.db", read_only=True) as opened:
        (run,) = store.list_runs(opened).to_dict("records")
    assert (run["state"], run["num_done"]) == ("done", 50)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--nodes=0"], "whole number from 1 to 9999"),
        (["--nodes=²"], "whole number"),
        (["--gpus_per_node=-1"], "whole number from 0"),
        (["--cpus_per_task=many"], "whole number"),
        (["--time=4h"], "HH:MM:SS or D-HH:MM:SS"),
        (["--time=00:04:59"], "at least 5 minutes"),
        (["--time=00:60:00"], "HH:MM:SS"),
        (["--mem=64 G"], "such as 64G"),
        (["--partition=a b"], "letters, digits"),
        (["--account=a\n#SBATCH --uid=0"], "letters, digits"),
        (["--account="], "letters, digits"),
        (["--gpus_per_node=2", "--nproc_per_node=3"], "one process a GPU"),
        (["--node=1"], "unrecognized arguments: --node=1"),
        (["--test_csv=a.csv"], "unrecognized arguments: --test_csv"),
    ],
)
def test_a_wrong_flag_for_slurm_is_one_line(argv, message, capsys):
    assert message in one_line_of([*argv, "--", *NEEDED], capsys)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--test_csv=a.csv"], "--image_dir"),
        ([*NEEDED, "--batch_size=0"], "--batch_size is 0; expected at least 1"),
        ([*NEEDED, "--batch=2"], "unrecognized arguments: --batch=2"),
        ([*NEEDED, "--strategy=best"], "--strategy"),
    ],
)
def test_a_wrong_flag_of_the_evaluation_is_told_before_anything_is_written(
    flags, message, slurm, tmp_path, monkeypatch, capsys
):
    slurm(sbatch="touch called")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert message in one_line_of(["--script=job.sh", "--", *flags], capsys)
    assert list(Path().iterdir()) == []


def test_the_flags_of_the_evaluation_are_asked_for(capsys):
    assert "-- is missing; expected the flags of evaluate.py" in one_line_of(NEEDED[:0], capsys)


def test_where_there_is_no_sbatch_it_is_said_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    said = one_line_of(["--script=job.sh", "--", *NEEDED, "--db=new/s.db"], capsys)
    assert "this machine has no sbatch" in said
    assert not (tmp_path / "new").exists()
    assert not (tmp_path / "job.sh").exists()
    assert submit_slurm.main(["--script=job.sh", "--dry_run", "--", *NEEDED]) == 0
    assert capsys.readouterr().out == ""
    assert "--test_csv=a.csv" in (tmp_path / "job.sh").read_text()


def test_what_sbatch_refuses_is_told_in_its_words(slurm, tmp_path, capfd):
    slurm(sbatch="echo 'sbatch: error: invalid partition' >&2; exit 3")
    assert submit_slurm.main(["--", *NEEDED, f"--db={tmp_path / 'new' / 's.db'}"]) == 2
    told = capfd.readouterr().err
    assert told.startswith("sbatch: error: invalid partition\n")
    assert "sbatch refused the job (exit code 3), for the reason given above" in told


def test_a_script_that_stands_is_not_overwritten(tmp_path, capsys):
    (tmp_path / "job.sh").write_text("mine")
    argv = [f"--script={tmp_path / 'job.sh'}", "--dry_run", "--", *NEEDED]
    assert "exists already" in one_line_of(argv, capsys)
    assert (tmp_path / "job.sh").read_text() == "mine"


def test_an_sbatch_that_cannot_be_started_is_an_error_in_one_line(slurm, tmp_path, capsys):
    slurm(sbatch="")
    (tmp_path / "bin" / "sbatch").write_text("#!/no/such/program\n")
    assert submit_slurm.main(["--", *NEEDED, f"--db={tmp_path / 's.db'}"]) == 1
    assert "sbatch: cannot be started" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["a%jb", "a\\b"])
def test_a_folder_in_whose_name_slurm_reads_patterns_is_refused(name, slurm, tmp_path, capsys):
    slurm(sbatch="echo 5")
    error = one_line_of(["--", *NEEDED, f"--db={tmp_path / name / 's.db'}"], capsys)
    assert "for patterns" in error
