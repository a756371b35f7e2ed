"""Triage images by mouse and keyboard: tags, note, status, undo, redo.

The browser numbers its actions and repeats them until they are acknowledged, so that none is lost
or done twice.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

import streamlit as st

from dashboard.shell import rights
from streetclip.errors import StreetClipError
from streetclip.results.formats import STATUS_LABELS, plain
from streetclip.store import PROGRAM, SUGGESTED_TAGS, Author

TAG, UNTAG, JUDGE, NOTE, STATUS = "tag", "untag", "judge", "note", "status"
UNDO, REDO = "undo", "redo"
OPEN, NEXT, PREVIOUS, PAGE, MORE = "open", "next", "previous", "page", "more"
_MOVES = frozenset({OPEN, NEXT, PREVIOUS, PAGE, MORE})
_ON_SEVERAL = frozenset({TAG, UNTAG, STATUS})
KINDS = frozenset({TAG, UNTAG, JUDGE, NOTE, STATUS, UNDO, REDO}) | _MOVES
"""What a browser may ask for. `JUDGE`: tag and mark as reviewed; `MORE`: pictures that it lacks."""

MOST_CHOSEN = 500
"""The most images that one action names; those that match the filters may be more."""

_NO_IMAGE = 0  # of an action that has none of its own, as undo or an action on several
_MOST_ACTIONS = 200
_MOST_HELD = 200
_LONGEST_VALUE = 10_000
_LONGEST_SESSION = 64
_LONGEST_NAME = 80
_MOST_PROBLEMS = 5


class Action(NamedTuple):
    """An action on an image, or several: one of `KINDS`, and an untrusted value."""

    kind: str
    image_id: int
    value: str
    author: Author = PROGRAM
    images: tuple[int, ...] = ()
    """The images chosen one by one, instead of `image_id`; untrusted ids."""
    matching: str = ""
    """Digest of the images that matched the filters, for an action on all of them; else ""."""

    @property
    def is_on_several(self) -> bool:
        """Whether other images than `image_id` are meant."""
        return bool(self.images or self.matching)


OnAction = Callable[[Action], str]
"""Does what an action asks for, and returns words to show, if any; a `StreetClipError` that it
raises is shown, and what was typed stays in the form."""


@dataclass
class _Memory:
    """What one mounted component has sent so far, kept in the session."""

    session: str = ""
    number: int = 0
    problems: dict[int, str] = field(default_factory=dict)  # by image
    words: str = ""
    can_undo: bool = False  # what the words describe
    held: frozenset[int] = frozenset()
    handled: dict[str, Any] = field(default_factory=dict)


def controls(
    image: dict[str, Any],
    *,
    key: str,
    on_action: OnAction,
    previous: dict[str, Any] | None = None,
    following: dict[str, Any] | None = None,
) -> None:
    """Draw tags, note, status and undo of one image, with their keys.

    The image has id, name, tags, note and status (untrusted); its neighbours have id and href.
    """
    data = {"image": image, "previous": previous, "next": following}
    mount(component("single"), data, key=key, on_action=on_action)


def name_field() -> None:
    """Draw the field for the visitor's name, which the browser keeps and sends with actions."""
    if rights.may_annotate() and not rights.is_store_read_only():
        component("author")(key="author", data={})


def held_pictures(key: str) -> frozenset[int]:
    """Find the images whose pictures the browser of a mounted component had when it last wrote."""
    return _memory(key).held


def _memory(key: str) -> _Memory:
    memory: _Memory = st.session_state.setdefault(f"{key}:memory", _Memory())
    return memory


def mount(
    mounted: Callable[..., object],
    data: dict[str, Any],
    *,
    key: str,
    on_action: OnAction,
) -> None:
    """Mount a component whose script sends actions, and handle each of them once.

    The images that they name are untrusted: the browser may be ahead, or come back after hours.
    """
    memory = _memory(key)
    is_fixed = rights.is_store_read_only()
    may_annotate = rights.may_annotate() and not is_fixed
    refusal = "The store is read-only." if is_fixed else "Your link does not allow annotations."
    shared = {
        "suggested": list(SUGGESTED_TAGS),
        "statuses": dict(STATUS_LABELS),
        "handled": memory.handled,
        "problem": "\n".join(list(memory.problems.values())[-_MOST_PROBLEMS:]),
        "words": memory.words if may_annotate else refusal,
        "can_undo": memory.can_undo,
        "may_annotate": may_annotate,
    }

    def receive() -> None:
        _handle(memory, st.session_state[key].get("actions"), on_action)

    mounted(key=key, data=data | shared, on_actions_change=receive)


def _handle(memory: _Memory, payload: object, on_action: OnAction) -> None:
    """Do the actions that are new, in order, and remember what went wrong with which image."""
    session, numbered = read_actions(payload)
    if session != memory.session:
        memory.session, memory.number = session, 0
        memory.handled = {"session": session, "number": 0}
    memory.held = _read_held(payload)
    new = [(number, action) for number, action in numbered if number > memory.number]
    if not new:
        return
    notes = [action for _, action in new if action.kind not in _MOVES]
    # One without an image of its own is of the last action only.
    for image_id in {action.image_id for action in notes} | ({_NO_IMAGE} if notes else set()):
        memory.problems.pop(image_id, None)
    words = []
    for _, action in new:
        try:
            words.append(on_action(action))
        except StreetClipError as error:
            memory.problems[action.image_id] = str(error)
    if notes:
        memory.words = "\n".join(filter(None, words))
        memory.can_undo = bool(memory.words) and notes[-1].kind not in (UNDO, REDO)
    memory.number = new[-1][0]
    memory.handled = {"session": session, "number": memory.number}


def read_actions(payload: object) -> tuple[str, list[tuple[int, Action]]]:
    """Parse the session and actions of a browser; drop those that make no sense.

    Examples:
        >>> sent = {"number": 1, "kind": "tag", "image": 7, "value": "no cue"}
        >>> session, [(number, action)] = read_actions({"session": "a", "actions": [sent]})
        >>> session, number, action[:3], action.author.browser
        ('a', 1, ('tag', 7, 'no cue'), 'a')
    """
    if not isinstance(payload, dict) or not isinstance(payload.get("actions"), list):
        return "", []
    session = str(payload.get("session", ""))[:_LONGEST_SESSION]
    # Without an id of its own, a window is a browser.
    browser = str(payload.get("browser") or session)[:_LONGEST_SESSION]
    author = Author(plain(browser), plain(payload.get("name") or "", _LONGEST_NAME))
    read = [_read_action(each, author) for each in payload["actions"][:_MOST_ACTIONS]]
    numbered = sorted((each for each in read if each is not None), key=lambda each: each[0])
    return session, numbered


def _read_held(payload: object) -> frozenset[int]:
    held = payload.get("held") if isinstance(payload, dict) else None
    return frozenset(filter(_is_id, held[:_MOST_HELD] if isinstance(held, list) else []))


def _is_id(sent: object) -> TypeGuard[int]:
    return type(sent) is int and 0 <= sent < 2**63


def _read_action(sent: object, author: Author) -> tuple[int, Action] | None:
    if not isinstance(sent, dict):
        return None
    number, kind, image_id, value = map(sent.get, ("number", "kind", "image", "value"))
    images, matching = sent.get("images", []), sent.get("matching", "")
    if type(number) is not int or not _is_id(image_id):
        return None
    if kind not in KINDS or not isinstance(value, str) or len(value) > _LONGEST_VALUE:
        return None
    if not isinstance(images, list) or len(images) > MOST_CHOSEN or not all(map(_is_id, images)):
        return None
    if not isinstance(matching, str) or ((images or matching) and kind not in _ON_SEVERAL):
        return None
    return number, Action(kind, image_id, value, author, tuple(images), matching)


@functools.cache
def component(name: str, *shared: str) -> Callable[..., object]:
    """Register a component of the shared scripts and style, further ones, and its own."""
    folder = Path(__file__).parent
    css, js = (
        "\n".join(
            path.read_text("utf-8")
            for part in ("actions", "triage", *shared, name)
            if (path := folder / f"{part}.{kind}").exists()
        )
        for kind in ("css", "js")
    )
    root = '<div class="root"></div>'
    return st.components.v2.component(f"streetclip_{name}", html=root, css=css, js=js)
