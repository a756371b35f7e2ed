"""What the charts are made of: valid Vega-Lite, marks in their places, texts beside them."""

import copy
import json
import math

import altair as alt
import numpy as np
import pandas as pd
import pytest
import streamlit as st

from dashboard.charts import baseline_changes, distance_curve, share_bars, vega
from dashboard.shell import theme
from dashboard.views.accuracy import group_bars
from streetclip.metrics.published import benchmark_of

HOSTILE = '<img src=x> ![a](https://x.example) "view_1"'


class Drawn:
    """What was handed to Streamlit: specifications with their frames, tables, texts."""

    def __init__(self):
        self.charts, self.alts, self.heights, self.tables, self.html = {}, {}, {}, [], []

    def chart(self, spec, *, key, alt, **_):
        # Streamlit takes the frames out of the specification that it is given.
        frames = spec["datasets"]
        self.charts[key] = copy.deepcopy({k: v for k, v in spec.items() if k != "datasets"})
        self.charts[key]["frames"] = frames
        self.alts[key] = alt.replace("\u00a0", " ")

    def layer(self, key, kind, position=0):
        """The n-th layer of a mark, with its rows."""
        found = [each for each in self.charts[key]["layer"] if each["mark"]["type"] == kind]
        return found[position], self.rows(key, found[position])

    def rows(self, key, layer):
        frame = self.charts[key]["frames"][layer["data"]["name"]]
        for each in layer.get("transform", []):
            if "filter" not in each:
                continue
            frame = frame[[_holds(each["filter"], row) for row in frame.to_dict("records")]]
        return frame


def _holds(expression, row):
    """The few expressions that our layers filter by, in Python."""
    words = expression.replace("datum.", "row_").replace("===", "==").replace("!(", "not (")
    words = words.replace("isValid(", "valid(")
    names = {f"row_{name}": value for name, value in row.items()}
    return eval(words, {"valid": lambda x: x is not None and not pd.isna(x)}, names)


@pytest.fixture
def drawn(monkeypatch):
    kept = Drawn()
    monkeypatch.setattr(st, "vega_lite_chart", kept.chart)
    monkeypatch.setattr(st, "dataframe", lambda frame, **_: kept.tables.append(frame))
    monkeypatch.setattr(st, "html", lambda body, **_: kept.html.append(body))
    yield kept
    for spec in kept.charts.values():
        assert_valid(spec)


def assert_valid(spec):
    """Against the schema that Altair ships; an unknown property or a wrong value fails."""
    spec = copy.deepcopy(spec)
    frames = spec.pop("frames")
    spec["datasets"] = {
        name: json.loads(each.to_json(orient="records")) for name, each in frames.items()
    }
    alt.LayerChart.from_dict(spec)
    used = {each["data"]["name"] for each in spec["layer"]}
    assert used == set(frames)
    for layer in spec["layer"]:
        columns = frames[layer["data"]["name"]].columns
        columns = [*columns, *(each["as"] for each in layer.get("transform", []) if "as" in each)]
        for channel in layer["encoding"].values():
            for each in channel if isinstance(channel, list) else [channel]:
                assert each.get("field", columns[0]) in columns


def role_of(layer):
    return next(each["calculate"].strip("'") for each in layer["transform"] if "as" in each)


def curve(shift=0.0):
    km = np.array([0.5, 1, 5, 25, 70, 200, 387, 750, 1369, 2500, 7000, 20_000])
    value = np.linspace(0.05, 0.95, len(km)) + shift
    return pd.DataFrame(
        {"distance_km": km, "value": value, "low": value - 0.02, "high": value + 0.02}
    )


def thresholds():
    names = ["street", "city", "region", "country", "continent"]
    value = [0.04, 0.3, 0.45, 0.6, 0.85]
    return pd.DataFrame(
        {
            "name": names,
            "threshold_km": [1, 25, 200, 750, 2500],
            "value": value,
            "low": [each - 0.03 for each in value],
            "high": [each + 0.03 for each in value],
            "n": 2997,
            "ceiling": [0.1, None, 0.8, 0.95, 1.0],
        }
    )


def continents(**columns):
    frame = pd.DataFrame({"continent": ["Europe", "Asia", "Oceania"], "n": [60, 40, 29]})
    for name in ("country", "city", "hierarchical"):
        frame[name] = [0.75, 0.5, 0.25]
        frame[f"{name}_low"], frame[f"{name}_high"] = frame[name] - 0.1, frame[name] + 0.1
    return frame.assign(geoscore=[4000.4, 3000.0, math.nan], **columns)


def test_the_curve_has_its_band_its_thresholds_and_its_ceilings(drawn):
    distance_curve.distance_curve(curve(), thresholds())
    band, rows = drawn.layer("distance_curve", "area")
    assert (band["encoding"]["y"]["field"], band["encoding"]["y2"]["field"]) == ("low", "high")
    assert rows["low"].tolist() == pytest.approx((100 * (curve()["value"] - 0.02)).tolist())
    points, rows = drawn.layer("distance_curve", "point")
    assert points["encoding"]["x"]["scale"]["type"] == "log"
    assert rows["value"].tolist() == pytest.approx([4, 30, 45, 60, 85])
    _, ticks = drawn.layer("distance_curve", "tick")
    assert ticks["ceiling"].tolist() == [10, 80, 95, 100]  # one is not known
    assert (
        len(
            [
                each
                for each in drawn.charts["distance_curve"]["layer"]
                if each["mark"]["type"] == "line"
            ]
        )
        == 1
    )


def test_each_threshold_has_its_share_beside_its_point_once(drawn):
    distance_curve.distance_curve(curve(), thresholds())
    layers = [
        each
        for each in drawn.charts["distance_curve"]["layer"]
        if each["encoding"].get("text", {}).get("field") == "label"
    ]
    labels = [label for each in layers for label in drawn.rows("distance_curve", each)["label"]]
    assert sorted(labels) == sorted(
        f"{share}\u00a0%" for share in ("4.0", "30.0", "45.0", "60.0", "85.0")
    )


@pytest.mark.parametrize(("shift", "side"), [(-0.04, 1), (0.04, -1)])
def test_the_baseline_is_a_second_line_named_on_its_own_side(drawn, shift, side):
    other = curve(shift)
    other.loc[other["distance_km"] == 387, "value"] += shift  # farthest apart here
    distance_curve.distance_curve(curve(), thresholds(), baseline=other)
    line, rows = drawn.layer("distance_curve", "line", 0)
    assert role_of(line) == "muted"
    assert rows["value"].tolist() == pytest.approx((100 * other["value"]).tolist())
    label, rows = next(
        (each, drawn.rows("distance_curve", each))
        for each in drawn.charts["distance_curve"]["layer"]
        if each["encoding"].get("text", {}).get("field") == "text"
    )
    assert rows["distance_km"].tolist() == [387.0]
    assert np.sign(label["mark"]["dy"]) == side  # below the line if it lies below the run's
    assert "the baseline" in "".join(drawn.html)


def test_published_figures_are_marked_at_their_thresholds(drawn):
    distance_curve.distance_curve(curve(), thresholds(), published=benchmark_of("im2gps3k", 2997))
    marks, rows = drawn.layer("distance_curve", "point", 1)
    assert marks["encoding"]["shape"]["field"] == "model"
    found = rows.set_index(["model", "threshold_km"])["value"]
    assert found["StreetCLIP", 25] == pytest.approx(22.4)
    assert found["CLIP", 2500] == pytest.approx(78.1)
    assert len(rows) == 8
    assert "as published" in "".join(drawn.html)


def test_the_table_of_published_figures_puts_each_beside_ours(drawn):
    distance_curve.published_table(thresholds(), benchmark_of("im2gps", 237))
    table = drawn.tables[0]
    assert table["threshold_km"].tolist() == [25, 200, 750, 2500]
    assert table["value"].round(1).tolist() == [30, 45, 60, 85]
    assert table["StreetCLIP"].round(1).tolist() == [28.3, 45.1, 74.7, 88.2]
    assert table["CLIP"].round(1).tolist() == [27.0, 42.2, 71.7, 86.9]


def test_continents_are_bars_from_zero_in_their_order_and_colour(drawn):
    share_bars.continent_bars(continents())
    bar, rows = drawn.layer("continent_bars", "bar")
    assert bar["encoding"]["x"]["scale"]["domain"] == [0, 100]
    assert bar["encoding"]["y"]["sort"] is None  # the order of the rows
    assert rows["continent"].tolist() == ["Europe", "Asia", "Oceania"]
    colours = dict(
        zip(
            bar["encoding"]["fill"]["scale"]["domain"],
            bar["encoding"]["fill"]["scale"]["range"],
            strict=True,
        )
    )
    assert colours["Asia"] == theme.CONTINENT_COLOURS["Asia"]
    assert drawn.alts["continent_bars"].startswith(
        "Country accuracy by true continent: Europe 75.0 % of 60,"
    )


def test_few_images_are_pale_and_dashed_and_said_to_be(drawn):
    share_bars.continent_bars(continents())
    dashed, rows = drawn.layer("continent_bars", "bar", 1)
    assert rows["continent"].tolist() == ["Oceania"]
    assert dashed["mark"]["strokeDash"]
    assert "fewer than 30 images" in "".join(drawn.html)


def test_the_baseline_of_a_continent_is_a_tick_where_it_is_known(drawn):
    share_bars.continent_bars(continents(baseline=[0.7, math.nan, 0.5]))
    _, rows = drawn.layer("continent_bars", "tick")
    assert rows[["continent", "baseline"]].to_numpy().tolist() == [["Europe", 70], ["Oceania", 50]]
    assert "Tick: the baseline." in "".join(drawn.html)
    assert drawn.tables[0]["baseline"].tolist()[0] == 70


def test_the_bar_of_outcomes_is_cut_in_proportion(drawn):
    baseline_changes.outcome_bar({"both_wrong": 10, "gained": 25, "lost": 5, "both_right": 60})
    segments = pd.concat([drawn.layer("outcome_bar", "rect", i)[1] for i in (0, 1)])
    found = segments.set_index("name")
    assert found["start"].to_dict() == pytest.approx(
        {"both right": 0, "gained": 0.6, "lost": 0.85, "both wrong": 0.9}
    )
    assert found["stop"].to_dict() == pytest.approx(
        {"both right": 0.6, "gained": 0.85, "lost": 0.9, "both wrong": 1}
    )
    assert found["role"].to_dict() == {
        "both right": "right",
        "gained": "right",
        "lost": "wrong",
        "both wrong": "wrong",
    }
    assert found.loc["both right", "opacity"] < found.loc["gained", "opacity"] == 1
    assert "lost 5 (5.0 %)" in drawn.alts["outcome_bar"]


def test_a_bar_of_no_images_is_empty(drawn):
    baseline_changes.outcome_bar(dict.fromkeys(baseline_changes.OUTCOMES, 0))
    _, rows = drawn.layer("outcome_bar", "rect")
    assert (rows["start"] == rows["stop"]).all()


def test_countries_that_changed_most_are_those_with_most_images_gained_and_lost(drawn):
    countries = pd.DataFrame(
        [("FR", 90, 30, 2), ("JP", 5, 5, 0), ("NZ", 80, 1, 40), ("ZA", 9, 2, 2), ("BR", 40, 9, 1)],
        columns=["country", "n", "gained", "lost"],
    )
    countries["difference"] = (countries["gained"] - countries["lost"]) / countries["n"]
    countries["low"], countries["high"] = (
        countries["difference"] - 0.1,
        countries["difference"] + 0.1,
    )
    baseline_changes.changed_countries(countries, top=2, key="k", on_click=lambda code: None)
    gained, lost = drawn.tables
    assert gained["country"].tolist() == ["France", "Brazil"]  # +28 and +8; Japan's +5 is fewer
    assert gained["net"].tolist() == ["+28", "+8"]
    assert lost["country"].tolist() == ["New Zealand"]
    assert lost["net"].tolist() == ["−39"]
    assert lost["interval"].tolist() == ["−58.8 to −38.7"]


def place_rows(n_groups, **columns):
    share = np.linspace(0.9, 0.1, n_groups)
    return pd.DataFrame(
        {
            "country": "FR",
            "region": [f"R{i}" for i in range(n_groups)],
            "n": [20 + i for i in range(n_groups)],
            "value": share,
            "low": share - 0.05,
            "high": share + 0.05,
            "ceiling": 1.0,
            "errors": 1,
            "median_km": 10.0,
            "top_mistake": "DE",
            "top_share": 0.1,
        }
    ).assign(**columns)


def test_only_the_first_twenty_of_a_ranking_are_bars_and_it_is_said(drawn):
    group_bars.bars(group_bars.named(place_rows(23)), "country")
    _, rows = drawn.layer("place_bars", "bar")
    assert rows["name"].tolist() == [f"R{i}" for i in range(20)]
    assert "The first 20 of 23." in "".join(drawn.html)


def test_medians_are_points_on_a_log_axis_with_their_interval(drawn):
    rows = place_rows(
        3, value=[0.2, 300.0, math.inf], low=[0.0, 250.0, 900.0], high=[1.0, 400.0, math.inf]
    )
    rows.loc[0, "n"] = 30
    group_bars.bars(group_bars.named(rows), "median")
    point, firm = drawn.layer("place_bars", "point", 0)
    assert (point["mark"]["filled"], firm["name"].tolist()) == (True, ["R0"])
    hollow, few = drawn.layer("place_bars", "point", 1)
    assert not hollow["mark"]["filled"]
    found = pd.concat([firm, few])
    assert point["encoding"]["x"]["scale"]["type"] == "log"
    assert found["value"].tolist() == [1, 300, 20_000]  # within the axis
    assert found["label"].tolist()[2].startswith("∞")
    assert found["interval"].tolist() == ["0.0–1.0", "250–400", "900–∞"]


def test_names_are_distinct_even_where_places_share_theirs():
    rows = pd.DataFrame(
        {
            "continent": ["North America", "North America", "Europe", "North America"],
            "country": ["US", "CA", "GB", "US"],
            "region": ["Ohio", "Ontario", "", "Ohio"],
            "city": ["London", "London", "London", "London"],
            "n": 1,
        }
    )
    names = group_bars.named(rows)["name"].tolist()
    assert len(set(names)) == 4
    assert names[1] == "London, Ontario, Canada, North America"
    assert names[3] == f"{names[0]} (2)"


def test_names_of_files_are_texts_of_one_line_and_blank_ones_are_said():
    rows = pd.DataFrame({"attribute": [HOSTILE, "", "a\nb\u202ec", "x" * 500], "n": 1})
    names = group_bars.named(rows)["name"].tolist()
    assert names[:3] == [HOSTILE, "(blank)", "a·bc"]
    assert len(names[3]) <= 60


def test_the_table_marks_few_images_and_names_the_mistake(drawn):
    group_bars.table(
        group_bars.named(place_rows(12)), "country", key="k", title="region", on_pick=print
    )
    table = drawn.tables[0]
    assert table["few"].tolist() == ["n < 30"] * 10 + [""] * 2
    assert table["mistake"].tolist() == ["Germany, 10.0\u00a0%"] * 12
    assert table["value"].tolist()[0] == pytest.approx(90)


def test_an_infinite_median_is_none_in_a_table_of_numbers(drawn):
    rows = place_rows(2, median_km=[math.inf, 12.34])
    group_bars.table(group_bars.named(rows), "city", key="k", title="region", on_pick=print)
    assert drawn.tables[0]["median"].isna().tolist() == [True, False]


def test_frames_are_named_by_what_they_hold(drawn):
    def names(frame):
        return set(vega.specification([vega.layer(frame, "bar")], 100)["datasets"])

    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "view_1"]})
    assert names(frame) == names(frame.copy())
    assert names(frame) != names(frame.assign(b=["x", "view_2"]))
    assert names(frame) != names(frame.assign(a=[1.0, 2.5]))
    assert names(frame) != names(frame.rename(columns={"a": "c"}))


def test_a_layer_without_rows_is_left_out_unless_it_takes_clicks():
    rows = pd.DataFrame({"x": [1.0]})
    none = rows.iloc[:0]
    layers = [
        vega.layer(rows, "bar", x=vega.quantity("x")),
        vega.layer(none, "rule", x=vega.quantity("x")),
        vega.layer(none, "point", x=vega.quantity("x")) | {"params": [{"name": "picked"}]},
    ]
    drawn = vega.specification(layers, 100)["layer"]
    assert [each["mark"]["type"] for each in drawn] == ["bar", "point"]
