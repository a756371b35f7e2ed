"""Read trainings with caches: their list, their curves so far, their best checkpoint."""

import contextlib
import functools
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
import streamlit as st

from dashboard.queries import run_queries
from dashboard.queries.store_state import Stamp, cached_by_stamp, reader, stamp
from dashboard.shell import url_state
from streetclip import store
from streetclip.errors import StoreError, shown
from streetclip.metrics.intervals import wilson_interval
from streetclip.store import Store

TRAINING: Final = "training"
"""The URL's parameter for a training; it may occur several times."""

MOST_SHOWN: Final = 6
"""Trainings in one chart; no more colours are distinct."""

HOLDOUT: Final = "holdout_"
"""Prefix of the columns of `Curves.epochs` on countries that are held out of training."""

Training = dict[str, Any]
"""One row of `store.list_trainings`; None where something is missing."""


@cached_by_stamp(max_entries=4)
def listed(store_path: Path) -> list[Training]:
    """List all trainings, newest first; none where there is no store yet."""
    if not run_queries.has_store(store_path):
        return []
    with reader(store_path) as opened:
        rows = store.list_trainings(opened)
    known = rows.astype(object).where(rows.notna(), None)
    return run_queries.records(known)


def choose(wanted: Sequence[str], ids: Sequence[int]) -> tuple[tuple[int, ...], list[str]]:
    """Return the trainings that the URL asks for, else the newest, and the problems.

    Examples:
        >>> choose(["1", "3", "1"], [3, 2, 1]), choose([], [3, 2, 1])
        (((1, 3), []), ((3,), []))
    """
    by_text = {text: int(text) for text in wanted if url_state.is_id(text) and int(text) in ids}
    unknown = [shown(text) for text in wanted if text not in by_text][:MOST_SHOWN]
    problems = [
        f"The link asks for training {text}, which this store does not hold." for text in unknown
    ]
    distinct = list(dict.fromkeys(by_text.values()))
    if (n := len(distinct)) > MOST_SHOWN:
        problems.append(f"The link names {n} trainings; the first {MOST_SHOWN} are shown.")
    return tuple(distinct[:MOST_SHOWN]) or (ids[0],), problems


# Curves

_OF_VALIDATIONS: Final = {
    "val_loss": "val_loss",
    "val_country_accuracy": "accuracy",
    "val_num_correct": "num_correct",
    "val_num_images": "n",
    "holdout_country_accuracy": f"{HOLDOUT}accuracy",
    "holdout_num_correct": f"{HOLDOUT}num_correct",
    "holdout_num_images": f"{HOLDOUT}n",
}


class Curves:
    """What is written of one training: points with step, epoch, name, value (NaN: no number)."""

    def __init__(self, points: pd.DataFrame) -> None:
        self.points = points
        self._by_name = {str(name): of for name, of in points.groupby("name", observed=True)}

    def __getitem__(self, name: str) -> pd.DataFrame:
        """Select one curve: step, epoch, value; without rows where there is none."""
        found = self._by_name.get(name, self.points.head(0))
        return found[["step", "epoch", "value"]]

    @functools.cached_property
    def epochs(self) -> pd.DataFrame:
        """Validations by step, with train_loss (mean over the epoch) and Wilson bounds.

        Columns: step, epoch, train_loss, val_loss, accuracy, low, high, num_correct and n; the
        latter five again for held-out countries as holdout_accuracy and so on. NaN if unknown.
        """
        columns = {
            column: self[name].set_index(["step", "epoch"])["value"]
            for name, column in _OF_VALIDATIONS.items()
        }
        wide = pd.DataFrame(columns)
        wide = wide.dropna(how="all").sort_index().reset_index()
        return wide.assign(
            train_loss=_mean_losses(self["loss"], wide["step"].tolist()),
            **_intervals(wide, ""),
            **_intervals(wide, HOLDOUT),
        )


def _intervals(wide: pd.DataFrame, prefix: str) -> dict[str, pd.Series]:
    """Compute the Wilson intervals of an accuracy; NaN without plausible counts."""
    correct, n = wide[f"{prefix}num_correct"], wide[f"{prefix}n"]
    is_counted = (n > 0) & correct.between(0, n)
    ends = wilson_interval(correct.where(is_counted, 0), n.where(is_counted, 1))
    return {
        f"{prefix}{name}": pd.Series(end, wide.index).where(is_counted)
        for name, end in zip(("low", "high"), ends, strict=True)
    }


def _mean_losses(losses: pd.DataFrame, ends: Sequence[int]) -> list[float]:
    """Average the loss between the ends; a point covers several steps."""
    steps = losses["step"].to_numpy()
    lengths = np.diff(steps, prepend=0)
    weighted = lengths * losses["value"].to_numpy()
    means, begin = [], -1
    for end in ends:
        inside = (steps > begin) & (steps <= end)
        total = lengths[inside].sum()
        means.append(float(weighted[inside].sum() / total) if total else math.nan)
        begin = end
    return means


@dataclass
class _Reader:
    """The curves of one training as far as they were read; further points are added."""

    _training_id: int
    _revision: str
    _lock: threading.Lock = field(default_factory=threading.Lock)  # several visitors share it
    _seen: Stamp | None = None
    _curves: Curves | None = None

    def read(self, store_path: Path) -> Curves:
        seen = stamp(store_path)
        with self._lock:
            if self._curves is None or seen != self._seen:
                with reader(store_path) as opened, opened.snapshot():
                    if store.training_revision(opened, self._training_id) != self._revision:
                        # Resumed or replaced since it was listed: nothing to add to.
                        return Curves(self._points(opened, 0))
                    self._curves = self._with_new(opened)
                self._seen = seen
            return self._curves

    def _points(self, opened: Store, from_step: int) -> pd.DataFrame:
        new = store.training_curves(opened, self._training_id, from_step=from_step)
        return new.assign(value=new["value"].where(np.isfinite(new["value"])))

    def _with_new(self, opened: Store) -> Curves:
        if self._curves is None:
            return Curves(self._points(opened, 0))
        # The newest step is read again: a point of it may have come since.
        before = self._curves.points
        newest = 0 if before.empty else int(before["step"].max())
        new = self._points(opened, newest)
        if new.equals(before[before["step"] >= newest].reset_index(drop=True)):
            return self._curves
        both = pd.concat([before[before["step"] < newest], new], ignore_index=True)
        return Curves(both.sort_values(["name", "step"], ignore_index=True))


@st.cache_resource(show_spinner=False, max_entries=64)
def _reader(store_path: Path, training_id: int, uid: str, revision: str) -> _Reader:  # noqa: ARG001
    return _Reader(training_id, revision)


def curves(store_path: Path, training: Training) -> Curves:
    """Read the curves of a training; read only the points that are new."""
    names = (str(training[each]) for each in ("uid", "revision"))
    return _reader(store_path, int(training["id"]), *names).read(store_path)


# The best checkpoint


class Best(NamedTuple):
    """The checkpoint that is a training's result, and why; "" if unknown."""

    epoch: int
    step: int
    reason: str
    path: str
    sha256: str


def best(training: Training) -> Best | None:
    """Read the best checkpoint of a training; None before the first, or if unreadable."""
    record = training["best"] if isinstance(training["best"], Mapping) else {}
    epoch, step = record.get("epoch"), record.get("step")
    if not (isinstance(epoch, int) and isinstance(step, int)):
        return None
    texts = [str(record.get(each) or "") for each in ("reason", "checkpoint", "sha256")]
    return Best(epoch, step, *texts)


def stop_reason(training: Training) -> str:
    """Read why a training ended before its last epoch; "" where it did not."""
    record = training["best"]
    return str(record.get("stop_reason") or "") if isinstance(record, Mapping) else ""


def runs_of(store_path: Path, chosen: Best) -> list[tuple[int, str]]:
    """List the id and name of the runs that evaluated these weights, newest first."""
    return [
        (run["id"], run["name"])
        for run in run_queries.list_runs(store_path)
        if chosen.sha256 and run["model_sha256"] == chosen.sha256
    ]


def job(store_path: Path, training: Training) -> dict[str, Any] | None:
    """Read the job that trains, or trained last; None where its record is gone."""
    with contextlib.suppress(StoreError):
        if training["job_id"] is not None:
            return run_queries.job(store_path, int(training["job_id"]))
    return None


def num_epochs(training: Training) -> int | None:
    """Read how many epochs the settings of a training ask for, if they do."""
    config = training["config"]
    number = config.get("num_epochs") if isinstance(config, dict) else None
    return number if isinstance(number, int) and number > 0 else None


def num_steps(training: Training, of: Curves) -> int | None:
    """Estimate how many steps a training takes in all; None before its first point."""
    steps = of["loss"]
    wanted = num_epochs(training)
    if wanted is None or steps.empty or not steps["epoch"].iloc[-1] > 0:
        return None
    return round(wanted * float(steps["step"].iloc[-1]) / float(steps["epoch"].iloc[-1]))
