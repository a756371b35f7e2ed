"""Compare: what a run has right that another one over the same images has not."""

from dataclasses import replace

import streamlit as st

from dashboard import formats, judgement, loaders, page, state
from dashboard.components import album, changes, controls, curves, figures, markup, outcomes
from dashboard.view import View

_LEVELS = {"country": "Country", "city": "City"}
_DELTA = "delta"
_PAGE_SIZE = 8


def render() -> None:
    """Draw the page."""
    page.show("Compare", _body)


def _body(view: View) -> None:
    everything = view.but(country=None, region=None, city=None)
    if page.is_empty(everything) or _lacks_baseline(view):
        return
    level = state.own("level", list(_LEVELS), "country")
    num_common = judgement.comparison(everything, level).n
    _line(view, num_common, loaders.num_selected(everything))
    if not num_common:
        return
    is_empty = page.is_empty(view)
    if not is_empty:
        _differences(view)
    controls.segmented("Level", "level", _LEVELS, "country")
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _by_country(view, everything, level)
    with right:
        if not is_empty:
            _images(view, level)
    if not is_empty:
        _distances(view)


def _lacks_baseline(view: View) -> bool:
    """Whether there is no run to compare with; one is chosen where the URL names none."""
    if view.baseline_id is not None:
        return False
    rival = judgement.rival(view)
    if rival is None:
        markup.notice(
            "Nothing to compare with",
            "This store holds no other run over the same images. Evaluate another checkpoint on "
            "the same test file, or choose any run as the baseline in the sidebar:",
        )
        st.code(
            "python main.py --mode evaluate --test_csv data/test.csv --image_dir data/images "
            "--checkpoint_path geolocal/StreetCLIP",
            language=None,
            wrap_lines=True,
        )
    elif st.query_params.get(state.BASELINE) in (None, str(view.run_id)):
        st.query_params[state.BASELINE] = str(rival)
        st.rerun()
    else:
        markup.notice("No baseline", "Choose a run to compare with in the sidebar.")
        st.button(
            f"Compare with run {rival}",
            on_click=lambda: state.change(**{state.BASELINE: str(rival)}),
        )
    return True


def _line(view: View, num_common: int, num_chosen: int) -> None:
    name = markup.tag("strong", markup.name(loaders.details(view.of_baseline())["name"]))
    common, chosen = formats.count(num_common), formats.count(num_chosen)
    what = f", over the {common} of {chosen} images that both runs have."
    if not num_common:
        what = " cannot be compared: it has none of these images. Choose another baseline."
    elif num_common == num_chosen:
        what = f", over the same {common} images."
    markup.draw(markup.tag("p", "Against baseline ", name, what, css="sc-line"))


def _differences(view: View) -> None:
    names = ("country", "city", "hierarchical")
    for column, name in zip(st.columns(len(names), gap="small"), names, strict=True):
        with column:
            outcomes.figure(name, judgement.comparison(view, name))
    figures.selection_remark(view.selection)


def _images(view: View, level: str) -> None:
    st.header("Gained and lost", anchor=False)
    counted = judgement.comparison(view, level).outcomes
    chosen = state.own(_DELTA, list(changes.OUTCOMES), "gained")
    outcomes.bar(counted, chosen, lambda outcome: state.change(**{_DELTA: outcome}))
    last = max(1, -(-counted[chosen] // _PAGE_SIZE))
    number = min(state.own_number("page"), last)
    image_ids, total = judgement.outcome_images(view, level, chosen, number, _PAGE_SIZE)
    album.few(
        view,
        image_ids,
        total,
        key="outcome_images",
        words=f"{changes.OUTCOMES[chosen]}, most sure first",
        beside=judgement.predictions_of_baseline(view, image_ids),
    )
    if last > 1:
        _pager(number, last)


def _pager(number: int, last: int) -> None:
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for words, to in (("Previous", number - 1), ("Next", number + 1)):
            st.button(
                words,
                key=f"outcome_{words.lower()}",
                disabled=not 1 <= to <= last,
                on_click=lambda to=to: state.change(page=None if to == 1 else str(to)),
            )
        markup.remark(f"Page {formats.progress(number, last)}")


def _by_country(view: View, everything: View, level: str) -> None:
    st.header("Difference by true country", anchor=False)
    frame = judgement.comparison_by_country(everything, level)

    def pick(code: str | None) -> None:
        chosen = replace(view.selection, country=code, region=None, city=None)
        state.change_filters(chosen, view.defaults)

    outcomes.countries(frame, level, view.selection.country, pick)


def _distances(view: View) -> None:
    found = judgement.distances(view)
    st.header("Distances", anchor=False)
    left, right = st.columns(2, gap="medium")
    with left:
        thresholds = outcomes.thresholds(found.by_threshold)
        curves.distance_curve(found.curve, thresholds, baseline=found.baseline_curve)
    with right:
        first, second = st.columns(2, gap="small")
        with first:
            outcomes.figure("geoscore", judgement.comparison(view, "geoscore"))
        with second:
            outcomes.medians(found.median_km, found.baseline_median_km)
        outcomes.distances(found.by_threshold)
