"""Trainings as text and tables: state, progress, headline, chosen checkpoint, epochs, details."""

import os
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.charts import legends, metric_cards, tables
from dashboard.queries.report import Delta
from dashboard.queries.trainings import (
    HOLDOUT,
    Best,
    Curves,
    Training,
    num_epochs,
    num_steps,
    stop_reason,
)
from dashboard.shell import formats, html
from dashboard.views.jobs import job_cards
from streetclip.metrics.intervals import newcombe_interval

_ACCURACY_HELP = (
    "Share of all validation images whose country is predicted zero-shot among the countries of "
    "both manifests; an unreadable image is wrong. Optimistic: the epoch was chosen by these "
    "images. Interval: Wilson 95 %."
)
_HELD_OUT_HELP = (
    "The same over validation images of countries that training did not see: what is left of the "
    "zero-shot ability. Interval: Wilson 95 %. Below: difference from the model before training in "
    "percentage points, with Newcombe's 95 % interval of two independent shares, too wide rather "
    "than too narrow as the images are the same; grey if not significant."
)


def label(training: Training) -> str:
    """Label a training by number and untrusted name; no two labels are equal."""
    return f"{training['id']} · {formats.isolated(training['name'], 40)}"


def heading(training: Training, curves: Curves) -> None:
    """Draw which training is shown, and its state."""
    name = html.tag("strong", html.name(label(training)))
    model = formats.plain(training["model_source"] or formats.NONE, 80)
    started = formats.moment(training["created_at"])
    text = f" · from {model} · {_state(training, curves)} · started {started}"
    html.draw(html.tag("p", "Training ", name, text, css="sc-line"))


def legend(trainings: Sequence[Training], curves: Sequence[Curves]) -> None:
    """Draw the colour and the state of each training."""
    keys = []
    for position, (training, of) in enumerate(zip(trainings, curves, strict=True)):
        text = f"{label(training)} · {_state(training, of)}"
        keys.append(legends.key(f"sc-key-series-{position}", text))
    legends.draw(keys)


def _state(training: Training, curves: Curves) -> str:
    wanted = num_epochs(training)
    done = len(curves["val_loss"]) - 1  # the first is the model before training
    if wanted is None or done < 0:
        return str(training["state"])
    return f"{training['state']}, epoch {formats.progress(done, wanted)}"


def progress(training: Training, curves: Curves, job: Mapping[str, Any] | None) -> None:
    """Draw the progress of a running training, or why one ended early."""
    state, name = training["state"], label(training)
    way_on = "Resume it from its job, or with the same command and --resume."
    error = formats.plain(training["error"] or "", formats.LONGEST)
    if state == "failed":
        text = error or "No error message was recorded."
        html.notice(f"Training {name} failed", text, way_on, css="sc-alert", role="alert")
    elif state == "interrupted":
        text = error or "Finished epochs are kept."
        html.notice(f"Training {name} was interrupted", text, way_on)
    elif state == "running":
        _running(training, curves, job)
    elif stop_reason(training):
        reason = formats.plain(stop_reason(training), formats.LONGEST)
        html.remark(f"Training {name} ended before its last epoch: {reason}.")


def _running(training: Training, curves: Curves, job: Mapping[str, Any] | None) -> None:
    if job is not None and job["total"] > 0:
        job_cards.progress(job)
        return
    total, steps = num_steps(training, curves), curves["loss"]["step"]
    if total is None or steps.empty:
        html.remark("Preparing…")
        return
    done, written = min(int(steps.iloc[-1]), total), formats.moment(training["updated_at"])
    text = f"{formats.progress(done, total)} steps · last written {written}"
    st.progress(done / total, formats.markdown(text, 200))


# The chosen checkpoint


def headline(training: Training, curves: Curves, best_epoch: Mapping[str, Any]) -> None:
    """Draw the figures of one training at its best epoch, a row of `Curves.epochs`."""
    n = f"n = {formats.count(best_epoch['n'])} · " if best_epoch["n"] > 0 else ""
    loss = curves["loss"]["value"].dropna()
    when = f"epoch {formats.count(best_epoch['epoch'])}"
    accuracy = (
        "Validation country accuracy",
        formats.share(best_epoch["accuracy"]),
        formats.interval(best_epoch["low"], best_epoch["high"]) if n else "",
        f"{n}{when}",
        _ACCURACY_HELP,
    )
    of_loss = (
        "Validation loss",
        _loss_text(best_epoch["val_loss"]),
        "",
        f"{when} · training loss now {_loss_text(loss.iloc[-1] if len(loss) else None)}",
        "Contrastive loss over groups of as many images as a training step contrasts.",
    )
    if pd.isna(best_epoch[f"{HOLDOUT}accuracy"]):
        third = _speed(training, curves)  # of three: it also has its own chart
    else:
        third = _held_out(curves.epochs.iloc[0], best_epoch, when)
    metric_cards.figures(accuracy, of_loss, third)


def _speed(training: Training, curves: Curves) -> Sequence[str]:
    speed = curves["images_per_s"]["value"]
    batch = _setting(training, "batch_size")
    passes = _setting(training, "gradient_accumulation_steps")
    if passes not in ("1", formats.NONE):
        batch = f"{batch}, {passes} per step"
    return (
        "Images per second",
        formats.count(speed.median()) if len(speed) else formats.NONE,
        "",
        f"median · batches of {batch}",
        "Training images per second, decoding included, validations and checkpoints left out.",
    )


def _held_out(before: "pd.Series[Any]", after: Mapping[str, Any], when: str) -> Sequence[str]:
    low, high, n = (after[f"{HOLDOUT}{name}"] for name in ("low", "high", "n"))
    below = ""
    if not (pd.isna(low) or pd.isna(before[f"{HOLDOUT}low"])):
        names = (f"{HOLDOUT}num_correct", f"{HOLDOUT}n")
        counts = [each[name] for each in (after, before) for name in names]
        delta = Delta(*map(float, newcombe_interval(*counts)))
        below = metric_cards.share_delta(delta, "before training")
    return (
        "Held-out country accuracy",
        formats.share(after[f"{HOLDOUT}accuracy"]),
        "" if pd.isna(low) else formats.interval(low, high),
        f"n = {formats.count(n)} · {when}" if n > 0 else when,
        _HELD_OUT_HELP,
        below,
    )


def _loss_text(value: float | None) -> str:
    return formats.NONE if value is None or pd.isna(value) else f"{value:.3f}"


def _setting(training: Training, name: str) -> str:
    config = training["config"] if isinstance(training["config"], dict) else {}
    return formats.plain(config.get(name, formats.NONE), 40)


def chosen(training: Training, best: Best | None) -> None:
    """Draw which checkpoint is the result of a training, why, and its file."""
    if best is None:
        is_live = training["state"] == "running"
        text = "the first is chosen after the first epoch" if is_live else "none is recorded"
        html.remark(f"Training {label(training)}: {text}.")
        return
    wanted = num_epochs(training)
    epoch = formats.progress(best.epoch, wanted) if wanted else formats.count(best.epoch)
    why = f": {formats.plain(best.reason, formats.LONGEST)}" if best.reason else ""
    # Unlike `Path.is_file`, this does not raise for a text that can be no path.
    is_missing = not os.path.isfile(best.path)  # noqa: PTH113
    file = "Missing file: " if is_missing else "File: "
    name = html.tag("strong", html.name(label(training)))
    text = f" · epoch {epoch}, step {formats.count(best.step)}{why}. "
    html.draw(html.tag("p", name, text, file, formats.plain(best.path, 400), css="sc-line"))


def how_to_evaluate(training: Training, best: Best) -> None:
    """Draw the command that evaluates a checkpoint without a run."""
    folder = _setting(training, "image_dir")
    words = ["--test_csv", "TEST.csv", "--image_dir", folder, "--checkpoint_path", best.path]
    command = f"python main.py --mode evaluate {shlex.join(words)}"
    html.remark("This checkpoint has not been evaluated. Evaluate it in a shell:")
    st.code(formats.sendable(command), language=None, wrap_lines=True)


# Epochs and details


def epoch_table(trainings: Sequence[Training], epochs: Sequence[pd.DataFrame]) -> None:
    """Draw the validations of trainings in one table, from `Curves.epochs` with `is_best`."""
    pairs = zip(trainings, epochs, strict=True)
    frames = [each.assign(training=label(training)) for training, each in pairs]
    rows = pd.concat(frames, ignore_index=True)
    columns = {
        "training": tables.text("training"),
        "epoch": tables.decimal("epoch", form="%d"),
        "step": tables.decimal("step", form="localized"),
        "train_loss": tables.decimal("training loss, mean", form="%.4f"),
        "val_loss": tables.decimal("validation loss", form="%.4f"),
        "accuracy": tables.per_cent("country correct (%)"),
        "interval": tables.interval(),
        "n": tables.whole(),
        f"{HOLDOUT}accuracy": tables.per_cent("held-out countries correct (%)"),
        f"{HOLDOUT}interval": tables.interval(f"{HOLDOUT}low", f"{HOLDOUT}high"),
        f"{HOLDOUT}n": tables.whole("held-out n"),
        "checkpoint": tables.text("checkpoint"),
    }
    if len(trainings) == 1:
        del columns["training"]
    if rows[f"{HOLDOUT}accuracy"].isna().all():
        columns = {name: each for name, each in columns.items() if not name.startswith(HOLDOUT)}
    rows["checkpoint"] = rows["is_best"].map({True: "chosen", False: ""})
    tables.show(rows, columns, key="training_epochs")


def details(training: Training) -> None:
    """Draw the inputs, settings and versions of a training."""
    versions = training["versions"] if isinstance(training["versions"], dict) else {}
    with st.expander(f"Details of training {training['id']}", key=f"details_{training['id']}"):
        html.definitions(
            ("Training", f"{training['id']} · {training['name']}"),
            ("State", training["state"]),
            ("Base model", training["model_source"]),
            ("Training images", training["train_csv"]),
            ("Validation images", training["val_csv"]),
            ("Output folder", training["output_dir"]),
            ("Started", formats.moment(training["created_at"])),
            ("Last written", formats.moment(training["updated_at"])),
            ("Versions", " · ".join(f"{k} {v}" for k, v in sorted(versions.items()))),
            ("Commit", training["commit_sha"]),
        )
        st.code(formats.json_text(training["config"]), language="json", wrap_lines=True)
