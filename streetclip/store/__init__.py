"""The store: one SQLite file of datasets, runs, predictions, training curves and annotations.

The only place that knows SQL. Jobs write, the dashboard reads and annotates, at the same time.
"""

from streetclip.store.aggregates import LEVELS, place_counters
from streetclip.store.annotations import (
    STATUSES,
    SUGGESTED_TAGS,
    annotate,
    annotations_version,
    read_annotations,
    status_image_ids,
    tag_counts,
    tagged_image_ids,
    undo,
)
from streetclip.store.columns import (
    RUN_DTYPES,
    DatasetColumns,
    Flag,
    attribute_codes,
    attribute_names,
    dataset_columns,
    predicted_places,
    run_columns,
)
from streetclip.store.connection import Store, open_store
from streetclip.store.datasets import DatasetSpec, RegisteredDataset, register_dataset
from streetclip.store.distance_bins import distance_bin_edges_km, distance_bins
from streetclip.store.images import image_detail, image_in_runs, image_path, image_rows
from streetclip.store.predictions import PREDICTION_COLUMNS, read_predictions, write_predictions
from streetclip.store.queries import (
    country_pairs,
    distance_curve,
    list_runs,
    place_accuracy,
    run_totals,
)
from streetclip.store.runs import (
    RunSpec,
    RunState,
    find_run,
    finish_run,
    get_run,
    pending_image_ids,
    set_run_state,
    start_run,
)
from streetclip.store.trainings import (
    TrainingPoint,
    TrainingSpec,
    find_training,
    list_trainings,
    log_training_points,
    set_training_state,
    start_training,
    training_curves,
)

__all__ = [
    "LEVELS",
    "PREDICTION_COLUMNS",
    "RUN_DTYPES",
    "STATUSES",
    "SUGGESTED_TAGS",
    "DatasetColumns",
    "DatasetSpec",
    "Flag",
    "RegisteredDataset",
    "RunSpec",
    "RunState",
    "Store",
    "TrainingPoint",
    "TrainingSpec",
    "annotate",
    "annotations_version",
    "attribute_codes",
    "attribute_names",
    "country_pairs",
    "dataset_columns",
    "distance_bin_edges_km",
    "distance_bins",
    "distance_curve",
    "find_run",
    "find_training",
    "finish_run",
    "get_run",
    "image_detail",
    "image_in_runs",
    "image_path",
    "image_rows",
    "list_runs",
    "list_trainings",
    "log_training_points",
    "open_store",
    "pending_image_ids",
    "place_accuracy",
    "place_counters",
    "predicted_places",
    "read_annotations",
    "read_predictions",
    "register_dataset",
    "run_columns",
    "run_totals",
    "set_run_state",
    "set_training_state",
    "start_run",
    "start_training",
    "status_image_ids",
    "tag_counts",
    "tagged_image_ids",
    "training_curves",
    "undo",
    "write_predictions",
]
