"""List the models that a store knows, of its trainings and runs."""

from pathlib import Path
from typing import Final, NamedTuple

from dashboard.queries import run_queries, trainings
from dashboard.queries.store_state import cached_by_stamp, reader
from streetclip import store

_MOST_RUNS: Final = 100


class KnownModel(NamedTuple):
    """A model by path or hub id, the run or training that names it, and its candidates or ""."""

    source: str
    name: str
    candidates: str


@cached_by_stamp(max_entries=2)
def known_models(store_path: Path) -> list[KnownModel]:
    """List models by path or hub id, untrusted: of runs, then of trainings, the newest first."""
    if not run_queries.has_store(store_path):
        return []
    found = []
    with reader(store_path) as opened, opened.snapshot():
        for run in run_queries.list_runs(store_path)[:_MOST_RUNS]:
            candidates = str(store.get_run(opened, run["id"])["candidates_path"])
            if candidates:  # predictions that were imported have none, and no model
                found.append(KnownModel(run["model_source"], run["name"], candidates))
    best = [(trainings.best(each), each["name"]) for each in trainings.listed(store_path)]
    return found + [KnownModel(each.path, name, "") for each, name in best if each and each.path]
