"""Dialog in which a file or folder is chosen by walking through the allowed folders."""

import errno
import itertools
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import streamlit as st

from dashboard.shell import formats, html, page_script
from dashboard.views.jobs.allowed_paths import is_folder
from dashboard.views.jobs.form_fields import Setting
from streetclip.runtime import Roots

MOST_READ: Final = 5000
"""Entries of a folder that are read; the dialog says so where there are more."""

MOST_SHOWN: Final = 100

_OPEN, _FILTER, _NEW = "browser_open", "browser_filter", "browser_new"
_LAST = "browser_last"  # the folder of what was chosen last
_KEPT = "last_folder"  # the component that keeps it


class Listing(NamedTuple):
    """Entries of a folder; those with the wanted suffix come first."""

    folders: tuple[str, ...]
    files: tuple[str, ...]
    num_left_out: int = 0
    is_cut: bool = False


class _Request(NamedTuple):
    """The field to fill, and the folder shown; None for the list of roots."""

    key: str
    setting: Setting
    folder: Path | None


def list_folder(
    folder: Path, roots: Roots, *, suffix: str = "", with_files: bool = True, words: str = ""
) -> Listing:
    """Read the first entries of a folder whose names contain `words`, in any case.

    Files with the suffix come first. Links that lead out of the roots are left out. An unreadable
    folder, or one outside the roots, raises OSError.
    """
    if not roots.hold(folder):
        raise OSError(errno.EACCES, "leads out of the folders of this dashboard", str(folder))
    folders, files, num_left_out = [], [], 0
    with os.scandir(folder) as found:
        entries = list(itertools.islice(found, MOST_READ + 1))
    for entry in entries[:MOST_READ]:
        # Bytes of a name that are not UTF-8 arrive as halves of surrogate pairs.
        is_text = not any("\ud800" <= character <= "\udfff" for character in entry.name)
        if not is_text or (entry.is_symlink() and not roots.hold(Path(entry.path))):
            num_left_out += 1
        elif entry.name.startswith(".") or words.lower() not in entry.name.lower():
            continue
        elif is_folder(entry):  # unlike `entry.is_dir`, False for a link to itself
            folders.append(entry.name)
        elif with_files:
            files.append(entry.name)
    folders.sort(key=str.lower)
    files.sort(key=lambda name: (not name.lower().endswith(suffix), name.lower()))
    return Listing(tuple(folders), tuple(files), num_left_out, len(entries) > MOST_READ)


def button(key: str, setting: Setting, roots: Roots) -> None:
    """Draw the button that opens the dialog for the field with a key."""
    st.button(
        "Browse",
        key=f"{key}_browse",
        help=f"Choose {setting.flag} by walking through the folders",
        on_click=lambda: _show(_Request(key, setting, _start_of(key, setting, roots))),
    )


def dialog(roots: Roots) -> None:
    """Draw the dialog, if it is open; once a page, after the fields."""
    _keep_folder()
    request = st.session_state.get(_OPEN)
    if request is not None:
        title = f"Choose: {request.setting.label}"
        st.dialog(title, width="medium", on_dismiss=_close)(_dialog)(roots)


def _dialog(roots: Roots) -> None:
    request: _Request | None = st.session_state.get(_OPEN)
    if request is None:
        st.rerun()  # a path was chosen: the page shows it
    _breadcrumb(request, roots)
    folder, setting = request.folder, request.setting
    if folder is None:
        for position, root in enumerate(roots.folders):
            if is_folder(root):
                _entry(f"root_{position}", roots.written(root), "folder", partial(_go, root))
        return
    if setting.widget != "file":
        with st.container(horizontal=True, vertical_alignment="bottom"):
            if setting.widget == "output":
                st.text_input("New folder in it", key=_NEW, placeholder="none: this folder itself")

            def take() -> None:
                _take(request, folder / st.session_state.get(_NEW, "").strip(), roots)

            st.button("Choose this folder", key="browser_take", type="primary", on_click=take)
    st.text_input("Name contains", key=_FILTER)
    try:
        with_files, words = setting.widget in {"file", "source"}, st.session_state[_FILTER]
        listing = list_folder(
            folder, roots, suffix=setting.suffix, with_files=with_files, words=words
        )
    except OSError as error:
        html.notice("Cannot be read", f"{folder}: {error.strerror}.", css="sc-alert")
    else:
        _entries(request, folder, listing, roots)


def _breadcrumb(request: _Request, roots: Roots) -> None:
    steps: list[tuple[str, Path | None]] = [("All folders", None)]
    folder = request.folder
    root = next((each for each in roots.folders if folder and folder.is_relative_to(each)), None)
    if folder is not None and root is not None:
        steps.append((roots.written(root), root))
        parts = folder.relative_to(root).parts
        steps += [(part, root.joinpath(*parts[: i + 1])) for i, part in enumerate(parts)]
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        for position, (words, target) in enumerate(steps[:-1]):
            label, key = f"{formats.markdown(words)} /", f"browser_up_{position}"
            st.button(label, key=key, type="tertiary", on_click=partial(_go, target))
        html.draw(html.tag("strong", html.name(steps[-1][0])), width="content")


def _entries(request: _Request, folder: Path, listing: Listing, roots: Roots) -> None:
    names = [*listing.folders, *listing.files]
    for position, name in enumerate(names[:MOST_SHOWN]):
        if position < len(listing.folders):
            _entry(f"entry_{position}", name, "folder", partial(_go, folder / name))
        else:
            take = partial(_take, request, folder / name, roots)
            _entry(f"entry_{position}", name, "draft", take)
    remarks = [] if names else ["No entries."]
    if len(names) > MOST_SHOWN:
        remarks.append(f"{MOST_SHOWN} of {formats.count(len(names))}; enter a part of the name.")
    if listing.is_cut:
        remarks.append(
            f"Only {formats.count(MOST_READ)} entries of this folder were read; type the path into "
            "the form if it is not among them."
        )
    if listing.num_left_out:
        remarks.append(
            f"{formats.count(listing.num_left_out)} left out: they lead out of the folders of this "
            "dashboard, or their names are not UTF-8."
        )
    html.remark(" ".join(remarks))


def _entry(key: str, name: str, icon: str, on_click: Callable[[], None]) -> None:
    look: dict[str, Any] = {"icon": f":material/{icon}:", "type": "tertiary"}
    st.button(formats.markdown(name, 120), key=f"browser_{key}", on_click=on_click, **look)


def _start_of(key: str, setting: Setting, roots: Roots) -> Path | None:
    """Start where the field's path is, else where the last file was chosen."""
    text = st.session_state[key] or ""
    if setting.names_path(text, roots):
        return _start(text, roots)
    last = st.session_state.get(_LAST)
    return last if last and is_folder(last) and roots.hold(last) else _start("", roots)


def _start(text: str, roots: Roots) -> Path | None:
    path = Path(os.path.realpath(roots.base / text)) if text and "\0" not in text else roots.base
    for folder in (path, *path.parents):
        if is_folder(folder) and roots.hold(folder):
            return folder
    existing = [root for root in roots.folders if is_folder(root)]
    return existing[0] if len(existing) == 1 else None


def _show(request: _Request) -> None:
    st.session_state[_OPEN] = request
    st.session_state[_FILTER] = st.session_state[_NEW] = ""


def _go(folder: Path | None) -> None:
    _show(st.session_state[_OPEN]._replace(folder=folder))


def _keep_folder() -> None:
    """Let the browser keep the folder of the last choice, over a reload of the page."""

    def take_back() -> None:
        kept = st.session_state[_KEPT].get("kept")
        st.session_state[_LAST] = Path(str(kept))  # checked before it is opened

    last = st.session_state.get(_LAST)
    script = page_script.unseen(Path(__file__).with_name("last_folder.js"))
    script(key=_KEPT, data={"folder": str(last or "")}, on_kept_change=take_back)


def _take(request: _Request, path: Path, roots: Roots) -> None:
    st.session_state[request.key] = roots.written(path)
    st.session_state[_LAST] = path.parent
    _close()


def _close() -> None:
    st.session_state.pop(_OPEN, None)
