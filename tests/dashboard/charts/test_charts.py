"""What the charts are made of: valid Vega-Lite, marks in their places, texts beside them."""

import math

import altair as alt
import jsonschema
import numpy as np
import pandas as pd
import pytest

from dashboard.charts import baseline_changes, distance_curve, share_bars
from dashboard.charts.chart_json import specification
from dashboard.shell import theme
from dashboard.views.accuracy import group_bars
from streetclip.metrics.published import benchmark_of
from tests.dashboard.specs import Drawn, assert_valid, layers_of, role_of, rows_of

HOSTILE = '<img src=x> ![a](https://x.example) "view_1"'


@pytest.fixture
def drawn(monkeypatch):
    return Drawn(monkeypatch)


def table(drawn, position=0):
    return list(drawn.tables.values())[position][0]


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
    assert len(layers_of(drawn.charts["distance_curve"], "line")) == 1


def test_each_threshold_has_its_share_beside_its_point_once(drawn):
    distance_curve.distance_curve(curve(), thresholds())
    spec = drawn.charts["distance_curve"]
    layers = [
        each for each in layers_of(spec, "text") if each["encoding"]["text"]["field"] == "label"
    ]
    labels = [label for each in layers for label in rows_of(spec, each)["label"]]
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
    spec = drawn.charts["distance_curve"]
    label = next(e for e in layers_of(spec, "text") if e["encoding"]["text"]["field"] == "text")
    assert rows_of(spec, label)["distance_km"].tolist() == [387.0]
    assert np.sign(label["mark"]["dy"]) == side  # below the line if it lies below the run's
    assert "the baseline" in drawn.text


def test_published_figures_are_marked_at_their_thresholds(drawn):
    distance_curve.distance_curve(curve(), thresholds(), published=benchmark_of("im2gps3k", 2997))
    marks, rows = drawn.layer("distance_curve", "point", 1)
    assert marks["encoding"]["shape"]["field"] == "model"
    found = rows.set_index(["model", "threshold_km"])["value"]
    assert found["StreetCLIP", 25] == pytest.approx(22.4)
    assert found["CLIP", 2500] == pytest.approx(78.1)
    assert len(rows) == 8
    assert "as published" in drawn.text


def test_the_table_of_published_figures_puts_each_beside_ours(drawn):
    distance_curve.published_table(thresholds(), benchmark_of("im2gps", 237))
    shown = table(drawn)
    assert shown["threshold_km"].tolist() == [25, 200, 750, 2500]
    assert shown["value"].round(1).tolist() == [30, 45, 60, 85]
    assert shown["StreetCLIP"].round(1).tolist() == [28.3, 45.1, 74.7, 88.2]
    assert shown["CLIP"].round(1).tolist() == [27.0, 42.2, 71.7, 86.9]


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
    assert "fewer than 30 images" in drawn.text


def test_the_baseline_of_a_continent_is_a_tick_where_it_is_known(drawn):
    share_bars.continent_bars(continents(baseline=[0.7, math.nan, 0.5]))
    _, rows = drawn.layer("continent_bars", "tick")
    assert rows[["continent", "baseline"]].to_numpy().tolist() == [["Europe", 70], ["Oceania", 50]]
    assert "Tick: the baseline." in drawn.text
    assert table(drawn)["baseline"].tolist()[0] == 70


def test_the_bar_of_outcomes_is_cut_in_proportion(drawn):
    baseline_changes.outcome_bar({"both_wrong": 10, "gained": 25, "lost": 5, "both_right": 60})
    bar, segments = drawn.layer("outcome_bar", "rect")
    assert bar["encoding"]["color"]["field"] == "role"
    found = segments.set_index("name")
    assert found["start"].to_dict() == pytest.approx(
        {"both correct": 0, "gained": 0.6, "lost": 0.85, "both wrong": 0.9}
    )
    assert found["stop"].to_dict() == pytest.approx(
        {"both correct": 0.6, "gained": 0.85, "lost": 0.9, "both wrong": 1}
    )
    assert found["role"].to_dict() == {
        "both correct": "correct",
        "gained": "correct",
        "lost": "wrong",
        "both wrong": "wrong",
    }
    assert found.loc["both correct", "opacity"] < found.loc["gained", "opacity"] == 1
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
    gained, lost = table(drawn, 0), table(drawn, 1)
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


def test_twenty_groups_of_a_ranking_are_bars_the_worst_among_them(drawn):
    group_bars.bars(group_bars.named(place_rows(23)), "country")
    _, rows = drawn.layer("place_bars", "bar")
    assert rows["name"].tolist() == [f"R{i}" for i in (*range(15), *range(18, 23))]
    assert "20 of 23 in order, the 5 worst included." in drawn.text


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
    shown = table(drawn)
    assert shown["few"].tolist() == ["n < 30"] * 10 + [""] * 2
    assert shown["mistake"].tolist() == ["Germany, 10.0\u00a0%"] * 12
    assert shown["value"].tolist()[0] == pytest.approx(90)


def test_an_infinite_median_is_none_in_a_table_of_numbers(drawn):
    rows = place_rows(2, median_km=[math.inf, 12.34])
    group_bars.table(group_bars.named(rows), "city", key="k", title="region", on_pick=print)
    assert table(drawn)["median_km"].isna().tolist() == [True, False]


def bar_of(frame):
    return alt.Chart(frame).mark_bar().encode(alt.X("a:Q"))


def test_frames_are_named_by_what_they_hold():
    def names(frame):
        return set(specification([bar_of(frame)])["datasets"])

    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "view_1"]})
    assert names(frame) == names(frame.copy())
    assert names(frame) != names(frame.assign(b=["x", "view_2"]))
    assert names(frame) != names(frame.assign(a=[1.0, 2.5]))
    assert names(frame) != names(frame.rename(columns={"a": "c"}))


def test_a_chart_without_rows_is_left_out_unless_it_takes_clicks():
    rows = pd.DataFrame({"a": [1.0]})
    none = rows.iloc[:0]
    click = alt.selection_point("picked", fields=["a"])
    layers = [bar_of(rows), bar_of(none).mark_rule(), bar_of(none).mark_point().add_params(click)]
    drawn = specification(layers)["layer"]
    assert [each["mark"]["type"] for each in drawn] == ["bar", "point"]


def test_a_specification_is_that_of_altair_with_the_frames_by_name():
    first, second = (pd.DataFrame({"a": [1.0, shift], "b": ["x", "y"]}) for shift in (2, 3))
    layers = [
        alt.Chart(first)
        .transform_filter("datum.a > 1")
        .mark_bar(height=alt.RelativeBandSize(band=0.5))
        .encode(
            alt.X("a:Q", title="a", scale=alt.Scale(domain=[0, np.int64(9)], nice=False)),
            alt.X2("max(a):Q"),
            alt.Y("b:O", sort=None, axis=alt.Axis(values=(1, 2), labelLimit=np.float64(3.5))),
            alt.ColorValue(alt.ExprRef("scale('color', 'ink')")),
            tooltip=[alt.Tooltip("b:N", title="b")],
        ),
        alt.Chart(second).mark_point().encode(alt.X("a:Q"), alt.YDatum(0)),
        alt.Chart(alt.InlineData([{"a": 1}])).mark_rule().encode(alt.X("a:Q")),
    ]
    projection = alt.Projection(type="equalEarth", rotate=[-11, 0, 0])
    found = specification(layers, height=300, projection=projection)
    expected = alt.layer(*layers, height=300, projection=projection).to_dict()
    rows = expected.pop("datasets")
    assert [frame.to_dict("records") for frame in found.pop("datasets").values()] == [
        rows[each["data"]["name"]] for each in expected["layer"][:2]
    ]
    inline = expected["layer"][2]["data"]
    assert rows[inline["name"]] == found["layer"][2]["data"]["values"]
    for each in (*found["layer"], *expected["layer"]):
        each.pop("data")
    assert found == expected
    assert found["config"]["axis"]["labelColor"]["expr"] == "scale('color', 'muted')"


def test_a_channel_without_a_type_is_refused():
    with pytest.raises(ValueError, match="as in 'km:Q'"):
        specification([alt.Chart(pd.DataFrame({"a": [1]})).mark_bar().encode(alt.X("a"))])


def test_the_validation_of_these_tests_finds_faults():
    chart = alt.Chart(pd.DataFrame({"a": [1.0]})).mark_bar()
    assert_valid(specification([chart.encode(alt.X("a:Q"))]))
    with pytest.raises(AssertionError):
        assert_valid(specification([chart.encode(alt.X("b:Q"))]))
    with pytest.raises(jsonschema.ValidationError):
        assert_valid(specification([chart.encode(alt.X("a:Q", titel="a"))]))
