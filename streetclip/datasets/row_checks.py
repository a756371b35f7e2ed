"""What makes a manifest row bad, checked in whole columns of a chunk."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.datasets.columns import COORDINATES, Columns
from streetclip.datasets.coordinates import parse_coordinates, swapped_coordinates
from streetclip.datasets.csv_text import Rows
from streetclip.datasets.names import all_plain, canonical_name, name_problem
from streetclip.errors import shown

_CACHED_TEXTS = 2**14

Problems = dict[int, list[str]]
"""What is wrong with the bad rows of a chunk, by index; nothing for the good ones."""


def name_hashes(names: Sequence[str]) -> Iterator[int]:
    """Hashes in which names that mean the same file are equal; they last for this process."""
    if all_plain(names):
        return map(hash, names)
    return (hash(canonical_name(name)) for name in names)


class _Countries(dict[str, tuple[str, str]]):
    """ISO code and continent by the text of a cell; two blanks where unknown."""

    def __missing__(self, text: str) -> tuple[str, str]:
        country = gazetteer.find_country(text) if text.strip() else None
        found = ("", "") if country is None else (country.code, country.continent)
        if len(self) < _CACHED_TEXTS:
            self[text] = found
        return found


class _Continents(dict[str, str]):
    """Continent by the text of a cell; blank where unknown."""

    def __missing__(self, text: str) -> str:
        found = (gazetteer.find_continent(text) if text.strip() else None) or ""
        if len(self) < _CACHED_TEXTS:
            self[text] = found
        return found


@dataclass
class RowChecker:
    """Checks the rows of one manifest, chunk after chunk, in order.

    Attributes:
        columns: Of the manifest.
        repeated: Hashes of the names that occur more than once in the whole file.
        check_captions: Whether a blank caption is an error.
    """

    columns: Columns
    repeated: set[int]
    check_captions: bool = True
    _first_lines: dict[str, int] = field(default_factory=dict)
    _countries: _Countries = field(default_factory=_Countries)
    _continents: _Continents = field(default_factory=_Continents)

    def misshapen(self, rows: Rows) -> Problems:
        """Rows with more or fewer cells than the header."""
        expected = len(self.columns.header)
        if set(map(len, rows)) <= {expected}:
            return {}
        return {
            i: [_wrong_length(len(row), expected)]
            for i, row in enumerate(rows)
            if len(row) != expected
        }

    def check(self, rows: Rows, lines: Sequence[int]) -> tuple[dict[str, Any], Problems]:
        """Check well-shaped rows.

        Returns:
            The columns as a read manifest has them, bad rows included, and what is wrong.
        """
        # One column at a time: `zip(*rows)` takes several times as long.
        cells = {name: list(map(itemgetter(i), rows)) for name, i in self.columns.position.items()}
        problems: Problems = defaultdict(list)
        read: dict[str, Any] = {"image_filename": cells["image_filename"]}
        self._check_names(cells["image_filename"], lines, problems)
        for name in ("city", "region"):
            read[name] = list(map(str.strip, cells[name]))
        read |= self._places(cells, problems)
        read |= self._coordinates(cells, read["country_code"], problems)
        if self.check_captions and "caption" in cells:
            _check_captions(cells["caption"], problems)
        for name in ("caption", "template"):
            if name in cells:
                read[name] = cells[name]
        for column, name in self.columns.attribute_names().items():
            read[name] = cells[column]
        read["line"] = np.array(lines, np.int64)
        return read, problems

    def _check_names(self, names: Sequence[str], lines: Sequence[int], problems: Problems) -> None:
        plain = all_plain(names)
        if plain and not self.repeated:
            return
        for i, name in enumerate(names):
            problem = None if plain else name_problem(name)
            if problem:
                quoted = "" if not name.strip() else f"{shown(name)} "
                problems[i].append(f"image_filename {quoted}{problem}.")
            elif self.repeated:
                self._check_repeated(name, i, lines[i], problems)

    def _check_repeated(self, name: str, i: int, line: int, problems: Problems) -> None:
        canonical = canonical_name(name)
        if hash(canonical) not in self.repeated:
            return
        first = self._first_lines.setdefault(canonical, line)
        if first != line:
            problems[i].append(
                f"image_filename {shown(name)} stands on line {first} already; expected each "
                "image once. Remove one of the rows."
            )

    def _places(self, cells: dict[str, list[str]], problems: Problems) -> dict[str, list[str]]:
        found = [self._countries[text] for text in cells["country"]]
        codes = [code for code, _ in found]
        if "" in codes:
            for i, code in enumerate(codes):
                if not code:
                    problems[i].append(_unknown_country(cells["country"][i]))
        continents = [
            self._continents[text] if text else default
            for text, (_, default) in zip(cells["continent"], found, strict=True)
        ]
        if "" in continents:
            self._mend_continents(cells["continent"], continents, found, problems)
        return {
            "country": list(map(str.strip, cells["country"])),
            "continent": continents,
            "country_code": codes,
        }

    def _mend_continents(
        self,
        texts: Sequence[str],
        continents: list[str],
        found: Sequence[tuple[str, str]],
        problems: Problems,
    ) -> None:
        for i, text in enumerate(texts):
            if continents[i]:
                continue
            continents[i] = found[i][1]
            if text.strip():
                problems[i].append(
                    f"continent is {shown(text)}; expected one of "
                    f"{', '.join(gazetteer.CONTINENTS)}, or blank to take the country's."
                )

    def _coordinates(
        self, cells: dict[str, list[str]], codes: Sequence[str], problems: Problems
    ) -> dict[str, NDArray[np.float64]]:
        if not self.columns.has_coordinates:
            unknown = np.full(len(codes), np.nan)
            return {"latitude_deg": unknown, "longitude_deg": unknown.copy()}
        latitude_deg, longitude_deg, bad = parse_coordinates(*(cells[c] for c in COORDINATES))
        for i, problem in bad:
            problems[i].append(problem)
        for i in swapped_coordinates(latitude_deg, longitude_deg, codes).tolist():
            problems[i].append(
                f"latitude {latitude_deg[i]:g}, longitude {longitude_deg[i]:g} lies outside "
                f"{shown(cells['country'][i])}, but inside when the two are swapped. Swap them, or "
                "mend the country."
            )
        return {"latitude_deg": latitude_deg, "longitude_deg": longitude_deg}


def _wrong_length(found: int, expected: int) -> str:
    if found > expected:
        return (
            f"has {found} cells; expected {expected}, as in the header. Put quotes around a cell "
            "with a comma in it."
        )
    return f"has {found} cell{'s' * (found != 1)}; expected {expected}, as in the header."


def _unknown_country(text: str) -> str:
    if not text.strip():
        return "country is blank; expected a country's name or ISO code."
    nearest = gazetteer.suggest_countries(text)
    hint = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
    return f"country {shown(text)} is unknown; expected a country's name or ISO code.{hint}"


def _check_captions(captions: Sequence[str], problems: Problems) -> None:
    if any(not caption or caption.isspace() for caption in captions):
        for i, caption in enumerate(captions):
            if not caption.strip():
                problems[i].append(
                    "caption is blank; expected text. Fill it, or remove the column to have "
                    "captions made."
                )
