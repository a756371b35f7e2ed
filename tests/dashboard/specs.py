"""Charts as they are handed to Streamlit: their layers, rows and colours, and their validity."""

import json

import altair as alt
import pandas as pd
import streamlit as st


def words_of(proto):
    """What a drawn chart says to a screen reader, spaces made plain."""
    assert not proto.alt  # Streamlit would repeat it in the name of each button of the chart
    return json.loads(proto.spec)["description"].replace("\u00a0", " ")


def layers_of(spec, kind):
    """The layers of a mark that are drawn."""
    return [
        each
        for each in spec["layer"]
        if each["mark"]["type"] == kind and each["mark"].get("size") != 0
    ]


def rows_of(spec, layer):
    """The rows that a layer draws."""
    frame = spec["datasets"][layer["data"]["name"]]
    for each in layer.get("transform", []):
        if "filter" in each:
            frame = frame[[_holds(each["filter"], row) for row in frame.to_dict("records")]]
    return frame


def _holds(expression, row):
    """The few expressions that our layers filter by, in Python."""
    words = expression.replace("datum.", "row_").replace("!(", "not (")
    words = words.replace("isValid(", "valid(")
    names = {f"row_{name}": value for name, value in row.items()}
    return eval(words, {"valid": lambda x: x is not None and not pd.isna(x)}, names)


def role_of(layer):
    """The role of `theme.ROLES` that a layer is coloured by."""
    return layer["encoding"]["color"]["value"]["expr"].split("'")[3]


def assert_valid(spec):
    """Against the schema that Altair ships; an unknown property, value or column fails."""
    for each in spec["layer"]:
        channels = each["encoding"].values()
        has_words = any(isinstance(of, list) or "field" in of for of in channels)
        may_be_empty = "transform" in each and each["mark"]["type"] != "text"
        # Without words or rows, a screen reader would find a mark without a name.
        assert (has_words and not may_be_empty) or each["mark"].get("aria") is False
    frames = spec.get("datasets", {})
    datasets = {name: json.loads(rows.to_json(orient="records")) for name, rows in frames.items()}
    alt.LayerChart.from_dict({**spec, "datasets": datasets})
    for layer in spec["layer"]:
        rows = frames.get(layer["data"].get("name"))
        if rows is None:
            continue
        columns = [*rows, *(each["as"] for each in layer.get("transform", []) if "as" in each)]
        for channel in layer["encoding"].values():
            for each in channel if isinstance(channel, list) else [channel]:
                assert each.get("field", columns[0]) in columns


class Drawn:
    """What was handed to Streamlit: charts, tables and texts, and a way to click on them."""

    def __init__(self, monkeypatch):
        self.charts, self.alts, self.on_selects = {}, {}, {}
        self.tables, self.html = {}, []
        monkeypatch.setattr(st, "vega_lite_chart", self._chart)
        monkeypatch.setattr(st, "dataframe", self._table)
        monkeypatch.setattr(st, "html", lambda body, **_: self.html.append(body))
        monkeypatch.setattr(st, "session_state", {})

    def _chart(self, spec, *, key, on_select, **_):
        assert_valid(spec)
        self.charts[key], self.alts[key] = spec, spec["description"].replace("\u00a0", " ")
        self.on_selects[key] = on_select

    def _table(self, frame, *, key="", on_select=None, **settings):
        self.tables[key or f"table {len(self.tables)}"] = (frame, settings, on_select)

    def only(self, kind):
        """The one chart or table that was drawn."""
        (found,) = getattr(self, kind).values()
        return found

    def layer(self, key, kind, position=0):
        """The n-th layer of a mark, with its rows."""
        found = layers_of(self.charts[key], kind)[position]
        return found, rows_of(self.charts[key], found)

    @property
    def text(self):
        return "".join(self.html)

    def click_mark(self, **fields):
        ((key, on_select),) = self.on_selects.items()
        st.session_state[key] = {"selection": {"picked": [fields] if fields else []}}
        on_select()

    def click_row(self, row):
        ((key, (_, _, on_select)),) = self.tables.items()
        st.session_state[key] = {"selection": {"rows": [] if row is None else [row]}}
        on_select()
