import json

import pytest
from PIL import Image

from dashboard.views.failures import page
from streetclip.gazetteer import countries
from streetclip.store import annotate, open_store
from tests.dashboard.galleries import cards_of, data_of
from tests.dashboard.pages import open_page_of, text_of
from tests.dashboard.worlds import NUM_BROKEN, NUM_MISSING, World

HOSTILE = (
    '![a](https://evil.example/y.png) <img src="https://evil.example/z.png" onerror=alert(1)>'
    " :red[hot] `b` \u202eevil 🙈"
)
WRONG = "SELECT image_id FROM predictions WHERE run_id = 2 AND country_correct = 0"
PAGE = page.image_queries.PAGE_SIZE


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("failures")).with_two_runs()


@pytest.fixture
def open_page(monkeypatch):
    run = open_page_of(monkeypatch)
    return lambda world, **parameters: run(world.path, "failures", **parameters)


def ids(world, query):
    return [row[0] for row in world.sql(query)]


def button(page, label):
    return next(each for each in page.button if each.label == label)


def asked(page, name):
    found = page.query_params[name]
    return found if isinstance(found, str) else found[0]


# The gallery


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (None, "country_probability IS NULL, country_probability DESC, image_id"),
        ("unsurest", "country_probability IS NULL, country_probability, image_id"),
        ("farthest", "distance_km IS NULL, distance_km DESC, image_id"),
        ("nearest", "distance_km IS NULL, distance_km, image_id"),
        ("file", "image_id"),
    ],
)
def test_wrong_images_stand_in_the_order_asked(open_page, world, sort, order):
    expected = ids(world, f"{WRONG} ORDER BY {order}")
    assert len(expected) > 2 * PAGE
    parameters = {} if sort is None else {"sort": sort}
    first = open_page(world, run="2", **parameters)
    second = open_page(world, run="2", page="2", **parameters)
    assert [card["id"] for card in cards_of(first)] == expected[:PAGE]
    assert [card["id"] for card in cards_of(second)] == expected[PAGE : 2 * PAGE]


def test_a_card_says_what_the_store_says(open_page, world):
    page = open_page(world, run="2", sort="file")
    for card in cards_of(page):
        [(name, true, pred, right, p, km)] = world.sql(
            "SELECT filename, country_code, pred_country, country_correct, country_probability, "
            "distance_km FROM predictions JOIN dataset_images USING (image_id) "
            "JOIN images ON images.id = image_id WHERE run_id = 2 AND image_id = ?",
            card["id"],
        )
        assert card["name"] == name
        assert card["true_country"] == countries()[true].name
        assert card["predicted_country"] == (countries()[pred].name if pred else "no prediction")
        assert card["country_correct"] == (bool(right) if pred else None)
        assert card["confidence"] == p
        assert card["distance"].replace("\u00a0", " ") == ("–" if km is None else f"{km:,.0f} km")


def test_pictures_come_from_the_files_and_what_lacks_one_says_why(open_page, world):
    n = len(world.rows)
    page = open_page(world, run="2", predicted="none")
    cards = {card["name"]: card for card in cards_of(page)}
    assert len(cards) == NUM_BROKEN + NUM_MISSING
    broken, missing = (
        cards[f"street/{n - 1:04d}.jpg"],
        cards[f"street/{n - NUM_BROKEN - 1:04d}.jpg"],
    )
    assert "is not an image" in broken["problem"]
    assert "is no longer in" in missing["problem"]
    assert broken["picture"] == missing["picture"] == ""
    right = cards_of(open_page(world, run="2", country_is="right"))
    assert all(card["picture"].startswith("data:image/jpeg;base64,") for card in right)


def test_the_pager_says_where_one_is_and_turns_pages(open_page, world):
    total = len(ids(world, WRONG))
    last = -(-total // PAGE)
    page = open_page(world, run="2", page=str(last))
    words = f"{(last - 1) * PAGE + 1}–{total} of {total}"
    assert words in [each.value for each in page.text]
    assert button(page, "Next").disabled
    assert not button(page, "Previous").disabled
    button(page, "Previous").click().run()
    assert asked(page, "page") == str(last - 1)
    button(page, "First").click().run()
    assert "page" not in page.query_params


def test_a_page_beyond_the_last_is_the_last(open_page, world):
    expected = ids(world, f"{WRONG} ORDER BY image_id")
    page = open_page(world, run="2", sort="file", page="999999")
    assert [card["id"] for card in cards_of(page)] == expected[(len(expected) - 1) // PAGE * PAGE :]


def test_the_countries_above_count_and_narrow(open_page, world):
    [(code, n), *_] = world.sql(
        "SELECT true_country, count(*) AS n FROM predictions WHERE run_id = 2 "
        "AND NOT country_correct GROUP BY 1 ORDER BY n DESC, 1 LIMIT 1"
    )
    page = open_page(world, run="2")
    button(page, f"{countries()[code].name} {n}").click().run()
    assert asked(page, "country") == code
    assert {card["true_country"] for card in cards_of(page)} == {countries()[code].name}
    taken_for = [each for each in page.button if each.key and each.key.startswith("narrow_pred")]
    assert sum(int(each.label.rsplit(" ", 1)[1]) for each in taken_for) == n


def test_a_tag_is_shown_and_is_a_filter(open_page, tmp_path):
    world = World(tmp_path, num_images=60, with_files=False)
    world.add_run()
    tagged = ids(world, "SELECT image_id FROM predictions WHERE image_id % 7 = 1")
    with open_store(world.path) as store:
        annotate(store, tagged, add_tags=[HOSTILE], note="n", status="to check")
    page = open_page(world, tag=HOSTILE, country_is="any", sort="file")
    assert [card["id"] for card in cards_of(page)] == tagged
    assert {(*card["tags"], card["note"], card["status"]) for card in cards_of(page)} == {
        (HOSTILE, "n", "to check")
    }


def test_the_address_of_a_card_shows_the_same_selection(open_page, world):
    page = open_page(world, run="1", predicted="FR", km="100..", sort="nearest")
    card = cards_of(page)[3]
    path, _, query = card["href"].partition("?")
    assert path == "failures"
    assert query == f"run=1&predicted=FR&country_is=wrong&km=100..&sort=nearest&image={card['id']}"


# One image


def one_wrong(world):
    return ids(world, f"{WRONG} AND pred_country IS NOT NULL ORDER BY image_id")[4]


def test_one_image_is_told_in_full(open_page, world):
    image_id = one_wrong(world)
    [(km, p, attributes)] = world.sql(
        "SELECT distance_km, country_probability, attributes FROM predictions "
        "JOIN dataset_images USING (image_id) WHERE run_id = 2 AND image_id = ?",
        image_id,
    )
    page = open_page(world, run="2", image=str(image_id))
    assert not page.exception
    text = text_of(page)
    assert f"{km:,.0f} km" in text
    assert f"country {100 * p:.1f} %" in text
    assert "country wrong, city wrong" in text
    for name, value in json.loads(attributes).items():
        assert f"{name} {value}" in text
    assert "A photo in {country}." in text
    assert data_of(page, "image")["image"]["id"] == image_id


def test_previous_and_next_follow_the_present_order(open_page, world):
    expected = ids(world, f"{WRONG} ORDER BY distance_km IS NULL, distance_km DESC, image_id")
    page = open_page(world, run="2", sort="farthest", image=str(expected[5]))
    data = data_of(page, "image")
    assert (data["previous"]["id"], data["next"]["id"]) == (expected[4], expected[6])
    assert f"image 6 of {len(expected)}" in text_of(page)
    first = data_of(open_page(world, run="2", sort="farthest", image=str(expected[0])), "image")
    assert (first["previous"], first["next"]["id"]) == (None, expected[1])


def test_the_way_back_goes_to_the_page_of_the_image(open_page, world):
    expected = ids(world, f"{WRONG} ORDER BY image_id")
    page = open_page(world, run="2", sort="file", image=str(expected[PAGE + 2]))
    button(page, f"All {len(expected)} images").click().run()
    assert asked(page, "page") == "2"
    assert "image" not in page.query_params
    assert expected[PAGE + 2] in [card["id"] for card in cards_of(page)]


def test_an_image_outside_the_filters_is_shown_and_said_to_be(open_page, world):
    [right] = ids(
        world, "SELECT image_id FROM predictions WHERE country_correct AND run_id=2 LIMIT 1"
    )
    page = open_page(world, run="2", image=str(right))
    assert "not among the images that the filters leave" in text_of(page)
    assert "country correct" in text_of(page)


@pytest.mark.parametrize("image", ["0", "99999999"])
def test_an_image_that_is_not_there_is_said(open_page, world, image):
    page = open_page(world, run="2", image=image)
    assert not page.exception
    assert "No such image" in text_of(page)
    assert button(page, f"All {len(ids(world, WRONG))} images")


def test_what_every_run_said_of_the_image_stands_in_a_table(open_page, world):
    image_id = one_wrong(world)
    page = open_page(world, run="2", image=str(image_id))
    rows = page.dataframe[0].value
    expected = world.sql(
        "SELECT run_id, country_correct FROM predictions WHERE image_id = ? ORDER BY run_id DESC",
        image_id,
    )
    found = list(zip(rows["run"], rows["country"], strict=True))
    assert found == [(run, "correct" if right else "wrong") for run, right in expected]


def test_a_file_that_is_gone_or_replaced_after_the_run_is_seen_at_once(open_page, tmp_path):
    world = World(tmp_path, num_images=40)
    world.add_run()
    name = world.rows["image_filename"][3]
    image_id = ids(world, "SELECT image_id FROM predictions ORDER BY image_id")[3]

    def picture():
        page = open_page(world, country_is="any", sort="file")
        return next(card for card in cards_of(page) if card["id"] == image_id)

    before = picture()["picture"]
    Image.new("RGB", (90, 60), "red").save(world.image_dir / name)
    after = picture()["picture"]
    (world.image_dir / name).unlink()
    assert len({before, after, ""}) == 3
    assert "is no longer in" in picture()["problem"]
    page = open_page(world, image=str(image_id))
    assert not page.exception
    assert "No picture" in text_of(page)


def test_an_image_that_was_not_judged_yet_is_said_to_be(open_page, tmp_path):
    world = World(tmp_path, num_images=40, with_files=False)
    world.add_run(num_done=10, state="interrupted")
    image_id = ids(world, "SELECT max(image_id) FROM dataset_images")[0]
    page = open_page(world, image=str(image_id))
    assert not page.exception
    assert "Not evaluated yet" in text_of(page)


def test_hostile_names_are_text(open_page, tmp_path):
    world = World(tmp_path, num_images=40, text=HOSTILE, with_files=False)
    world.add_run()
    gallery = open_page(world, country_is="any")
    assert not gallery.exception
    page = open_page(world, image=str(cards_of(gallery)[0]["id"]), country_is="any")
    assert not page.exception
    assert "<img" in text_of(page)
    assert not [each for each in page.markdown if "evil" in each.value and "!\\[" not in each.value]
