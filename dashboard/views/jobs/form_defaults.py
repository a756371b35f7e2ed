"""What a form begins with: defaults, an earlier job's settings, what one has made, or a recipe."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from dashboard.views.jobs import form_fields
from dashboard.views.jobs.allowed_paths import Roots, is_file, is_folder
from dashboard.views.jobs.form_fields import Draft
from streetclip.config import JOB_CONFIGS
from streetclip.config.arguments import from_parameters
from streetclip.config.recipes import load_recipe, recipe_names

_NEXT: Final = {"generate_captions": "train", "train": "evaluate"}
_NOT_REPEATED: Final = ("resume", "overwrite", "db")  # they were about what stood there then


class Prefill(NamedTuple):
    """What a form begins with.

    Attributes:
        origin: Where that is from, as "again 3"; another one replaces what was typed.
        draft: The texts.
        words: What the form says of it; "" for nothing.
    """

    origin: str
    draft: Draft
    words: str = ""


def fresh(kind: str, roots: Roots) -> Prefill:
    """The defaults, with an output folder that is free."""
    draft = form_fields.with_new_output(form_fields.draft_of(kind, {}), roots)
    return Prefill("", draft)


def again(job: Mapping[str, Any], roots: Roots) -> Prefill:
    """The settings of an earlier job, with an output folder that is free.

    Args:
        job: Its record, of a kind that there is a form for.
        roots: Of this dashboard.
    """
    draft = _draft_of_job(job, roots)
    return Prefill(
        f"again {job['id']} {job['created_at']}",
        form_fields.with_new_output(draft, roots),
        f"The settings of job {job['id']}. If its output folder stands, another one is proposed.",
    )


def recipes_of(kind: str) -> tuple[str, ...]:
    """Names of the recipes that a form can be filled in with; none for a job that takes none."""
    return recipe_names() if JOB_CONFIGS[kind].takes_recipes else ()


def recipe_draft(kind: str, name: str) -> Draft:
    """What a recipe changes in a form.

    What another recipe sets and this one does not gets its default, so that nothing is left of a
    recipe that was chosen before; files and models stay.

    Args:
        kind: Which job.
        name: One of `recipes_of(kind)`.
    """
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
    """Which job goes on with what this one has made, if it is done and one does."""
    return _NEXT.get(job["kind"]) if job["state"] == "done" else None


def after(job: Mapping[str, Any], roots: Roots) -> Prefill:
    """What goes on with what a job has made.

    Args:
        job: Its record; `next_kind` is not None.
        roots: Of this dashboard.
    """
    kind = _NEXT[job["kind"]]
    given = _draft_of_job(job, roots)
    output = Path(job["output_dir"])
    if kind == "train":
        values = {
            name: _there(roots, output / f"{name.removesuffix('_csv')}_captions.csv")
            for name in ("train_csv", "val_csv")
        }
        images = _beside(roots, given["train_csv"] or given["val_csv"], "images")
        values |= {"image_dir": images, "model_name": _beside(roots, images, "model")}
    else:
        values = {
            "checkpoint_path": _there(roots, output / "best_model.pt"),
            "image_dir": given["image_dir"],
            "test_csv": _beside(roots, given["image_dir"], "test.csv"),
            "candidates_file": _beside(roots, given["image_dir"], "candidates.json"),
            "run_name": given["run_name"],
        }
    draft = form_fields.draft_of(kind, {name: each for name, each in values.items() if each})
    return Prefill(
        f"after {job['id']}",
        form_fields.with_new_output(draft, roots),
        f"With what job {job['id']} has made, and files that lie beside what it was made from.",
    )


def _draft_of_job(job: Mapping[str, Any], roots: Roots) -> Draft:
    """A job's settings as a form of this dashboard says them: paths from its working folder."""
    kind, there = job["kind"], replace(roots, base=Path(job["cwd"]))
    values = from_parameters(JOB_CONFIGS[kind], job["parameters"])
    values = {name: each for name, each in values.items() if name not in _NOT_REPEATED}
    draft = form_fields.draft_of(kind, values)
    if there.base == roots.base:
        return draft
    for each in form_fields.settings_of(kind):
        text = draft[each.name]
        if each.is_path and each.names_path(text, there):
            draft[each.name] = roots.written(there.base / text)
    return draft


def _there(roots: Roots, path: Path) -> str:
    """A path as the form writes it; "" where nothing stands there, or it may not be touched."""
    return roots.written(path) if roots.hold(path) and (is_file(path) or is_folder(path)) else ""


def _beside(roots: Roots, text: str, name: str) -> str:
    return _there(roots, (roots.base / text).parent / name) if text else ""
