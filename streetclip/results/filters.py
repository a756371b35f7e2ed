"""Select the images of a run that a filter leaves.

A new filter is a field of `Selection` and a line in `select`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from streetclip.errors import shown
from streetclip.results.groups import ATTRIBUTE
from streetclip.results.run_table import Bool, RunTable
from streetclip.store import STATUSES, Store, status_image_ids, tagged_image_ids

Bounds = tuple[float | None, float | None]
Ids = NDArray[np.int64]

MANY: Final = ("country", "predicted", "tags")
"""Filters that take several values, and so does `ATTRIBUTE` and the name of one."""


@dataclass(frozen=True, kw_only=True)
class Values:
    """Several values of filters, those of one filter being alternatives.

    Attributes:
        country: ISO codes of true countries.
        predicted: ISO codes of predicted countries; "" where nothing was predicted.
        attributes: Pairs (name, value); each name is a filter.
        tags: Tags of the image.
    """

    country: tuple[str, ...] = ()
    predicted: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """List the filters that have a value: some of `MANY`, and `ATTRIBUTE` with a name."""
        of_attributes = dict.fromkeys(f"{ATTRIBUTE}{name}" for name, _ in self.attributes)
        return [*filter(self.of, MANY), *of_attributes]

    def of(self, name: str) -> tuple[str, ...]:
        """List the values of one of the filters that take several."""
        if name.startswith(ATTRIBUTE):
            own = name.removeprefix(ATTRIBUTE)
            return tuple(value for each, value in self.attributes if each == own)
        values: tuple[str, ...] = getattr(self, name)
        return values

    def but(self, **changes: Any) -> Self:
        """Change filters; one that takes several values gets a text, several, or None for none.

        Examples:
            >>> Values(country=("FR", "DE")).but(country="FR", **{"attribute:sky": ("", "fog")})
            Values(country=('FR',), predicted=(), attributes=(('sky', ''), ('sky', 'fog')), tags=())
        """
        fields: dict[str, Any] = {}
        for name, value in changes.items():
            if not (name in MANY or name.startswith(ATTRIBUTE)):
                fields[name] = value
                continue
            values = (value,) if isinstance(value, str) else tuple(value or ())
            if name in MANY:
                fields[name] = values
                continue
            own = name.removeprefix(ATTRIBUTE)
            others = [each for each in fields.get("attributes", self.attributes) if each[0] != own]
            fields["attributes"] = (*others, *((own, each) for each in values))
        return replace(self, **fields)


@dataclass(frozen=True, kw_only=True)
class Selection(Values):
    """A filter of images; fields that are None or empty leave all.

    No filter leaves an image without a prediction. What a dataset or run does not have (a country,
    a place, the value of an attribute) matches no image.

    Attributes:
        excluded: An image must match none of these.
        region: True region; "" for images without one.
        city: True city; "" for images without one.
        country_correct: Whether the country is correct; what was not predicted is wrong.
        city_correct: Whether country and city are correct.
        distance_km: Minimum and maximum, both included; an image without a distance fails both.
        confidence: Minimum and maximum probability of the predicted country, both included, 0 to 1.
        status: Status of the annotation, as "open".
        file_name: A part of the image's file name, in any case.
    """

    excluded: Values = Values()
    continent: str | None = None
    region: str | None = None
    city: str | None = None
    country_correct: bool | None = None
    city_correct: bool | None = None
    distance_km: Bounds = (None, None)
    confidence: Bounds = (None, None)
    status: str | None = None
    file_name: str = ""

    @property
    def is_everything(self) -> bool:
        """Whether it leaves every image that has a prediction."""
        return self == Selection()

    @property
    def all_tags(self) -> tuple[str, ...]:
        """The tags that it wants and those that it excludes."""
        return *self.tags, *self.excluded.tags

    @property
    def needs_annotations(self) -> bool:
        """Whether it depends on tags or status."""
        return bool(self.all_tags or self.status)

    def only(self, name: str) -> str | None:
        """Return the value of a filter that has exactly one, else None."""
        values = self.of(name)
        return values[0] if len(values) == 1 else None

    def without(self, *names: str) -> "Selection":
        """Drop filters, with what they exclude."""
        several = {name: () for name in names if name in MANY or name.startswith(ATTRIBUTE)}
        rest = {name: getattr(_EVERYTHING, name) for name in names if name not in several}
        return self.but(**several, **rest, excluded=self.excluded.but(**several))


_EVERYTHING: Final = Selection()


@dataclass(frozen=True, kw_only=True)
class AnnotatedIds:
    """Ids of the images with the annotations that a filter names.

    Attributes:
        by_tag: Tag → ids of the images that have it, in any order; of other datasets, too.
        by_status: Status → ids of its images. "open" may be missing: images without another status.
    """

    by_tag: Mapping[str, Ids] = field(default_factory=dict)
    by_status: Mapping[str, Ids] = field(default_factory=dict)


def annotated_ids(store: Store, tags: Sequence[str], *, with_status: bool) -> AnnotatedIds:
    """Read the images with some tags, and with each status if asked; "open" is left out."""
    statuses = [each for each in STATUSES if with_status and each != "open"]
    return AnnotatedIds(
        by_tag=tagged_image_ids(store, tags),
        by_status={each: status_image_ids(store, each) for each in statuses},
    )


def select(table: RunTable, selection: Selection, annotated: AnnotatedIds | None = None) -> Bool:
    """Find the images of a run that a filter leaves: N booleans.

    Raises ValueError if `annotated` lacks a tag or status of the filter.
    """
    annotated = annotated or AnnotatedIds()
    mask = table.done.copy()
    _in_places(mask, table, selection)
    for level in ("country", "city"):
        wanted = getattr(selection, f"{level}_correct")
        if wanted is not None:
            mask &= table.correct(level) == wanted
    for name in selection.names:
        mask &= _matches(table, name, selection.of(name), annotated)
    for name in selection.excluded.names:
        mask &= ~_matches(table, name, selection.excluded.of(name), annotated)
    _within(mask, table, "distance_km", selection.distance_km)
    _within(mask, table, "country_probability", selection.confidence)
    if selection.file_name:
        mask &= table.dataset.named(selection.file_name)
    if selection.status == "open":
        others = [ids for status, ids in annotated.by_status.items() if status != "open"]
        mask &= ~_among(table.image_ids, others)
    elif selection.status is not None:
        mask &= _among(table.image_ids, [_given(annotated.by_status, selection.status)])
    return mask


def _in_places(mask: Bool, table: RunTable, selection: Selection) -> None:
    """Keep in a mask the images of the places that a filter names."""
    matches = np.ones(len(table.places), dtype=np.bool_)
    for level in ("continent", "region", "city"):
        name = getattr(selection, level)
        if name is not None:
            matches &= (table.places[level] == name).to_numpy(dtype=np.bool_)
    if not matches.all():
        mask &= matches[table.place]


def _matches(table: RunTable, name: str, values: Sequence[str], annotated: AnnotatedIds) -> Bool:
    """Find the images that have one of the values of a filter: N booleans."""
    if name == "tags":
        return _among(table.image_ids, [_given(annotated.by_tag, tag) for tag in values])
    codes: NDArray[Any]
    texts: Sequence[str]
    if name == "country":
        codes, texts = table.place, table.places["country"].tolist()
    elif name == "predicted":
        codes, texts = table.pred_country, table.codes
    elif name.removeprefix(ATTRIBUTE) in table.dataset.attributes:
        codes, texts = table.dataset.attribute(name.removeprefix(ATTRIBUTE))
    else:
        return np.zeros(table.num_images, dtype=np.bool_)
    wanted = set(values)
    found: Bool = np.array([text in wanted for text in texts], dtype=np.bool_)[codes]
    return found


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
