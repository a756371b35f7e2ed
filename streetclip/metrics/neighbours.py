"""Measure whether a model confuses neighbours more than chance would.

How often chance alone would do so depends on which countries the errors start from and on which
candidates border on them, so the share is compared with that.
"""

from collections.abc import Collection, Mapping

from streetclip.metrics.intervals import Proportion


def neighbour_confusion(
    counts: Mapping[tuple[str, str], int],
    candidate_codes: Collection[str],
    neighbours: Mapping[str, Collection[str]],
) -> dict[str, float | int | None]:
    """Compare how often errors go to land neighbours with what chance would give.

    An error is an image for which another country than the true one was predicted. Chance keeps
    each true country's number of errors and spreads them evenly over the other candidates: with e_c
    errors of country c, b_c of its neighbours among the o_c other candidates, it sends Σ_c e_c ·
    b_c / o_c errors to neighbours.

    Args:
        counts: (true, predicted) ISO code → images; "" (nothing predicted) is no error.
        candidate_codes: The countries that could be predicted.
        neighbours: ISO code → codes of its land neighbours; named on one side counts on both.

    Returns:
        errors: Number of errors.
        to_neighbours: How many of them went to a land neighbour of the true country.
        share: to_neighbours / errors; None without errors.
        expected_share: The share that chance would give; None without errors.
        ratio: share / expected_share: 1 is chance; None if chance would give 0.
        low, high: 95 % interval of the ratio: the Wilson interval of the share, divided by
            expected_share. It takes errors as independent and the countries as given.

    Examples:
        >>> counts = {("FR", "ES"): 2, ("FR", "JP"): 1, ("ES", "ES"): 1}
        >>> borders = {"FR": {"ES"}, "JP": set()}
        >>> found = neighbour_confusion(counts, ["FR", "ES", "JP"], borders)
        >>> found["errors"], found["to_neighbours"], found["expected_share"]
        (3, 2, 0.5)
    """
    candidates = frozenset(candidate_codes)
    strangers = {predicted for _, predicted in counts} - candidates - {""}
    if strangers:
        msg = f"predicted {sorted(strangers)}, which are not among the candidates"
        raise ValueError(msg)
    borders: dict[str, set[str]] = {}
    for code, others in neighbours.items():
        for other in others:
            borders.setdefault(code, set()).add(other)
            borders.setdefault(other, set()).add(code)
    errors, to_neighbours, expected = 0, 0, 0.0
    # In one order, so that the sum is the same to the last bit.
    for (true, predicted), n in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        if predicted in ("", true):
            continue
        bordering = (borders.get(true, set()) & candidates) - {true}
        errors += n
        to_neighbours += n if predicted in bordering else 0
        expected += n * len(bordering) / (len(candidates) - (true in candidates))
    observed = Proportion(to_neighbours, errors)
    expected_share = expected / errors if errors else None

    def ratio(share: float | None) -> float | None:
        return share / expected_share if share is not None and expected_share else None

    return {
        "errors": errors,
        "to_neighbours": to_neighbours,
        "share": observed.value,
        "expected_share": expected_share,
        "ratio": ratio(observed.value),
        "low": ratio(observed.low),
        "high": ratio(observed.high),
    }
