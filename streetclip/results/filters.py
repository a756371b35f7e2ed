"""Which images of a run are looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Bounds = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A choice of images; whatever is None or empty chooses nothing out.

    An image that has no prediction is in no selection. What a dataset or run does not have (a
    country, a place, the value of an attribute) selects no image.

    Attributes:
        continent: True continent.
        country: ISO code of the true country.
        region: True region; "" for images without one.
        city: True city; "" for images without one.
        predicted: ISO code of the predicted country; "" where nothing was predicted.
        country_right: Whether the country is right; what was not predicted is wrong.
        city_right: Whether country and city are right.
        distance_km: Least and greatest distance, both included; an image without a distance is
            within no bound.
        confidence: Least and greatest probability of the predicted country, both included, 0 to
            1; an image without a prediction is within no bound.
        attributes: Pairs (name, value). Values of one name are alternatives; an image must match
            every name.
        tags: An image must have one of them.
        status: Status of the annotation, as "open".
    """

    continent: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    predicted: str | None = None
    country_right: bool | None = None
    city_right: bool | None = None
    distance_km: Bounds = (None, None)
    confidence: Bounds = (None, None)
    attributes: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    status: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether it selects every image that has a prediction.

        Examples:
            >>> Selection().is_everything, Selection(predicted="").is_everything
            (True, False)
        """
        return self == Selection()

    def attribute_values(self) -> dict[str, frozenset[str]]:
        """The values asked for, by name of the attribute.

        Examples:
            >>> pairs = (("sky", "rain"), ("road", "dirt"), ("sky", "snow"))
            >>> sorted(Selection(attributes=pairs).attribute_values()["sky"])
            ['rain', 'snow']
        """
        names = {name for name, _ in self.attributes}
        return {
            each: frozenset(value for name, value in self.attributes if name == each)
            for each in names
        }


@dataclass(frozen=True, kw_only=True)
class AnnotatedIds:
    """Ids of the images that have an annotation, as far as a selection asks for it.

    Attributes:
        by_tag: Tag → ids of the images that have it, in any order; of other datasets, too.
        by_status: Status → ids of the images that have it. "open" need not be there: every image
            is open that no other status has.
    """

    by_tag: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    by_status: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
