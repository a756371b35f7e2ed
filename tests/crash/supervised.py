"""Become a job whose writes another process decides on: ADDRESS SCRIPT FLAGS; '' for none."""

import runpy
import sys
import tempfile

from jobs.support import record
from streetclip.evaluation import runner
from streetclip.training import curves
from tests.crash.system_calls import supervise

if __name__ == "__main__":
    _, address, *sys.argv = sys.argv
    # As many writes as a job of hours has.
    runner._SECONDS_BETWEEN_WRITES = curves._SECONDS_BETWEEN_WRITES = 0.0
    record.BEAT_S = 0.25
    tempfile.tempdir = None  # the warm process has chosen one
    if address:
        supervise(address)
    runpy.run_path(sys.argv[0], run_name="__main__")
