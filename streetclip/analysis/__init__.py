"""What explains errors: one run's columns as arrays, selected, grouped, ranked and compared.

Nothing here knows SQL or scans rows: a `RunTable` reads the columns of a run when they are first
needed, and every function goes over them with numpy in blocks, so that ten million images are
answered in a moment and without a copy of them.

Legend of shapes: N images of a dataset (in the order of their ids), P places, G groups.
"""

from streetclip.analysis.dataset import DatasetTable
from streetclip.analysis.groups import distance_counts, group_accuracy
from streetclip.analysis.pairs import OTHER, country_pairs
from streetclip.analysis.ranking import ORDERS, neighbours_of, page_of
from streetclip.analysis.selection import AnnotatedIds, Selection
from streetclip.analysis.table import RunTable, select

__all__ = [
    "ORDERS",
    "OTHER",
    "AnnotatedIds",
    "DatasetTable",
    "RunTable",
    "Selection",
    "country_pairs",
    "distance_counts",
    "group_accuracy",
    "neighbours_of",
    "page_of",
    "select",
]
