"""Many runners, one queue: is each job given out exactly once?"""

import multiprocessing
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.reliability.place import Place, print_table
from streetclip import runtime, store
from streetclip.process_identity import current_process
from tests.killing import ROOT

_HEADER = "image_filename,city,region,country,continent\n"


def claims(place: Place, options: Any) -> bool:
    """Let processes claim as fast as they can; then let real runners run real jobs."""
    claimed = _bare_claims(place.folder / "claims.db", options.jobs, options.runners)
    ran = _real_runners(place.folder / "queue", options.real_jobs, options.runners)
    return claimed and ran


def _bare_claims(db: Path, num_jobs: int, num_runners: int) -> bool:
    _enqueue(db, [db.with_name(f"claimed-{number}") for number in range(num_jobs)], db)
    with multiprocessing.get_context("spawn").Pool(num_runners) as pool:
        pool.map(_nothing, range(num_runners))  # all have started
        began = time.monotonic()
        taken = pool.map(_claim_all, [db] * num_runners, chunksize=1)
        seconds = time.monotonic() - began
    times = Counter(job for jobs in taken for job in jobs)
    with store.open_store(db, read_only=True) as opened:
        attempts = Counter(runtime.list_jobs(opened, limit=10**6)["attempt"].tolist())
    print_table(
        f"{num_jobs} jobs, claimed by {num_runners} processes as fast as they can",
        ("jobs given out", "times each", "attempts", "seconds", "by process"),
        [(len(times), str(sorted(set(times.values()))), str(dict(attempts)), seconds,
          " ".join(str(len(jobs)) for jobs in taken))],
    )  # fmt: skip
    return len(times) == num_jobs and set(times.values()) == {1} and set(attempts) == {1}


def _nothing(_number: int) -> None:
    time.sleep(0.2)


def _claim_all(db: Path) -> list[int]:
    taken, process = [], current_process()
    with store.open_store(db) as opened:
        while ticket := runtime.claim_job(opened, process, most_running=10**6):
            taken.append(ticket.job_id)
    return taken


def _real_runners(folder: Path, num_jobs: int, num_runners: int) -> bool:
    folder.mkdir(parents=True)
    csv = folder / "test.csv"
    csv.write_text(_HEADER + "a.jpg,A,,France,\nb.jpg,B,,Italy,\n")
    db, outs = folder / "streetclip.db", [folder / f"out-{i}" for i in range(num_jobs)]
    _enqueue(db, outs, csv)
    command = [sys.executable, "jobs/run_queue.py", f"--db={db}", f"--max_jobs={num_runners}"]
    began = time.monotonic()
    runners = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(num_runners)
    ]
    codes = [(runner.communicate(), runner.returncode)[1] for runner in runners]
    seconds = time.monotonic() - began
    with store.open_store(db, read_only=True) as opened:
        jobs = runtime.list_jobs(opened, limit=10**6)
    states, attempts = Counter(jobs["state"]), Counter(jobs["attempt"].tolist())
    # A second start would have been refused, or have written into the log a second time.
    logs = Counter(Path(path).read_text().count("captions\n") for path in jobs["log_path"])
    print_table(
        f"{num_jobs} caption jobs, run by {num_runners} runners",
        ("states", "attempts", "results in a log", "files", "runners' exits", "seconds"),
        [(str(dict(states)), str(dict(attempts)), str(dict(logs)),
          sum((out / "test_captions.csv").exists() for out in outs), str(codes), seconds)],
    )  # fmt: skip
    return states == {"done": num_jobs} and attempts == {1: num_jobs} and logs == {1: num_jobs}


def _enqueue(db: Path, outs: list[Path], csv: Path) -> None:
    with store.open_store(db) as opened:
        for out in outs:
            arguments = (f"--test_csv={csv}", f"--output_dir={out}", f"--db={db}")
            runtime.enqueue_job(
                opened,
                runtime.JobSpec(
                    kind="generate_captions",
                    arguments=arguments,
                    parameters={},
                    output_dir=out,
                    cwd=ROOT,
                ),
            )
