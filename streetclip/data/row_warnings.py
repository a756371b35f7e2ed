"""Warnings about manifest rows that are kept although a label is probably wrong."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

_EXAMPLES = 5  # rows spelled out of each kind; the others are counted


class RowWarning(NamedTuple):
    """A doubt about one good row.

    Attributes:
        row: Index in its chunk.
        kind: What the rows of its kind have in common, to follow "12 rows:".
        text: The finding and what is done about it.
    """

    row: int
    kind: str
    text: str


@dataclass
class WarningCounts:
    """Counts row warnings by kind and keeps the first of each."""

    _counts: dict[str, int] = field(default_factory=dict)
    _examples: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of warnings."""
        return sum(self._counts.values())

    def add(self, kind: str, line: int, text: str) -> None:
        """Count a warning about the row that starts at a line."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        examples = self._examples.setdefault(kind, [])
        if len(examples) < _EXAMPLES:
            examples.append((line, text))

    def messages(self, path: Path) -> list[str]:
        """Describe each kind: the count, then its first rows with file and line.

        Examples:
            >>> counts = WarningCounts()
            >>> counts.add("no such thing", 3, "city is 'nan'.")
            >>> counts.messages(Path("test.csv"))
            ['test.csv: 1 row: no such thing', "test.csv:3: city is 'nan'."]
        """
        messages = []
        for kind, count in self._counts.items():
            examples = self._examples[kind]
            messages.append(f"{path}: {count:,} row{'s' * (count != 1)}: {kind}")
            messages += [f"{path}:{line}: {text}" for line, text in examples]
            if count > len(examples):
                messages.append(f"{path}: … and {count - len(examples):,} more of this kind")
        return messages
