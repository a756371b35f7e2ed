"""Draw the form that starts a job: one field per setting of its config."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import streamlit as st

from dashboard.shell import html, url_state
from dashboard.views.jobs import file_picker, form_defaults, form_fields, launcher
from dashboard.views.jobs.allowed_paths import JobOptions
from dashboard.views.jobs.form_defaults import Prefill
from dashboard.views.jobs.form_fields import Draft, Setting
from streetclip.errors import StreetClipError

_PER_ROW: Final = 3
# Three rows, as many as the default templates, within label and padding.
_HEIGHT_OF_WORDS: Final = 3 * 20 + 52


class _Problem(NamedTuple):
    """What is wrong with a setting, shown until its value changes."""

    value: Any
    text: str


def draw(store_path: Path, kind: str, options: JobOptions, prefill: Prefill) -> None:
    """Draw the form of a job; its button queues the job or shows problems."""
    draft = _draft(kind, prefill)
    if prefill.words:
        html.remark(prefill.words)
    recipes = form_defaults.recipes_of(kind)
    if recipes:
        st.selectbox(
            "Recipe",
            recipes,
            index=None,
            placeholder="None: fill in by hand",
            key=_key(kind, "recipe"),
            help="Fills in the settings of a recipe; each can still be changed.",
            on_change=lambda: _apply_recipe(kind, options),
        )
    settings = form_fields.settings_of(kind)
    _fields(kind, [each for each in settings if each.group != "more"], draft, options)
    problems = _current(kind, "problems", draft)
    for number, (title, held) in enumerate(form_fields.sections_of(settings).items()):
        is_wrong = any(each.name in problems for each in held)
        with st.expander(title, expanded=is_wrong, key=f"more_{kind}_{number}"):
            _fields(kind, held, draft, options)
    file_picker.dialog(options.roots)
    if problems:
        wrong = [each.label for each in settings if each.name in problems]
        fields = "highlighted field" if len(wrong) == 1 else f"{len(wrong)} highlighted fields"
        text = problems.get(form_fields.GENERAL, f"Fix the {fields}: {', '.join(wrong)}.")
        html.notice("Not started", text, css="sc-alert", role="alert")
    st.button(
        f"Start: {form_fields.FORMS[kind].lower()}",
        key="job_start",
        type="primary",
        on_click=lambda: _start(store_path, kind, options),
    )


def _draft(kind: str, prefill: Prefill) -> Draft:
    """Return what was typed, or the prefill if it has another origin."""
    name = _key(kind, "draft")
    origin, draft = st.session_state.get(name, (None, {}))
    if origin != prefill.origin:
        draft = dict(prefill.draft)
        st.session_state[name] = (prefill.origin, draft)
        for each in (*draft, "problems", "asked", "found", "recipe"):
            st.session_state.pop(_key(kind, each), None)
    return draft


def _apply_recipe(kind: str, options: JobOptions) -> None:
    """Fill in a recipe and the inputs that exist; ask for the others at their fields."""
    name = st.session_state.get(_key(kind, "recipe"))
    st.session_state.pop(_key(kind, "asked"), None)
    if name not in form_defaults.recipes_of(kind):
        return
    _, draft = st.session_state[_key(kind, "draft")]
    draft |= _typed(kind, draft)
    of_other = _current(kind, "found", draft)
    draft |= dict.fromkeys(of_other, "") | form_defaults.recipe_draft(kind, name)
    found, asked = form_defaults.recipe_inputs(name, draft, options.roots)
    draft |= found
    for setting, value in draft.items():
        st.session_state[_key(kind, setting)] = value
    _keep(kind, "asked", draft, asked)
    _keep(kind, "found", draft, found)


def _key(kind: str, name: str) -> str:
    return f"job_{kind}_{name}"


def _typed(kind: str, draft: Draft) -> Draft:
    return {name: st.session_state.get(_key(kind, name), value) for name, value in draft.items()}


def _keep(kind: str, what: str, draft: Draft, texts: Mapping[str, str]) -> None:
    """Keep texts by setting, with the values that they are about: all for a general one."""
    shown = {name: _Problem(draft.get(name, dict(draft)), text) for name, text in texts.items()}
    st.session_state[_key(kind, what)] = shown


def _current(kind: str, what: str, draft: Draft) -> dict[str, str]:
    """Return what was kept about values that have not changed since."""
    kept: dict[str, _Problem] = st.session_state.get(_key(kind, what), {})
    now = _typed(kind, draft)
    return {name: each.text for name, each in kept.items() if each.value == now.get(name, now)}


def _fields(kind: str, settings: Sequence[Setting], draft: Draft, options: JobOptions) -> None:
    """Draw paths in rows of their own, then the others in columns."""
    for each in settings:
        if each.is_path:
            _field(kind, each, draft, options)
    short = [each for each in settings if not each.is_path]
    for start in range(0, len(short), _PER_ROW):
        cells = st.columns(_PER_ROW, gap="medium")
        for cell, each in zip(cells, short[start : start + _PER_ROW], strict=False):
            with cell:
                _field(kind, each, draft, options)


def _field(kind: str, setting: Setting, draft: Draft, options: JobOptions) -> None:
    key = _key(kind, setting.name)
    # Set once: a rerun must not overwrite what is being typed.
    st.session_state.setdefault(key, draft.get(setting.name))
    with st.container(horizontal=setting.is_path, vertical_alignment="bottom", gap="small"):
        draft[setting.name] = _widget(setting, key)
        if setting.is_path:
            file_picker.button(key, setting, options.roots)
    problem = _current(kind, "problems", draft).get(setting.name)
    asked = _current(kind, "asked", draft).get(setting.name)
    if problem or asked:
        role = "alert" if problem else "status"
        html.draw(html.tag("p", problem or asked or "", css="sc-problem", role=role))


def _widget(setting: Setting, key: str) -> Any:
    label = setting.label if setting.group != "required" else f"{setting.label} (required)"
    given: dict[str, Any] = {"key": key, "help": setting.help}
    if setting.widget == "flag":
        return st.checkbox(label, **given)
    if setting.widget == "choice":
        return st.selectbox(label, setting.choices, **given)
    if setting.widget == "choices":
        return st.multiselect(label, setting.choices, **given)
    if setting.widget == "words":
        return st.text_area(f"{label}, one per line", height=_HEIGHT_OF_WORDS, **given)
    return st.text_input(label, **given)


def _start(store_path: Path, kind: str, options: JobOptions) -> None:
    names = [each.name for each in form_fields.settings_of(kind)]
    draft = {name: st.session_state.get(_key(kind, name)) for name in names}
    config, problems = form_fields.read_draft(kind, draft, options.roots, store_path)
    if config is not None:
        try:
            job_id = launcher.enqueue(store_path, config, options)
        except StreetClipError as error:
            problems = {form_fields.GENERAL: form_fields.with_labels(kind, str(error))}
        else:
            st.session_state.pop(_key(kind, "draft"), None)
            url_state.change(job=str(job_id), **form_defaults.NO_ORIGIN)
    _keep(kind, "problems", draft, problems)
