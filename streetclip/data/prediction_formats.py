"""List the published formats of predictions, and find which column of a table means what.

To add a format, add an entry to `FORMATS`, its name to `--format`, and a line to
docs/predictions.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from streetclip.data.columns import SAME_MEANING, column_key
from streetclip.errors import ConfigError, ManifestError, shown

PLACE_ROLES: Final = ("country", "region", "city", "latitude", "longitude")
ROLES: Final = (
    "image", *PLACE_ROLES, "address", "answer",
    "confidence", "top_countries", "refused", "error", "rank", "partition",
)  # fmt: skip
"""What a column of predictions can be; `--columns` names them."""
TRUTH_ROLES: Final = ("image", *PLACE_ROLES)

_BEFORE: Final = ("pred", "predicted", "prediction", "guess", "guessed", "answer", "model")
_BEFORE_TRUTH: Final = ("true", "truth", "label", "gt", "groundtruth", "actual")
_MORE_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "image": (*SAME_MEANING["image_filename"], "locationid", "panoid", "imagefilename"),
    "confidence": ("confidence", "probability", "prob", "countryprobability"),
    "answer": ("answer", "response", "modelresponse", "rawresponse", "output", "text"),
    "top_countries": ("topcountries",),
    "address": ("address", "location"),
    "refused": ("refused", "refusal"),
    "error": ("error", "errormessage"),
    "rank": ("rank",),
}


@dataclass(frozen=True)
class Format:
    """A format: columns by role, of the prediction and of labels in the same file.

    Attributes:
        source: Repository whose programs write it.
        needs: Columns by which `auto` recognises it.
        partition: Of several rows an image, the value of the partition column that counts.
        is_zero_missing: Whether 0, 0 is written where an answer had no coordinates.
        is_defused: Whether texts are written as by `csv_formulas.defuse`.
    """

    name: str
    source: str = ""
    needs: tuple[str, ...] = ()
    prediction: Mapping[str, str] = field(default_factory=dict)
    truth: Mapping[str, str] = field(default_factory=dict)
    partition: str = ""
    is_zero_missing: bool = False
    is_defused: bool = False


FORMATS: Final = (
    Format(
        "streetclip",
        needs=("image_filename", "pred_country", "pred_latitude_deg", "country_probability"),
        prediction={
            "image": "image_filename", "country": "pred_country", "city": "pred_city",
            "latitude": "pred_latitude_deg", "longitude": "pred_longitude_deg",
            "confidence": "country_probability", "top_countries": "top_countries",
            "error": "error",
        },
        truth={
            "image": "image_filename", "country": "true_country", "region": "true_region",
            "city": "true_city", "latitude": "true_latitude_deg", "longitude": "true_longitude_deg",
        },
        is_defused=True,
    ),
    Format(
        "geobench", "ccmdi/geobench",
        needs=("location_id", "country_guess", "lat_guess", "lng_guess"),
        prediction={
            "image": "location_id", "country": "country_guess",
            "latitude": "lat_guess", "longitude": "lng_guess",
            "refused": "refused", "error": "error_message",
        },
        truth={
            "image": "location_id", "country": "country_true",
            "latitude": "lat_true", "longitude": "lng_true",
        },
    ),
    Format(
        "georanker", "GeoRanker's code",
        needs=("IMG_ID", "LAT_pred", "LON_pred"),
        prediction={"image": "IMG_ID", "latitude": "LAT_pred", "longitude": "LON_pred"},
        truth={"image": "IMG_ID", "latitude": "LAT", "longitude": "LON"},
    ),
    Format(
        "g3", "Applied-Machine-Learning-Lab/G3",
        needs=("IMG_ID", "zs_0_latitude", "zs_0_longitude"),
        prediction={
            "image": "IMG_ID", "latitude": "zs_0_latitude", "longitude": "zs_0_longitude",
        },
        truth={"image": "IMG_ID", "latitude": "LAT", "longitude": "LON"},
        is_zero_missing=True,
    ),
    Format(
        "imageo", "Lingyao1219/benchmark-reverse-geocoding",
        needs=("image_file", "location_info.address"),
        prediction={
            "image": "image_file", "address": "location_info.address",
            "latitude": "location_info.lat", "longitude": "location_info.lng", "error": "error",
        },
    ),
    Format(
        "vlm", "njspyx/location-inference",
        needs=("image_name", "predicted_country", "predicted_lat", "predicted_long"),
        prediction={
            "image": "image_name", "country": "predicted_country", "city": "predicted_city",
            "latitude": "predicted_lat", "longitude": "predicted_long",
        },
        truth={
            "image": "image_name", "country": "label_country", "city": "label_city",
            "latitude": "label_lat", "longitude": "label_long",
        },
    ),
    Format(
        "geoestimation", "TIBHannover/GeoEstimation",
        needs=("img_id", "p_key", "pred_lat", "pred_lng"),
        prediction={
            "image": "img_id", "latitude": "pred_lat", "longitude": "pred_lng",
            "partition": "p_key",
        },
        partition="hierarchy",
    ),
    Format(
        "earthwhere", "UCSC-VLAA/EarthWhere",
        needs=("panoId", "ground_truth", "predicted", "choices"),
        prediction={"image": "panoId", "country": "predicted"},
        truth={"image": "panoId", "country": "ground_truth"},
    ),
    Format(
        "osv5m", "gastruc/osv5m",
        needs=("id", "latitude", "longitude", "sub-region"),
        prediction={
            "image": "id", "latitude": "latitude", "longitude": "longitude",
            "country": "country", "region": "region", "city": "city",
        },
    ),
    Format(
        "geoclip", "VicenteVivan/geo-clip",
        needs=("image", "rank", "lat", "lon", "prob"),
        prediction={
            "image": "image", "rank": "rank", "latitude": "lat", "longitude": "lon",
            "confidence": "prob",
        },
    ),
    Format("table"),
)  # fmt: skip
"""All formats; `auto` takes the first whose columns a table has. The last fits any table."""


def find_format(name: str, columns: Sequence[str]) -> Format:
    """Find a format by name; for "auto", recognise it by the columns of a table."""
    if name != "auto":
        return next(each for each in FORMATS if each.name == name)
    return next(each for each in FORMATS if set(each.needs) <= set(columns))


def prediction_columns(
    found: Format, columns: Sequence[str], mapping: Sequence[str], where: str
) -> dict[str, str]:
    """Find the column of each role of a table of predictions.

    `mapping` are texts "role=column", which go before the format's columns; of a plain table, any
    further ones are found by usual names. Raises ConfigError and ManifestError.
    """
    given = parse_mapping("--columns", mapping, ROLES, columns, where)
    usual = _usual_columns(ROLES, columns, _BEFORE) if found.name == "table" else {}
    of_format = {role: name for role, name in found.prediction.items() if name in columns}
    return usual | of_format | given


def truth_columns(
    found: Format, columns: Sequence[str], mapping: Sequence[str], where: str, taken: Iterable[str]
) -> dict[str, str]:
    """Find the column of each role of the labels; those `taken` are of the prediction."""
    given = parse_mapping("--truth", mapping, TRUTH_ROLES, columns, where)
    free = [name for name in columns if name not in set(taken)]
    usual = _usual_columns(PLACE_ROLES, free, _BEFORE_TRUTH) if not found.truth else {}
    return usual | {r: name for r, name in found.truth.items() if name in columns} | given


def parse_mapping(
    flag: str, mapping: Sequence[str], roles: Sequence[str], columns: Sequence[str], where: str
) -> dict[str, str]:
    """Read texts "role=column"; ConfigError for another role, ManifestError for another column."""
    given = {}
    for text in mapping:
        role, _, column = text.partition("=")
        if role not in roles or not column:
            msg = f"{flag} is {shown(text)}; expected ROLE=COLUMN with one of {', '.join(roles)}."
            raise ConfigError(msg)
        if column not in columns:
            msg = f"{where}: has no column {shown(column)}, which {flag} names."
            raise ManifestError(msg)
        given[role] = column
    return given


def _usual_columns(
    roles: Iterable[str], columns: Sequence[str], before: Sequence[str]
) -> dict[str, str]:
    """Find columns by usual names: first with a word such as "pred", then without."""
    by_key: dict[str, str] = {}
    for column in columns:
        for key in (column_key(column), column_key(column.rpartition(".")[2])):
            by_key.setdefault(key, column)
    found: dict[str, str] = {}
    for role in roles:
        names = (role, *SAME_MEANING.get(role, ()), *_MORE_NAMES.get(role, ()))
        if role in PLACE_ROLES:
            marked = [(f"{word}{name}", f"{name}{word}") for word in before for name in names]
            names = (*(key for pair in marked for key in pair), *names)
        named = [by_key[name] for name in names if name in by_key]
        if named and named[0] not in found.values():
            found[role] = named[0]
    return found
