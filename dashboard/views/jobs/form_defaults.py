"""Fill in a form: defaults, an earlier job's settings or outputs, a recipe."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from dashboard.views.jobs import form_fields
from dashboard.views.jobs.allowed_paths import exists
from dashboard.views.jobs.form_fields import Draft
from streetclip.config import JOB_CONFIGS, DemoConfig
from streetclip.config.arguments import from_parameters
from streetclip.config.recipes import load_recipe, recipe_names
from streetclip.runtime import Roots

_NEXT: Final = {"make_demo": "train", "generate_captions": "train", "train": "evaluate"}
_DEMO: Final = "demo"  # the recipe that trains the model of the drawn world
_INPUTS: Final = {
    "train_csv": "train.csv",
    "val_csv": "val.csv",
    "test_csv": "test.csv",
    "image_dir": "images",
}
_OF_A_LINK: Final = {"model": "checkpoint_path", "candidates": "candidates_file"}
"""Settings that the page Predict fills in, by the URL's parameter."""

NO_ORIGIN: Final[Mapping[str, None]] = dict.fromkeys(("again", "after", "trained", *_OF_A_LINK))
"""Parameters of the URL that name where a form's values come from, removed."""

_NOT_REPEATED: Final = ("resume", "overwrite", "db")  # they depend on the files of that time


class Prefill(NamedTuple):
    """Initial values of a form; those of another origin replace what was typed."""

    origin: str
    draft: Draft
    words: str = ""


def fresh(kind: str, roots: Roots, given: Mapping[str, list[str]]) -> Prefill:
    """Fill in the defaults and what a link gives, untrusted, with a new output folder."""
    values = {name: given[each][0] for each, name in _OF_A_LINK.items() if each in given}
    draft = form_fields.with_new_output(form_fields.draft_of(kind, values), roots)
    return Prefill(repr(values) if values else "", draft)


def again(job: Mapping[str, Any], roots: Roots) -> Prefill:
    """Fill in the settings of an earlier job, with a new output folder."""
    words = f"Settings of job {job['id']}. If its output folder exists, a new one is proposed."
    draft = form_fields.with_new_output(_draft_of_job(job, roots), roots)
    return Prefill(f"again {job['id']} {job['created_at']}", draft, words)


def recipes_of(kind: str) -> tuple[str, ...]:
    """List the recipes that can fill in a form."""
    return recipe_names() if JOB_CONFIGS[kind].takes_recipes else ()


def recipe_draft(kind: str, name: str) -> Draft:
    """Write what a recipe changes in a form; reset what only other recipes set."""
    config_class = JOB_CONFIGS[kind]
    recipe = load_recipe(name, config_class)
    others = {setting for each in recipes_of(kind) for setting in load_recipe(each, config_class)}
    draft = form_fields.draft_of(kind, recipe)
    return {
        each.name: draft[each.name]
        for each in form_fields.settings_of(kind)
        if each.name in recipe or (each.name in others and not each.is_path)
    }


def recipe_inputs(recipe: str, draft: Draft, roots: Roots) -> tuple[Draft, dict[str, str]]:
    """Find inputs where a recipe's are expected, for fields that are empty; ask for the others.

    Returns the values found, and by setting what to choose for what is still missing.
    """
    is_demo = recipe == _DEMO
    folder = DemoConfig().output_dir if is_demo else Path("data")
    files = _INPUTS | ({"model_name": "model"} if is_demo else {})
    found = {
        name: path
        for name, file in files.items()
        if name in draft and (name == "model_name" or not draft[name])
        if (path := _existing(roots.base / folder / file, roots))
    }
    asked = [name for name in files if name in draft and name not in found]
    return found, {
        name: f"The recipe {recipe} leaves this open, and {folder / files[name]} is not there. "
        "Choose it."
        for name in asked
        if name == "model_name" or not draft[name]
    }


def next_kind(job: Mapping[str, Any]) -> str | None:
    """Name the next job in the workflow; None if this one is last or left nothing to go on with.

    A training that ended early leaves its best model so far.
    """
    best = Path(job["output_dir"], "best_model.pt")
    has_outputs = job["state"] == "done" or (
        job["kind"] == "train" and job["state"] not in {"queued", "running"} and exists(best)
    )
    return _NEXT.get(job["kind"]) if has_outputs else None


def trained(
    training: Mapping[str, Any], checkpoint: str, job: Mapping[str, Any] | None, roots: Roots
) -> Prefill:
    """Fill in the best checkpoint of a training for its evaluation."""
    as_job = {
        "kind": "train",
        "output_dir": Path(checkpoint).parent,
        "cwd": roots.base if job is None else job["cwd"],
        "parameters": training["config"] if isinstance(training["config"], dict) else {},
    }
    return _following(as_job, roots, f"training {training['id']}")


def after(job: Mapping[str, Any], roots: Roots) -> Prefill:
    """Fill in the outputs of a job for the next one; `next_kind` is not None."""
    return _following(job, roots, f"job {job['id']}")


def _existing(path: Path, roots: Roots) -> str:
    return roots.written(path) if roots.hold(path) and exists(path) else ""


def _following(job: Mapping[str, Any], roots: Roots, source: str) -> Prefill:
    kind, given, output = _NEXT[job["kind"]], _draft_of_job(job, roots), Path(job["output_dir"])

    def existing(path: Path) -> str:
        return _existing(path, roots)

    def sibling(text: str, name: str) -> str:
        return existing((roots.base / text).parent / name) if text else ""

    if job["kind"] == "make_demo":
        inputs = _INPUTS | {"model_name": "model"}
        values = {name: existing(output / file) for name, file in inputs.items()}
        values |= load_recipe(_DEMO, JOB_CONFIGS[kind]) | {"run_name": _DEMO}
    elif kind == "train":
        images = sibling(given["train_csv"] or given["val_csv"], "images")
        values = {
            "train_csv": existing(output / "train_captions.csv"),
            "val_csv": existing(output / "val_captions.csv"),
            "image_dir": images,
            "model_name": sibling(images, "model"),
        }
    else:
        values = {
            "checkpoint_path": existing(output / "best_model.pt"),
            "image_dir": given["image_dir"],
            "test_csv": sibling(given["image_dir"], "test.csv"),
            "candidates_file": sibling(given["image_dir"], "candidates.json"),
            "run_name": given["run_name"],
        }
    draft = form_fields.draft_of(kind, {name: each for name, each in values.items() if each})
    words = f"Outputs of {source}, and files next to its inputs."
    return Prefill(f"after {source}", form_fields.with_new_output(draft, roots), words)


def _draft_of_job(job: Mapping[str, Any], roots: Roots) -> Draft:
    """Write a job's settings, with the paths of its working folder as seen from `roots.base`."""
    kind, of_job = job["kind"], replace(roots, base=Path(job["cwd"]))
    values = from_parameters(JOB_CONFIGS[kind], job["parameters"])
    values = {name: each for name, each in values.items() if name not in _NOT_REPEATED}
    draft = form_fields.draft_of(kind, values)
    if of_job.base != roots.base:
        for each in form_fields.settings_of(kind):
            if each.is_path and each.names_path(draft[each.name], of_job):
                draft[each.name] = roots.written(of_job.base / draft[each.name])
    return draft
