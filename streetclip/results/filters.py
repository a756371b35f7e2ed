"""Select the images of a run that a filter leaves.

A new filter is a field of `Selection` and a line in `select`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streetclip.errors import shown
from streetclip.results.run_table import LEVELS, Bool, RunTable

Bounds = tuple[float | None, float | None]
Ids = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A filter of images; fields that are None or empty leave all.

    No filter leaves an image without a prediction. What a dataset or run does not have (a country,
    a place, the value of an attribute) matches no image.

    Attributes:
        country: ISO code of the true country.
        region: True region; "" for images without one.
        city: True city; "" for images without one.
        predicted: ISO code of the predicted country; "" where nothing was predicted.
        country_correct: Whether the country is correct; what was not predicted is wrong.
        city_correct: Whether country and city are correct.
        distance_km: Minimum and maximum, both included; an image without a distance fails both.
        confidence: Minimum and maximum probability of the predicted country, both included, 0 to 1.
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
    country_correct: bool | None = None
    city_correct: bool | None = None
    distance_km: Bounds = (None, None)
    confidence: Bounds = (None, None)
    attributes: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    status: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether it leaves every image that has a prediction."""
        return self == Selection()


@dataclass(frozen=True, kw_only=True)
class AnnotatedIds:
    """Ids of the images with the annotations that a filter names.

    Attributes:
        by_tag: Tag → ids of the images that have it, in any order; of other datasets, too.
        by_status: Status → ids of its images. "open" may be missing: images without another status.
    """

    by_tag: Mapping[str, Ids] = field(default_factory=dict)
    by_status: Mapping[str, Ids] = field(default_factory=dict)


def select(table: RunTable, selection: Selection, annotated: AnnotatedIds | None = None) -> Bool:
    """Find the images of a run that a filter leaves: N booleans.

    Raises ValueError if `annotated` lacks a tag or status of the filter.
    """
    annotated = annotated or AnnotatedIds()
    mask = table.done.copy()
    _in_places(mask, table, selection)
    if selection.predicted is not None:
        mask &= (np.array(table.codes) == selection.predicted)[table.pred_country]
    for level in ("country", "city"):
        wanted = getattr(selection, f"{level}_correct")
        if wanted is not None:
            mask &= table.correct(level) == wanted
    for name in {name for name, _ in selection.attributes}:
        values = {value for each, value in selection.attributes if each == name}
        if name in table.dataset.attributes:
            codes, texts = table.dataset.attribute(name)
            mask &= np.array([text in values for text in texts], dtype=np.bool_)[codes]
        else:
            mask[:] = False
    _within(mask, table, "distance_km", selection.distance_km)
    _within(mask, table, "country_probability", selection.confidence)
    if selection.tags:
        mask &= _among(table.image_ids, [_given(annotated.by_tag, tag) for tag in selection.tags])
    if selection.status == "open":
        others = [ids for status, ids in annotated.by_status.items() if status != "open"]
        mask &= ~_among(table.image_ids, others)
    elif selection.status is not None:
        mask &= _among(table.image_ids, [_given(annotated.by_status, selection.status)])
    return mask


def _in_places(mask: Bool, table: RunTable, selection: Selection) -> None:
    """Keep in a mask the images of the places that a filter names."""
    matches = np.ones(len(table.places), dtype=np.bool_)
    for level in LEVELS:
        name = getattr(selection, level)
        if name is not None:
            matches &= (table.places[level] == name).to_numpy(dtype=np.bool_)
    if not matches.all():
        mask &= matches[table.place]


def _within(mask: Bool, table: RunTable, name: str, bounds: Bounds) -> None:
    """Keep in a mask the images between two bounds; NaN is outside."""
    low, high = bounds
    # Compared in the column's own precision: a bound between two of its numbers moves inwards.
    if low is not None:
        column = table.column(name)
        mask &= column >= _rounded(low, column.dtype, np.inf)
    if high is not None:
        column = table.column(name)
        mask &= column <= _rounded(high, column.dtype, -np.inf)


def _rounded(value: float, dtype: np.dtype[Any], towards: float) -> Any:
    """Round to the nearest number of a precision that is not on the far side of a value."""
    near = dtype.type(value)
    beyond = float(near) < value if towards > 0 else float(near) > value
    return np.nextafter(near, dtype.type(towards)) if beyond else near


def _given(ids: Mapping[str, Ids], name: str) -> Ids:
    if name not in ids:
        msg = f"the ids of the images with {shown(name)} are not given; give those of the store"
        raise ValueError(msg)
    return ids[name]


def _among(image_ids: Ids, groups: Sequence[Ids]) -> Bool:
    """Find the ids that are in one of the groups."""
    wanted = np.concatenate(groups) if groups else np.empty(0, dtype=np.int64)
    found: Bool = np.isin(image_ids, wanted)
    return found
