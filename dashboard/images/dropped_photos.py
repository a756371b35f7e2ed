"""Predict photos that a visitor dropped in; neither the photos nor their predictions are kept."""

import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import streamlit as st

from dashboard.images.thumbnails import CARD_SIDE, Thumbnail, make_thumbnail
from streetclip.config import PredictConfig
from streetclip.errors import ModelError
from streetclip.files import translated_disk_errors
from streetclip.progress import Stages

MOST_PHOTOS: Final = 40
MOST_MEGABYTES: Final = 25
"""Of a photo; the server's `maxUploadSize`."""

_MOST_PIXELS: Final = 64_000_000  # while other visitors' pages need memory, too


class Dropped(NamedTuple):
    """A photo: its prediction as of `PhotoModel.predict`, or why there is none (untrusted)."""

    name: str
    picture: Thumbnail
    fields: dict[str, Any]
    problem: str = ""


class Predictor:
    """A model that is loaded when it is first needed, and predicts for one visitor at a time."""

    def __init__(self, source: str, candidates: str, *, is_on_hub: bool) -> None:
        """Name the model and its candidates; of the hub, a copy in its cache is loaded."""
        self._source, self._candidates, self._is_on_hub = source, candidates, is_on_hub
        self._model: Any = None
        self._lock = threading.Lock()

    def predict(self, photos: Sequence[tuple[str, bytes]], stages: Stages) -> list[Dropped]:
        """Predict photos, given by name and content, in their order.

        A StreetClipError is about the model or the candidates.
        """
        with self._lock, TemporaryDirectory(prefix="streetclip_photos_") as folder:
            if self._model is None:
                self._model = self._load(stages)
            paths = [Path(folder, str(number)) for number in range(len(photos))]
            with translated_disk_errors(Path(folder)):
                for path, (_, content) in zip(paths, photos, strict=True):
                    path.write_bytes(content)
            pictures = [make_thumbnail(path, CARD_SIDE) for path in paths]
            problems = list(map(_problem, pictures))
            rows = [i for i, problem in enumerate(problems) if not problem]
            fields: list[dict[str, Any]] = [{}] * len(photos)
            if rows:
                files = [str(paths[i]) for i in rows]
                frame = self._model.predict([photos[i][0] for i in rows], files, stages)
                for i, row in zip(rows, frame.to_dict("records"), strict=True):
                    problems[i], fields[i] = _reason(row["error"] or ""), row
        names = [name for name, _ in photos]
        return [*map(Dropped, names, pictures, fields, problems)]

    def _load(self, stages: Stages) -> Any:
        from streetclip.evaluation.photos import PhotoModel
        from streetclip.models.hub import find_cached

        source = self._source
        if self._is_on_hub:
            cached = find_cached(source)
            if cached is None:
                msg = (
                    f"{source}: is not in the hub's cache of this machine, and a page downloads "
                    "nothing. Run jobs/predict.py with it once, or choose another model."
                )
                raise ModelError(msg)
            source = str(cached)
        config = PredictConfig(
            image_dir=Path(),
            checkpoint_path=source,
            candidates_file=Path(self._candidates),
            num_workers=0,
            no_cache=True,
        )
        return PhotoModel.load(config, stages)


@st.cache_resource(show_spinner=False, max_entries=1)
def predictor(
    source: str,
    candidates: str,
    *,
    is_on_hub: bool,
    state: tuple[int, ...],  # noqa: ARG001 -- of the files: those that changed are read again
) -> Predictor:
    """Keep the model that was used last."""
    return Predictor(source, candidates, is_on_hub=is_on_hub)


def _problem(picture: Thumbnail) -> str:
    """Say why a photo is not predicted, from its header and its decoding for the page."""
    photo = picture.photo
    if photo is None:
        return _reason(picture.problem)
    if photo.width * photo.height > _MOST_PIXELS:
        return (
            f"is {photo.width} × {photo.height} pixels, that is more than "
            f"{_MOST_PIXELS / 1e6:.0f} million. Make it smaller, or predict it with a job."
        )
    return ""


def _reason(error: str) -> str:
    """Take the name of the temporary file off an error."""
    return error.partition(": ")[2]
