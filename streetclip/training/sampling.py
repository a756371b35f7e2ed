"""Which images an epoch shows: each once, or those of small countries more often.

Shape suffixes: N images, C countries.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streetclip.training.schedule import epoch_order


class Sampler:
    """Chooses the N images of an epoch, and their order, from seed and epoch alone.

    "natural" shows each image once. "country_balanced" shows a country in proportion to its number
    of images to the power of 1/T (so XLM weighs languages, with a power of 0.5: Lample and Conneau,
    arXiv 1901.07291, section 3.1): some of its images more than once, or not all of them in one
    epoch. A country's images take turns in a fixed random order, so that within an epoch, and over
    all epochs so far, none is shown more than once more than another of its country.

    Attributes:
        num_shown: How many images of each country an epoch shows.

    Examples:
        >>> sampler = Sampler(
        ...     ["FR"] * 16 + ["PE"] * 4, kind="country_balanced", temperature=2, seed=42
        ... )
        >>> sampler.num_shown
        {'FR': 13, 'PE': 7}
    """

    def __init__(
        self, country_codes: Sequence[str], *, kind: str, temperature: float, seed: int
    ) -> None:
        """Share the places of an epoch out.

        Args:
            country_codes: Of the N images.
            kind: "natural" or "country_balanced".
            temperature: T, at least 1: 1 gives natural shares, infinity the same to all countries.
            seed: Seed of the training.
        """
        self._num_images, self._seed = len(country_codes), seed
        self._is_natural = kind == "natural"
        codes_C, country_N, self._size_C = np.unique(
            np.asarray(country_codes, str), return_inverse=True, return_counts=True
        )
        self._quota_C = _quotas(self._size_C, 1 if self._is_natural else temperature)
        order_N = epoch_order(self._num_images, seed=seed, epoch=0)
        self._by_country_N = order_N[np.argsort(country_N[order_N], kind="stable")]
        self.num_shown = dict(zip(codes_C.tolist(), self._quota_C.tolist(), strict=True))

    def order(self, epoch: int) -> NDArray[np.int64]:
        """The images of an epoch in their order.

        Args:
            epoch: From 1.

        Returns:
            N numbers of images.
        """
        shuffled_N = epoch_order(self._num_images, seed=self._seed, epoch=epoch)
        return shuffled_N if self._is_natural else self._shown(epoch)[shuffled_N]

    def _shown(self, epoch: int) -> NDArray[np.int64]:
        """The images of an epoch, country by country; each goes on where it was before."""
        quota_C, size_C = self._quota_C, self._size_C
        first_C = (epoch - 1) * quota_C - _starts(quota_C)
        turn_N = np.arange(self._num_images) + np.repeat(first_C, quota_C)
        place_N = np.repeat(_starts(size_C), quota_C) + turn_N % np.repeat(size_C, quota_C)
        shown_N: NDArray[np.int64] = self._by_country_N[place_N]
        return shown_N


def _quotas(size_C: NDArray[np.int64], temperature: float) -> NDArray[np.int64]:
    """Share as many places as there are images out, by largest remainder."""
    weight_C = size_C.astype(np.float64) ** (1 / temperature)
    exact_C = weight_C * float(size_C.sum() / weight_C.sum())
    quota_C = np.floor(exact_C).astype(np.int64)
    num_left = int(size_C.sum() - quota_C.sum())
    quota_C[np.argsort(quota_C - exact_C, kind="stable")[:num_left]] += 1
    return quota_C


def _starts(length_C: NDArray[np.int64]) -> NDArray[np.int64]:
    starts_C: NDArray[np.int64] = np.cumsum(length_C) - length_C
    return starts_C
