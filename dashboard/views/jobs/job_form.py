"""The form that starts a job: one field for each setting of its config, checked when it is sent."""

from collections.abc import Sequence
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
    """What is wrong with a setting, as long as it says what it said then."""

    value: Any
    text: str


def draw(store_path: Path, kind: str, options: JobOptions, prefill: Prefill) -> None:
    """Draw the form of a job; its button queues the job, or says what is wrong.

    Args:
        store_path: The store that the job is to write; made by the first job.
        kind: One of `job_settings.FORMS`.
        options: Where its files may lie.
        prefill: What it begins with.
    """
    draft = _draft(kind, prefill)
    if prefill.words:
        html.remark(prefill.words)
    _recipe_chooser(kind)
    settings = form_fields.settings_of(kind)
    _fields(kind, [each for each in settings if each.group != "more"], draft, options)
    problems = _problems(kind)
    for number, (title, held) in enumerate(form_fields.sections_of(settings).items()):
        is_wrong = any(each.name in problems for each in held)
        with st.expander(title, expanded=is_wrong, key=f"more_{kind}_{number}"):
            _fields(kind, held, draft, options)
    file_picker.dialog(options.roots)
    _said(problems)
    st.button(
        f"Start: {form_fields.FORMS[kind].lower()}",
        key="job_start",
        type="primary",
        on_click=lambda: _start(store_path, kind, options),
    )


# What is typed: kept by job, so that looking at another form loses nothing


def _draft(kind: str, prefill: Prefill) -> Draft:
    """What the form says now; what it is prefilled with where that has changed."""
    name = f"job_draft_{kind}"
    origin: str | None
    draft: Draft
    origin, draft = st.session_state.get(name, (None, {}))
    if origin != prefill.origin:
        origin, draft = prefill.origin, dict(prefill.draft)
        st.session_state[name] = (origin, draft)
        for each in draft:
            st.session_state.pop(_key(kind, each), None)
        st.session_state.pop(_problems_name(kind), None)
        st.session_state.pop(_key(kind, "recipe"), None)
    return draft


def _recipe_chooser(kind: str) -> None:
    """Offer the recipes of a job that takes any; one that is chosen fills the form in."""
    names = form_defaults.recipes_of(kind)
    if not names:
        return
    st.selectbox(
        "Recipe",
        names,
        index=None,
        placeholder="None: fill in by hand",
        key=_key(kind, "recipe"),
        help="Fills in the settings that make a recipe; each can be changed after.",
        on_change=lambda: _apply_recipe(kind),
    )


def _apply_recipe(kind: str) -> None:
    name = st.session_state.get(_key(kind, "recipe"))
    if name not in form_defaults.recipes_of(kind):
        return
    _, draft = st.session_state[f"job_draft_{kind}"]
    for setting, value in form_defaults.recipe_draft(kind, name).items():
        draft[setting] = st.session_state[_key(kind, setting)] = value


def _key(kind: str, name: str) -> str:
    return f"job_{kind}_{name}"


def _fields(kind: str, settings: Sequence[Setting], draft: Draft, options: JobOptions) -> None:
    """Paths first, each in a row of its own; then the rest side by side."""
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
    # Set once: what is being typed must not be written over by the next look.
    st.session_state.setdefault(key, draft.get(setting.name))
    if setting.is_path:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            draft[setting.name] = _widget(setting, key)
            file_picker.button(key, setting, options.roots)
    else:
        draft[setting.name] = _widget(setting, key)
    problem = _problems(kind).get(setting.name)
    if problem is not None and problem.value == draft[setting.name]:
        html.draw(html.tag("p", problem.text, css="sc-problem", role="alert"))


def _widget(setting: Setting, key: str) -> Any:
    label = setting.label if setting.group != "needed" else f"{setting.label} (needed)"
    given: dict[str, Any] = {"key": key, "help": setting.help}
    if setting.widget == "flag":
        return st.checkbox(label, **given)
    if setting.widget == "choice":
        return st.selectbox(label, setting.choices, **given)
    if setting.widget == "choices":
        return st.multiselect(label, setting.choices, **given)
    if setting.widget == "words":
        return st.text_area(f"{label}, one a line", height=_HEIGHT_OF_WORDS, **given)
    return st.text_input(label, **given)


# Sending it


def _start(store_path: Path, kind: str, options: JobOptions) -> None:
    draft = {
        each.name: st.session_state.get(_key(kind, each.name))
        for each in form_fields.settings_of(kind)
    }
    config, problems = form_fields.read_draft(kind, draft, options.roots, store_path)
    if config is not None:
        try:
            job_id = launcher.enqueue(store_path, config, options)
        except StreetClipError as error:
            problems = {form_fields.GENERAL: str(error)}
        else:
            _forget(kind)
            url_state.change(job=str(job_id), again=None, after=None)
    st.session_state[_problems_name(kind)] = {
        name: _Problem(draft.get(name), text) for name, text in problems.items()
    }


def _forget(kind: str) -> None:
    """Begin afresh the next time."""
    st.session_state.pop(f"job_draft_{kind}", None)


def _problems(kind: str) -> dict[str, _Problem]:
    found: dict[str, _Problem] = st.session_state.get(_problems_name(kind), {})
    return found


def _problems_name(kind: str) -> str:
    return f"job_problems_{kind}"


def _said(problems: dict[str, _Problem]) -> None:
    if not problems:
        return
    general = problems.get(form_fields.GENERAL)
    count = len(problems)
    said = (
        general.text
        if general is not None
        else f"{count} setting{'s need' if count > 1 else ' needs'} a change, as said beside it."
    )
    html.notice("Not started", said, css="sc-alert", role="alert")
