"""The tables of losses, in Markdown."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from benchmarks.training.figures import (
    Interval,
    city_difference,
    city_share,
    country_difference,
    country_share,
    markdown,
    mean_over_seeds,
    percent,
)
from benchmarks.training.variants import COMPARISONS, VARIANTS

_NOTE = (
    "In percent. Mean over seeds with Student's 95 % interval, which knows of order and first "
    "weights only; each seed with its own, of the {n:,} test images (Wilson; differences: paired, "
    "Newcombe's, and the bootstrap's for the city)."
)


def tables(outcomes: list[dict[str, Any]]) -> str:
    """Accuracies of each variant, then differences of pairs that differ in one thing.

    Args:
        outcomes: Finished trainings: `variant`, `seed`, whether it `diverged`, and the `answers` of
            its best model, empty if there is none.
    """
    answers: dict[str, dict[int, str]] = {}
    diverged: Counter[str] = Counter()
    for each in outcomes:
        answers.setdefault(each["variant"], {})[each["seed"]] = each["answers"]
        diverged[each["variant"]] += each["diverged"]
    head = ["", "country: mean", "each seed", "city, country right: mean", "each seed"]
    accuracies = [
        _variant_row(name, answers[name], diverged[name]) for name in VARIANTS if name in answers
    ]
    differences = [
        row
        for a, b in COMPARISONS
        if a in answers and b in answers and (row := _difference_row(a, b, answers))
    ]
    n = max(len(text) for by_seed in answers.values() for text in by_seed.values())
    parts = [markdown(head, accuracies)]
    if differences:
        head = ["difference in points", *head[1:]]
        parts.append(markdown(head, differences))
    return "\n\n".join([*parts, _NOTE.format(n=n)])


def _variant_row(name: str, by_seed: dict[int, str], num_diverged: int) -> list[str]:
    told = [text for _, text in sorted(by_seed.items()) if text]
    title = VARIANTS[name].title
    if num_diverged:
        title += f" ({num_diverged} of {len(by_seed)} diverged)"
    return [title, *_cells([list(map(rate, told)) for rate in (country_share, city_share)])]


def _difference_row(a: str, b: str, answers: dict[str, dict[int, str]]) -> list[str] | None:
    seeds = [seed for seed in sorted(answers[a]) if answers[a][seed] and answers[b].get(seed)]
    if not seeds:
        return None
    compare: tuple[Callable[[str, str], Interval], ...] = (country_difference, city_difference)
    columns = [[one(answers[a][seed], answers[b][seed]) for seed in seeds] for one in compare]
    title = f"{VARIANTS[a].title} − {VARIANTS[b].title}"
    return [title, *_cells(columns, signed=True)]


def _cells(columns: list[list[Interval]], *, signed: bool = False) -> list[str]:
    cells = []
    for seeds in columns:
        if not seeds:
            cells += ["–", "–"]
            continue
        mean = mean_over_seeds([each.value for each in seeds])
        cells.append(percent(mean, signed=signed))
        cells.append(", ".join(percent(each, signed=signed) for each in seeds))
    return cells
