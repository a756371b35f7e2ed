"""Sample and order the images of an epoch by seed and epoch.

Shape suffixes: N images, C countries.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]


def epoch_order(num_images: int, *, seed: int, epoch: int) -> Int64:
    """Permute the images of an epoch, counted from 1."""
    return np.random.default_rng([seed, epoch]).permutation(num_images).astype(np.int64)


def steps_per_epoch(num_images: int, batch_size: int) -> int:
    """Count the full batches of an epoch, at least one."""
    return max(1, num_images // batch_size)


def own_order(order: Int64, *, share: int, rank: int, num_processes: int) -> Int64:
    """Select what one of several processes encodes: in turn, `share` images of each step.

    The order has whole steps, or one with fewer images, which the last processes lack.

    Examples:
        >>> own_order(np.arange(8), share=2, rank=1, num_processes=2)
        array([2, 3, 6, 7])
        >>> own_order(np.arange(3), share=2, rank=1, num_processes=2)
        array([2])
    """
    if len(order) < share * num_processes:
        return order[rank * share :][:share]
    return order.reshape(-1, num_processes, share)[:, rank].reshape(-1)


def validation_groups(num_images: int, *, group_size: int, seed: int) -> Iterator[Int64]:
    """Yield equal groups of validation images; fill the last from the start of the shuffle."""
    order = epoch_order(num_images, seed=seed, epoch=0)
    size = min(group_size, num_images)
    for start in range(0, num_images, max(1, size)):
        yield np.take(order, range(start, start + size), mode="wrap")


class Sampler:
    """Chooses the N images of an epoch and their order.

    "natural" shows each image once. "country_balanced" shows a country in proportion to its number
    of images to the power of 1/T (XLM: Lample and Conneau, arXiv 1901.07291, section 3.1); counts
    of a country's images differ by at most one. `num_shown` is the number of each country.

    Examples:
        >>> codes = ["FR"] * 16 + ["PE"] * 4
        >>> Sampler(codes, kind="country_balanced", temperature=2, seed=42).num_shown
        {'FR': 13, 'PE': 7}
    """

    def __init__(
        self, country_codes: Sequence[str], *, kind: str, temperature: float, seed: int
    ) -> None:
        self._num_images, self._seed = len(country_codes), seed
        self._is_natural = kind == "natural"
        codes_C, country_N, self._size_C = np.unique(
            np.asarray(country_codes, str), return_inverse=True, return_counts=True
        )
        self._quota_C = _quotas(self._size_C, 1 if self._is_natural else temperature)
        order_N = epoch_order(self._num_images, seed=seed, epoch=0)
        self._by_country_N = order_N[np.argsort(country_N[order_N], kind="stable")]
        self.num_shown = dict(zip(codes_C.tolist(), self._quota_C.tolist(), strict=True))

    def order(self, epoch: int) -> Int64:
        """Return the N image numbers of an epoch, counted from 1."""
        shuffled_N = epoch_order(self._num_images, seed=self._seed, epoch=epoch)
        if self._is_natural:
            return shuffled_N
        # Each country continues where it stopped in the epoch before.
        quota_C, size_C = self._quota_C, self._size_C
        first_C = (epoch - 1) * quota_C - _starts(quota_C)
        turn_N = np.arange(self._num_images) + np.repeat(first_C, quota_C)
        place_N = np.repeat(_starts(size_C), quota_C) + turn_N % np.repeat(size_C, quota_C)
        shown_N: Int64 = self._by_country_N[place_N][shuffled_N]
        return shown_N


def _quotas(size_C: Int64, temperature: float) -> Int64:
    """Apportion N places to countries by largest remainder."""
    weight_C = size_C.astype(np.float64) ** (1 / temperature)
    exact_C = weight_C * float(size_C.sum() / weight_C.sum())
    quota_C = np.floor(exact_C).astype(np.int64)
    num_left = int(size_C.sum() - quota_C.sum())
    quota_C[np.argsort(quota_C - exact_C, kind="stable")[:num_left]] += 1
    return quota_C


def _starts(length_C: Int64) -> Int64:
    starts_C: Int64 = np.cumsum(length_C) - length_C
    return starts_C
