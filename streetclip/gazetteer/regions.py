"""First-level divisions of countries: states, provinces, prefectures, with their other names."""

import functools
import importlib.resources
import json
from collections.abc import Mapping

from streetclip.gazetteer.names import normalise_name

# What a region is, not what it is called: "State of Maine", "Hubei Province", "Tokyo Prefecture".
_KINDS = frozenset(
    {
        "state", "province", "region", "prefecture", "department", "departamento", "provincia",
        "estado", "county", "canton", "governorate", "district", "oblast", "krai", "kray",
        "republic", "emirate", "land", "voivodeship", "municipality", "division", "territory",
        "of", "the", "free", "do", "de", "la", "el",
    }
)  # fmt: skip


def region_name(country_code: str, admin1_code: str) -> str | None:
    """English name of a division by GeoNames' admin1 code; None where it is unknown."""
    names = _tables().get(country_code, {}).get(admin1_code)
    return names[0] if names else None


def find_region(country_code: str, text: str) -> str | None:
    """English name of the division that a text means; None where it cannot be told.

    Understood are names in English and the country's languages, ISO 3166-2 codes, and the kind of
    division before or after the name. A text that fits two divisions means neither.

    Args:
        country_code: ISO 3166-1 alpha-2.
        text: As a manifest or candidates file has it.

    Examples:
        >>> find_region("US", "ME"), find_region("US", "State of Maine")
        ('Maine', 'Maine')
        >>> find_region("DE", "Bayern")
        'Bavaria'
        >>> find_region("GB", "Greater London") is None
        True
    """
    key = normalise_name(text).removeprefix(f"{country_code.lower()} ")
    names, bare_names = _keys(country_code)
    return names.get(key) or bare_names.get(bare_region(key))


def bare_region(text: str) -> str:
    """Normalise a region's name and leave out what kind of region it is.

    Examples:
        >>> bare_region("Moscow Oblast"), bare_region("State of Maine")
        ('moscow', 'maine')
    """
    key = normalise_name(text)
    words = [word for word in key.split() if word not in _KINDS]
    return " ".join(words) or key


@functools.cache
def _keys(country_code: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """English names by normalised name, and by name without its kind; each unambiguous."""
    names: dict[str, set[str]] = {}
    bare_names: dict[str, set[str]] = {}
    for of_region in _tables().get(country_code, {}).values():
        # The English names of two divisions may be one: then the code tells nothing.
        for name in of_region:
            names.setdefault(normalise_name(name), set()).add(of_region[0])
            bare_names.setdefault(bare_region(name), set()).add(of_region[0])
    return _unambiguous(names), _unambiguous(bare_names)


def _unambiguous(names: Mapping[str, set[str]]) -> dict[str, str]:
    return {key: next(iter(found)) for key, found in names.items() if len(found) == 1}


@functools.cache
def _tables() -> Mapping[str, Mapping[str, list[str]]]:
    path = importlib.resources.files("streetclip.gazetteer") / "tables" / "regions.json"
    tables: Mapping[str, Mapping[str, list[str]]] = json.loads(path.read_text(encoding="utf-8"))
    return tables
