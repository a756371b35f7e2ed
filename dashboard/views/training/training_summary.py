"""Trainings in words: choosing some, how one stands, its chosen checkpoint, epochs and details."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
import streamlit as st

from dashboard.charts import legends, metric_cards, share_bars, tables
from dashboard.queries.report import Delta
from dashboard.queries.trainings import (
    HOLDOUT,
    MOST_SHOWN,
    TRAINING,
    Best,
    Curves,
    Training,
    num_epochs,
    num_steps,
    stop_reason,
)
from dashboard.shell import formats, html, url_state
from dashboard.views.jobs import job_cards
from streetclip.metrics.differences import newcombe_interval

_PICKER: Final = "training_picker"
_LONGEST: Final = 1000  # characters of a text that are shown in full
_COMMAND: Final = (
    "python main.py --mode train --train_csv data/train.csv --val_csv data/val.csv "
    "--image_dir data/images --output_dir outputs/training"
)


def label(training: Training) -> str:
    """A training in a few words, no two the same; holds untrusted text."""
    return f"{training['id']} · {formats.isolated(training['name'], 40)}"


def picker(trainings: Sequence[Training], ids: Sequence[int]) -> None:
    """Draw the choice of trainings; it writes the URL.

    Args:
        trainings: All of them, newest first.
        ids: Those that are shown.
    """
    labels = {each["id"]: f"{label(each)} · {each['state']}" for each in trainings}
    st.session_state[_PICKER] = list(ids)
    st.multiselect(
        "Trainings",
        list(labels),
        format_func=lambda each: labels.get(each, str(each)),
        key=_PICKER,
        max_selections=MOST_SHOWN,
        help=f"Up to {MOST_SHOWN}, laid over one another.",
        on_change=_show_picked,
    )


def _show_picked() -> None:
    url_state.change(**{TRAINING: [str(each) for each in st.session_state[_PICKER]]})


def heading(training: Training, curves: Curves) -> None:
    """Draw the line that says in words which training is shown and how it stands."""
    parts = [_text(training["model_source"], 80), _standing(training, curves)]
    parts.append(f"started {formats.moment(training['created_at'])}")
    html.draw(
        html.tag(
            "p",
            "Training ",
            html.tag("strong", html.name(label(training))),
            f" · from {' · '.join(parts)}",
            css="sc-line",
        )
    )


def legend(trainings: Sequence[Training], curves: Sequence[Curves]) -> None:
    """Draw which colour is which training, and how each stands."""
    legends.draw(
        [
            legends.key(f"sc-key-series-{position}", f"{label(each)} · {_standing(each, of)}")
            for position, (each, of) in enumerate(zip(trainings, curves, strict=True))
        ]
    )


def _standing(training: Training, curves: Curves) -> str:
    wanted = num_epochs(training)
    done = len(curves["val_loss"]) - 1  # the first is the model before training
    of = "" if wanted is None or done < 0 else f", epoch {formats.progress(done, wanted)}"
    return f"{training['state']}{of}"


def progress(training: Training, curves: Curves, job: Mapping[str, Any] | None) -> None:
    """Draw how far a training is that is not done, or why it ended.

    Args:
        training: Its row.
        curves: What is written of it.
        job: The job that trains or trained last, if it has a record.
    """
    if training["state"] == "failed":
        said = formats.plain(training["error"] or "It left no message.", _LONGEST)
        _ended("failed", training, said)
    elif training["state"] == "interrupted":
        said = formats.plain(training["error"] or "What was finished is kept.", _LONGEST)
        _ended("was interrupted", training, said)
    elif training["state"] == "running":
        _running(training, curves, job)
    elif stop_reason(training):
        said = formats.plain(stop_reason(training), _LONGEST)
        html.remark(f"Training {label(training)} ended before its last epoch: {said}.")


def _ended(how: str, training: Training, said: str) -> None:
    way_on = "Resume it from its job, or with the same command and --resume."
    css, role = ("sc-alert", "alert") if how == "failed" else ("", "status")
    html.notice(f"Training {label(training)} {how}", said, way_on, css=css, role=role)


def _running(training: Training, curves: Curves, job: Mapping[str, Any] | None) -> None:
    if job is not None and job["total"] > 0:
        job_cards.progress(job)
        return
    total, steps = num_steps(training, curves), curves["loss"]["step"]
    if total is None or steps.empty:
        html.remark("It prepares: no step is recorded yet.")
        return
    done = min(int(steps.iloc[-1]), total)
    written = formats.moment(training["updated_at"])
    text = f"{formats.progress(done, total)} steps · last written {written}"
    st.progress(done / total, formats.markdown(text, 200))


# The checkpoint that was chosen


def headline(training: Training, curves: Curves, best_epoch: Mapping[str, Any]) -> None:
    """Draw the figures of one training: how good its best epoch is, and how it goes now.

    Args:
        training: Its row.
        curves: What is written of it.
        best_epoch: The row of `Curves.epochs` whose checkpoint is chosen, the last one before
            any is.
    """
    n = f"n = {formats.count(best_epoch['n'])} · " if best_epoch["n"] > 0 else ""
    loss = curves["loss"]["value"].dropna()
    when = f"epoch {formats.count(best_epoch['epoch'])}"
    columns = st.columns(3, gap="small")
    with columns[0]:
        metric_cards.figure(
            "Validation country accuracy",
            formats.share(best_epoch["accuracy"]),
            formats.interval(best_epoch["low"], best_epoch["high"]) if n else "",
            f"{n}{when}",
            "Validation images whose country is the best of all countries of both manifests, "
            "zero-shot, of all validation images; an unreadable one is wrong. Of the chosen "
            "checkpoint, so it flatters: the epoch was chosen by these images. "
            "Interval: Wilson 95 %.",
        )
    with columns[1]:
        metric_cards.figure(
            "Validation loss",
            _loss_text(best_epoch["val_loss"]),
            "",
            f"{when} · training loss now {_loss_text(loss.iloc[-1] if len(loss) else None)}",
            "Contrastive loss over groups of as many images as a training step contrasts.",
        )
    with columns[2]:  # no fourth one: the speed has a chart of its own
        if pd.isna(best_epoch[f"{HOLDOUT}accuracy"]):
            _speed(training, curves)
        else:
            _held_out(curves.epochs.iloc[0].to_dict(), best_epoch, when)


def _speed(training: Training, curves: Curves) -> None:
    speed = curves["images_per_s"]["value"]
    metric_cards.figure(
        "Images per second",
        formats.count(speed.median()) if len(speed) else formats.NONE,
        "",
        f"median · batches of {_batch(training)}",
        "Training images a second, decoding included, validations and checkpoints left out.",
    )


def _held_out(before: Mapping[str, Any], after: Mapping[str, Any], when: str) -> None:
    low, high, n = (after[f"{HOLDOUT}{name}"] for name in ("low", "high", "n"))
    is_known = not (pd.isna(low) or pd.isna(before[f"{HOLDOUT}low"]))
    counts = (each[f"{HOLDOUT}{name}"] for each in (after, before) for name in ("num_correct", "n"))
    delta = Delta(*map(float, newcombe_interval(*counts))) if is_known else None
    metric_cards.figure(
        "Held-out country accuracy",
        formats.share(after[f"{HOLDOUT}accuracy"]),
        "" if pd.isna(low) else formats.interval(low, high),
        f"n = {formats.count(n)} · {when}" if n > 0 else when,
        "The same of validation images of countries of which training saw no image: what is left "
        "of the zero-shot ability. Interval: Wilson 95 %. Under it: the difference from the model "
        "before training in percentage points, with Newcombe's 95 % interval of two independent "
        "shares, rather too wide as the images are the same; grey where it holds 0.",
        "" if delta is None else metric_cards.share_delta(delta, "before training"),
    )


def _loss_text(value: float | None) -> str:
    return formats.NONE if value is None or pd.isna(value) else f"{value:.3f}"


def _setting(training: Training, name: str) -> str:
    config = training["config"] if isinstance(training["config"], dict) else {}
    return formats.plain(config.get(name, formats.NONE), 40)


def _batch(training: Training) -> str:
    """Images of a forward pass, and how many such passes a step has in a process, if several."""
    passes = _setting(training, "gradient_accumulation_steps")
    size = _setting(training, "batch_size")
    return size if passes in ("1", formats.NONE) else f"{size}, {passes} a step"


def chosen(training: Training, best: Best | None) -> None:
    """Draw which checkpoint is the result of a training, why, and where it is."""
    if best is None:
        is_live = training["state"] == "running"
        said = "the first is chosen after the first epoch" if is_live else "none is recorded"
        html.remark(f"Training {label(training)}: {said}.")
        return
    wanted = num_epochs(training)
    epoch = formats.progress(best.epoch, wanted) if wanted else formats.count(best.epoch)
    why = f": {formats.plain(best.reason, _LONGEST)}" if best.reason else ""
    html.draw(
        html.tag(
            "p",
            html.tag("strong", html.name(label(training))),
            f" · epoch {epoch}, step {formats.count(best.step)}{why}. ",
            _where(best),
            css="sc-line",
        )
    )


def _where(best: Best) -> str:
    path = formats.plain(best.path, 400)
    return f"File: {path}" if _is_there(best.path) else f"Its file is not there any more: {path}"


def _is_there(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError:  # no path at all, as one that is too long
        return False


def how_to_evaluate(training: Training, best: Best) -> None:
    """Say which command evaluates a checkpoint that no run is of."""
    folder = _setting(training, "image_dir")
    words = ["--test_csv", "TEST.csv", "--image_dir", folder, "--checkpoint_path", best.path]
    command = f"python main.py --mode evaluate {shlex.join(words)}"
    html.remark("No run of this store is of these weights. To evaluate them:")
    st.code(command.encode("utf-8", "replace").decode(), language=None, wrap_lines=True)


# Epochs and details


def epoch_table(trainings: Sequence[Training], epochs: Sequence[pd.DataFrame]) -> None:
    """Draw the validations of trainings, epoch by epoch, in one table.

    Args:
        trainings: Those that are shown.
        epochs: Of each, as `Curves.epochs` gives them with `is_best` beside.
    """
    frames = [
        each.assign(training=label(training))
        for training, each in zip(trainings, epochs, strict=True)
    ]
    rows = pd.concat(frames, ignore_index=True)
    shown = pd.DataFrame(
        {
            "training": rows["training"],
            "epoch": rows["epoch"],
            "step": rows["step"],
            "train_loss": rows["train_loss"],
            "val_loss": rows["val_loss"],
            "accuracy": 100 * rows["accuracy"],
            "interval": share_bars.intervals(rows, "low", "high"),
            "n": rows["n"],
            "holdout_accuracy": 100 * rows[f"{HOLDOUT}accuracy"],
            "holdout_interval": share_bars.intervals(rows, f"{HOLDOUT}low", f"{HOLDOUT}high"),
            "holdout_n": rows[f"{HOLDOUT}n"],
            "checkpoint": ["chosen" if is_best else "" for is_best in rows["is_best"]],
        }
    )
    if rows[f"{HOLDOUT}accuracy"].isna().all():
        shown = shown.drop(columns=[name for name in shown if name.startswith(HOLDOUT)])
    loss = st.column_config.NumberColumn
    tables.draw(
        shown if len(trainings) > 1 else shown.drop(columns="training"),
        key="training_epochs",
        column_config={
            "epoch": st.column_config.NumberColumn(format="%d"),
            "step": st.column_config.NumberColumn(format="localized"),
            "train_loss": loss("training loss, mean", format="%.4f"),
            "val_loss": loss("validation loss", format="%.4f"),
            "accuracy": st.column_config.NumberColumn("country right (%)", format="%.1f"),
            "interval": st.column_config.TextColumn("95 %"),
            "n": st.column_config.NumberColumn(format="localized"),
            "holdout_accuracy": st.column_config.NumberColumn(
                "held-out countries right (%)", format="%.1f"
            ),
            "holdout_interval": st.column_config.TextColumn("held-out 95 %"),
            "holdout_n": st.column_config.NumberColumn("held-out n", format="localized"),
        },
    )


def details(training: Training) -> None:
    """Draw what a training is made of."""
    versions = training["versions"] if isinstance(training["versions"], dict) else {}
    with st.expander(f"Details of training {training['id']}", key=f"details_{training['id']}"):
        html.definitions(
            [
                ("Training", f"{training['id']} · {_text(training['name'])}"),
                ("State", training["state"]),
                ("Base model", _text(training["model_source"])),
                ("Training images", _text(training["train_csv"])),
                ("Validation images", _text(training["val_csv"])),
                ("Output folder", _text(training["output_dir"])),
                ("Started", formats.moment(training["created_at"])),
                ("Last written", formats.moment(training["updated_at"])),
                ("Versions", _text(" · ".join(f"{k} {v}" for k, v in sorted(versions.items())))),
                ("Commit", _text(training["commit_sha"])),
            ]
        )
        st.code(formats.json_text(training["config"]), language="json", wrap_lines=True)


def _text(value: object, limit: int = _LONGEST) -> str:
    return formats.NONE if value is None else formats.plain(value, limit)


def how_to_start() -> None:
    """Say which command makes a training."""
    st.code(_COMMAND, language=None, wrap_lines=True)
