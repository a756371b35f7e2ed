import sqlite3
from contextlib import closing

import pytest

from dashboard.images import image_queries
from dashboard.images.triage import Action
from dashboard.queries import run_queries
from dashboard.shell import rights
from dashboard.shell.page_query import View
from dashboard.shell.rights import Right
from streetclip.errors import ConfigError, ResourceError, StoreError, shown
from streetclip.results.filters import Selection
from streetclip.results.formats import plain
from streetclip.store import annotate, open_store, read_annotations
from tests.dashboard.galleries import data_of, served_world, wait_until
from tests.dashboard.pages import open_page_of, text_of
from tests.dashboard.sites import DESK, serve
from tests.dashboard.worlds import World

WRONG = "SELECT image_id FROM predictions WHERE run_id = 1 AND country_correct = 0"
SUREST = f"{WRONG} ORDER BY country_probability IS NULL, country_probability DESC, image_id"
OWN_TAG = '"><img src=x onerror=alert(1)> ![a](https://evil.example/y.png) \u05d0\u05d1 🙈'


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, num_images=60)
    made.add_run(skill=0.5)
    return made


@pytest.fixture
def open_page(monkeypatch):
    run = open_page_of(monkeypatch)
    return lambda world, **parameters: run(world.path, "triage", **parameters)


def queue_of(world):
    return [row[0] for row in world.sql(SUREST)]


def name_of(world, image_id):
    [(name,)] = world.sql(f"SELECT filename FROM images WHERE id = {image_id}")
    return name


def noted(world, image_id):
    with open_store(world.path, read_only=True) as store:
        found = read_annotations(store, [image_id])
    return None if found.empty else found.loc[image_id].drop("updated_at").to_dict()


def view_of(path):
    return run_queries.make_view(path, 1, None, Selection(), Selection())


# What is kept


def test_everything_that_is_noted_is_kept_and_can_be_taken_back(world):
    [first, *_] = queue_of(world)
    for kind, value in (
        ("tag", OWN_TAG),
        ("tag", "no cue"),
        ("note", "a\nb"),
        ("status", "to check"),
    ):
        assert image_queries.note(view_of(world.path), Action(kind, first, value)).changed
    assert noted(world, first) == {
        "status": "to check",
        "note": "a\nb",
        "tags": tuple(sorted([OWN_TAG, "no cue"])),
    }
    assert image_queries.note(view_of(world.path), Action("untag", first, OWN_TAG)).changed
    words = [
        image_queries.note(view_of(world.path), Action("undo", first, "")).words for _ in range(5)
    ]
    assert words[0] == f"Undid: removed tag {plain(shown(OWN_TAG))} on {name_of(world, first)}."
    assert all(each.startswith("Undid: ") for each in words)
    assert noted(world, first) is None
    nothing = image_queries.note(view_of(world.path), Action("undo", first, ""))
    assert (nothing.changed, nothing.words) == (False, "You have nothing to undo.")


def test_what_is_there_already_changes_nothing(world):
    [first, *_] = queue_of(world)
    image_queries.note(view_of(world.path), Action("tag", first, "no cue"))
    assert not image_queries.note(view_of(world.path), Action("tag", first, " no cue ")).changed


@pytest.mark.parametrize(
    "action",
    [Action("tag", 1, "x" * 501), Action("tag", 1, " "), Action("tag", 1, "a\nb"),
     Action("status", 1, "asleep"), Action("note", 1, "x" * 10_001)],
)  # fmt: skip
def test_what_cannot_be_kept_is_refused_in_words(world, action):
    with pytest.raises(ConfigError):
        image_queries.note(view_of(world.path), action)
    assert noted(world, 1) is None


def test_a_tag_of_500_characters_is_kept(world):
    image_queries.note(view_of(world.path), Action("tag", 1, "🙈" * 500))
    assert noted(world, 1)["tags"] == ("🙈" * 500,)


def test_a_store_that_is_gone_is_not_made_anew(tmp_path):
    with pytest.raises(StoreError, match="is gone"):
        image_queries.note(
            View(path=tmp_path / "streetclip.db", run_id=1, run_key="", selection=Selection()),
            Action("tag", 1, "no cue"),
        )
    assert list(tmp_path.iterdir()) == []


def test_a_locked_store_is_told(world, monkeypatch):
    monkeypatch.setattr(image_queries, "_BUSY_S", 0.1)
    with closing(sqlite3.connect(world.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ResourceError, match="lock"):
            image_queries.note(view_of(world.path), Action("tag", 1, "no cue"))
    assert image_queries.note(view_of(world.path), Action("tag", 1, "no cue")).changed


# The queue


def test_the_queue_begins_with_the_surest_mistake(open_page, world):
    first, second, *_ = queue_of(world)
    page = open_page(world)
    data = data_of(page, "items")
    assert data["at"] == first
    assert [each["id"] for each in data["items"]][:2] == [first, second]
    assert [each["id"] for each in data["pictures"]] == queue_of(world)[:9]
    assert page.query_params["image"] in (str(first), [str(first)])


def test_what_is_judged_leaves_the_queue_and_counts(open_page, world):
    queue = queue_of(world)
    with open_store(world.path) as store:
        annotate(store, queue[:3], status="reviewed")
        annotate(store, [queue[5]], status="to check")
        annotate(store, [queue[4]], add_tags=["no cue"])
    page = open_page(world, image=str(queue[4]))
    data = data_of(page, "items")
    assert [each["id"] for each in data["items"]][:4] == [*queue[2:5], queue[6]]
    progress = next(each for each in page.main if each.type == "progress")
    assert progress.proto.text == f"4 of {len(queue)} reviewed"
    assert data_of(open_page(world), "items")["at"] == queue[3]


def test_an_image_that_was_judged_can_still_be_looked_at(open_page, world):
    queue = queue_of(world)
    with open_store(world.path) as store:
        annotate(store, [queue[7]], status="reviewed", note="seen")
    data = data_of(open_page(world, image=str(queue[7])), "items")
    _, before, image, after, *_ = data["items"]
    assert [data["at"], before["id"], image["id"], after["id"]] == [queue[7], *queue[6:9]]
    assert (image["status"], image["note"]) == ("reviewed", "seen")


def test_a_status_among_the_filters_is_the_queue(open_page, world):
    queue = queue_of(world)
    with open_store(world.path) as store:
        annotate(store, queue[2:5], status="to check")
    data = data_of(open_page(world, status="to check"), "items")
    assert [each["id"] for each in data["items"]] == queue[2:5]


def test_an_empty_queue_says_so_and_keeps_undo(open_page, world):
    with open_store(world.path) as store:
        annotate(store, queue_of(world), status="reviewed")
    page = open_page(world)
    assert "All reviewed" in text_of(page)
    assert (data_of(page, "items")["items"], data_of(page, "items")["at"]) == ([], None)


@pytest.mark.parametrize("image", ["99999", "no number", "-1"])
def test_an_image_that_is_not_there_is_said_and_the_queue_begins(open_page, world, image):
    page = open_page(world, image=image)
    assert not page.exception
    assert "No such image" in text_of(page)
    assert data_of(page, "items")["at"] == queue_of(world)[0]


# In the browser


def form(page):
    page.get_by_role("group", name="Status").wait_for(timeout=30_000)
    return page


def wait_for_store(world, query, expected):
    """Ask plain SQL until it gives what is expected, and give the last answer."""
    return wait_until(lambda: world.sql(query), expected)


TAGS = "SELECT image_id, tag FROM annotation_tags ORDER BY 1, 2"
NOTES = "SELECT image_id, status, note FROM annotations ORDER BY image_id"


@pytest.mark.browser
def test_triage_by_keyboard_survives_a_restart(world, visit, tmp_path):
    first, second, third, *_ = queue_of(world)
    with serve(world.path, tmp_path) as address:
        visited = visit(viewport=DESK)
        page = form(visited.go(f"{address}/triage"))
        page.keyboard.press("1")
        page.keyboard.press("t")
        page.keyboard.insert_text(OWN_TAG)
        page.keyboard.press("Enter")
        page.keyboard.press("n")
        page.keyboard.type("two\nlines, r 1 u")
        page.keyboard.press("Control+Enter")
        page.keyboard.press("r")
        page.wait_for_url(f"**image={second}*", timeout=15_000)
        visited.settle()
        page.keyboard.press("3")
        page.keyboard.press("c")
        page.wait_for_url(f"**image={third}*", timeout=15_000)
        visited.settle()
        page.keyboard.press("4")
        page.keyboard.press("u")
        tags = sorted([(first, "label error"), (first, OWN_TAG), (second, "no cue")])
        assert wait_for_store(world, TAGS, tags) == tags
        notes = [(first, "reviewed", "two\nlines, r 1 u"), (second, "to check", "")]
        assert wait_for_store(world, NOTES, sorted(notes)) == sorted(notes)
        assert visited.errors == []
    with serve(world.path, tmp_path) as address:
        visited = visit(viewport=DESK)
        page = form(visited.go(f"{address}/triage?image={first}"))
        pressed = page.locator("button[aria-pressed=true]").all_inner_texts()
        assert any(OWN_TAG in each for each in pressed)
        assert any("label error" in each for each in pressed)
        assert any("Reviewed" in each for each in pressed)
        assert page.get_by_label("Note", exact=True).input_value() == "two\nlines, r 1 u"
        assert page.locator("[data-testid=stMain] img").count() == 0
        assert page.locator(".picture canvas").count() == 1
        assert visited.strangers() == []
        assert visited.errors == []


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A world, and the address at which it is served."""
    with served_world(tmp_path_factory.mktemp("served"), num_images=60, skill=0.5) as served:
        yield served


@pytest.mark.browser
def test_what_was_typed_stays_while_the_store_is_locked(served, visit):
    world, address = served
    first = queue_of(world)[0]
    page = form(visit(viewport=DESK).go(f"{address}/triage"))
    own, note = page.get_by_label("Custom tag"), page.get_by_label("Note", exact=True)
    saved = f"{name_of(world, first)}: not saved. "
    alert = page.get_by_role("alert").filter(has_text=saved).filter(has_text="lock")
    with closing(sqlite3.connect(world.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        own.fill("own words")
        own.press("Enter")
        alert.wait_for(timeout=20_000)
        assert own.input_value() == "own words"
        note.fill("a note")
        note.press("Control+Enter")
        page.wait_for_timeout(1000 * image_queries._BUSY_S + 1000)
        assert note.input_value() == "a note"
    assert world.sql(NOTES) == []
    page.get_by_role("button", name="Add tag").click()
    page.get_by_role("button", name="Save note").click()
    notes, tags = [(first, "open", "a note")], [(first, "own words")]
    assert wait_for_store(world, NOTES, notes) == notes
    assert wait_for_store(world, TAGS, tags) == tags
    alert.wait_for(state="detached")
    assert own.input_value() == ""


@pytest.mark.browser
def test_cards_open_by_click_and_in_a_new_window_and_are_tagged_by_keyboard(served, visit):
    world, address = served
    queue = queue_of(world)
    visited = visit(viewport=DESK)
    page = visited.go(f"{address}/failures")
    cards = page.locator("a.card")
    cards.nth(3).wait_for(timeout=30_000)
    with visited.context.expect_page() as opened:
        cards.nth(2).click(modifiers=["Control"])
    opened.value.get_by_text("image 3 of").wait_for(timeout=30_000)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("k")
    page.keyboard.press("ArrowLeft")  # from the third card, which was clicked, to the second
    page.keyboard.press("2")
    expected = [(queue[1], "ambiguous")]
    query = f"{TAGS.removesuffix(' ORDER BY 1, 2')} WHERE image_id = {queue[1]}"
    assert wait_for_store(world, query, expected) == expected
    page.locator("a.card .chip", has_text="ambiguous").wait_for(timeout=10_000)
    page.keyboard.press("Enter")
    page.get_by_text("image 2 of").wait_for(timeout=30_000)
    assert f"image={queue[1]}" in page.url
    assert visited.errors == []
    assert visited.strangers() == []


@pytest.mark.browser
def test_a_card_beside_a_chart_opens_its_image_among_those_of_the_chart(served, visit):
    world, address = served
    (true, predicted, n), *_ = world.sql(
        "SELECT true_country, pred_country, count(*) AS n FROM predictions WHERE true_country <> "
        "pred_country GROUP BY run_id, 1, 2 ORDER BY n DESC, 1, 2"
    )
    visited = visit(viewport=DESK)
    page = visited.go(f"{address}/confusion?country={true}&predicted={predicted}")
    page.locator("a.card").first.click()
    page.get_by_text(f"image 1 of {n}").wait_for(timeout=30_000)
    assert "/failures?" in page.url
    assert f"country={true}&predicted={predicted}" in page.url
    assert visited.errors == []


# Rights


@pytest.mark.parametrize("kind", ["tag", "untag", "note", "status", "undo"])
def test_a_link_that_only_looks_changes_nothing(world, monkeypatch, kind):
    image_queries.note(view_of(world.path), Action("tag", 1, "no cue"))
    kept = noted(world, 1)
    monkeypatch.setattr(rights, "right_of_visitor", lambda: Right.LOOK)
    with pytest.raises(ConfigError, match="does not allow annotations"):
        image_queries.note(view_of(world.path), Action(kind, 1, "reviewed"))
    assert noted(world, 1) == kept


@pytest.mark.parametrize(("right", "may"), [(Right.LOOK, False), (Right.ANNOTATE, True)])
def test_the_form_knows_whether_it_may_be_used(world, monkeypatch, open_page, right, may):
    monkeypatch.setattr(rights, "right_of_visitor", lambda: right)
    assert data_of(open_page(world), "items")["may_annotate"] is may
