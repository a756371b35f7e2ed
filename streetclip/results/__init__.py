"""Filter, group, rank and compare one run's columns.

No SQL and no scan of rows: a `RunTable` reads the columns of a run when they are first needed.
Functions take it with a mask, N booleans from `filters.select`: which images to count; those
without a prediction are left out.

What to add where: a metric in `figures.run_figures`; a counter of groups in `groups._count`; a
grouping in `groups.grouping`; a filter in `filters`; an order of images in `ranking.ORDERS`; a
column in `store.RUN_DTYPES` and `evaluation.prediction_rows`.

Legend of shapes: N images of a dataset (in the order of their ids), P places, G groups.
"""

from streetclip.results.calibration import Calibration, calibration
from streetclip.results.comparison import (
    OUTCOMES,
    Comparison,
    common_masks,
    compare,
    compare_by,
    compare_distances,
    compare_geoscore,
    compare_hierarchical,
    outcome_mask,
)
from streetclip.results.confusion import (
    OTHER,
    ConfusionMatrix,
    asymmetric_pairs,
    by_similarity,
    matrix,
    mistakes_by_nearness,
)
from streetclip.results.country_pairs import continent_pairs, continents, country_pairs
from streetclip.results.dataset_table import LEVELS, DatasetTable
from streetclip.results.figures import run_figures
from streetclip.results.filters import AnnotatedIds, Selection, select
from streetclip.results.groups import (
    ACCURACIES,
    ATTRIBUTE,
    Share,
    distance_counts,
    group_accuracy,
    macro_of_countries,
    median_distance,
)
from streetclip.results.hexbins import Lattice, error_hexbins, images_in_hexagon
from streetclip.results.map_points import ends, flows, num_ends
from streetclip.results.ranking import ORDERS, neighbours_of, page_of
from streetclip.results.run_table import RunTable

__all__ = [
    "ACCURACIES",
    "ATTRIBUTE",
    "LEVELS",
    "ORDERS",
    "OTHER",
    "OUTCOMES",
    "AnnotatedIds",
    "Calibration",
    "Comparison",
    "ConfusionMatrix",
    "DatasetTable",
    "Lattice",
    "RunTable",
    "Selection",
    "Share",
    "asymmetric_pairs",
    "by_similarity",
    "calibration",
    "common_masks",
    "compare",
    "compare_by",
    "compare_distances",
    "compare_geoscore",
    "compare_hierarchical",
    "continent_pairs",
    "continents",
    "country_pairs",
    "distance_counts",
    "ends",
    "error_hexbins",
    "flows",
    "group_accuracy",
    "images_in_hexagon",
    "macro_of_countries",
    "matrix",
    "median_distance",
    "mistakes_by_nearness",
    "neighbours_of",
    "num_ends",
    "outcome_mask",
    "page_of",
    "run_figures",
    "select",
]
