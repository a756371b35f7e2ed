"""From a number to the pictures behind it, in a real browser: a click shows what SQL gives."""

from urllib.parse import parse_qs, quote, urlsplit

import pytest

from dashboard.shell import formats
from tests.dashboard.pages import PAGES
from tests.dashboard.sites import DESK, FORMS, OTHER_FORMS, ZOOMED, serve
from tests.dashboard.worlds import HOSTILE, World

pytestmark = pytest.mark.browser

TALL = {"width": 1440, "height": 1600}
OF_A_PAIR = """
    SELECT image_id FROM predictions
    WHERE run_id = ? AND true_country = ? AND pred_country = ?
    ORDER BY country_probability DESC, image_id"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("flows")).with_two_runs()


@pytest.fixture(scope="module")
def address(world, tmp_path_factory):
    with serve(world.path, tmp_path_factory.mktemp("server")) as found:
        yield found


def parameters(page):
    return {name: values[-1] for name, values in parse_qs(urlsplit(page.url).query).items()}


def shown_ids(page):
    page.locator("a.card").first.wait_for()
    return [int(card.get_attribute("data-id")) for card in page.locator("a.card").all()]


def ids_of(world, query, *values):
    return [row[0] for row in world.sql(query, *values)]


def click_mark(page, words):
    """Click the middle of the mark of a chart whose description contains these words."""
    mark = page.locator(f'[data-testid=stVegaLiteChart] path[aria-label*="{words}"]').first
    mark.wait_for()
    mark.click(force=True)


# The element with the focus, as [tag, name], once it is seen to have it.
FOCUSED = """() => {
    let node = document.activeElement;
    while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
    if (!node || node === document.body) return ['BODY', ''];
    const has = (each, name) => getComputedStyle(each)[name];
    const isRing = has(node, 'outlineStyle') !== 'none'
        && parseFloat(has(node, 'outlineWidth')) > 1;
    const around = [1, 2, 3].reduce((all) => [...all, all.at(-1).parentElement], [node]);
    const isField = node.matches('input, textarea')  // of one value or several
        && around.some((each) => has(each, 'borderTopColor') === 'rgb(0, 95, 150)');  // primary
    if (!isRing && !isField && !node.matches('canvas')) return null;
    return [node.tagName, `${node.ariaLabel ?? ''} ${node.innerText ?? ''}`.trim()];
}"""


def tab_to(page, tag, name):
    """Press Tab until an element has the focus, which each on the way must show."""
    for _ in range(120):
        page.keyboard.press("Tab")
        found = page.wait_for_function(FOCUSED).json_value()
        if found[0] == tag and name in found[1]:
            return
    pytest.fail(f"Tab does not lead to {tag} {name}")


def test_a_confusion_cell_shows_exactly_its_images_and_its_link_shows_them_again(
    world, address, visit
):
    (true, predicted, n), *_ = world.sql(
        "SELECT true_country, pred_country, count(*) FROM predictions WHERE run_id = 2 "
        "AND true_country <> pred_country GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
    )
    expected = ids_of(world, OF_A_PAIR, 2, true, predicted)
    assert n == len(expected) > 1
    visited = visit(viewport=TALL)
    page = visited.go(f"{address}/confusion?run=2")
    click_mark(page, f"{formats.country(true)} taken for {formats.country(predicted)}:")
    page.wait_for_url(f"**predicted={predicted}**")
    visited.settle()
    assert parameters(page) == {"run": "2", "country": true, "predicted": predicted}
    assert shown_ids(page) == expected[:8]
    assert f"{n} images match" in page.inner_text("[data-testid=stMain]")

    other = visit(viewport=TALL)
    assert shown_ids(other.go(page.url)) == expected[:8]
    assert visited.errors == other.errors == []
    assert visited.strangers() == other.strangers() == []


def test_a_row_of_the_mistakes_shows_exactly_its_images(world, address, visit):
    (most,), *_ = world.sql(
        "SELECT count(*) AS n FROM predictions WHERE run_id = 2 AND true_country <> pred_country "
        "GROUP BY true_country, pred_country ORDER BY n DESC"
    )
    visited = visit(viewport=TALL)
    page = visited.go(f"{address}/confusion?run=2")
    page.get_by_role("heading", name="Most frequent mistakes").wait_for()
    box = page.locator("[class*=st-key-confused_most] canvas").first.bounding_box()
    page.mouse.click(box["x"] + 16, box["y"] + 1.5 * 33)  # the tick column of the first row
    page.wait_for_url("**predicted=**")
    visited.settle()
    shown = parameters(page)
    expected = ids_of(world, OF_A_PAIR, 2, shown["country"], shown["predicted"])
    assert len(expected) == most
    assert shown_ids(page) == expected[:8]
    assert visited.errors == []


def test_a_click_on_a_country_of_the_world_drills_down_to_what_sql_counts(world, address, visit):
    visited = visit(viewport=TALL)
    page = visited.go(f"{address}/accuracy?run=2")
    click_mark(page, "country: Australia")
    page.wait_for_url("**country=AU**")
    visited.settle()
    (n, right), *_ = world.sql(
        "SELECT count(*), sum(country_correct) FROM predictions "
        "WHERE run_id = 2 AND true_country = 'AU'"
    )
    text = visited.text()
    assert f"{n} images match" in text
    assert f"{100 * right / n:.1f} %" in text
    assert visited.errors == []


def test_a_filter_follows_from_page_to_page_and_narrows_the_failures(world, address, visit):
    visited = visit(viewport=DESK)
    page = visited.go(f"{address}/confusion?run=2&country=JP&attr=weather=rain")
    page.locator("[data-testid=stSidebar] a", has_text="Images").click()
    page.wait_for_url("**/failures**")
    visited.settle()
    assert parameters(page) == {"run": "2", "country": "JP", "attr": "weather=rain"}
    expected = ids_of(
        world,
        "SELECT p.image_id FROM predictions AS p JOIN dataset_images AS d USING (image_id) "
        "WHERE p.run_id = 2 AND p.true_country = 'JP' AND NOT p.country_correct "
        "AND json_extract(d.attributes, '$.weather') = 'rain' "
        "ORDER BY p.country_probability IS NULL, p.country_probability DESC, p.image_id",
    )
    assert shown_ids(page) == expected
    assert visited.errors == []


def test_removing_a_chip_widens_the_view(world, address, visit):
    visited = visit(viewport=DESK)
    page = visited.go(f"{address}/calibration?run=2&continent=Europe&city_is=wrong")
    page.get_by_role("button", name="wrong city").click()
    page.wait_for_url(f"{address}/calibration?run=2&continent=Europe")
    visited.settle()
    (n,), *_ = world.sql(
        "SELECT count(*) FROM predictions JOIN dataset_images USING (image_id) "
        "WHERE run_id = 2 AND continent = 'Europe'"
    )
    assert f"{n} images match" in page.inner_text("[data-testid=stMain]")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("forms", [FORMS, pytest.param(OTHER_FORMS, marks=pytest.mark.slow)])
def test_every_page_is_accessible_silent_and_asks_nobody(address, visit, name, forms):
    visited = visit(viewport=DESK)
    path = "" if name == "overview" else name
    visited.go(f"{address}/{path}?run=2&baseline=1")
    assert visited.faults(*forms) == []
    if forms is FORMS:
        assert visited.faults((ZOOMED, forms[0][1]), axe=False) == []
    assert visited.errors == []
    assert visited.strangers() == []


@pytest.mark.slow
def test_help_and_menu_are_accessible(address, visit):
    visited = visit(viewport=DESK)
    page = visited.go(f"{address}/triage?run=2")
    page.get_by_role("button", name="Keyboard shortcuts").wait_for()
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    assert visited.faults(*FORMS, *OTHER_FORMS) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Main menu").press("Enter")
    page.get_by_role("menu", name="Main menu").wait_for()
    assert visited.faults(*FORMS, *OTHER_FORMS) == []


@pytest.mark.slow
def test_the_keyboard_alone_leads_to_a_photo_and_through_triage(world, address, visit):
    visited = visit(viewport=DESK, reduced_motion="reduce")
    page = visited.go(f"{address}/accuracy?run=2")
    tab_to(page, "A", "Images")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Images", level=1).wait_for()
    visited.settle()
    tab_to(page, "INPUT", "Continent")
    page.keyboard.type("Euro")
    page.get_by_role("option", name="Europe").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**continent=Europe**")
    visited.settle()
    tab_to(page, "A", "Image street/")
    page.keyboard.press("Enter")
    page.get_by_text("image 1 of").wait_for()
    visited.settle()
    # The photo holds no one who zooms it, nor who fills the screen with it.
    tab_to(page, "DIV", "Photo:")
    page.keyboard.press("+")
    page.locator(".stage[data-zoomed]").wait_for()
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement !== null")
    page.keyboard.press("f")
    page.wait_for_function("document.fullscreenElement === null")
    tab_to(page, "BUTTON", "Zoom out")
    tab_to(page, "BUTTON", "images")
    page.keyboard.press("Enter")
    page.locator("a.card").first.wait_for()
    tab_to(page, "A", "Triage")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Triage", level=1).wait_for()
    visited.settle()
    page.wait_for_url("**image=*")
    image_id = int(parameters(page)["image"])
    page.keyboard.press("r")
    page.wait_for_url(lambda address: f"image={image_id}" not in address)
    assert world.sql("SELECT image_id, status FROM annotations") == [(image_id, "reviewed")]
    assert visited.errors == []


def test_hostile_names_fetch_and_run_nothing_on_any_page(visit, tmp_path):
    hostile = World(tmp_path, num_images=60, text=HOSTILE)
    hostile.add_run("older", skill=0.4, seed=1)
    hostile.add_run("newer", skill=0.6, seed=2)
    (image_id,), *_ = hostile.sql("SELECT image_id FROM predictions WHERE run_id = 2")
    addresses = ["" if name == "overview" else name for name in PAGES]
    addresses += [
        f"failures?image={image_id}",
        f"accuracy?by=attribute:weather&tag={quote(HOSTILE)}",
    ]
    with serve(hostile.path, tmp_path) as site:
        visited = visit(viewport=DESK)
        visited.page.on("dialog", lambda dialog: visited.errors.append(dialog.message))
        for each in addresses:
            mark = "&" if "?" in each else "?"
            visited.go(f"{site}/{each}{mark}run=2&baseline=1")
            sources = visited.page.eval_on_selector_all("img", "all => all.map(one => one.src)")
            assert [source for source in sources if "evil" in source] == []
    assert visited.strangers() == []
    assert visited.errors == []
