"""Keep spreadsheets from running cells of our CSV files as formulas.

Every CSV that is written of others' texts follows one rule: a text that begins with `= + - @`, one
of these in full width, tab or a line's end, or with apostrophes and then one of these, gets an
apostrophe in front, unless all of it is a number (OWASP, "CSV Injection"). So the text can be
restored exactly.
"""

import re

_SIGNS = "=+@\t\r\n\uff1d\uff0b\uff0d\uff20-"
_FIRST = frozenset(f"{_SIGNS}'")
_RISKY = re.compile(f"'*[{_SIGNS}]")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def defuse(value: object) -> object:
    """Make a cell that no spreadsheet takes for a formula; only texts change.

    Examples:
        >>> defuse("=1+1"), defuse("-3.5"), defuse(-3.5), defuse("- a dash"), defuse("'=1")
        ("'=1+1", '-3.5', -3.5, "'- a dash", "''=1")
    """
    if not isinstance(value, str) or value[:1] not in _FIRST:
        return value
    is_risky = _RISKY.match(value) and not _NUMBER.fullmatch(value)
    return f"'{value}" if is_risky else value


def restore(cell: str) -> str:
    """Undo `defuse`.

    Examples:
        >>> restore("'=1+1"), restore("-3.5"), restore("'s-Gravenhage")
        ('=1+1', '-3.5', "'s-Gravenhage")
    """
    return cell[1:] if cell[:1] == "'" and _RISKY.match(cell) else cell
