"""What is made to crash, and what has to be true afterwards, whichever of its writes it was."""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import safetensors.torch
import torch

from streetclip.data.manifest import read_manifest
from streetclip.store import (
    DatasetSpec,
    annotate,
    open_store,
    read_annotations,
    register_dataset,
    undo,
)
from streetclip.store.backup import backup_annotations
from tests.crash.annotating import STEPS, annotation_state
from tests.crash.states import States, found_by_a_rerun
from tests.crash.system_calls import Call, Fault, Mode, Outcome, run, run_alone
from tests.disks import is_whole
from tests.killing import evaluation_differences, training_differences

OLD_CAPTIONS = "image_filename,caption\nold.jpg,old\n"
_SPLITS = ("train", "val", "test")
_BACKUP, _AGAIN = "out/backup", "out/again"
_ERROR = re.compile(r"\w+\.py: error: ")


@dataclass(frozen=True)
class Subject:
    """Something that writes, from its script.

    Attributes:
        script: From the repository's root.
        flags: Of a world and a folder.
        again: The flag of a rerun that completes what was begun; "{}" is the folder.
        damages: Names what is not whole under its final name, in a folder where the subject was
            stopped; the second folder is one where it was not.
        differences: Names what differs from that folder, after a rerun.
    """

    name: str
    script: str
    flags: Callable[[Path, Path], list[str]]
    again: str
    damages: Callable[[Path, Path], list[str]]
    differences: Callable[[Path, Path], list[str]]
    prepare: Callable[[Path], None] = lambda _folder: None
    """Changes the folder that all trials begin with."""

    def command(self, world: Path, folder: Path) -> list[str]:
        return [self.script, *self.flags(world, folder), f"--db={folder / 'streetclip.db'}"]


def trimmed(world: Path, folder: Path) -> Path:
    """A few rows of a drawn world, with its images and model, so that a trial takes little time."""
    folder.mkdir(parents=True)
    for name in ("images", "model"):
        (folder / name).symlink_to(world / name)
    tables = {split: pd.read_csv(world / f"{split}.csv", dtype=str) for split in _SPLITS}
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
            *map(str, self._trial.rglob("*.tmp")),
            *self.subject.differences(self._trial, self._whole),
            *self._losses(self._trial),
        ]

    def _losses(self, folder: Path) -> list[str]:
        """What the store has lost of what it held before."""
        if not is_whole(folder / "streetclip.db"):
            return ["the store is damaged"]
        is_same = _annotations(folder).equals(self._annotations)
        return [] if is_same else ["annotations were lost"]


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
    for split in _SPLITS:
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


def _unreadable(paths: Any) -> list[str]:
    """Files of a model or of settings that are not whole."""
    readers = {
        ".pt": lambda path: torch.load(path, weights_only=True),
        ".safetensors": safetensors.torch.load_file,
        ".json": lambda path: json.loads(path.read_text()),
    }
    found = []
    for path in paths:
        try:
            readers.get(path.suffix, Path.read_bytes)(path)
        except Exception as error:  # noqa: BLE001 -- each library raises its own
            found.append(f"{path}: {error!r}")
    return found


def _under_final_names(folder: Path) -> list[Path]:
    files = sorted(path for path in (folder / "out").rglob("*") if path.is_file())
    return [
        path
        for path in files
        if not any(".streetclip" in part for part in path.relative_to(folder).parts)
    ]


def _shared(world: Path, folder: Path) -> list[str]:
    return [f"--image_dir={world / 'images'}", f"--model_name={world / 'model'}",
            f"--output_dir={folder / 'out'}", "--num_workers=0", "--device=cpu",
            "--precision=fp32"]  # fmt: skip


def _training_flags(world: Path, folder: Path) -> list[str]:
    return [*_shared(world, folder), f"--train_csv={world / 'train.csv'}",
            f"--val_csv={world / 'val.csv'}", "--batch_size=8", "--num_epochs=2",
            "--learning_rate=1e-3", "--train_parts=projections", "--select_by=loss"]  # fmt: skip


def _training_damages(folder: Path, whole: Path) -> list[str]:
    found = _unreadable(_under_final_names(folder))
    model, complete = folder / "out/best_model", whole / "out/best_model"
    if model.exists():
        files = [{path.name for path in each.iterdir()} for each in (model, complete)]
        found += [] if files[0] == files[1] else [f"best_model/ has {sorted(files[0])}"]
    return found


def _training_differences(folder: Path, whole: Path) -> list[str]:
    places = [each / name for each in (folder, whole) for name in ("out", "streetclip.db")]
    return training_differences(*places)


def _evaluation_flags(world: Path, folder: Path) -> list[str]:
    return [*_shared(world, folder), f"--test_csv={world / 'test.csv'}", "--batch_size=3",
            f"--candidates_file={world / 'candidates.json'}", "--strategy=hierarchical",
            "--strategy=flat"]  # fmt: skip


def _evaluation_damages(folder: Path, whole: Path) -> list[str]:
    found = []
    for path in _under_final_names(folder):
        other = whole / path.relative_to(folder)
        if path.name == "config.json":
            found += _unreadable([path])
        elif path.read_bytes() != other.read_bytes():
            found.append(f"{path}: is not whole")
        if path.name == "metrics.json" and not path.with_name("predictions.csv").exists():
            found.append(f"{path}: without predictions")
    return found


def _evaluation_differences(folder: Path, whole: Path) -> list[str]:
    places = [each / name for each in (folder, whole) for name in ("out", "streetclip.db")]
    return evaluation_differences(*places)


def _caption_flags(world: Path, folder: Path) -> list[str]:
    tables = [f"--{split}_csv={world / f'{split}.csv'}" for split in _SPLITS]
    return [*tables, f"--output_dir={folder / 'out'}", "--overwrite"]


def _caption_damages(folder: Path, whole: Path) -> list[str]:
    found = []
    for split in _SPLITS:
        path = folder / f"out/{split}_captions.csv"
        if path.read_text() not in (OLD_CAPTIONS, (whole / path.relative_to(folder)).read_text()):
            found.append(f"{path}: is neither the old nor the new one")
    return found


def _caption_differences(folder: Path, whole: Path) -> list[str]:
    paths = _under_final_names(whole)
    others = [folder / path.relative_to(whole) for path in paths]
    if others != _under_final_names(folder):
        return [f"there are {others}"]
    return [
        str(one) for one, two in zip(others, paths, strict=True)
        if one.read_bytes() != two.read_bytes()
    ]  # fmt: skip


def _annotation_damages(folder: Path, _whole: Path) -> list[str]:
    state = annotation_state(folder / "streetclip.db")
    return [] if state in STEPS else [f"annotations are {state}"]


def _annotation_differences(folder: Path, whole: Path) -> list[str]:
    states = [annotation_state(each / "streetclip.db") for each in (folder, whole)]
    return [] if states[0] == states[1] else [f"annotations are {states[0]}"]


def _leave_a_log(folder: Path) -> None:
    """Leave the store as a killed writer does: its last change is in the log alone."""
    db = folder / "streetclip.db"
    paths = [db, db.with_name(f"{db.name}-wal")]
    with open_store(db) as store:
        annotate(store, [5], note="in the log")
        contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)


def _backup_damages(folder: Path, whole: Path) -> list[str]:
    names = ["streetclip.db", "streetclip.db-wal", *_existing(folder, _BACKUP)]
    return [name for name in names if _bytes(folder, name) != _bytes(whole, name)]


def _backup_differences(folder: Path, whole: Path) -> list[str]:
    return [] if _bytes(folder, _AGAIN) == _bytes(whole, _BACKUP) else [_AGAIN]


def _existing(folder: Path, name: str) -> list[str]:
    return [name] if (folder / name).exists() else []


def _bytes(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


def _leave_annotations(folder: Path) -> None:
    """Leave a file of annotations, and the store without those of the images 5 and 6."""
    with open_store(folder / "streetclip.db") as store:
        annotate(store, [5, 6], add_tags=["restored"], note="from the file")
        backup_annotations(store.path, folder / _BACKUP, lambda _path: "")
        undo(store)


def _restored(folder: Path) -> list[str]:
    with open_store(folder / "streetclip.db", read_only=True) as store:
        return read_annotations(store, [5, 6])["note"].tolist()


def _restore_damages(folder: Path, whole: Path) -> list[str]:
    return [] if _restored(folder) in ([], _restored(whole)) else ["half of it is restored"]


def _restore_differences(folder: Path, whole: Path) -> list[str]:
    return [] if _restored(folder) == _restored(whole) else ["not all is restored"]


SUBJECTS = {
    each.name: each
    for each in (
        Subject("training", "jobs/train.py", _training_flags, "--resume",
                _training_damages, _training_differences),
        Subject("evaluation", "jobs/evaluate.py", _evaluation_flags, "--resume",
                _evaluation_damages, _evaluation_differences),
        Subject("captions", "jobs/generate_captions.py", _caption_flags, "--overwrite",
                _caption_damages, _caption_differences),
        Subject("annotation", "tests/crash/annotating.py", lambda _world, _folder: [], "--resume",
                _annotation_damages, _annotation_differences),
        Subject("backup", "jobs/backup_store.py",
                lambda _world, folder: [f"--output={folder / _BACKUP}"],
                f"--output={{}}/{_AGAIN}", _backup_damages, _backup_differences, _leave_a_log),
        Subject("annotations_backup", "jobs/backup_store.py",
                lambda _world, folder: [f"--output={folder / _BACKUP}", "--annotations_only"],
                f"--output={{}}/{_AGAIN}", _backup_damages, _backup_differences, _leave_a_log),
        Subject("annotations_restore", "jobs/backup_store.py",
                lambda _world, folder: [f"--restore={folder / _BACKUP}"],
                f"--restore={{}}/{_BACKUP}", _restore_damages, _restore_differences,
                _leave_annotations),
    )
}  # fmt: skip
