from jobs.support.metrics_table import aligned, metrics_table

PROPORTION = {"value": 0.5, "low": 0.3456, "high": 0.6544, "successes": 500, "n": 1000}
ACCURACY = PROPORTION | {"ceiling": 0.98, "macro": 0.61, "macro_ceiling": 0.72}


def metrics(**changes):
    nothing = {"value": None, "low": None, "high": None, "successes": 0, "n": 0}
    within = PROPORTION | {"name": "continent", "threshold_km": 2500, "ceiling": 1.0}
    return {
        "num_images": 1000,
        "num_unreadable": 0,
        "num_skipped_rows": 0,
        "num_without_coordinates": 0,
        "country_accuracy": ACCURACY,
        "city_accuracy": ACCURACY,
        "hierarchical_accuracy": nothing | {"ceiling": None, "macro": None, "macro_ceiling": None},
        "distance": {
            "n": 1000,
            "median_km": {"value": 9.44, "low": 8.0, "high": None},
            "mean_km": 1234.5,
            "mean_km_n": 990,
            "geoscore": 4196.4,
            "share_within_km": [within],
        },
        "neighbours": {
            "errors": 500,
            "to_neighbours": 100,
            "share": 0.2,
            "expected_share": 0.05,
            "ratio": 4.0,
            "low": 3.3,
            "high": 4.8,
        },
    } | changes


def test_a_row_holds_share_interval_n_ceiling_macro_and_its_ceiling():
    line = next(row for row in metrics_table(metrics()).splitlines() if row.startswith("country"))
    figures = ["50.0", "34.6–65.4", "1,000", "98.0", "61.0", "72.0"]
    assert line.split() == ["country", "accuracy", *figures]


def test_what_does_not_exist_is_a_dash():
    line = next(r for r in metrics_table(metrics()).splitlines() if r.startswith("city given"))
    assert line.split() == ["city", "given", "country", "–", "–", "0", "–", "–", "–"]


def test_distances_are_rounded_above_ten_km():
    table = metrics_table(metrics())
    assert "median 9.4 km (95 %: 8.0 to ∞) · mean 1,234 km of 990 · GeoScore 4,196" in table
    assert "within 2,500 km" in table


def test_images_left_out_are_told_of():
    assert "could not be read" not in metrics_table(metrics())
    table = metrics_table(metrics(num_unreadable=3, num_without_coordinates=4))
    assert "3 images could not be read; they count as wrong" in table
    assert "4 images have no known coordinates" in table


def test_skipped_rows_are_told_of():
    assert "skipped" not in metrics_table(metrics())
    table = metrics_table(metrics(num_skipped_rows=1200))
    assert "1,200 bad rows of the test file were skipped; no figure counts them" in table


def test_without_errors_there_is_no_word_of_neighbours():
    without = {"errors": 0, "to_neighbours": 0} | dict.fromkeys(
        ("share", "expected_share", "ratio", "low", "high")
    )
    assert "neighbours" in metrics_table(metrics())
    assert "neighbours" not in metrics_table(metrics(neighbours=without))


def test_columns_line_up():
    assert aligned([("", "n"), ("a", "1,000"), ("long", "1")]) == (
        "          n\na     1,000\nlong      1"
    )
