import json
from pathlib import Path

import pytest
import streamlit as st

from dashboard.images import gallery_view, triage
from dashboard.images.image_queries import Image
from dashboard.images.thumbnails import ImageFile, Thumbnail
from dashboard.images.triage import Action, read_actions
from dashboard.shell import filter_urls
from dashboard.shell.page_query import View
from dashboard.views.failures import page
from streetclip.errors import StoreError
from streetclip.results.filters import Selection
from streetclip.store import Author

HOSTILE = "![a](https://x/y.png)<img src=x onerror=alert(1)>\u202e\n\0🙈"


def card(*, tags=(), note="", problem="", **changes):
    fields = {
        "image_id": 7, "image_filename": "a.jpg", "true_country": "FR", "true_city": "Paris",
        "pred_country": "ES", "pred_city": "Madrid", "country_correct": 0, "distance_km": 12.0,
        "country_probability": 0.25,
    }  # fmt: skip
    notes = {"tags": tags, "note": note, "status": "open"}
    image = Image(fields | changes, notes, ImageFile(Path("x"), "a.jpg"))
    return gallery_view.card(image, Thumbnail(problem=problem), href="failures?image=7")


def sent(number, kind="tag", image=7, value="no cue"):
    return {"number": number, "kind": kind, "image": image, "value": value}


def test_a_card_says_its_confidence_as_per_cent():
    assert card()["confidence_text"].replace("\u00a0", " ") == "25.0 %"
    assert (card()["predicted_country"], card()["country_correct"]) == ("Spain", False)
    nothing = card(pred_country=None, country_probability=float("nan"))
    assert (nothing["confidence"], nothing["country_correct"]) == (None, None)


def test_names_on_a_card_are_bounded_and_cannot_reorder_the_line():
    data = card(true_city=HOSTILE * 50, image_filename=HOSTILE, problem=HOSTILE * 50)
    for name in ("true_city", "name", "problem"):
        assert len(data[name]) <= 240
        assert not {"\u202e", "\n", "\0"} & set(data[name])


def test_tags_and_notes_reach_the_browser_as_they_are():
    data = json.loads(json.dumps(card(tags=("a" * 500, '"<b>'), note="two\nlines")))
    assert data["tags"] == ["a" * 500, '"<b>']
    assert data["note"] == "two\nlines"


@pytest.mark.parametrize("name", ["triage.js", "single.js", "gallery.js"])
def test_scripts_make_no_markup_of_texts(name):
    script = (Path(gallery_view.__file__).parent / name).read_text("utf-8")
    for risk in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "//x"):
        assert risk not in script
    assert "http" not in script


# What the browser sends


@pytest.mark.parametrize(
    "payload",
    [
        None,
        "text",
        [],
        {},
        {"session": "s"},
        {"session": "s", "actions": "all"},
        {"session": "s", "actions": [None, 1, [], {}]},
        {"session": "s", "actions": [sent(1, kind="drop")]},
        {"session": "s", "actions": [sent(1, image=2**63)]},
        {"session": "s", "actions": [sent(1, image="7")]},
        {"session": "s", "actions": [sent(True)]},
        {"session": "s", "actions": [sent("1")]},
        {"session": "s", "actions": [sent(1, value=3)]},
        {"session": "s", "actions": [sent(1, value="x" * 10_001)]},
    ],
)
def test_what_makes_no_sense_is_no_action(payload):
    assert read_actions(payload)[1] == []


def test_one_bad_action_does_not_cost_the_others():
    payload = {"session": "s", "actions": [sent(2), sent(1, image=-1), sent(3, "undo", value="")]}
    assert read_actions(payload) == (
        "s",
        [(2, Action("tag", 7, "no cue", Author("s"))), (3, Action("undo", 7, "", Author("s")))],
    )


@pytest.fixture
def done(monkeypatch):
    """Mount a component without a browser; `send` is what its script would send."""
    monkeypatch.setattr(st, "session_state", {})

    class Done:
        def __init__(self):
            self.actions, self.data, self.fails = [], None, set()

        def mount(self):
            triage.mount(self._draw, {}, key="k", on_action=self._act)

        def _draw(self, *, key, data, on_actions_change):
            self.data, self.receive = data, on_actions_change

        def _act(self, action):
            if action.value in self.fails:
                msg = f"cannot keep {action.value}"
                raise StoreError(msg)
            self.actions.append(action.value)
            return "Undone." if action.value == "undone" else ""

        def send(self, *numbers_and_values, session="s"):
            actions = [sent(number, value=value) for number, value in numbers_and_values]
            st.session_state["k"] = {"actions": {"session": session, "actions": actions}}
            self.receive()
            self.mount()

    each = Done()
    each.mount()
    return each


def test_an_action_that_is_sent_again_is_done_once(done):
    done.send((1, "a"))
    done.send((1, "a"), (2, "b"))
    done.send((2, "b"), (3, "c"))
    assert done.actions == ["a", "b", "c"]
    assert done.data["handled"] == {"session": "s", "number": 3}


def test_a_browser_learns_whom_the_server_knows(done):
    assert done.data["handled"] == {}
    done.send((1, "x" * 10_001), session="another")
    assert done.data["handled"] == {"session": "another", "number": 0}


def test_a_window_that_begins_anew_counts_from_one_again(done):
    done.send((1, "a"), (2, "b"))
    done.send((1, "c"), session="another")
    assert done.actions == ["a", "b", "c"]
    assert done.data["handled"] == {"session": "another", "number": 1}


def test_what_fails_is_said_and_the_rest_is_done(done):
    done.fails = {"b"}
    done.send((1, "a"), (2, "b"), (3, "c"))
    assert done.actions == ["a", "c"]
    assert done.data["problem"] == "cannot keep b"


def test_a_message_goes_with_the_next_action_that_works(done):
    done.fails = {"a"}
    done.send((1, "a"))
    done.send((1, "a"))
    assert done.data["problem"] == "cannot keep a"
    done.send((2, "b"))
    assert done.data["problem"] == ""


def test_what_an_action_has_to_say_is_shown_until_the_next(done):
    done.send((1, "undone"))
    assert done.data["words"] == "Undone."
    done.send((2, "b"))
    assert done.data["words"] == ""


# The way from any page to the gallery


@pytest.mark.parametrize(
    "selection",
    [
        Selection(),
        Selection(country=("FR",), predicted=("",), country_correct=False),
        Selection(city_correct=True, distance_km=(None, 25.0), confidence=(0.5, None)),
        Selection(attributes=(("a=b", HOSTILE), ("a=b", "")), tags=(HOSTILE, "x"), status="open"),
    ],
)
def test_the_failures_page_shows_exactly_the_images_of_another_page(selection):
    view = View(path=Path("x"), run_id=3, run_key="k", selection=selection, baseline_id=2)
    found = {
        name: [value] if isinstance(value, str) else value
        for name, value in gallery_view.parameters(view, image="7").items()
        if value is not None
    }
    assert (found["run"], found["baseline"], found["image"]) == (["3"], ["2"], ["7"])
    read = filter_urls.read_filters(found, page.DEFAULTS)
    assert read.problems == ()
    assert read.selection == selection


def test_a_run_is_not_compared_with_itself():
    view = View(path=Path("x"), run_id=2, run_key="k", selection=Selection(), baseline_id=2)
    assert gallery_view.parameters(view)["baseline"] is None
