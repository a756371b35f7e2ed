"""What is made to crash, and what has to be true afterwards, whichever of its writes it was."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from streetclip.store import (
    annotate,
    open_store,
    read_annotations,
    undo,
)
from streetclip.store.backup import backup_annotations, backup_store
from tests.crash.annotating import STEPS, annotation_state
from tests.killing import evaluation_differences, training_differences

OLD_CAPTIONS = "image_filename,caption\nold.jpg,old\n"
SPLITS = ("train", "val", "test")
_SOURCE, _COPY, _AGAIN = "out/source", "out/copy", "out/again"


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
        return [self.script, f"--db={folder / 'streetclip.db'}", *self.flags(world, folder)]


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
    tables = [f"--{split}_csv={world / f'{split}.csv'}" for split in SPLITS]
    return [*tables, f"--output_dir={folder / 'out'}", "--overwrite"]


def _caption_damages(folder: Path, whole: Path) -> list[str]:
    found = []
    for split in SPLITS:
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


def _leave_a_backup(folder: Path) -> None:
    _leave_a_log(folder)
    backup_store(folder / "streetclip.db", folder / _SOURCE)


def _copy_damages(folder: Path, whole: Path) -> list[str]:
    sources = ("streetclip.db", "streetclip.db-wal", _SOURCE)
    names = [name for name in sources if (whole / name).exists()]
    names += [_COPY] if (folder / _COPY).exists() else []
    return [name for name in names if _bytes(folder, name) != _bytes(whole, name)]


def _copy_differences(folder: Path, whole: Path) -> list[str]:
    return [] if _bytes(folder, _AGAIN) == _bytes(whole, _COPY) else [_AGAIN]


def _bytes(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


def _leave_annotations(folder: Path) -> None:
    """Leave a file of annotations, and the store without those of the images 5 and 6."""
    with open_store(folder / "streetclip.db") as store:
        annotate(store, [5, 6], add_tags=["restored"], note="from the file")
        backup_annotations(store.path, folder / _SOURCE, lambda _folder, _name: "")
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
                lambda _world, folder: [f"--output={folder / _COPY}"],
                f"--output={{}}/{_AGAIN}", _copy_damages, _copy_differences, _leave_a_log),
        Subject("restore", "jobs/backup_store.py",
                lambda _world, folder: [f"--restore={folder / _SOURCE}", f"--db={folder / _COPY}"],
                f"--db={{}}/{_AGAIN}", _copy_damages, _copy_differences, _leave_a_backup),
        Subject("annotations_backup", "jobs/backup_store.py",
                lambda _world, folder: [f"--output={folder / _COPY}", "--annotations_only"],
                f"--output={{}}/{_AGAIN}", _copy_damages, _copy_differences, _leave_a_log),
        Subject("annotations_restore", "jobs/backup_store.py",
                lambda _world, folder: [f"--restore={folder / _SOURCE}"],
                f"--restore={{}}/{_SOURCE}", _restore_damages, _restore_differences,
                _leave_annotations),
    )
}  # fmt: skip
