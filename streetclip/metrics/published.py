"""Hold published results on the test sets of the field.

Source of StreetCLIP and CLIP: Haas, Alberti, Skreta (2023), "Learning Generalized Zero-Shot
Learners for Open-Domain Image Geolocalization", arXiv 2302.00275: zero-shot shares within 25, 200,
750 and 2500 km on IM2GPS and IM2GPS3k; none within 1 km.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

SOURCE: Final = "Haas, Alberti, Skreta (2023), arXiv 2302.00275"

_TOLERANCE: Final = 0.05  # copies of IM2GPS3k have 2,997 to 3,000 images; a subset is another test


@dataclass(frozen=True)
class Published:
    """Published shares of images within thresholds in km, 0 to 1, and their source."""

    shares: Mapping[int, float]
    source: str


@dataclass(frozen=True)
class Benchmark:
    """A public test set, and what was published on it."""

    name: str
    num_images: int  # that the published shares are of
    shares: Mapping[str, Mapping[int, float]]  # model → threshold in km → images within it, 0 to 1
    source: str = SOURCE
    others: Mapping[str, Published] = field(default_factory=dict)

    @property
    def everyone(self) -> dict[str, Published]:
        """List all models, those of `shares` first."""
        ours = {name: Published(shares, self.source) for name, shares in self.shares.items()}
        return {**ours, **self.others}


_IM2GPS: Final = {
    "StreetCLIP": {25: 0.283, 200: 0.451, 750: 0.747, 2500: 0.882},
    "CLIP": {25: 0.27, 200: 0.422, 750: 0.717, 2500: 0.869},
}
_IM2GPS3K: Final = {
    "StreetCLIP": {25: 0.224, 200: 0.374, 750: 0.613, 2500: 0.804},
    "CLIP": {25: 0.195, 200: 0.34, 750: 0.6, 2500: 0.781},
}
_OTHERS_OF_3K: Final = {
    "PIGEOTTO": Published(
        {1: 0.113, 25: 0.367, 200: 0.538, 750: 0.724, 2500: 0.853},
        "Haas et al. (2023), arXiv 2307.05845",
    ),
    "GeoCLIP": Published(
        {1: 0.141, 25: 0.345, 200: 0.507, 750: 0.697, 2500: 0.838},
        "Vivanco Cepeda et al. (2023), arXiv 2309.16020",
    ),
    "GeoRanker": Published(
        {1: 0.188, 25: 0.451, 200: 0.615, 750: 0.763, 2500: 0.893},
        "Jia et al. (2025), arXiv 2505.13731",
    ),
}
BENCHMARKS: Final = (
    Benchmark("IM2GPS", 237, _IM2GPS),
    Benchmark("IM2GPS3k", 2997, _IM2GPS3K, others=_OTHERS_OF_3K),
)
"""The test sets with published figures of StreetCLIP and CLIP."""


def benchmark_of(dataset_name: str, num_images: int) -> Benchmark | None:
    """Recognise a public test set by its name and its size; None if it is none.

    Case and punctuation of the name do not matter; of several benchmarks whose names it holds, the
    longest counts. The number of images must be within 5 % of the published one.

    Examples:
        >>> benchmark_of("im2gps_3k-test", 3000).name
        'IM2GPS3k'
        >>> benchmark_of("im2gps", 100) is None
        True
    """
    words = _letters(dataset_name)
    named = [each for each in BENCHMARKS if _letters(each.name) in words]
    if not named:
        return None
    found = max(named, key=lambda each: len(each.name))
    is_plausible = abs(num_images - found.num_images) <= _TOLERANCE * found.num_images
    return found if is_plausible else None


def _letters(text: str) -> str:
    """Keep the Latin letters and digits of a text, in lower case."""
    return re.sub("[^0-9a-z]", "", unicodedata.normalize("NFKC", text).casefold())
