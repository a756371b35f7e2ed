"""Count and describe rows kept although a label is probably wrong."""

from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

_EXAMPLES = 5  # rows spelled out of each kind; the others are counted


class RowWarning(NamedTuple):
    """Describe a doubt about one good row, by index in its chunk.

    `kind` is common to all rows of the kind, to follow "12 rows:"; `text` has finding and action.
    """

    row: int
    kind: str
    text: str


class WarningCounts:
    """Count the row warnings of a file by kind."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = defaultdict(int)
        self._examples: dict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, line: int, text: str) -> None:
        """Count a warning about the row that starts at a line."""
        self._counts[kind] += 1
        if self._counts[kind] <= _EXAMPLES:
            self._examples[kind].append(f"{line}: {text}")

    def messages(self, path: Path) -> list[str]:
        """Describe each kind: its count, then first rows with their lines."""
        messages = []
        for kind, count in self._counts.items():
            messages.append(f"{path}: {count:,} row{'s' * (count != 1)}: {kind}")
            messages += [f"{path}:{example}" for example in self._examples[kind]]
            if count > _EXAMPLES:
                messages.append(f"{path}: … and {count - _EXAMPLES:,} more of this kind")
        return messages
