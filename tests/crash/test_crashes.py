"""Jobs stopped or refused at writes drawn by lot: all is whole, and a rerun ends as ever.

`benchmarks/measure_jobs.py crashes` does so at every write, where it can by `states`.
"""

import random

import pytest

from tests.crash.stage import Stage, trimmed
from tests.crash.subjects import SUBJECTS
from tests.crash.system_calls import IS_POSSIBLE, MODES, Fault

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not IS_POSSIBLE, reason="seccomp needs Linux on x86-64"),
]

NUM_WRITES = {"training": 1, "evaluation": 1, "captions": 3}
"""Of each kind of fault; 4 of what takes little time."""


@pytest.fixture(scope="module")
def few_rows(small_world, tmp_path_factory):
    return trimmed(small_world, tmp_path_factory.mktemp("world") / "few-rows")


@pytest.mark.parametrize("name", SUBJECTS)
def test_whatever_a_write_meets_all_is_whole_and_a_rerun_ends_as_ever(few_rows, tmp_path, name):
    stage = Stage(SUBJECTS[name], few_rows, tmp_path)
    draw = random.Random(f"crash {name}")
    faults = []
    for mode in MODES:
        points = stage.points(mode)
        num_writes = min(NUM_WRITES.get(name, 4), len(points))
        faults += [Fault(mode, at) for at in draw.sample(points, num_writes)]
    found = {str(fault): stage.problems(fault) for fault in faults}
    assert {fault: problems for fault, problems in found.items() if problems} == {}


def test_a_backup_whose_open_or_sync_fails_says_so_and_leaves_none(few_rows, tmp_path):
    stage = Stage(SUBJECTS["backup"], few_rows, tmp_path)
    names = ("openat", "fdatasync", "fsync")
    faults = [Fault("failing", at) for at, call in enumerate(stage.calls, 1) if call.name in names]
    assert len(faults) > 8
    found = {str(fault): stage.problems(fault) for fault in faults}
    assert {fault: problems for fault, problems in found.items() if problems} == {}
