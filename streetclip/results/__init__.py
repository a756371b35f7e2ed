"""What explains errors: one run's columns as arrays, selected, grouped, ranked and compared.

Nothing here knows SQL or scans rows: a `RunTable` reads the columns of a run when they are first
needed, and every function goes over them with numpy in blocks, so that ten million images are
answered in a moment and without a copy of them.

Legend of shapes: N images of a dataset (in the order of their ids), P places, G groups.
"""

from streetclip.results.calibration import Calibration, calibration
from streetclip.results.comparison import (
    OUTCOMES,
    Comparison,
    align,
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
    matrix,
    mistakes_by_nearness,
)
from streetclip.results.country_pairs import continent_pairs, continents, country_pairs
from streetclip.results.dataset_table import DatasetTable
from streetclip.results.error_arcs import ends, images_in_hexagon, num_ends
from streetclip.results.filters import AnnotatedIds, Selection
from streetclip.results.flows import flows
from streetclip.results.groups import (
    distance_counts,
    group_accuracy,
    macro_of_countries,
    mean_geoscore,
    median_distance,
)
from streetclip.results.hexbins import Lattice, error_hexbins, hexbins
from streetclip.results.ranking import ORDERS, neighbours_of, page_of
from streetclip.results.run_table import RunTable, select
from streetclip.results.seriation import by_similarity

__all__ = [
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
    "align",
    "asymmetric_pairs",
    "by_similarity",
    "calibration",
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
    "hexbins",
    "images_in_hexagon",
    "macro_of_countries",
    "matrix",
    "mean_geoscore",
    "median_distance",
    "mistakes_by_nearness",
    "neighbours_of",
    "num_ends",
    "outcome_mask",
    "page_of",
    "select",
]
