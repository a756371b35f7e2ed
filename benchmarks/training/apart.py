"""One measurement in a process of its own: its memory, threads and caches are nobody else's.

The process is told what to do by a JSON file, and leaves a JSON file.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parents[2]
PACKAGE = "tests.training_benchmarks"
_LOOK_S = 0.2
_SHOWN_LINES = 30
# Below this much free memory the process is ended before the machine ends some other one.
_SPARE_BYTES = 1_500_000_000


class OutOfMemoryHereError(Exception):
    """The measurement needs more memory than there is."""


def run_apart(function: str, **arguments: Any) -> dict[str, Any]:
    """Call a function of this package, as "module:name", with plain values; give what it gives.

    Raises:
        OutOfMemoryHereError: Memory ran out, or would have.
        RuntimeError: The process broke; the message has the end of its log.
    """
    with tempfile.TemporaryDirectory(prefix="streetclip-apart-") as folder:
        told, found, log = (Path(folder) / name for name in ("told.json", "found.json", "log.txt"))
        told.write_text(json.dumps({"function": function, "arguments": arguments}))
        command = [sys.executable, "-m", f"{PACKAGE}.apart", str(told), str(found)]
        # Tokenizers forbid themselves threads once a process has forked; so from the start, alike.
        quiet = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=output, stderr=output, env=os.environ | quiet
            )
            is_ended = _ended_for_memory(process)
        result = json.loads(found.read_text()) if found.exists() else {}
        if is_ended or "out_of_memory" in result:
            raise OutOfMemoryHereError(function)
        if process.returncode or not result:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:])
            msg = f"{function} ended with exit code {process.returncode}:\n{tail}"
            raise RuntimeError(msg)
        return result


def _ended_for_memory(process: subprocess.Popen) -> bool:
    """Wait for the end; whether it had to be ended for want of memory."""
    try:
        while True:
            try:
                process.wait(_LOOK_S)
                return False
            except subprocess.TimeoutExpired:
                if psutil.virtual_memory().available < _SPARE_BYTES:
                    return True
    finally:
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


def main(told: Path, found: Path) -> None:
    """Be the process."""
    import torch

    values = json.loads(told.read_text())
    module, name = values["function"].split(":")
    function = getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)
    try:
        result = function(**values["arguments"])
    except torch.OutOfMemoryError:
        result = {"out_of_memory": True}
    found.write_text(json.dumps(result))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
