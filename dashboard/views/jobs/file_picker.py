"""Choosing a file or folder by walking through the folders that the dashboard works in."""

import errno
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import streamlit as st

from dashboard.shell import formats, html
from dashboard.views.jobs.allowed_paths import Roots, exists, is_folder
from dashboard.views.jobs.form_fields import Setting

MOST_READ: Final = 5000
"""Entries of a folder that are read; the rest is left out, and said to be."""

MOST_SHOWN: Final = 100

_OPEN, _FILTER, _NEW = "browser_open", "browser_filter", "browser_new"


@dataclass(frozen=True)
class Listing:
    """What lies in a folder, by name.

    Attributes:
        folders: Names of folders.
        files: Names of files, those with the wanted suffix first.
        num_left_out: Entries that lead out of the roots, or whose names are no text.
        is_cut: Whether more entries are there than are read.
    """

    folders: tuple[str, ...]
    files: tuple[str, ...]
    num_left_out: int = 0
    is_cut: bool = False


@dataclass(frozen=True)
class _Wish:
    """For which setting of which form a path is being chosen, and where one has walked to."""

    key: str
    setting: Setting
    folder: Path | None


def list_folder(
    folder: Path,
    roots: Roots,
    *,
    suffixes: tuple[str, ...] = (),
    with_files: bool = True,
    words: str = "",
) -> Listing:
    """Read the first entries of a folder.

    Args:
        folder: Within the roots.
        roots: Links that lead out of them are left out.
        suffixes: Of the files that come first.
        with_files: Whether files are listed at all.
        words: Only names that hold this text, in whatever case.

    Raises:
        OSError: The folder is gone, may not be read, or leads out of the roots by now.
    """
    if not roots.hold(folder):
        raise OSError(errno.EACCES, "leads out of the folders of this dashboard", str(folder))
    folders, files, num_left_out = [], [], 0
    with os.scandir(folder) as found:
        entries = list(itertools.islice(found, MOST_READ + 1))
    for entry in entries[:MOST_READ]:
        if not _is_text(entry.name) or (entry.is_symlink() and not roots.hold(Path(entry.path))):
            num_left_out += 1
        elif entry.name.startswith(".") or words.lower() not in entry.name.lower():
            continue
        elif _is_folder(entry):
            folders.append(entry.name)
        elif with_files:
            files.append(entry.name)
    files.sort(key=lambda name: (not name.lower().endswith(suffixes), name.lower()))
    return Listing(
        tuple(sorted(folders, key=str.lower)), tuple(files), num_left_out, len(entries) > MOST_READ
    )


def _is_text(name: str) -> bool:
    # A name is bytes: those that are no UTF-8 arrive as halves of surrogate pairs.
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def button(key: str, setting: Setting, roots: Roots) -> None:
    """Draw the button beside a text field that opens the browser.

    Args:
        key: The field's; what is chosen is written there.
        setting: What is chosen.
        roots: Where.
    """
    st.button(
        "Browse",
        key=f"{key}_browse",
        help=f"Choose {setting.flag} by walking through the folders",
        on_click=lambda: _open(_Wish(key, setting, _start(st.session_state[key], roots))),
    )


def dialog(roots: Roots) -> None:
    """Draw the browser, if it is open; once a page, after the fields."""
    wish = st.session_state.get(_OPEN)
    if wish is not None:
        title = f"Choose: {wish.setting.label}"
        st.dialog(title, width="medium", on_dismiss=_close)(_dialog)(roots)


def _dialog(roots: Roots) -> None:
    wish = st.session_state.get(_OPEN)
    if wish is None:
        st.rerun()  # something was chosen: the page shows it
    _way(wish, roots)
    if wish.folder is None:
        for position, root in enumerate(roots.folders):
            if is_folder(root):
                _entry(f"root_{position}", roots.written(root), "folder", partial(_go, root))
        return
    _take_folder(wish, wish.folder, roots)
    st.text_input("Name contains", key=_FILTER)
    try:
        listing = list_folder(
            wish.folder,
            roots,
            suffixes=wish.setting.suffixes,
            with_files=wish.setting.widget in {"file", "source"},
            words=st.session_state[_FILTER],
        )
    except OSError as error:
        html.notice("Cannot be read", f"{wish.folder}: {error.strerror}.", css="sc-alert")
        return
    _entries(wish, wish.folder, listing, roots)


def _way(wish: _Wish, roots: Roots) -> None:
    """The way from the roots down to the folder, each step a way back up."""
    steps: list[tuple[str, Path | None]] = [("All folders", None)]
    root = next((r for r in roots.folders if wish.folder and wish.folder.is_relative_to(r)), None)
    if wish.folder is not None and root is not None:
        steps.append((roots.written(root), root))
        parts = wish.folder.relative_to(root).parts
        steps += [(part, root.joinpath(*parts[: i + 1])) for i, part in enumerate(parts)]
    with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
        for position, (words, folder) in enumerate(steps[:-1]):
            st.button(
                f"{formats.markdown(words)} /",
                key=f"browser_up_{position}",
                type="tertiary",
                on_click=partial(_go, folder),
            )
        html.draw(html.tag("strong", html.name(steps[-1][0])), width="content")


def _take_folder(wish: _Wish, folder: Path, roots: Roots) -> None:
    """What is to be chosen is a folder: this one, or for outputs a new one in it."""
    if wish.setting.widget == "file":
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if wish.setting.widget == "output":
            st.text_input("New folder in it", key=_NEW, placeholder="none: this folder itself")
        st.button(
            "Choose this folder",
            key="browser_take",
            type="primary",
            on_click=lambda: _take(wish, _new_folder(folder), roots),
        )


def _new_folder(folder: Path) -> Path:
    name = st.session_state.get(_NEW, "").strip()
    return folder / name if name else folder


def _entries(wish: _Wish, folder: Path, listing: Listing, roots: Roots) -> None:
    num_shown = 0
    for name in listing.folders[:MOST_SHOWN]:
        path = folder / name
        _entry(f"folder_{num_shown}", name, "folder", partial(_go, path))
        num_shown += 1
    for name in listing.files[: MOST_SHOWN - num_shown]:
        path = folder / name
        _entry(f"file_{num_shown}", name, "draft", partial(_take, wish, path, roots))
        num_shown += 1
    html.remark(_what_is_shown(listing, num_shown))


def _what_is_shown(listing: Listing, num_shown: int) -> str:
    total = len(listing.folders) + len(listing.files)
    said = ["Nothing is here." if not total else ""]
    if total > num_shown:
        said.append(f"{num_shown} of {formats.count(total)}; give a part of the name.")
    if listing.is_cut:
        said.append(
            f"Only {formats.count(MOST_READ)} entries of this folder were read; type the path into "
            "the form if it is not among them."
        )
    if listing.num_left_out:
        said.append(
            f"{formats.count(listing.num_left_out)} left out: they lead out of the folders of this "
            "dashboard, or their names are no text."
        )
    return " ".join(filter(None, said))


def _entry(key: str, name: str, icon: str, on_click: Callable[[], None]) -> None:
    st.button(
        formats.markdown(name, 120),
        key=f"browser_{key}",
        icon=f":material/{icon}:",
        type="tertiary",
        on_click=on_click,
    )


def _start(text: str, roots: Roots) -> Path | None:
    """The nearest folder to what the field says; None for the list of the roots."""
    path = Path(os.path.realpath(roots.base / text)) if text and "\0" not in text else roots.base
    for folder in (path, *path.parents):
        if is_folder(folder) and roots.hold(folder):
            return folder
    there = [root for root in roots.folders if exists(root)]
    return there[0] if len(there) == 1 else None


def _open(wish: _Wish) -> None:
    st.session_state[_OPEN] = wish
    _forget_words()


def _close() -> None:
    st.session_state.pop(_OPEN, None)


def _go(folder: Path | None) -> None:
    wish = st.session_state[_OPEN]
    st.session_state[_OPEN] = _Wish(wish.key, wish.setting, folder)
    _forget_words()


def _forget_words() -> None:
    st.session_state[_FILTER] = st.session_state[_NEW] = ""


def _take(wish: _Wish, path: Path, roots: Roots) -> None:
    st.session_state[wish.key] = roots.written(path)
    _close()
