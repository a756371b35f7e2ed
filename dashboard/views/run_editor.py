"""Rename, describe, archive and delete the run that a page shows."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboard.queries import run_queries
from dashboard.shell import formats, html, rights, url_state
from dashboard.views.jobs.allowed_paths import JobOptions, job_options
from streetclip import store
from streetclip.errors import StoreError, StreetClipError
from streetclip.evaluation.run_folder import files_of_run, remove_files
from streetclip.store import Store, open_store

Run = Mapping[str, Any]

_OUTCOME: Final = "run_editor_outcome"
_PROBLEM: Final = "run_editor_problem"
_ASKED: Final = "run_editor_asked"  # the uid of the run whose deletion is asked about
_BUSY_TIMEOUT_S: Final = 10.0  # for another writer, while a visitor waits for the page
_DESCRIPTION_HEIGHT: Final = 96


def outcome_of_last_click() -> None:
    """Draw what the last deletion did, once."""
    outcome = st.session_state.pop(_OUTCOME, "")
    if outcome:
        html.notice("Run deleted", outcome)


def draw(path: Path, run: Run) -> None:
    """Draw the form that edits a run, and the buttons that archive and delete it."""
    if not rights.may_annotate() or rights.is_store_read_only():
        return
    problem = st.session_state.pop(_PROBLEM, "")
    with st.expander("Edit this run", expanded=bool(problem), key="run_editor"):
        _form(path, run)
        options = job_options(path)
        if options.may_start:
            with st.container(horizontal=True, gap="small"):
                _archive_button(path, run)
                _delete_button(path, run, options)
        if problem:
            html.notice("Not done", problem, css="sc-alert", role="alert")


def _form(path: Path, run: Run) -> None:
    # Another key after each change: the fields show what is in the store.
    keys = {name: f"run_{name}_{run['revision']}" for name in ("name", "description", "dataset")}
    for name, key in keys.items():
        st.session_state.setdefault(key, formats.sendable(run[name]))

    def save() -> None:
        texts = {name: str(st.session_state[key]) for name, key in keys.items()}
        _edit(path, lambda opened: _write(opened, run, texts))

    # The texts come with the click, so that a slow page loses none.
    with st.form("run_form", border=False):
        left, right = st.columns(2, gap="medium")
        left.text_input("Name", key=keys["name"])
        right.text_input("Name of the dataset", key=keys["dataset"], help="Of all its runs")
        st.text_area("Description", key=keys["description"], height=_DESCRIPTION_HEIGHT)
        st.form_submit_button("Save", key="run_save", type="primary", on_click=save)


def _write(opened: Store, run: Run, texts: Mapping[str, str]) -> None:
    name, description = texts["name"], texts["description"]
    if texts["dataset"].strip() != run["dataset"]:
        store.rename_dataset(opened, int(run["dataset_id"]), texts["dataset"])
    store.describe_run(opened, run["id"], run["uid"], name=name, description=description)


def _archive_button(path: Path, run: Run) -> None:
    is_archived = run["archived_at"] is not None

    def archive(opened: Store) -> None:
        store.archive_run(opened, run["id"], run["uid"], is_archived=not is_archived)

    def toggle() -> None:
        _edit(path, archive)

    st.button(
        "Take out of the archive" if is_archived else "Archive this run",
        key="run_archive",
        help="An archived run is hidden from the choice of runs; nothing of it is removed.",
        on_click=toggle,
    )


def _edit(path: Path, change: Callable[[Store], None]) -> bool:
    """Change the store in a click's callback; return whether it did, keep why not."""
    try:
        with open_store(path, must_exist=True, busy_timeout_s=_BUSY_TIMEOUT_S) as opened:
            change(opened)
    except StreetClipError as error:
        st.session_state[_PROBLEM] = str(error)
        return False
    return True


# Deletion


def _delete_button(path: Path, run: Run, options: JobOptions) -> None:
    def ask() -> None:
        st.session_state[_ASKED] = run["uid"]

    st.button("Delete this run", key="run_delete", help="Asks first", on_click=ask)
    if st.session_state.get(_ASKED) == run["uid"]:
        dialog = st.dialog("Delete this run?", width="medium", on_dismiss=_close)
        dialog(_deletion)(path, run, options)


def _deletion(path: Path, run: Run, options: JobOptions) -> None:
    """Draw what a deletion removes and what stays, and the button that confirms it."""
    if _ASKED not in st.session_state:
        st.rerun()  # it was answered: the page shows the outcome
    folder = _output_folder(path, run, options)
    files = _files(path, run, folder, options)
    html.definitions(
        ("Run", f"{run['id']} · {run['name']}"),
        ("Deleted", f"{formats.count(run['num_done'])} predictions and their figures"),
        ("Files deleted", [str(each) for each in files] or _why_no_files(folder, options)),
        ("Kept", "The images and their annotations, the dataset, the model, the job and its log"),
    )
    with st.container(horizontal=True, gap="small"):
        st.button(
            f"Delete run {run['id']}",
            key="run_delete_now",
            type="primary",
            on_click=lambda: _delete(path, run, files, folder),
        )
        st.button("Keep it", key="run_keep", on_click=_close)


def _close() -> None:
    st.session_state.pop(_ASKED, None)


def _delete(path: Path, run: Run, files: list[Path], folder: Path) -> None:
    """Delete a run in a click's callback, then its files."""
    _close()
    is_deleted = _edit(path, lambda opened: store.delete_run(opened, run["id"], run["uid"]))
    if is_deleted:
        st.session_state[_OUTCOME] = _remove(run, files, folder)
        url_state.change(**{url_state.RUN: None})


def _remove(run: Run, files: list[Path], folder: Path) -> str:
    name = formats.plain(run["name"], 80)
    words = f"Run {run['id']}, {name}, was deleted; its images and their annotations are kept."
    try:
        remove_files(files, folder)
    except StreetClipError as error:
        return f"{words} Its files are left: {error}"
    return words


def _output_folder(path: Path, run: Run, options: JobOptions) -> Path:
    """Locate the folder of the evaluation; its job knows from where a relative path starts."""
    base = options.roots.base
    if run["job_id"] is not None:
        with contextlib.suppress(StoreError):  # the record of the job is gone
            base = Path(run_queries.job(path, int(run["job_id"]))["cwd"])
    return base / run["output_dir"]


def _files(path: Path, run: Run, folder: Path, options: JobOptions) -> list[Path]:
    others = {each["id"] for each in run_queries.list_runs(path)} - {run["id"]}
    found = files_of_run(run, folder, others) if options.roots.hold(folder) else []
    return [each for each in found if options.roots.hold(each)]


def _why_no_files(folder: Path, options: JobOptions) -> str:
    if options.roots.hold(folder):
        return f"None: {folder} holds no file that this run wrote."
    return f"None: {folder} lies outside the allowed folders and stays as it is."
