"""Predict the places of photos without labels.

The only truth is the GPS of a photo's EXIF; a photo without it has none, and is neither right nor
wrong. Nothing is written into the store.

Shapes: N photos.
"""

import contextlib
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Self

import numpy as np
import pandas as pd

from streetclip.config import PredictConfig
from streetclip.data.candidates import Candidates, load_candidates
from streetclip.data.exif import read_position
from streetclip.data.file_identity import signatures
from streetclip.data.geojson import point_collection
from streetclip.data.photo_folder import find_photos
from streetclip.errors import ImageError
from streetclip.evaluation.feature_cache import Float16
from streetclip.evaluation.features import Encoding, FeatureBatch, join_batches
from streetclip.evaluation.prediction_rows import prediction_frame, unreadable_frame
from streetclip.evaluation.predictor import PlaceClassifier, build_classifier, predict
from streetclip.evaluation.preparation import load_model, preprocess_of
from streetclip.evaluation.preprocessing_drift import report_drift
from streetclip.evaluation.run_folder import PREDICTIONS_FILE
from streetclip.evaluation.run_output import write_predictions
from streetclip.evaluation.true_places import Truth
from streetclip.files import write_json
from streetclip.gazetteer.reverse_geocoding import places_at
from streetclip.models.encoder import DualEncoder
from streetclip.models.identity import identify
from streetclip.progress import Stages, no_stages

_LOG = logging.getLogger(__name__)

GEOJSON_FILE: Final = "predictions.geojson"

EXIF_GPS: Final = "EXIF GPS"
"""Source of a truth."""

_RANKINGS = ("top_countries", "top_cities")
_COLUMNS = (
    "image_filename", "status", "error", "pred_country", "pred_city", "country_probability",
    "city_probability", "pred_latitude_deg", "pred_longitude_deg", *_RANKINGS, "truth_source",
    "true_country", "true_city", "true_latitude_deg", "true_longitude_deg", "distance_km",
)  # fmt: skip


@dataclass(frozen=True)
class PhotoModel:
    """A model with its candidates encoded, ready to predict photos."""

    config: PredictConfig
    encoder: DualEncoder
    candidates: Candidates
    classifier: PlaceClassifier

    @classmethod
    def load(cls, config: PredictConfig, stages: Stages = no_stages) -> Self:
        """Load the model and encode the candidates, with a stage of prompts."""
        candidates = load_candidates(config.candidates_file)
        encoder, prompts = load_model(config, config.device)
        _LOG.info("model %s, %s", config.model_source, encoder.precision.reason)
        with stages("prompts", "prompt") as progress:
            classifier = build_classifier(encoder, candidates, prompts, progress)
        return cls(config, encoder, candidates, classifier)

    def predict(
        self, names: Sequence[str], paths: Sequence[str], stages: Stages = no_stages
    ) -> pd.DataFrame:
        """Predict country and city of photos, one row each, with a stage of photos.

        Columns are those of an evaluation's `predictions.csv`, without any of correctness, and
        `truth_source`. `paths` are absolute; `names` become `image_filename`.
        """
        features_ND, errors = _encode(self.config, self.encoder, self.classifier, paths, stages)
        # Of a name that is not UTF-8, the other bytes are written out.
        texts = [name.encode("utf-8", "backslashreplace").decode() for name in names]
        known = _exif_truth(paths, errors).assign(
            image_filename=texts, error=pd.Series(errors, dtype=object)
        )
        return _rows(known, features_ND, self.classifier, self.candidates, self.config.top_k)


def predict_photos(config: PredictConfig, stages: Stages = no_stages) -> pd.DataFrame:
    """Predict the photos of a folder, as `PhotoModel.predict`.

    Raises ImageError if no photo can be read.
    """
    names = find_photos(config.image_dir, recursive=config.recursive)
    paths = [str(config.image_dir.absolute() / name) for name in names]
    frame = PhotoModel.load(config, stages).predict(names, paths, stages)
    if (frame["status"] != "ok").all():
        error = frame["error"].iloc[0]
        msg = f"{config.image_dir}: none of its {len(names):,} photos can be read. {error}"
        raise ImageError(msg)
    return frame


def write_files(folder: Path, frame: pd.DataFrame) -> tuple[Path, Path]:
    """Write the rows of `predict_photos` as CSV and as GeoJSON of the predicted cities."""
    plain = frame.astype(object).where(frame.notna(), None)
    columns = {str(name): plain[name].tolist() for name in plain}
    write_predictions(folder, [columns])
    for name in _RANKINGS:
        columns[name] = [None if text is None else json.loads(text) for text in columns[name]]
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    points = point_collection(rows, "pred_latitude_deg", "pred_longitude_deg")
    write_json(folder / GEOJSON_FILE, points)
    return folder / PREDICTIONS_FILE, folder / GEOJSON_FILE


def _encode(
    config: PredictConfig,
    encoder: DualEncoder,
    classifier: PlaceClassifier,
    paths: Sequence[str],
    stages: Stages,
) -> tuple[Float16, list[str | None]]:
    """Get features of photos, zeros where unreadable, and why they are."""
    preprocess = preprocess_of(config, encoder)
    encoding = Encoding(encoder, preprocess, config.batch_size, config.num_workers)
    cache = None
    if not config.no_cache:
        cache = encoding.open_cache(config.features_dir, identify(encoder))
    compare = partial(report_drift, encoder=encoder, preprocess=preprocess, classifier=classifier)
    found: list[FeatureBatch] = []
    batches = encoding.features(paths, cache, signatures(paths), before_new=compare)
    with (
        stages("predict", "photo") as progress,
        encoder.fixed_weights(),
        contextlib.closing(batches),
    ):
        for batch in batches:
            found.append(batch)
            progress(sum(map(len, found)), len(paths))
    joined = join_batches(found)
    order = np.argsort(joined.indices_F)
    return joined.features_FD[order], [joined.errors[i] for i in order.tolist()]


def _exif_truth(paths: Sequence[str], errors: Sequence[str | None]) -> pd.DataFrame:
    """Read the true places of readable photos from their GPS; unknown is None or NaN."""
    positions = [
        None if error else read_position(Path(path))
        for path, error in zip(paths, errors, strict=True)
    ]
    degrees_N2 = np.array([each or (np.nan, np.nan) for each in positions])
    truth = pd.DataFrame(degrees_N2, columns=["true_latitude_deg", "true_longitude_deg"])
    truth["truth_source"] = [EXIF_GPS if each else None for each in positions]
    places = pd.DataFrame(None, truth.index, ["country", "city"], dtype=object)
    if any(positions):  # loading outlines and cities takes seconds
        places = places_at(*degrees_N2.T).astype(object).replace("", None)
    return truth.assign(true_country=places["country"], true_city=places["city"])


def _rows(
    known: pd.DataFrame,
    features_ND: Float16,
    classifier: PlaceClassifier,
    candidates: Candidates,
    top_k: int,
) -> pd.DataFrame:
    """Predict from features; `known` has the name, truth and error of each photo."""
    is_readable_N = known["error"].isna().to_numpy()
    rows, no_label_N = np.flatnonzero(is_readable_N), np.full(len(known), -1)
    truth = Truth(
        country_N=no_label_N,
        city_N=no_label_N,
        latitude_deg_N=known["true_latitude_deg"].to_numpy(),
        longitude_deg_N=known["true_longitude_deg"].to_numpy(),
        coordinate_source_N=known["truth_source"].to_numpy(object),
        nearest_candidate_km_N=np.full(len(known), np.nan),
    )
    predictions = predict(
        features_ND[rows],
        classifier,
        "hierarchical",
        true_country_N=no_label_N[rows],
        true_city_N=no_label_N[rows],
        top_k=top_k,
    )
    read = known.iloc[rows].reset_index(drop=True)
    parts = [prediction_frame(read, predictions, truth, rows, candidates)]
    if len(rows) < len(known):
        failed = known[~is_readable_N]
        parts.append(unreadable_frame(failed, failed["error"].tolist()))
    joined = pd.concat(parts, ignore_index=True)[list(_COLUMNS)]
    # Back from readable and then unreadable photos to the order of `known`.
    return joined.iloc[np.argsort(np.argsort(~is_readable_N, kind="stable"))].reset_index(drop=True)
