"""The Confusion page in a real browser."""

from urllib.parse import parse_qs, urlsplit

import pytest

from streetclip.gazetteer import countries
from tests.dashboard.sites import DESK, PHONE, serve
from tests.dashboard.worlds import World

pytestmark = pytest.mark.browser


def test_a_click_on_a_cell_shows_exactly_its_images_and_the_link_shows_them_again(tmp_path, visit):
    world = World(tmp_path, num_images=150)
    world.add_run("newer", skill=0.6, seed=2)
    with serve(world.path, tmp_path) as address:
        visited = visit(viewport=DESK)
        page = visited.go(f"{address}/confusion?run=1&top=40")
        true, predicted = click_on_a_cell(visited)
        query = parse_qs(urlsplit(page.url).query)
        assert (query["country"], query["predicted"]) == ([true], [predicted])
        expected = [
            name
            for (name,) in world.sql(
                "SELECT filename FROM predictions JOIN images ON images.id = image_id "
                "WHERE true_country = ? AND pred_country = ? "
                "ORDER BY country_probability DESC, image_id",
                true,
                predicted,
            )
        ]
        assert expected
        assert shown_images(page) == expected[:8]
        again = visit(viewport=DESK)
        assert shown_images(again.go(page.url)) == expected[:8]
        assert visited.errors == again.errors == []
        assert visited.strangers() == again.strangers() == []


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_the_list_of_mistakes_shows_its_intervals_whole(tmp_path, visit, viewport):
    world = World(tmp_path, with_files=False).with_two_runs()
    with serve(world.path, tmp_path) as address:
        page = visit(viewport=viewport).go(f"{address}/confusion?run=2")
        shown = page.locator("[class*=st-key-confused_most] .dvn-scroller").first
        shown.wait_for()
        wide, seen = shown.evaluate("(each) => [each.scrollWidth, each.clientWidth]")
        assert wide <= seen


def click_on_a_cell(visited):
    """Click on a wrong cell of the matrix that its accessible marks name, and give its codes."""
    page = visited.page
    drawn = "[data-testid=stVegaLiteChart] svg .mark-rect path[role='graphics-symbol']"
    page.locator(drawn).first.wait_for()
    codes = {country.name: code for code, country in countries().items()}
    for cell in page.locator(drawn).all():
        true, _, rest = (cell.get_attribute("aria-label") or "").partition(" taken for ")
        predicted = rest.partition(":")[0]
        if true in codes and predicted in codes and true != predicted:
            cell.click()
            page.wait_for_url("**country=**")
            visited.settle()
            return codes[true], codes[predicted]
    pytest.fail("no wrong cell is drawn")


def shown_images(page):
    page.locator("a.card").first.wait_for()
    texts = [each.inner_text() for each in page.locator("ul.cards > li").all()]
    return [text.rsplit("Image ", 1)[1].splitlines()[0].strip() for text in texts]
