"""Countries kept out of training, to tell how much of its zero-shot ability a model loses."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from streetclip.data.manifest import Manifest
from streetclip.errors import ConfigError, UnknownPlaceError, shown
from streetclip.gazetteer import resolve_country

if TYPE_CHECKING:
    import pandas as pd

_LOG = logging.getLogger(__name__)
_FLAG = "--holdout_countries"


class Split(NamedTuple):
    """Rows of the manifests, by what they are for.

    Attributes:
        train: To train on.
        val: To validate by.
        holdout: Validation images of the countries held out; None if none are.
    """

    train: "pd.DataFrame"
    val: "pd.DataFrame"
    holdout: "pd.DataFrame | None"


def split_holdout(train: Manifest, val: Manifest, names: Sequence[str]) -> Split:
    """Take the images of some countries out of both manifests.

    Args:
        train: Manifest of the training images.
        val: Manifest of the validation images.
        names: The countries, in any spelling that the gazetteer knows.

    Raises:
        ConfigError: A country is unknown or has no validation image, or nothing is left to train
            on or to validate by.
    """
    if not names:
        return Split(train.frame, val.frame, None)
    codes = {_code(name): name for name in names}
    for code, name in codes.items():
        if code not in set(val.frame["country_code"]):
            msg = (
                f"{_FLAG}: {val.path} has no image of {shown(name)}; expected some, by which lost "
                "zero-shot ability is told. Add rows, or do not name it."
            )
            raise ConfigError(msg)
    from_train, from_val = (each.frame["country_code"].isin(codes) for each in (train, val))
    _check_rest(train, "train on", int((~from_train).sum()))
    _check_rest(val, "validate by", int((~from_val).sum()))
    _LOG.info(
        "%s %s: %d of %d training images are left out; %d of %d validation images tell how well "
        "a country is found that was not trained on",
        _FLAG,
        ", ".join(codes.values()),
        from_train.sum(),
        len(from_train),
        from_val.sum(),
        len(from_val),
    )
    return Split(train.frame[~from_train], val.frame[~from_val], val.frame[from_val])


def _code(name: str) -> str:
    try:
        return resolve_country(name).code
    except UnknownPlaceError as error:
        msg = f"{_FLAG}: {error}"
        raise ConfigError(msg) from None


def _check_rest(manifest: Manifest, purpose: str, num_left: int) -> None:
    if num_left == 0:
        msg = (
            f"{_FLAG}: all {len(manifest.frame)} images of {manifest.path} are of countries held "
            f"out; expected some of others, to {purpose}. Name fewer countries."
        )
        raise ConfigError(msg)
