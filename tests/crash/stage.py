"""Let the writes of a subject meet faults, and name what is not right afterwards."""

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from streetclip.data.manifest import read_manifest
from streetclip.store import DatasetSpec, annotate, open_store, read_annotations, register_dataset
from tests.crash.states import States, found_by_a_rerun
from tests.crash.subjects import OLD_CAPTIONS, SPLITS, Subject
from tests.crash.system_calls import Call, Fault, Mode, Outcome, run, run_alone
from tests.disks import is_whole

_ERROR = re.compile(r"\w+\.py: error: ")


def trimmed(world: Path, folder: Path) -> Path:
    """A few rows of a drawn world, with its images and model, so that a trial takes little time."""
    folder.mkdir(parents=True)
    for name in ("images", "model"):
        (folder / name).symlink_to(world / name)
    tables = {split: pd.read_csv(world / f"{split}.csv", dtype=str) for split in SPLITS}
    test = tables["test"]
    countries = test["country"].value_counts().index[:3]
    kept = {"train": tables["train"][:16], "val": tables["val"][:6]}
    kept["test"] = test[test["country"].isin(countries)][:8]
    for split, table in kept.items():
        table.to_csv(folder / f"{split}.csv", index=False)
    candidates = json.loads((world / "candidates.json").read_text())
    chosen = {country: candidates[country] for country in countries}
    (folder / "candidates.json").write_text(json.dumps(chosen))
    return folder


class Stage:
    """A folder for trials of one subject: what it was before, and what it is undisturbed."""

    def __init__(self, subject: Subject, world: Path, folder: Path) -> None:
        self.subject, self._world = subject, world
        self._before, self._whole = folder / "before", folder / "whole"
        self._trial, self._copy = folder / "trial", folder / "copy"
        self._command = subject.command(world, self._trial)
        _prepare(world, self._before)
        subject.prepare(self._before)
        self._annotations = _annotations(self._before)
        shutil.copytree(self._before, self._whole)
        self.undisturbed = run(subject.command(world, self._whole), self._whole)
        if self.undisturbed.code:
            raise RuntimeError(self.undisturbed.errors)
        self.calls = self.undisturbed.calls
        self._reruns: dict[str, list[str]] = {}

    def points(self, mode: Mode, calls: Sequence[Call] = ()) -> list[int]:
        """The writes, of those of another run if given, at which a fault makes a difference.

        Half of a call without data is none. Within a file that has a temporary name, one write is
        as good as another: the first two and the last represent all of them.
        """
        calls, is_short = calls or self.calls, mode == "short"
        places = {i: call.paths[0] for i, call in enumerate(calls, 1) if call.is_hidden}
        of_file: dict[Path, list[int]] = {}
        for at, path in places.items():
            of_file.setdefault(path, []).append(at)
        chosen = {at for ats in of_file.values() for at in (*ats[:2], ats[-1])}
        return [
            at
            for at, call in enumerate(calls, 1)
            if (at in chosen or at not in places) and (call.num_bytes > 1 or not is_short)
        ]

    def problems(self, fault: Fault) -> list[str]:
        """Let a write of the subject meet a fault, run it again, and name what is not right."""
        _replace(self._trial, self._before)
        found = _misreported(run(self._command, self._trial, fault), fault)
        return [*found, *self._problems_left()]

    @property
    def num_reruns(self) -> int:
        """How many reruns there were: those that would find the same are one."""
        return len(self._reruns)

    def killed_states(self) -> tuple[States, list[Call]]:
        """What a kill at each write of one run leaves, before it or in the middle of it."""
        _replace(self._trial, self._before)
        states = States(self._trial)
        outcome = run(self._command, self._trial, watch=states.watch)
        if outcome.code:
            raise RuntimeError(outcome.errors)
        return states, outcome.calls

    def problems_of(self, states: States, key: object) -> list[str]:
        """Go on from a state, as `problems` does from what a fault has left."""
        shutil.rmtree(self._trial, ignore_errors=True)
        states.restore(key)
        return self._problems_left()

    def _problems_left(self) -> list[str]:
        """What a fault has damaged; and what a rerun does, unless it finds what another found."""
        # SQLite mends a store when it is opened; the rerun must find it as the fault left it.
        _replace(self._copy, self._trial)
        found = [*self.subject.damages(self._copy, self._whole), *self._losses(self._copy)]
        meaning = found_by_a_rerun(self._copy)
        if meaning not in self._reruns:
            self._reruns[meaning] = self._rerun()
        return [*found, *self._reruns[meaning]]

    def _rerun(self) -> list[str]:
        again = run_alone([*self._command, self.subject.again.format(self._trial)], self._trial)
        if again.code:
            return [f"the rerun ends with {again.code}: {again.errors}"]
        return [
            *_left_over(self._trial),
            *self.subject.differences(self._trial, self._whole),
            *self._losses(self._trial),
        ]

    def _losses(self, folder: Path) -> list[str]:
        """What the store has lost of what it held before."""
        if not is_whole(folder / "streetclip.db"):
            return ["the store is damaged"]
        is_same = _annotations(folder).equals(self._annotations)
        return [] if is_same else ["annotations were lost"]


def _left_over(folder: Path) -> list[str]:
    """Files of writes that were not completed.

    A folder that a failing disk did not remove, empty, may wait for the next write next to it.
    """
    found = [path for path in folder.rglob("*") if path.is_file()]
    return [str(each) for each in found if any(part.endswith(".tmp") for part in each.parts)]


def _replace(folder: Path, source: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)


def _prepare(world: Path, folder: Path) -> None:
    """A store in which images are annotated, and captions that will be replaced."""
    (folder / "out").mkdir(parents=True)
    manifest = read_manifest(world / "test.csv")
    with open_store(folder / "streetclip.db") as store:
        dataset = register_dataset(
            store,
            DatasetSpec(
                name="test",
                csv_path=manifest.path,
                csv_sha256=manifest.sha256,
                image_dir=world / "images",
                frame=manifest.frame,
                attribute_columns=manifest.attribute_columns,
            ),
        )
        annotate(store, dataset.image_ids[:3], add_tags=["ambiguous"], note="seen before")
    for split in SPLITS:
        (folder / "out" / f"{split}_captions.csv").write_text(OLD_CAPTIONS)


def _annotations(folder: Path) -> pd.DataFrame:
    with open_store(folder / "streetclip.db", read_only=True) as store:
        # Images 4 and later are the subject's.
        return read_annotations(store, range(1, 4))


def _misreported(outcome: Outcome, fault: Fault) -> list[str]:
    """What is wrong with how the job ended, if it was not killed."""
    code, errors = outcome.code, outcome.errors
    lines = [line for line in errors.splitlines() if _ERROR.match(line)]
    if fault.mode in ("kill", "short") and code == -9:
        return []
    raw = [each for each in ("Traceback", "Logging error", "Exception ignored") if each in errors]
    if raw or code not in (0, 1, 2) or len(lines) != (code > 0):
        return [f"exit {code}: {errors}"]
    return []
