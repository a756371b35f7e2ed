"""Several images tagged and judged at once, as one event."""

from pathlib import Path

import pytest

from dashboard.images import image_queries, triage
from dashboard.images.triage import Action, read_actions
from dashboard.queries import run_queries
from dashboard.shell import rights
from streetclip.errors import ConfigError
from streetclip.results.filters import Selection
from streetclip.store import Author
from tests.dashboard.galleries import data_of, served_world, wait_until
from tests.dashboard.pages import open_page_of
from tests.dashboard.sites import DESK
from tests.dashboard.worlds import World

ME, OTHER = Author("me"), Author("another")
WRONG = Selection(country_correct=False)
TAGGED = "SELECT image_id FROM annotation_tags WHERE tag = 'many' ORDER BY 1"
EVENTS = "SELECT count(*) FROM annotation_events"
NUM_IMAGES = 620


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("many"), num_images=NUM_IMAGES, with_files=False)
    made.add_run(skill=0.5)
    return made


def ids(world, query):
    return [row[0] for row in world.sql(query)]


def view_of(world, selection=WRONG):
    return run_queries.make_view(world.path, 1, None, selection, Selection())


def matching(world, selection=WRONG):
    return image_queries.matching_digest(view_of(world, selection))


def note(world, kind, value="many", *, selection=WRONG, author=ME, **several):
    view = view_of(world, selection)
    action = Action(kind, 0, value, author, **several)
    return image_queries.note(view, action).words


def test_500_images_are_tagged_as_one_event_that_one_undo_takes_back(world):
    chosen = ids(world, "SELECT id FROM images ORDER BY random() LIMIT 500")
    events = ids(world, EVENTS)[0]
    assert note(world, "tag", images=tuple(chosen)) == "Tagged 'many': 500 images."
    assert ids(world, TAGGED) == sorted(chosen)
    assert ids(world, EVENTS) == [events + 1]
    assert note(world, "undo", author=OTHER) == "You have nothing to undo."
    assert note(world, "undo") == "Undid: tagged 'many' (500 images)."
    assert ids(world, TAGGED) == []


def test_all_that_match_are_those_of_the_filters(world):
    wrong = ids(world, "SELECT image_id FROM predictions WHERE NOT country_correct ORDER BY 1")
    n = len(wrong)
    assert note(world, "tag", images=tuple(wrong[:3])) == "Tagged 'many': 3 images."
    shown = {"matching": matching(world)}
    assert note(world, "tag", **shown) == f"Tagged 'many': {n - 3} of {n} images."
    assert ids(world, TAGGED) == wrong
    with pytest.raises(ConfigError, match=f"Nothing to change on {n} images"):
        note(world, "tag", **shown)
    marked = note(world, "status", "to check", **shown)
    assert marked == f"Marked 'Needs second look': {n} images."
    # Who removes the tag that they are filtered by has none left to act on.
    tagged = Selection(tags=("many",))
    shown = {"matching": matching(world, tagged)}
    assert note(world, "untag", selection=tagged, **shown).startswith("Removed tag 'many'")
    with pytest.raises(ConfigError, match="other images match now"):
        note(world, "status", "reviewed", selection=tagged, **shown)
    for _ in range(4):
        assert note(world, "undo").startswith("Undid: ")
    assert ids(world, "SELECT image_id FROM annotations") == []


def test_as_many_other_images_are_not_those_that_were_selected(world):
    tagged = Selection(tags=("many",))
    note(world, "tag", images=(1, 2))
    shown = {"matching": matching(world, tagged)}
    note(world, "untag", images=(2,), author=OTHER)
    note(world, "tag", images=(3,), author=OTHER)
    with pytest.raises(ConfigError, match="other images match now"):
        note(world, "status", "reviewed", selection=tagged, **shown)
    for author in (OTHER, OTHER, ME):
        note(world, "undo", author=author)
    assert ids(world, "SELECT image_id FROM annotations") == []


@pytest.mark.parametrize("stranger", [0, NUM_IMAGES + 1, 2**63 - 1])
def test_images_of_no_run_are_refused_and_the_others_stay(world, stranger):
    with pytest.raises(ConfigError, match="some selected images are not of this run"):
        note(world, "tag", images=(1, 2, stranger))
    assert ids(world, TAGGED) == []


def test_a_link_that_only_looks_changes_none(world, monkeypatch):
    monkeypatch.setattr(rights, "right_of_visitor", lambda: rights.Right.LOOK)
    with pytest.raises(ConfigError, match="does not allow annotations"):
        note(world, "tag", images=(1, 2))


def sent(kind="tag", **changes):
    return {"number": 1, "kind": kind, "image": 0, "value": "x", "images": [5, 6]} | changes


def read(action):
    return read_actions({"session": "s", "actions": [action]})[1]


@pytest.mark.parametrize(
    "action",
    [
        sent(images="all"),
        sent(images=[5, "6"]),
        sent(images=[5, True]),
        sent(images=[-5]),
        sent(images=[2**63]),
        sent(images=list(range(triage.MOST_CHOSEN + 1))),
        sent(matching=9),
        sent("note"),
        sent("undo"),
    ],
)
def test_what_no_browser_of_ours_sends_is_no_action(action):
    assert read(action) == []


def test_several_images_are_read():
    [(_, action)] = read(sent())
    assert (action.images, action.matching, action.is_on_several) == ((5, 6), "", True)
    [(_, action)] = read(sent(images=[], matching="a9"))
    assert (action.images, action.matching, action.is_on_several) == ((), "a9", True)
    assert not read(sent(images=[]))[0][1].is_on_several


def test_a_problem_of_several_images_ends_with_the_next_action():
    memory = triage._Memory()

    def refuse(action):
        msg = f"not {action.value}"
        raise ConfigError(msg)

    for number, (image, images, on_action, left) in enumerate(
        [
            (1, [], refuse, {1: "not x"}),
            (0, [5, 6], refuse, {1: "not x", 0: "not x"}),
            (5, [], lambda _: "", {1: "not x"}),  # what is typed for image 1 stays
        ],
        start=1,
    ):
        action = sent(number=number, image=image, images=images)
        triage._handle(memory, {"session": "s", "actions": [action]}, on_action)
        assert memory.problems == left


def test_the_size_of_cards_is_in_the_url_and_keeps_the_page(monkeypatch, world):
    page = open_page_of(monkeypatch)(world.path, "failures", page="2", size="small")
    data = data_of(page, "cards")
    assert data["size"] == "small"
    assert "size=small" in data["cards"][0]["href"]
    choice = next(each for each in page.segmented_control if each.label == "Size")
    choice.set_value("large").run()
    assert data_of(page, "cards")["size"] == "large"
    assert [page.query_params[name] for name in ("size", "page")] == ["large", "2"]
    odd = open_page_of(monkeypatch)(world.path, "failures", size="<huge>")
    assert data_of(odd, "cards")["size"] == "medium"


# In the browser

SCRIPT = "\n".join(
    (Path(triage.__file__).parent / f"{part}.js").read_text("utf-8")
    for part in ("actions", "triage", "selection", "gallery")
)
MOUNT = """async (text) => {
  document.body.innerHTML = '<div data-testid="stApp"><div class="root"></div></div>';
  const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const { default: show } = await import(address);
  window.sent = [];
  const setTriggerValue = (_, value) => window.sent.push(...value.actions);
  window.show = (data) => show({ data, parentElement: document.body, setTriggerValue });
}"""


@pytest.mark.browser
def test_who_may_annotate_only_later_can_select(monkeypatch, world, browser):
    data = data_of(open_page_of(monkeypatch)(world.path, "failures"), "cards")
    page = browser.new_page()
    page.evaluate(MOUNT, SCRIPT)
    for may_annotate in (False, True):
        page.evaluate("(data) => window.show(data)", data | {"may_annotate": may_annotate})
        assert (page.locator(".pick").count() > 0) == may_annotate
    page.locator(".pick").first.click()
    page.get_by_role("button", name="that match").click()
    page.get_by_role("button", name="Reviewed", exact=True).click()
    [sent] = page.evaluate("window.sent")
    assert sent["matching"] == matching(world)
    page.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with served_world(tmp_path_factory.mktemp("served"), num_images=90, skill=0.5) as found:
        yield found


def click(page, name):
    page.locator(".foot").get_by_role("button", name=name, exact=True).click()


@pytest.fixture
def gallery(served, visit):
    """A visit of the mistakes in small cards, and how to wait for words below them."""
    visited = visit(viewport=DESK)
    page = visited.go(f"{served[1]}/failures?size=small")
    page.locator(".pick").first.wait_for()
    foot = page.locator(".foot")
    return visited, page, lambda words: foot.get_by_text(words).first.wait_for()


@pytest.mark.browser
@pytest.mark.slow
def test_a_range_of_cards_is_tagged_and_taken_back(served, gallery):
    visited, page, wait_for = gallery
    boxes = page.locator(".pick")
    shown = [int(card.get_attribute("data-id")) for card in page.locator("a.card").all()]
    before = boxes.nth(5).bounding_box()
    boxes.nth(1).click()
    boxes.nth(4).click(modifiers=["Shift"])
    wait_for("4 selected")
    boxes.nth(6).focus()
    page.keyboard.press("Space")
    wait_for("5 selected")
    assert boxes.nth(5).bounding_box() == before
    assert visited.violations() == []
    page.get_by_label("Tag of the selected images").fill("many")
    click(page, "Add tag")
    wait_for("Tagged 'many': 5 images.")
    assert ids(served[0], TAGGED) == sorted([*shown[1:5], shown[6]])
    assert page.locator("a.card .chip", has_text="many").count() == 5
    click(page, "Undo")
    wait_for("Undid: tagged 'many' (5 images).")
    assert ids(served[0], TAGGED) == []
    assert visited.errors == []


@pytest.mark.browser
@pytest.mark.slow
def test_a_selection_lasts_as_long_as_the_filters(served, gallery):
    visited, page, wait_for = gallery
    page.locator(".pick").nth(1).click()
    page.get_by_role("button", name="Next", exact=True).first.click()
    page.get_by_text("25–").first.wait_for()
    visited.settle()
    page.locator("a.card").first.press("x")
    wait_for("2 selected")
    page.keyboard.press("Enter")  # opens the image in full
    page.get_by_text("image 25 of").wait_for()
    page.go_back()
    wait_for("2 selected")
    n = len(ids(served[0], "SELECT image_id FROM predictions WHERE NOT country_correct"))
    click(page, f"All {n} that match")
    wait_for(f"{n} selected")
    click(page, "Needs second look")
    wait_for(f"Marked 'Needs second look': {n} images.")
    page.keyboard.press("u")
    wait_for(f"Undid: marked as needing a second look ({n} images).")
    page.get_by_role("button", name="wrong country").click()
    wait_for("The filters have changed: all images were deselected.")
    assert not page.get_by_role("group", name="Selected images").is_visible()
    assert visited.errors == []


@pytest.mark.browser
@pytest.mark.slow
def test_a_larger_picture_lies_over_the_cards_and_moves_none(gallery):
    visited, page, _ = gallery
    cards, pictures = page.locator("a.card"), page.locator("a.card .picture")
    before, width = cards.nth(3).bounding_box(), pictures.nth(2).bounding_box()["width"]

    def large():
        widths = [pictures.nth(i).bounding_box()["width"] for i in range(1, 5)]
        return [i for i, each in enumerate(widths, 1) if each > 2 * width]

    def wait_until_large(*expected):
        assert wait_until(large, list(expected)) == list(expected)

    cards.nth(2).hover()
    wait_until_large(2)
    assert cards.nth(3).bounding_box() == before
    cards.nth(4).focus()
    page.keyboard.press("k")  # the card that was reached last
    wait_until_large(3)
    page.emulate_media(reduced_motion="reduce")
    wait_until_large()
    assert visited.errors == []
