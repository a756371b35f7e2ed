"""The store: one SQLite file of datasets, runs, predictions, trainings, jobs and annotations.

The only place that knows SQL. Jobs write, the dashboard reads and annotates, at the same time.
"""

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
from streetclip.store.column_writer import RUN_DTYPES, RUN_FILLS, Flag
from streetclip.store.columns import (
    DatasetColumns,
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
from streetclip.store.predictions import (
    PREDICTION_COLUMNS,
    iterate_predictions,
    read_predictions,
    write_predictions,
)
from streetclip.store.run_files import FILE_COLUMNS, read_run_files
from streetclip.store.run_list import list_runs
from streetclip.store.runs import (
    RunSpec,
    RunState,
    find_run,
    finish_run,
    get_run,
    pending_image_ids,
    run_revision,
    set_run_state,
    start_run,
)
from streetclip.store.trainings import (
    TrainingPoint,
    TrainingSpec,
    find_begun_training,
    find_training,
    list_trainings,
    log_training_points,
    restart_training,
    set_training_best,
    set_training_state,
    start_training,
    training_curves,
    training_revision,
)

__all__ = [
    "FILE_COLUMNS",
    "PREDICTION_COLUMNS",
    "RUN_DTYPES",
    "RUN_FILLS",
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
    "dataset_columns",
    "distance_bin_edges_km",
    "distance_bins",
    "find_begun_training",
    "find_run",
    "find_training",
    "finish_run",
    "get_run",
    "image_detail",
    "image_in_runs",
    "image_path",
    "image_rows",
    "iterate_predictions",
    "list_runs",
    "list_trainings",
    "log_training_points",
    "open_store",
    "pending_image_ids",
    "predicted_places",
    "read_annotations",
    "read_predictions",
    "read_run_files",
    "register_dataset",
    "restart_training",
    "run_columns",
    "run_revision",
    "set_run_state",
    "set_training_best",
    "set_training_state",
    "start_run",
    "start_training",
    "status_image_ids",
    "tag_counts",
    "tagged_image_ids",
    "training_curves",
    "training_revision",
    "undo",
    "write_predictions",
]
