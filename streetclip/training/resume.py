"""The state of a training in `last_checkpoint.pt`, and back from there."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streetclip.models.checkpoints import build_payload, write_payload
from streetclip.training.best_model import Origin
from streetclip.training.checkpoints import RESUME, TrainingState, check_same_training, load_last
from streetclip.training.lora import ADAPTER_MARK, plain_model
from streetclip.training.step import Stepper


def save_state(path: Path, stepper: Stepper, state: TrainingState, origin: Origin) -> None:
    """Write all that a resume needs; the file can be evaluated as a model, too.

    Args:
        path: The checkpoint; one that stands there is replaced once the new one is on disk.
        stepper: Model, optimizer and the like.
        state: Where the training stands.
        origin: What it came from.

    Raises:
        ResourceError: The disk is full; what stood at `path` is untouched.
    """
    training = origin.to_dict() | {"step": state.step}
    adapters = _adapters(stepper)
    with plain_model(stepper.encoder.model):
        payload = build_payload(stepper.encoder, prompts=origin.data.prompts, training=training)
        if adapters:  # the merged weights last no longer than this block
            payload["model"] = {name: each.clone() for name, each in payload["model"].items()}
    payload[RESUME] = state.to_dict() | {
        "decisive": origin.decisive(),
        "optimizer": stepper.optimizer.state_dict(),
        "scaler": stepper.scaler.state_dict(),
        "objective": stepper.objective.state_dict(),
        "average": None if stepper.average is None else stepper.average.state_dict(),
        "adapters": adapters,
    }
    write_payload(path, payload)


def load_state(path: Path, stepper: Stepper, decisive: Mapping[str, Any]) -> TrainingState:
    """Bring a training back to where it was saved.

    Args:
        path: The checkpoint.
        stepper: As it is when a training begins, with the weights that this one began with.
        decisive: What decides the result, by the names that users know.

    Raises:
        ConfigError: The training was begun otherwise; the message names each difference.
        ModelError: The file is damaged, or holds nothing to resume from.
    """
    weights, resume = load_last(path)
    check_same_training(path, resume["decisive"], decisive)
    model = stepper.encoder.model
    if resume["adapters"]:
        # What they are added to is as it was; in the file they are merged into it.
        model.load_state_dict(resume["adapters"], strict=False)
    else:
        model.load_state_dict(weights)
    stepper.optimizer.load_state_dict(resume["optimizer"])
    stepper.scaler.load_state_dict(resume["scaler"])
    stepper.objective.load_state_dict(resume["objective"])
    if stepper.average is not None:
        stepper.average.load_state_dict(resume["average"])
    return TrainingState.from_dict(resume)


def _adapters(stepper: Stepper) -> dict[str, Any]:
    """What learns in a model with adapters; empty for one without, whose weights say it all."""
    learned = {
        name: parameter.detach().cpu()
        for name, parameter in stepper.encoder.model.named_parameters()
        if parameter.requires_grad
    }
    return learned if any(ADAPTER_MARK in name for name in learned) else {}
