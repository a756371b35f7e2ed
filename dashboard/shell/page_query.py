"""Name what a page shows: a run, a baseline and the filters."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from streetclip.results.filters import Selection


@dataclass(frozen=True, kw_only=True)
class View:
    """State of a page, in the terms of its URL, with cache keys."""

    path: Path
    """The store."""
    run_id: int
    run_key: str
    """The run's revision, which changes with what is written of it."""
    selection: Selection
    run_uid: str = ""
    """The run's random name, which distinguishes it from another run of this id."""
    defaults: Selection = Selection()
    """What the page filters by where the URL names no filter."""
    baseline_id: int | None = None
    baseline_uid: str = ""
    baseline_key: str = ""
    annotations_key: str = ""
    """Changes with the annotations, where the selection depends on them."""

    @property
    def is_whole_run(self) -> bool:
        """Whether no filter is set."""
        return self.selection.is_everything

    @property
    def of_run(self) -> tuple[Path, int, str, str]:
        """What an answer about the whole run depends on."""
        return self.path, self.run_id, self.run_uid, self.run_key

    @property
    def of_selection(self) -> tuple[object, ...]:
        """What an answer about the run's selected images depends on: not on a baseline."""
        return *self.of_run, self.selection, self.annotations_key

    def but(self, **changes: Any) -> "View":
        """Change filters as `Selection.but`, so `but(country="FR", predicted=None)`."""
        return replace(self, selection=self.selection.but(**changes))

    def around(self, *names: str) -> "View":
        """Drop the places inside countries, and the filters `names` where they have one value.

        What compares values, and so shows the chosen one among the others.
        """
        ones = {name: None for name in names if self.selection.only(name) is not None}
        return self.but(region=None, city=None, **ones)

    def of_baseline(self) -> "View":
        """Apply the same filters to the baseline's predictions."""
        assert self.baseline_id is not None
        return replace(
            self, run_id=self.baseline_id, run_uid=self.baseline_uid, run_key=self.baseline_key
        )
