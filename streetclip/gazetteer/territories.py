"""Territories that are named together with the state they belong to: "Greenland (Denmark)"."""

import re
from collections.abc import Iterator, Mapping

SOVEREIGNS: Mapping[str, str] = {
    "AI": "GB", "AS": "US", "AW": "NL", "AX": "FI", "BL": "FR", "BM": "GB", "BQ": "NL", "BV": "NO",
    "CC": "AU", "CK": "NZ", "CW": "NL", "CX": "AU", "FK": "GB", "FO": "DK", "GF": "FR", "GG": "GB",
    "GI": "GB", "GL": "DK", "GP": "FR", "GS": "GB", "GU": "US", "HK": "CN", "HM": "AU", "IM": "GB",
    "IO": "GB", "JE": "GB", "KY": "GB", "MF": "FR", "MO": "CN", "MP": "US", "MQ": "FR", "MS": "GB",
    "NC": "FR", "NF": "AU", "NU": "NZ", "PF": "FR", "PM": "FR", "PN": "GB", "PR": "US", "RE": "FR",
    "SH": "GB", "SJ": "NO", "SX": "NL", "TC": "GB", "TF": "FR", "TK": "NZ", "UM": "US", "VG": "GB",
    "VI": "US", "WF": "FR", "YT": "FR",
}  # fmt: skip
"""The state that each territory with an ISO code of its own belongs to, by code."""

_ADJECTIVES: Mapping[str, str] = {
    "american": "US", "australian": "AU", "british": "GB", "chinese": "CN", "danish": "DK",
    "dutch": "NL", "finnish": "FI", "french": "FR", "norwegian": "NO",
}  # fmt: skip
_STATUS = (
    r"(?:(?:british|french|american|us|danish|dutch|norwegian|finnish|australian|self governing"
    r"|unincorporated|external|insular|constituent|overseas|autonomous|special administrative"
    r"|crown) )*"
    r"(?:region|territory|country|department|collectivity|dependency|area|sar|bailiwick"
    r"|community|province|possession)"
)
_STATUS_FIRST = re.compile(rf"{_STATUS} of (?:the )?(.+)")
_STATUS_LAST = re.compile(rf"(.+?) {_STATUS}(?: of (?:the )?(.+))?")
_STATUS_ALONE = re.compile(rf"{_STATUS}(?: (?:of|to) (?:the )?(.+))?")
_FIRST_PART = re.compile(r"([^,()]+)(?:,([^,()]+)|\(([^()]+)\))\s*")


def split_status(key: str) -> Iterator[tuple[str, str]]:
    """Split a normalised name into a territory and its sovereign, "" where none is named.

    Examples:
        >>> list(split_status("macao special administrative region of china"))
        [('macao', 'china')]
    """
    match = _STATUS_FIRST.fullmatch(key)
    if match:
        yield match[1], ""
    match = _STATUS_LAST.fullmatch(key)
    if match:
        yield match[1], match[2] or ""


def split_sovereign(text: str) -> tuple[str, str] | None:
    """Split "X (Y)" and "X, Y"; None for other text.

    Examples:
        >>> split_sovereign("Greenland (Kingdom of Denmark)")
        ('Greenland', 'Kingdom of Denmark')
    """
    match = _FIRST_PART.fullmatch(text)
    if match is None:
        return None
    return match[1].strip(), (match[2] or match[3]).strip()


def sovereign_in_status(key: str) -> tuple[str, str]:
    """Find which state a normalised status names: by name, and by the code of an adjective.

    Examples:
        >>> sovereign_in_status("autonomous territory of denmark")
        ('denmark', '')
        >>> sovereign_in_status("british overseas territory")
        ('', 'GB')
    """
    match = _STATUS_ALONE.fullmatch(key)
    name = match[1] if match and match[1] else key if match is None else ""
    code = _ADJECTIVES.get(key.split(" ", maxsplit=1)[0], "") if match else ""
    return name, code
