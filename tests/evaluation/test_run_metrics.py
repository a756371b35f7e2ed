"""The metrics of an evaluation against plain loops, by hand, and at their edges."""

import json
import math

import numpy as np
import pytest

from streetclip.evaluation.run_metrics import measure
from streetclip.store import Flag
from tests.evaluation.plain_metrics import CONTINENT, THRESHOLDS, plain_summary
from tests.results.conftest import make_table


def image(true="FR", predicted="FR", **changes):
    """One image as a plain record, right about everything unless said otherwise."""
    record = {
        "country_correct": predicted == true,
        "city_correct": False,
        "country_reachable": True,
        "city_reachable": True,
        "readable": True,
        "true_country": true,
        "true_continent": CONTINENT[true],
        "predicted_country": predicted,
        "country_probability": 0.5,
        "distance_km": 10.0,
        "nearest_candidate_km": 5.0,
        "has_coordinates": True,
    }
    return record | changes


def unreadable(true="FR", **changes):
    nothing = {"readable": False, "country_probability": math.nan, "distance_km": math.nan}
    return image(true, "", **nothing) | changes


def unplaced(true="FR", predicted="FR"):
    nowhere = {"has_coordinates": False, "distance_km": math.nan}
    return image(true, predicted, nearest_candidate_km=math.nan, **nowhere)


FLAGS = {
    "readable": Flag.READABLE,
    "country_correct": Flag.COUNTRY_CORRECT,
    "city_correct": Flag.CITY_CORRECT,
    "country_reachable": Flag.COUNTRY_REACHABLE,
    "city_reachable": Flag.CITY_REACHABLE,
    "has_coordinates": Flag.HAS_COORDINATES,
}


def table_of(images):
    """A run whose columns are these records."""
    codes = sorted(CONTINENT)
    columns = {
        name: np.array([record[name] for record in images], dtype)
        for name, dtype in (("country_probability", "f4"), ("distance_km", "f8"))
    }
    columns["nearest_km"] = np.array([record["nearest_candidate_km"] for record in images], float)
    columns["flags"] = np.array(
        [sum(flag for name, flag in FLAGS.items() if record[name]) for record in images], np.uint8
    )
    columns["pred_place"] = np.array(
        [["", *codes].index(record["predicted_country"]) for record in images], np.uint32
    )
    return make_table(
        columns,
        place=[codes.index(record["true_country"]) for record in images],
        places=[(CONTINENT[code], code, "", "") for code in codes],
        predicted=codes,
    )


def measured(images):
    found = measure(table_of(images), candidate_codes=CONTINENT)
    assert found.pop("neighbours")["errors"] == sum(
        record["predicted_country"] not in ("", record["true_country"]) for record in images
    )
    return found


def random_image(generator):
    true = str(generator.choice(list(CONTINENT), p=[0.5, 0.3, 0.15, 0.05]))
    country_reachable = true != "BR"
    city_reachable = country_reachable and generator.random() < 0.8
    placed = generator.random() < 0.85
    nearest = generator.exponential(60) if placed else math.nan
    reach = {"country_reachable": country_reachable, "city_reachable": city_reachable}
    truth = reach | {"has_coordinates": placed, "nearest_candidate_km": nearest}
    if generator.random() < 0.1:
        return unreadable(true, **truth)
    predicted = str(generator.choice(["FR", "DE", "JP"]))
    return image(
        true,
        predicted,
        city_correct=predicted == true and city_reachable and generator.random() < 0.5,
        country_probability=float(generator.random(dtype=np.float32)),
        distance_km=nearest + generator.choice([0, generator.exponential(800)]),
        **truth,
    )


def random_images(count, seed=0):
    generator = np.random.default_rng(seed)
    return [random_image(generator) for _ in range(count)]


def assert_same(found, expected, path=""):
    """Compare nested plain values; numbers within rounding, everything else exactly."""
    if isinstance(expected, dict):
        assert list(found) == list(expected), path
        for key, value in expected.items():
            assert_same(found[key], value, f"{path}.{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), path
        for position, value in enumerate(expected):
            assert_same(found[position], value, f"{path}[{position}]")
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, abs=1e-9), path
    else:
        assert found == expected, path


@pytest.mark.parametrize(("count", "seed"), [(57, 0), (300, 1), (1001, 2)])
def test_every_number_equals_a_plain_loop(count, seed):
    images = random_images(count, seed)
    assert_same(measured(images), plain_summary(images))


def test_seven_images_by_hand():
    images = [
        image("FR", "FR", city_correct=True, distance_km=0.5, nearest_candidate_km=0.5),
        image("FR", "FR", distance_km=200.0, nearest_candidate_km=200.0, city_reachable=False),
        image("FR", "DE", distance_km=800.0),
        image("DE", "DE", city_correct=True, distance_km=25.0),
        image("BR", "FR", distance_km=9000.0, nearest_candidate_km=2400.0)
        | {"country_reachable": False, "city_reachable": False},
        unreadable("JP"),
        unplaced("FR", "FR"),
    ]
    found = measured(images)
    assert (found["num_images"], found["num_unreadable"]) == (7, 1)
    assert found["num_without_coordinates"] == 1
    country, city = found["country_accuracy"], found["city_accuracy"]
    assert (country["successes"], country["n"]) == (4, 7)
    assert country["ceiling"] == pytest.approx(6 / 7)
    assert country["macro"] == pytest.approx((3 / 4 + 1 + 0 + 0) / 4)
    assert country["macro_ceiling"] == pytest.approx((1 + 1 + 0 + 1) / 4)
    assert (city["successes"], city["n"]) == (2, 7)
    assert city["ceiling"] == pytest.approx(5 / 7)
    assert city["macro"] == pytest.approx((1 / 4 + 1 + 0 + 0) / 4)
    hierarchical = found["hierarchical_accuracy"]
    assert (hierarchical["successes"], hierarchical["n"]) == (2, 4)
    assert hierarchical["ceiling"] == pytest.approx(3 / 4)
    assert hierarchical["macro"] == pytest.approx((1 / 3 + 1) / 2)
    distance = found["distance"]
    assert (distance["n"], distance["mean_km_n"]) == (6, 5)
    assert distance["median_km"]["value"] == 500.0  # of 0.5, 25, 200, 800, 9000, ∞
    assert distance["mean_km"] == pytest.approx(10025.5 / 5)
    within = {entry["name"]: entry for entry in distance["share_within_km"]}
    assert [within[name]["successes"] for name, _ in THRESHOLDS] == [1, 2, 3, 3, 4]
    assert {entry["n"] for entry in within.values()} == {6}
    assert within["city"]["ceiling"] == pytest.approx(4 / 6)
    assert within["region"]["ceiling"] == pytest.approx(5 / 6)
    assert within["continent"]["ceiling"] == 1
    assert found["calibration"]["n"] == 6
    assert [entry["continent"] for entry in found["by_continent"]] == [
        "Asia",
        "Europe",
        "South America",
    ]
    assert [entry["successes"] for entry in found["by_continent"]] == [0, 4, 0]


def test_the_result_is_json_without_nan():
    text = json.dumps(measured(random_images(40)), allow_nan=False)
    assert json.loads(text)["num_images"] == 40


def leaves(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    return (
        [leaf for branch in tree for leaf in leaves(branch)] if isinstance(tree, list) else [tree]
    )


def test_every_value_is_a_plain_python_one():
    found = measured(random_images(40))
    assert {type(leaf) for leaf in leaves(found)} <= {int, float, str, type(None)}


def test_no_images_have_counts_of_0_and_no_values():
    found = measured([])
    json.dumps(found, allow_nan=False)
    for name in ("country_accuracy", "city_accuracy", "hierarchical_accuracy"):
        assert found[name] == {
            "value": None,
            "low": None,
            "high": None,
            "successes": 0,
            "n": 0,
            "ceiling": None,
            "macro": None,
            "macro_ceiling": None,
        }
    assert found["distance"]["median_km"] == {"value": None, "low": None, "high": None}
    assert found["distance"]["mean_km"] is found["distance"]["geoscore"] is None
    assert found["calibration"]["ece"] is None
    assert found["by_continent"] == []


def test_when_no_image_can_be_read_all_are_wrong():
    found = measured([unreadable("FR"), unreadable("JP"), unreadable("JP")])
    json.dumps(found, allow_nan=False)
    assert found["num_unreadable"] == 3
    country = found["country_accuracy"]
    assert (country["value"], country["n"], country["macro"], country["ceiling"]) == (0, 3, 0, 1)
    assert found["hierarchical_accuracy"]["n"] == 0
    assert found["hierarchical_accuracy"]["value"] is None
    distance = found["distance"]
    assert (distance["n"], distance["geoscore"], distance["mean_km_n"]) == (3, 0, 0)
    assert distance["mean_km"] is None
    assert distance["median_km"] == {"value": None, "low": 0.0, "high": None}  # three are too few
    assert [entry["value"] for entry in distance["share_within_km"]] == [0] * 5
    assert found["calibration"]["n"] == 0
    assert found["calibration"]["ece"] is None


def test_without_any_coordinates_no_distance_is_claimed():
    found = measured([unplaced(), unplaced("DE", "FR")])
    json.dumps(found, allow_nan=False)
    assert found["country_accuracy"]["value"] == 0.5
    assert found["num_without_coordinates"] == 2
    distance = found["distance"]
    assert (distance["n"], distance["geoscore"], distance["mean_km"]) == (0, None, None)
    for entry in distance["share_within_km"]:
        assert (entry["value"], entry["n"], entry["ceiling"]) == (None, 0, None)


def test_images_without_coordinates_change_no_distance():
    placed = [image(distance_km=distance) for distance in (1.0, 30.0, 900.0)]
    alone = measured(placed)["distance"]
    assert measured([*placed, unplaced(), unplaced("DE")])["distance"] == alone


def test_an_unreadable_image_lowers_every_share_but_not_the_mean():
    placed = [image(distance_km=distance) for distance in (1.0, 30.0, 900.0)]
    alone = measured(placed)["distance"]
    found = measured([*placed, unreadable()])["distance"]
    assert found["mean_km"] == alone["mean_km"]
    assert found["geoscore"] == pytest.approx(alone["geoscore"] * 3 / 4)
    assert found["share_within_km"][-1]["value"] == 0.75
    assert found["median_km"]["value"] == pytest.approx((30 + 900) / 2)


def test_a_median_whose_interval_reaches_infinity_keeps_its_finite_ends():
    images = [image(distance_km=5.0)] * 6 + [unreadable()] * 5
    median = measured(images)["distance"]["median_km"]
    assert median == {"value": 5.0, "low": 5.0, "high": None}


def test_one_image_is_enough_for_figures_but_not_for_an_interval_of_the_median():
    found = measured([image(city_correct=True, distance_km=0.0)])
    assert found["city_accuracy"]["value"] == 1
    assert found["distance"]["geoscore"] == 5000
    assert found["distance"]["median_km"] == {"value": 0, "low": 0, "high": None}


def test_the_order_of_the_images_changes_nothing_to_the_last_bit():
    images = random_images(90)
    for seed in range(5):
        shuffled = [images[i] for i in np.random.default_rng(seed).permutation(len(images))]
        found, expected = measured(shuffled), measured(images)
        for name in ("country_accuracy", "city_accuracy", "hierarchical_accuracy", "distance"):
            assert found[name] == expected[name]


def test_a_candidate_abroad_raises_the_ceiling_of_distances_alone():
    # The true country is no candidate; a city across the border is.
    abroad = {"country_reachable": False, "city_reachable": False}
    images = [image("FR", "DE", distance_km=180.0, nearest_candidate_km=150.0) | abroad]
    found = measured(images)
    within = {each["name"]: each for each in found["distance"]["share_within_km"]}
    assert (within["region"]["value"], within["region"]["ceiling"]) == (1, 1)
    assert (within["city"]["value"], within["city"]["ceiling"]) == (0, 0)
    assert (found["country_accuracy"]["value"], found["country_accuracy"]["ceiling"]) == (0, 0)


def test_no_ceiling_is_made_up_where_a_nearest_candidate_is_unknown():
    images = [image(), image(nearest_candidate_km=math.nan)]
    within = measured(images)["distance"]["share_within_km"]
    assert [each["ceiling"] for each in within] == [None] * 5
    within = measured([image(), unplaced()])["distance"]["share_within_km"]
    assert [each["ceiling"] for each in within] == [0, 1, 1, 1, 1]


def test_a_macro_average_may_pass_the_ceiling_over_all_images_but_not_its_own():
    nowhere = {"country_reachable": False, "city_reachable": False}
    found = measured([image("FR"), *[image("BR", "FR") | nowhere] * 9])
    country = found["country_accuracy"]
    assert (country["ceiling"], country["macro"], country["macro_ceiling"]) == (0.1, 0.5, 0.5)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"country_correct": False}, "country_correct differs"),
        ({"predicted_country": "DE"}, "country_correct differs"),
        (
            {"predicted_country": "DE", "country_correct": False, "city_correct": True},
            "city correct but country wrong",
        ),
        (
            {"predicted_country": "", "country_correct": False, "country_probability": math.nan},
            "a distance without a prediction",
        ),
    ],
)
def test_columns_that_contradict_one_another_are_refused(changes, message):
    with pytest.raises(ValueError, match=f"image 8: .*{message}"):
        measured([image(), image() | changes, image()])


def test_a_probability_above_1_is_refused():
    with pytest.raises(ValueError, match="confidence"):
        measured([image(country_probability=1.5)])
