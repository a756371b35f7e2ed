"""Whether a model confuses neighbours more than chance would.

A model that looks at roads, plants and signs should take a country for one that it borders on more
often than for a stranger. How often chance alone would do so depends on which countries the errors
start from and on which candidates border on them, so the share is compared with that.
"""

from collections.abc import Collection, Mapping

from numpy.typing import ArrayLike

from streetclip.metrics.confusion import pair_counts
from streetclip.metrics.intervals import Proportion


def neighbour_confusion(
    true_codes: ArrayLike,
    predicted_codes: ArrayLike,
    candidate_codes: Collection[str],
    neighbours: Mapping[str, Collection[str]],
) -> dict[str, float | int | None]:
    """How often errors go to land neighbours, against what chance would give.

    An error is an image for which another country than the true one was predicted. Chance keeps
    each true country's number of errors and spreads them evenly over the other candidates: with e_c
    errors of country c, b_c of its neighbours among the o_c other candidates, it sends
    Σ_c e_c · b_c / o_c errors to neighbours.

    Args:
        true_codes: N ISO codes of countries.
        predicted_codes: N ISO codes; "" where nothing was predicted, which is no error here.
        candidate_codes: The countries that could be predicted.
        neighbours: ISO code → codes of the countries that it borders on by land. A border named
            on one side only counts on both.

    Returns:
        errors: Number of errors.
        to_neighbours: How many of them went to a land neighbour of the true country.
        share: to_neighbours / errors; None without errors.
        expected_share: The share that chance would give; None without errors.
        ratio: share / expected_share: 1 is chance; None if chance would give 0.
        low, high: 95 % interval of the ratio: the Wilson interval of the share, divided by
            expected_share. It takes errors as independent and the countries as given.

    Raises:
        ValueError: Lengths differ, or a predicted country is not a candidate.

    Examples:
        >>> borders = {"FR": {"ES"}, "ES": {"FR"}, "JP": set()}
        >>> found = neighbour_confusion(
        ...     ["FR", "FR", "FR", "ES"], ["ES", "ES", "JP", "ES"], ["FR", "ES", "JP"], borders
        ... )
        >>> found["errors"], found["to_neighbours"], found["expected_share"]
        (3, 2, 0.5)
    """
    counts = pair_counts(true_codes, predicted_codes).to_dict()
    return neighbour_confusion_of_counts(counts, candidate_codes, neighbours)


def neighbour_confusion_of_counts(
    counts: Mapping[tuple[str, str], int],
    candidate_codes: Collection[str],
    neighbours: Mapping[str, Collection[str]],
) -> dict[str, float | int | None]:
    """As `neighbour_confusion`, from images counted by pair.

    Args:
        counts: (true, predicted) code → images; "" where nothing was predicted.
        candidate_codes: As `neighbour_confusion`.
        neighbours: As `neighbour_confusion`.

    Raises:
        ValueError: A predicted country is not a candidate.

    Examples:
        >>> counts = {("FR", "ES"): 2, ("FR", "JP"): 1, ("ES", "ES"): 1}
        >>> borders = {"FR": {"ES"}, "JP": set()}
        >>> neighbour_confusion_of_counts(counts, ["FR", "ES", "JP"], borders)["share"]
        0.6666666666666666
    """
    candidates = frozenset(candidate_codes)
    errors = _errors(counts, candidates)
    borders = _on_both_sides(neighbours)
    nobody: frozenset[str] = frozenset()
    bordering = {
        true: (borders.get(true, nobody) & candidates) - {true}
        for true in {true for true, _ in errors}
    }
    to_neighbours, expected = 0, 0.0
    for (true, predicted), n in errors.items():
        num_others = len(candidates) - (true in candidates)
        to_neighbours += n if predicted in bordering[true] else 0
        expected += n * len(bordering[true]) / num_others
    return _against_chance(Proportion(to_neighbours, sum(errors.values())), expected)


def _errors(
    counts: Mapping[tuple[str, str], int], candidates: frozenset[str]
) -> dict[tuple[str, str], int]:
    """(true, predicted) → count of the predictions that are wrong."""
    strangers = {predicted for _, predicted in counts} - candidates - {""}
    if strangers:
        msg = f"predicted {sorted(strangers)}, which are not among the candidates"
        raise ValueError(msg)
    return {
        (true, predicted): n
        for (true, predicted), n in counts.items()
        if predicted not in ("", true)
    }


def _on_both_sides(borders: Mapping[str, Collection[str]]) -> dict[str, set[str]]:
    """The neighbours of each country, a border named on one side counted on both."""
    both: dict[str, set[str]] = {}
    for code, others in borders.items():
        for other in others:
            both.setdefault(code, set()).add(other)
            both.setdefault(other, set()).add(code)
    return both


def _against_chance(observed: Proportion, expected: float) -> dict[str, float | int | None]:
    """Divide the observed share and its interval by the share expected by chance."""
    expected_share = expected / observed.n if observed.n else None
    share, low, high = observed.value, observed.low, observed.high
    return {
        "errors": observed.n,
        "to_neighbours": observed.successes,
        "share": share,
        "expected_share": expected_share,
        "ratio": _ratio(share, expected_share),
        "low": _ratio(low, expected_share),
        "high": _ratio(high, expected_share),
    }


def _ratio(share: float | None, expected_share: float | None) -> float | None:
    if share is None or not expected_share:
        return None
    return share / expected_share
