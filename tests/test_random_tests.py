"""Random tests repeat themselves, except in the search that is asked for."""

import os
import subprocess
import sys

import hypothesis

DRAWS = """
from pathlib import Path
from hypothesis import given, settings, strategies

drawn = []

@settings(max_examples=30, database=None)
@given(strategies.integers())
def test_draws(number):
    drawn.append(number)

def test_written():
    Path({out!r}).write_text(repr(drawn))
"""


def draws(folder, name, profile):
    """What a random test below this conftest draws in a process of its own."""
    out = folder / f"{name}.txt"
    test = folder / "test_draws.py"
    test.write_text(DRAWS.format(out=str(out)))
    conftest = ["-p", "tests.conftest", "-p", "no:cacheprovider"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--import-mode=importlib",
        *conftest,
        str(test),
    ]
    environment = os.environ | {"HYPOTHESIS_PROFILE": profile}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return out.read_text()


def test_random_inputs_are_the_same_in_every_run_and_others_in_a_search(tmp_path):
    first, second = (draws(tmp_path, name, "same") for name in ("first", "second"))
    search = draws(tmp_path, "search", "random")
    assert first == second
    assert search != first


def test_the_profile_is_the_one_that_repeats():
    asked = os.environ.get("HYPOTHESIS_PROFILE", "same")
    assert hypothesis.settings.get_current_profile_name() == asked
    assert hypothesis.settings.default.derandomize == (asked == "same")
