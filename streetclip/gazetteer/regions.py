"""Find first-level divisions of countries by any of their names."""

import functools
from collections.abc import Mapping

from streetclip.gazetteer.countries import normalise_name
from streetclip.gazetteer.data_files import read_table

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
    """Return a division's English name by GeoNames' admin1 code; None if unknown."""
    names = _names().get(country_code, {}).get(admin1_code)
    return names[0] if names else None


def find_region(country_code: str, text: str) -> str | None:
    """Find a division's English name by any name, if exactly one fits.

    Names in English and the country's languages and ISO 3166-2 codes are understood, with or
    without the kind of division.

    Examples:
        >>> find_region("US", "ME"), find_region("US", "State of Maine")
        ('Maine', 'Maine')
    """
    key = normalise_name(text).removeprefix(f"{country_code.lower()} ")
    names, bare_names = _by_key(country_code)
    return names.get(key) or bare_names.get(bare_region(key))


def bare_region(text: str) -> str:
    """Normalise a region's name without the kind of region.

    Examples:
        >>> bare_region("Moscow Oblast"), bare_region("State of Maine")
        ('moscow', 'maine')
    """
    key = normalise_name(text)
    words = [word for word in key.split() if word not in _KINDS]
    return " ".join(words) or key


@functools.cache
def _by_key(country_code: str) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Map unambiguous full and bare division names to English names."""
    tables: tuple[dict[str, set[str]], dict[str, set[str]]] = ({}, {})
    for of_region in _names().get(country_code, {}).values():
        # The English names of two divisions may be one: then the code tells nothing.
        for name in of_region:
            for table, key in zip(tables, (normalise_name(name), bare_region(name)), strict=True):
                table.setdefault(key, set()).add(of_region[0])
    names, bare_names = (
        {key: next(iter(found)) for key, found in table.items() if len(found) == 1}
        for table in tables
    )
    return names, bare_names


@functools.cache
def _names() -> Mapping[str, Mapping[str, list[str]]]:
    """Read each division's names, English first, by country and admin1 code."""
    table: Mapping[str, Mapping[str, list[str]]] = read_table("regions.json")
    return table
