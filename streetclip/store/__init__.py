"""Keep datasets, runs, predictions, trainings, jobs and annotations in one SQLite file.

Jobs write while the dashboard reads and annotates. Only this room and `runtime` know SQL.
"""

from streetclip.store.annotations import STATUSES as STATUSES
from streetclip.store.annotations import SUGGESTED_TAGS as SUGGESTED_TAGS
from streetclip.store.annotations import annotate as annotate
from streetclip.store.annotations import annotations_version as annotations_version
from streetclip.store.annotations import read_annotations as read_annotations
from streetclip.store.annotations import status_image_ids as status_image_ids
from streetclip.store.annotations import tag_counts as tag_counts
from streetclip.store.annotations import tagged_image_ids as tagged_image_ids
from streetclip.store.annotations import undo as undo
from streetclip.store.columns import RUN_DTYPES as RUN_DTYPES
from streetclip.store.columns import RUN_FILLS as RUN_FILLS
from streetclip.store.columns import DatasetColumns as DatasetColumns
from streetclip.store.columns import Flag as Flag
from streetclip.store.columns import attribute_codes as attribute_codes
from streetclip.store.columns import attribute_names as attribute_names
from streetclip.store.columns import dataset_columns as dataset_columns
from streetclip.store.columns import distance_bin_edges_km as distance_bin_edges_km
from streetclip.store.columns import predicted_places as predicted_places
from streetclip.store.columns import run_columns as run_columns
from streetclip.store.connection import Store as Store
from streetclip.store.datasets import DatasetSpec as DatasetSpec
from streetclip.store.datasets import RegisteredDataset as RegisteredDataset
from streetclip.store.datasets import register_dataset as register_dataset
from streetclip.store.images import image_detail as image_detail
from streetclip.store.images import image_in_runs as image_in_runs
from streetclip.store.images import image_path as image_path
from streetclip.store.images import image_rows as image_rows
from streetclip.store.predictions import iterate_predictions as iterate_predictions
from streetclip.store.predictions import read_predictions as read_predictions
from streetclip.store.predictions import read_run_files as read_run_files
from streetclip.store.predictions import write_predictions as write_predictions
from streetclip.store.runs import RunSpec as RunSpec
from streetclip.store.runs import RunState as RunState
from streetclip.store.runs import find_run as find_run
from streetclip.store.runs import finish_run as finish_run
from streetclip.store.runs import get_run as get_run
from streetclip.store.runs import list_runs as list_runs
from streetclip.store.runs import pending_image_ids as pending_image_ids
from streetclip.store.runs import run_revision as run_revision
from streetclip.store.runs import set_run_state as set_run_state
from streetclip.store.runs import start_run as start_run
from streetclip.store.schema import open_store as open_store
from streetclip.store.trainings import TrainingSpec as TrainingSpec
from streetclip.store.trainings import find_begun_training as find_begun_training
from streetclip.store.trainings import find_training as find_training
from streetclip.store.trainings import list_trainings as list_trainings
from streetclip.store.trainings import log_training_points as log_training_points
from streetclip.store.trainings import restart_training as restart_training
from streetclip.store.trainings import set_training_best as set_training_best
from streetclip.store.trainings import set_training_state as set_training_state
from streetclip.store.trainings import start_training as start_training
from streetclip.store.trainings import training_curves as training_curves
from streetclip.store.trainings import training_revision as training_revision
