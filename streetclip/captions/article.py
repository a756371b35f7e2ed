"""Put the definite article before the names of countries."""

import functools
import re

# Names that take "the" although nothing in their wording says so. These and the patterns below
# cover the 22 of PIGEON (LukasHaas/PIGEON, dataset_creation/pretrain/pretrain_dataset.py).
_NAMES = frozenset(
    {
        "bahamas", "comoros", "congo", "gambia", "holy see", "isle of man", "maldives",
        "netherlands", "philippines", "seychelles", "vatican", "drc", "uae", "u.a.e.", "uk",
        "u.k.", "us", "u.s.", "usa", "u.s.a.", "ussr", "soviet union",
    }
)  # fmt: skip
_WORDING = re.compile(
    r"\b(islands|republic|states|kingdom|emirates|territory|territories|federation|antilles)$"
    r"|^(republic|kingdom|state|federation|commonwealth|union|principality|sultanate|grand duchy)"
    r" of\b"
    r"|^(democratic|federal|federated|federative|people[’']?s|islamic|united|hashemite) "
    r".*\b(republic|states|kingdom)\b"
)
# "in Christmas Island", "in South Georgia and the South Sandwich Islands"
_WITHOUT = re.compile(r"\bisland\b|\band the\b")
_REMARK = re.compile(r"\s*\([^()]*\)$")


@functools.lru_cache(maxsize=4096)
def the_country(country: str) -> str:
    """Put "the" before a country's name where English does, whatever its spelling.

    Examples:
        >>> [the_country(name) for name in ("Netherlands", "France", "The Gambia", "USA")]
        ['the Netherlands', 'France', 'the Gambia', 'the USA']
    """
    name = " ".join(country.split())
    key = name.casefold()
    if key.startswith("the "):
        return f"the {name[4:]}"
    if key.endswith(", the"):
        return f"the {name[:-5]}"
    key = _REMARK.sub("", key)
    if key in _NAMES or (_WORDING.search(key) and not _WITHOUT.search(key)):
        return f"the {name}"
    return name
