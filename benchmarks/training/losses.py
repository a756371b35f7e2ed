"""Losses compared on the drawn world: whole trainings, each evaluated on the test images."""

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.training.apart import ROOT
from benchmarks.training.loss_tables import tables
from benchmarks.training.report import versions, write_json
from benchmarks.training.variants import VARIANTS

DEFAULT_LEARNING_RATE = 1e-3  # the Makefile's
_WEIGHT_DECAY = 0.05  # likewise
_TEMPLATES = ("full", "paper")  # likewise
_REFUSED = 2  # exit code of a job that names what to change, here the learning rate


def demo(options: Any) -> None:
    """Losses and negatives compared on the drawn world; a rerun goes on where the last one was."""
    place = Place(options.demo.resolve(), (options.folder or Path("outputs/losses")).resolve())
    rates = learning_rates(options.learning_rate, options.variants)
    place.caption()
    for seed in options.seeds:
        for name in options.variants:
            flags = [*VARIANTS[name].flags(), f"--learning_rate={rates[name]}"]
            flags += [f"--weight_decay={_WEIGHT_DECAY}", f"--num_epochs={options.epochs}"]
            place.train(name, seed, [*flags, *options.train_flags])
            so_far = tables(place.outcomes(options.variants, options.seeds))
            print(f"\n{so_far}", file=sys.stderr, flush=True)
    print(so_far)


def learning_rates(given: Sequence[str], variants: Sequence[str]) -> dict[str, float]:
    """Peak learning rates, from values as "1e-3" for all or "sigmoid_ignore=3e-4" for one.

    Raises:
        SystemExit: A value that is no number, or names no variant.
    """
    rates = dict.fromkeys(variants, DEFAULT_LEARNING_RATE)
    # Those for one come after those for all, wherever they stand.
    for text in sorted(given, key=lambda each: "=" in each):
        name, _, value = text.rpartition("=")
        if name and name not in VARIANTS:
            msg = f"--learning_rate {text}: there is no variant {name!r}; there are {[*VARIANTS]}"
            raise SystemExit(msg)
        try:
            rate = float(value)
        except ValueError as error:
            msg = f"--learning_rate {text}: expected RATE or VARIANT=RATE"
            raise SystemExit(msg) from error
        rates |= {each: rate for each in variants if name in ("", each)}
    return rates


class Place:
    """A folder with captions, models, trainings, and the outcomes of those that are finished."""

    def __init__(self, demo_folder: Path, folder: Path) -> None:
        self._demo = demo_folder
        self._folder = folder
        self._record = folder / "losses.json"
        self._captions = folder / "captions"

    def caption(self) -> None:
        """Caption the drawn images as `make demo` does."""
        if (self._captions / "test_captions.csv").exists():
            return
        splits = [f"--{name}_csv={self._demo / name}.csv" for name in ("train", "val", "test")]
        flags = [*splits, f"--output_dir={self._captions}", "--overwrite"]
        _run_job("generate_captions", [*flags, "--templates", *_TEMPLATES])

    def outcomes(self, variants: Sequence[str], seeds: Sequence[int]) -> list[dict[str, Any]]:
        """Of the finished trainings among these."""
        found = self._read().values()
        return [each for each in found if each["variant"] in variants and each["seed"] in seeds]

    def train(self, variant: str, seed: int, flags: list[str]) -> None:
        """Train and evaluate, unless that is done; the seed draws weights and order."""
        key = f"{variant}-{seed}"
        before = self._read().get(key)
        if before is not None and before["flags"] == flags:
            return
        if before is not None:
            msg = f"{self._record}: {key} was made with {before['flags']}, asked is {flags}; "
            raise SystemExit(msg + "name another --folder.")
        began_s = time.perf_counter()
        work = self._folder / key
        is_whole = self._train(work, seed, flags)
        outcome = {"variant": variant, "seed": seed, "flags": flags, "diverged": not is_whole}
        outcome |= {"seconds": time.perf_counter() - began_s, "answers": ""}
        if (work / "training" / "best_model.pt").exists():
            self._evaluate(work)
            outcome["answers"] = read_answers(work / "evaluation" / "predictions.csv")
        self._write(key, outcome)

    def _train(self, work: Path, seed: int, flags: list[str]) -> bool:
        """Train to the end; False where that diverges, as with a learning rate too high."""
        model = self._folder / f"model-{seed}"
        if not model.exists():
            from streetclip.demo.model import build_model

            build_model(model, seed)
        splits = [f"--{name}_csv={self._captions / name}_captions.csv" for name in ("train", "val")]
        common = [f"--image_dir={self._demo / 'images'}", f"--model_name={model}"]
        output = [f"--output_dir={work / 'training'}", f"--db={self._folder / 'streetclip.db'}"]
        run = [f"--seed={seed}", f"--run_name={work.name}", "--resume"]
        code = _exit_code("train", [*splits, *common, *output, *run, *flags])
        if code and not (code == _REFUSED and (work / "training" / "last_checkpoint.pt").exists()):
            raise SystemExit(code)
        return code == 0

    def _evaluate(self, work: Path) -> None:
        files = [f"--test_csv={self._demo / 'test.csv'}", f"--image_dir={self._demo / 'images'}"]
        files += [f"--candidates_file={self._demo / 'candidates.json'}"]
        files += [f"--checkpoint_path={work / 'training' / 'best_model.pt'}"]
        output = [f"--output_dir={work / 'evaluation'}", f"--db={self._folder / 'streetclip.db'}"]
        _run_job("evaluate", [*files, *output, f"--run_name={work.name}", "--resume"])

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self._record.exists():
            return {}
        found: dict[str, dict[str, Any]] = json.loads(self._record.read_text())["trainings"]
        return found

    def _write(self, key: str, outcome: dict[str, Any]) -> None:
        trainings = self._read() | {key: outcome}
        write_json(self._record, {"versions": versions(), "trainings": trainings})


def read_answers(predictions: Path) -> str:
    """A digit for each test image; see `figures`."""
    with predictions.open(encoding="utf-8-sig", newline="") as file:
        return "".join(
            str(int(row["country_correct"]) + int(row["city_correct"]))
            for row in csv.DictReader(file)
        )


def _run_job(name: str, flags: list[str]) -> None:
    if code := _exit_code(name, flags):
        raise SystemExit(code)


def _exit_code(name: str, flags: list[str]) -> int:
    print(f"\n{name} {' '.join(flags)}", file=sys.stderr, flush=True)
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", f"jobs.{name}", *flags]
    # Only the tables go to our own stdout.
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=sys.stderr, check=False)
    return done.returncode
