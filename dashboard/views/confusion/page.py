"""Confusion: the countries taken for others, and the images of each cell."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from dashboard.images import gallery_view
from dashboard.queries import comparisons
from dashboard.shell import formats, html, theme, url_state, url_widgets
from dashboard.shell.page_query import View
from dashboard.views import frame
from dashboard.views.confusion import confused_pairs, confusion_heatmap
from dashboard.views.confusion.confusion_heatmap import Matrix, Pick, Style
from streetclip.gazetteer import CONTINENTS

_LEVELS = {"country": "Country", "continent": "Continent"}
_TOPS = {str(number): str(number) for number in (10, 20, 30, 40)}
_NORMS = {"row": "Row %", "column": "Column %", "count": "Count"}
_ORDERS = {"continent": "Continent", "similarity": "Similarity"}
_DIAGONALS = {"apart": "Grey", "coloured": "On scale"}
_TOWARDS = "to"
_MOST_PAIRS = 12
_MOST_ONE_SIDED = 100
_NUM_IMAGES = 8


def render() -> None:
    """Draw the page."""
    frame.show("Confusion", _body)


def _body(view: View) -> None:
    everything = view.around("country", "predicted")
    if frame.is_empty(everything):
        return
    level, top, order = _choices()
    if level == "continent":
        _continents(view, everything.but(continent=None))
    else:
        _countries(view, everything, top, order)
    _one_sided(view, everything)
    st.header("Neighbours and far mistakes", anchor=False)
    found, against_chance = comparisons.nearness(everything)
    if len(found) and found["n"].sum():
        confused_pairs.nearness(found, against_chance)
    else:
        html.remark("There is no mistake among these images.")


def _chosen(view: View) -> tuple[str | None, str | None]:
    """Return the true and the predicted country of the chosen cell; None for any or several."""
    return view.selection.only("country"), view.selection.only("predicted")


def _choices() -> tuple[str, int, str]:
    """Draw the choices; return level, number of countries and order."""
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        level = url_widgets.segmented("Level", "level", _LEVELS, "country")
        top, order = "20", "continent"
        if level == "country":
            top = url_widgets.segmented("Most confused countries", "top", _TOPS, "20")
            order = url_widgets.segmented("Order", "order", _ORDERS, "continent")
        url_widgets.segmented("Colour by", "norm", _NORMS, "row")
        url_widgets.segmented("Correct predictions", "diagonal", _DIAGONALS, "apart")
    return level, int(top), order


def _style(unit: str, chosen: tuple[str | None, str | None]) -> Style:
    norm = url_state.page_option("norm", list(_NORMS), "row")
    diagonal = url_state.page_option("diagonal", list(_DIAGONALS), "apart")
    return Style(norm=norm, is_diagonal_coloured=diagonal == "coloured", chosen=chosen, unit=unit)


def _countries(view: View, everything: View, top: int, order: str) -> None:
    towards = st.query_params.get(_TOWARDS)
    towards = towards if towards in CONTINENTS else None
    if towards is not None:
        st.button(
            f"Predicted countries of {towards}",
            icon=":material/close:",
            icon_position="right",
            help="Show predicted countries of all continents",
            on_click=lambda: url_state.change(**{_TOWARDS: None}),
        )
    shown = Matrix.of(
        comparisons.confusion_matrix(everything, "country", top, order, towards),
        comparisons.continents(everything),
        is_square=towards is None,
    )
    style = _style("country", _chosen(view))
    pick = partial(_pick_countries, view)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        confusion_heatmap.draw(shown, style, key="confusion_matrix", on_pick=pick)
        with st.expander("Table: all cells of the matrix", key="confusion_table"):
            confused_pairs.cells(shown, style, key="confusion_cells", on_pick=pick)
    with right:
        _mistakes(view, shown, style, pick)


def _pick_countries(view: View, true: str | None, predicted: str | None) -> None:
    """Filter by a cell; a second click clears the filter."""
    is_again = (true, predicted) == _chosen(view)
    cell = (None, None) if is_again else (true, predicted)
    changed = view.but(country=cell[0], predicted=cell[1], region=None, city=None)
    url_state.change_filters(changed.selection, view.defaults)


def _mistakes(view: View, shown: Matrix, style: Style, pick: Pick) -> None:
    """Draw the most frequent mistakes, and under them the images of the chosen cell."""
    st.header("Most frequent mistakes", anchor=False)
    confused_pairs.cells(shown, style, key="confused_most", on_pick=pick, most=_MOST_PAIRS)
    if style.chosen == (None, None):
        html.remark("Click a cell or a row to see its images here.")
        return
    ends = (_end(view.selection.of(name)) for name in ("country", "predicted"))
    st.header(formats.markdown(" → ".join(ends)), anchor=False)
    if not frame.is_empty(view):
        gallery_view.preview(view, key="confused_images", size=_NUM_IMAGES)


def _end(codes: Sequence[str]) -> str:
    """Name the countries at one end of the chosen mistakes."""
    if len(codes) == 1:
        return formats.country(codes[0])
    return f"{formats.count(len(codes))} countries" if codes else "any country"


def _continents(view: View, everything: View) -> None:
    shown = Matrix.of(
        comparisons.confusion_matrix(everything, "continent", 0, "continent", None), {}
    )
    style = _style("continent", (view.selection.continent, st.query_params.get(_TOWARDS)))
    pick = partial(_pick_continents, view)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        confusion_heatmap.draw(shown, style, key="continent_matrix", on_pick=pick)
        html.remark("Click a cell to see the countries in it.")
    with right:
        st.header("Most frequent mistakes", anchor=False)
        confused_pairs.cells(shown, style, key="continent_cells", on_pick=pick)


def _pick_continents(view: View, true: str | None, predicted: str | None) -> None:
    """Filter by the countries of a cell."""
    no_prediction = None if predicted else ""
    below = view.but(continent=true, country=None, region=None, city=None, predicted=no_prediction)
    more: dict[str, str | None] = {"level": None, _TOWARDS: predicted or None}
    url_state.change_filters(below.selection, view.defaults, **more)


def _one_sided(view: View, everything: View) -> None:
    st.header("One-sided confusions", anchor=False)
    pairs = comparisons.asymmetric_pairs(everything)
    pairs = pairs[(pairs["n"] >= theme.SMALL_N) & (pairs["other_n"] >= theme.SMALL_N)]
    clear = pairs[pairs["low"] > 0]
    compared = (
        f"Compared: the {formats.count(len(pairs))} pairs that are confused at all and have "
        f"{theme.SMALL_N} images or more on either side."
    )
    if clear.empty:
        html.remark(f"{compared} None is significant: every interval of the difference contains 0.")
        return
    first = f"first {_MOST_ONE_SIDED} of " if len(clear) > _MOST_ONE_SIDED else ""
    html.remark(
        "Images of country A are placed in B more often than images of B in A, by shares, as a "
        f"country with more images has more of every mistake; most certain first. {compared} "
        f"{first}{formats.count(len(clear))} of {formats.count(len(pairs))} pairs listed; about "
        f"{formats.count(len(pairs) / 40)} expected by chance. Interval: Newcombe 95 %."
    )
    chosen = _chosen(view)
    confused_pairs.asymmetric(
        clear.head(_MOST_ONE_SIDED), chosen, on_pick=partial(_pick_countries, view)
    )
