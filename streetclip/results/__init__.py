"""Filter, group, rank and compare one run's columns.

No SQL and no scan of rows: a `RunTable` reads the columns of a run when they are first needed.
Functions take it with a mask, N booleans from `filters.select`: which images to count; those
without a prediction are left out.

What to add where: a metric in `figures.run_figures`; a counter of groups in `groups._count`; a
grouping in `groups.grouping`; a filter in `filters`; an order of images in `ranking.ORDERS`; a
column in `store.RUN_DTYPES` and `evaluation.prediction_rows`.

Legend of shapes: N images of a dataset (in the order of their ids), P places, G groups.
"""

from streetclip.results.calibration import Calibration as Calibration
from streetclip.results.calibration import calibration as calibration
from streetclip.results.comparison import Comparison as Comparison
from streetclip.results.comparison import common_masks as common_masks
from streetclip.results.comparison import compare as compare
from streetclip.results.comparison import compare_by as compare_by
from streetclip.results.comparison import compare_distances as compare_distances
from streetclip.results.comparison import compare_geoscore as compare_geoscore
from streetclip.results.comparison import compare_hierarchical as compare_hierarchical
from streetclip.results.comparison import geoscore_interval as geoscore_interval
from streetclip.results.comparison import outcome_mask as outcome_mask
from streetclip.results.comparison import regrouped as regrouped
from streetclip.results.confusion import OTHER as OTHER
from streetclip.results.confusion import ConfusionMatrix as ConfusionMatrix
from streetclip.results.confusion import asymmetric_pairs as asymmetric_pairs
from streetclip.results.confusion import by_similarity as by_similarity
from streetclip.results.confusion import continent_pairs as continent_pairs
from streetclip.results.confusion import continents as continents
from streetclip.results.confusion import country_pairs as country_pairs
from streetclip.results.confusion import matrix as matrix
from streetclip.results.confusion import mistakes_by_nearness as mistakes_by_nearness
from streetclip.results.dataset_checks import misplaced as misplaced
from streetclip.results.dataset_checks import num_on_one_point as num_on_one_point
from streetclip.results.dataset_checks import place_counts as place_counts
from streetclip.results.figures import run_figures as run_figures
from streetclip.results.filters import AnnotatedIds as AnnotatedIds
from streetclip.results.filters import Selection as Selection
from streetclip.results.filters import annotated_ids as annotated_ids
from streetclip.results.filters import select as select
from streetclip.results.gates import Gate as Gate
from streetclip.results.gates import GateOutcome as GateOutcome
from streetclip.results.gates import check_gate as check_gate
from streetclip.results.gates import parse_gate as parse_gate
from streetclip.results.great_circles import great_circles as great_circles
from streetclip.results.groups import ACCURACIES as ACCURACIES
from streetclip.results.groups import ATTRIBUTE as ATTRIBUTE
from streetclip.results.groups import Share as Share
from streetclip.results.groups import attribute_counts as attribute_counts
from streetclip.results.groups import continent_shares as continent_shares
from streetclip.results.groups import distance_counts as distance_counts
from streetclip.results.groups import distance_shares as distance_shares
from streetclip.results.groups import group_counts as group_counts
from streetclip.results.groups import macro_of_countries as macro_of_countries
from streetclip.results.groups import median_distance as median_distance
from streetclip.results.hexbins import Lattice as Lattice
from streetclip.results.hexbins import hexagon_counts as hexagon_counts
from streetclip.results.hexbins import images_in_hexagon as images_in_hexagon
from streetclip.results.map_points import error_arcs as error_arcs
from streetclip.results.map_points import flows as flows
from streetclip.results.map_points import frequent_mistakes as frequent_mistakes
from streetclip.results.map_points import num_error_arcs as num_error_arcs
from streetclip.results.ranking import ORDERS as ORDERS
from streetclip.results.ranking import images_around as images_around
from streetclip.results.ranking import neighbours_of as neighbours_of
from streetclip.results.ranking import page_of as page_of
from streetclip.results.run_table import LEVELS as LEVELS
from streetclip.results.run_table import DatasetTable as DatasetTable
from streetclip.results.run_table import RunTable as RunTable
from streetclip.results.value_counts import num_among as num_among
from streetclip.results.value_counts import value_counts as value_counts
