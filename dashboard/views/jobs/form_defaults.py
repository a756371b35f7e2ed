"""Fill in a form: defaults, an earlier job's settings or outputs, a recipe."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from dashboard.views.jobs import form_fields
from dashboard.views.jobs.allowed_paths import exists
from dashboard.views.jobs.form_fields import Draft
from streetclip.config import JOB_CONFIGS
from streetclip.config.arguments import from_parameters
from streetclip.config.recipes import load_recipe, recipe_names
from streetclip.runtime import Roots

_NEXT: Final = {"generate_captions": "train", "train": "evaluate"}
_NOT_REPEATED: Final = ("resume", "overwrite", "db")  # they depend on the files of that time


class Prefill(NamedTuple):
    """Initial values of a form; those of another origin replace what was typed."""

    origin: str
    draft: Draft
    words: str = ""


def fresh(kind: str, roots: Roots) -> Prefill:
    """Fill in the defaults, with a new output folder."""
    return Prefill("", form_fields.with_new_output(form_fields.draft_of(kind, {}), roots))


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


def next_kind(job: Mapping[str, Any]) -> str | None:
    """Name the next job in the workflow; None if this one is not done or last."""
    return _NEXT.get(job["kind"]) if job["state"] == "done" else None


def after(job: Mapping[str, Any], roots: Roots) -> Prefill:
    """Fill in the outputs of a job for the next one; `next_kind` is not None."""
    kind, given, output = _NEXT[job["kind"]], _draft_of_job(job, roots), Path(job["output_dir"])

    def existing(path: Path) -> str:
        return roots.written(path) if roots.hold(path) and exists(path) else ""

    def sibling(text: str, name: str) -> str:
        return existing((roots.base / text).parent / name) if text else ""

    if kind == "train":
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
    words = f"Outputs of job {job['id']}, and files next to its inputs."
    return Prefill(f"after {job['id']}", form_fields.with_new_output(draft, roots), words)


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
