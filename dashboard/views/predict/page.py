"""Draw the Predict page: photos dropped in, and where a model places them; nothing is kept."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import streamlit as st

from dashboard.images import dropped_photos
from dashboard.images.dropped_photos import MOST_MEGABYTES, MOST_PHOTOS, Dropped
from dashboard.queries.known_models import KnownModel, known_models
from dashboard.shell import formats, html, links, url_widgets
from dashboard.views import frame
from dashboard.views.jobs import allowed_paths
from dashboard.views.predict import photo_cards
from streetclip.config import DEFAULT_CANDIDATES
from streetclip.progress import Progress
from streetclip.runtime import Roots

_MODEL: Final = "model"
_CANDIDATES: Final = "candidates"
_KEPT: Final = "dropped_photos"  # in the session, which ends with the tab
_STAGES: Final = {"prompts": "Encoding the candidates", "predict": "Predicting"}


def render() -> None:
    """Draw the page."""
    frame.frame("Predict", _body)


def _body(path: Path) -> None:
    html.notice(
        "A prediction is a guess",
        "It may be wrong by a continent, however high its probability. Do not use it to locate or "
        "follow people, nor on photos that you may not use.",
    )
    options = allowed_paths.job_options(path)
    if not options.may_start:
        allowed_paths.refusal("No predictions from here")
        return
    roots = options.roots
    models = [each for each in known_models(path) if _is_here(roots, each.source)]
    lists = [each.candidates for each in models] + [str(DEFAULT_CANDIDATES)]
    lists = [each for each in dict.fromkeys(lists) if each and _is_file(roots, each)]
    if not models or not lists:
        what = "model" if not models else "candidates file"
        html.notice(
            f"No {what} here",
            f"No run or training of this store names a {what} in the folders of this dashboard. "
            "Train or evaluate a model, or start the dashboard with a further --root DIR.",
        )
        links.link("jobs", "Start a job", "work")
        return
    source, candidates = _choices(models, lists)
    sent = st.file_uploader(
        f"Photos, at most {MOST_PHOTOS} of {MOST_MEGABYTES} MB; none is kept",
        type="image",
        accept_multiple_files=True,
        key="photos",
    )
    if len(sent) > MOST_PHOTOS:
        html.remark(f"The first {MOST_PHOTOS} of {len(sent)} photos are predicted.")
    photos = _predicted(roots, source, candidates, sent[:MOST_PHOTOS])
    if photos:
        photo_cards.draw(photos)
    links.link(
        "jobs",
        "Predict a folder and keep the result: start a job",
        "work",
        form="predict",
        **{_MODEL: source, _CANDIDATES: candidates},
    )


def _is_here(roots: Roots, source: str) -> bool:
    """Check that a model is in the allowed folders; of hub ids, the cache decides later."""
    return roots.names_hub_model(source) or (
        roots.hold(Path(source)) and allowed_paths.exists(roots.base / source)
    )


def _is_file(roots: Roots, text: str) -> bool:
    return roots.hold(Path(text)) and allowed_paths.is_file(roots.base / text)


def _choices(models: list[KnownModel], lists: list[str]) -> tuple[str, str]:
    """Draw the choices of model and candidates; the run's own candidates come first."""
    labels: dict[str, str] = {}
    for each in models:
        words = f"{formats.plain(each.name, 40)} · {formats.plain(each.source, 120)}"
        labels.setdefault(each.source, words)
    left, right = st.columns(2, gap="medium")
    with left:
        source = url_widgets.select("Model", _MODEL, labels, next(iter(labels)))
    own = (each.candidates for each in models if each.source == source)
    first = next((each for each in own if each in lists), lists[0])
    with right:
        shown = {each: formats.plain(each, 120) for each in lists}
        candidates = url_widgets.select("Candidates", _CANDIDATES, shown, first)
    return source, candidates


def _predicted(roots: Roots, source: str, candidates: str, sent: list[Any]) -> list[Dropped]:
    """Predict the photos that this session has not predicted with this model yet."""
    state = tuple(number for text in (source, candidates) for number in _state(roots.base / text))
    made_by = (source, candidates, state)
    before, kept = st.session_state.get(_KEPT, (None, {}))
    known: Mapping[str, Dropped] = kept if before == made_by else {}
    new = [each for each in sent if each.file_id not in known]
    found: dict[str, Dropped] = {}
    if new:
        is_on_hub = roots.names_hub_model(source)
        model = dropped_photos.predictor(source, candidates, is_on_hub=is_on_hub, state=state)
        bar = st.progress(0.0, "Loading the model")
        photos = [(each.name, each.getvalue()) for each in new]
        try:
            made = model.predict(photos, lambda task, _: _stage(bar, task))
        finally:
            bar.empty()
        found = dict(zip((each.file_id for each in new), made, strict=True))
    shown = {each.file_id: {**known, **found}[each.file_id] for each in sent}
    st.session_state[_KEPT] = (made_by, shown)
    return [*shown.values()]


@contextlib.contextmanager
def _stage(bar: Any, task: str) -> Iterator[Progress]:
    def report(done: int, total: int, **_: float) -> None:
        bar.progress(done / max(total, 1), f"{_STAGES[task]}: {formats.progress(done, total)}")

    yield report


def _state(path: Path) -> tuple[int, ...]:
    try:
        status = os.stat(path)  # noqa: PTH116 -- of an untrusted text, checked above
    except OSError:  # a hub id; of a file that has just gone, loading says so
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino
