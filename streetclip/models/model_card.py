"""Make model cards; quote or escape all text from foreign files."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streetclip.hub_ids import is_hub_id

LICENCE_KEYS = ("license", "license_name", "license_link")  # in a card's header
CARD_FILE = "README.md"

# Of models whose card may be missing from the cache.
_LICENCES = {"geolocal/StreetCLIP": {"license": "cc-by-nc-4.0"}}
_LONGEST_CARD = 2**20
_LONGEST_TEXT = 300
_HEADER = re.compile(r"\A\ufeff?\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|\Z)", re.DOTALL)
_MARKUP = re.compile(r"([\\`*_\[\]<>#&|!~$])")


def read_licence(folder: Path) -> dict[str, str]:
    """Read the licence in a folder's model card; empty where none is readable."""
    import yaml

    if not (folder / CARD_FILE).is_file():
        return {}
    try:
        with (folder / CARD_FILE).open(encoding="utf-8", errors="replace") as file:
            header = _HEADER.match(file.read(_LONGEST_CARD))
        if header is None:
            return {}
        values = yaml.load(header[1], Loader=yaml.BaseLoader)  # noqa: S506 -- plain values only
    except (OSError, yaml.YAMLError, RecursionError):
        return {}
    return _licence(values)


def licence_of(training: Mapping[str, Any], source: str) -> dict[str, str]:
    """Get the licence of a model from its training record or its source.

    Examples:
        >>> licence_of({"licence": {"license": "mit"}}, "outputs/best_model.pt")
        {'license': 'mit'}
        >>> licence_of({"base_model": {"source": "geolocal/StreetCLIP"}}, "outputs/best_model.pt")
        {'license': 'cc-by-nc-4.0'}
    """
    base = training.get("base_model")
    of_base = base.get("source") if isinstance(base, Mapping) else None
    known = _LICENCES.get(source) or _LICENCES.get(of_base if isinstance(of_base, str) else "")
    return _licence(training.get("licence")) or dict(known or {})


def card_header(base_model: str, licence: Mapping[str, str]) -> str:
    """Make the YAML header of a model card, without local paths."""
    import yaml

    values: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "zero-shot-image-classification",
        "tags": ["geolocalization", "streetclip"],
    }
    if is_on_hub(base_model):
        values["base_model"] = base_model
    values |= _licence(licence)
    body = yaml.safe_dump(
        values, sort_keys=False, allow_unicode=True, default_flow_style=None, width=10_000
    )
    return f"---\n{body}---"


def is_on_hub(source: str) -> bool:
    """Return whether a source is a user's model on the hub."""
    return "/" in source and is_hub_id(source) and not Path(source).exists()


def code_span(value: object) -> str:
    """Make any text one line of Markdown code.

    Examples:
        >>> print(code_span("a`b"))
        ``a`b``
    """
    text = one_line(value) or " "
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def plain_text(value: object) -> str:
    r"""Escape any text to one line of Markdown without markup.

    Examples:
        >>> print(plain_text("a_b <i>"))
        a\_b \<i\>
    """
    return _MARKUP.sub(r"\\\1", one_line(value))


def one_line(value: object) -> str:
    r"""Make a text one printable line of at most 300 characters.

    Examples:
        >>> one_line("a\n---\nb\x1b")
        'a --- b'
    """
    printable = "".join(c if c.isprintable() else " " for c in str(value))
    text = " ".join(printable.split())
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _licence(values: object) -> dict[str, str]:
    """Get the licence among header values; join several of a key."""
    if not isinstance(values, Mapping):
        return {}
    found = {}
    for key in LICENCE_KEYS:
        value = values.get(key)
        each = value if isinstance(value, list) else [value]
        text = one_line(", ".join(part for part in each if isinstance(part, str)))
        if text:
            found[key] = text
    return found
