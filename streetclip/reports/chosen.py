"""Find the run, the baseline and the images that a command names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs

from streetclip.errors import ConfigError, StoreError, shown
from streetclip.results import (
    Gate,
    GateOutcome,
    RunTable,
    Selection,
    annotated_ids,
    check_gate,
    select,
)
from streetclip.results.filter_urls import FILTERS, read_filters
from streetclip.results.run_table import Bool
from streetclip.store import Store, get_run, list_runs, open_store

_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A run, the images of it that a selection leaves, and a baseline if there is one.

    Attributes:
        run: As `store.get_run`.
        mask: Which of the N images of `table` the selection leaves.
        baseline: As `store.get_run`.
    """

    path: Path
    run: Mapping[str, Any]
    table: RunTable
    selection: Selection
    mask: Bool
    baseline: Mapping[str, Any] | None = None
    baseline_table: RunTable | None = None

    @classmethod
    def open(cls, path: Path, run: str, *, filters: str = "", baseline: str | None = None) -> Self:
        """Open a run of a store by name or number, its images by the filters of a URL.

        Raises:
            StoreError: There is no such store or run.
            ConfigError: A filter makes no sense.
        """
        selection = selection_of(filters)
        with open_store(path, read_only=True) as opened, opened.snapshot():
            found = find_run(opened, run)
            other = None if baseline is None else find_run(opened, baseline)
        table = RunTable.open(path, found["id"])
        other_table = None if other is None else RunTable.open(path, other["id"], table.dataset)
        return cls(
            path=path,
            run=found,
            table=table,
            selection=selection,
            mask=select_images(path, table, selection),
            baseline=other,
            baseline_table=other_table,
        )

    def check(self, gate: Gate) -> GateOutcome:
        """Check a gate over its images among those chosen.

        Raises ConfigError if it names images that cannot be found, or a baseline without one.
        """
        mask = self.mask
        if gate.images:
            mask = mask & select_images(self.path, self.table, self._images_of(gate))
        return check_gate(gate, self.table, mask, self.baseline_table)

    def _images_of(self, gate: Gate) -> Selection:
        """Read the images of a gate: a value or NAME=VALUE of an attribute, else filters."""
        values = self.table.dataset.attributes
        names = [each for each, known in values.items() if gate.images in known]
        if len(names) == 1:
            return Selection(attributes=((names[0], gate.images),))
        name, mark, value = gate.images.partition("=")
        if name in values and mark:
            return Selection(attributes=((name, value),))
        if mark:
            return selection_of(gate.images)
        found = "no value of an attribute of the dataset"
        if names:
            found = f"a value of {len(names)} attributes ({', '.join(map(shown, names))})"
        where = f"--gate {shown(gate.text)}: {shown(name)} is {found}"
        msg = f"{where}; expected NAME=VALUE, as weather=rain."
        raise ConfigError(msg)


def find_run(opened: Store, text: str) -> dict[str, Any]:
    """Read a run by its number, else the newest of a name; raise StoreError without one."""
    runs = list_runs(opened, with_correct=False)
    ids = runs.loc[runs["name"] == text, "id"].tolist()
    by_number = runs.loc[runs["id"].astype(str) == text, "id"].tolist()
    if by_number or ids:
        return get_run(opened, [*by_number, *ids][0])
    known = [f"{each.id} ({shown(each.name)})" for each in runs.head(_MOST_NAMED).itertuples()]
    newest = f", the newest being {', '.join(known)}" if known else ""
    msg = f"{opened.path}: has no run {shown(text)}; expected the name or number of one{newest}."
    raise StoreError(msg)


def selection_of(filters: str) -> Selection:
    """Read the filters of a URL's query, such as "country=FR&attr=weather%3Drain".

    Raises ConfigError if one is unknown or makes no sense.

    Examples:
        >>> selection_of("not_country=FR&not_country=DE").excluded.country
        ('FR', 'DE')
    """
    given = parse_qs(filters.removeprefix("?"), keep_blank_values=True)
    unknown = [name for name in given if name not in FILTERS]
    if unknown:
        msg = f"{shown(unknown[0])} is no filter; expected NAME=VALUE of {', '.join(FILTERS)}."
        raise ConfigError(msg)
    read = read_filters(given)
    if read.problems:
        raise ConfigError(read.problems[0].replace("The link filters", "The filters choose", 1))
    return read.selection


def select_images(path: Path, table: RunTable, selection: Selection) -> Bool:
    """Find the images of a run that a selection leaves, by its store's annotations: N booleans."""
    if not selection.needs_annotations:
        return select(table, selection)
    with open_store(path, read_only=True) as opened, opened.snapshot():
        tags, has_status = selection.all_tags, selection.status is not None
        return select(table, selection, annotated_ids(opened, tags, with_status=has_status))
