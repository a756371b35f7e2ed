"""What makes a manifest row bad, checked in whole columns of a chunk."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.data.columns import COORDINATES, Columns
from streetclip.data.coordinates import parse_coordinates
from streetclip.data.csv_dialect import has_quote_after_space
from streetclip.data.csv_text import Rows
from streetclip.data.image_names import all_plain, canonical_name, name_problem
from streetclip.data.misplaced_coordinates import MisplacedFinder, Points
from streetclip.data.missing_values import blank_missing_values, is_marker
from streetclip.data.mojibake import has_lost_characters, repair_mojibake
from streetclip.data.row_warnings import RowWarning
from streetclip.errors import shown

CONTRADICTION = "the continent contradicts the country; the country's own is used"
MOJIBAKE = "text was decoded in another encoding than its own; it is used as it is"

_CACHED_TEXTS = 2**14
_QUOTE_ADVICE = "Remove spaces between a comma and a quote."

Problems = dict[int, list[str]]
"""What is wrong with the bad rows of a chunk, by index; nothing for the good ones."""


def name_hashes(names: Sequence[str]) -> Iterator[int]:
    """Hashes in which names that mean the same file are equal; they last for this process."""
    if all_plain(names):
        return map(hash, names)
    return (hash(canonical_name(name)) for name in names)


class _CountryCell(NamedTuple):
    """What the text of a cell says: three blanks where no country is known by it."""

    code: str
    continent: str
    label: str


class _Countries(dict[str, _CountryCell]):
    """Countries by the text of a cell."""

    def __missing__(self, text: str) -> _CountryCell:
        country = gazetteer.find_country(text) if text.strip() else None
        found = (
            _CountryCell("", "", "")
            if country is None
            else _CountryCell(
                country.code, country.continent, gazetteer.country_label(text, country)
            )
        )
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
    _misplaced: MisplacedFinder = field(default_factory=MisplacedFinder)

    def misshapen(self, rows: Rows) -> Problems:
        """Rows with more or fewer cells than the header."""
        expected = len(self.columns.header)
        if set(map(len, rows)) <= {expected}:
            return {}
        return {
            i: [_wrong_length(row, expected)] for i, row in enumerate(rows) if len(row) != expected
        }

    def check(
        self, rows: Rows, lines: Sequence[int]
    ) -> tuple[dict[str, Any], Problems, list[RowWarning]]:
        """Check well-shaped rows.

        Returns:
            The columns as a read manifest has them, bad rows included, what is wrong, and what
            is doubtful.
        """
        # One column at a time: `zip(*rows)` takes several times as long.
        cells = {name: list(map(itemgetter(i), rows)) for name, i in self.columns.position.items()}
        problems: Problems = defaultdict(list)
        read: dict[str, Any] = {"image_filename": cells["image_filename"]}
        self._check_names(cells["image_filename"], lines, problems)
        _check_quotes(cells, problems)
        missing_countries, warnings = blank_missing_values(cells)
        warnings += _mojibake_warnings(cells)
        for name in ("city", "region"):
            read[name] = list(map(str.strip, cells[name]))
        read |= self._places(cells, missing_countries, problems, warnings)
        read |= self._coordinates(cells, read["country_code"], problems, warnings)
        if self.check_captions and "caption" in cells:
            _check_captions(cells["caption"], problems)
        for name in ("caption", "template"):
            if name in cells:
                read[name] = cells[name]
        for column, name in self.columns.attribute_names().items():
            read[name] = cells[column]
        read["line"] = np.array(lines, np.int64)
        return read, problems, warnings

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

    def _places(
        self,
        cells: dict[str, list[str]],
        missing_countries: Mapping[int, str],
        problems: Problems,
        warnings: list[RowWarning],
    ) -> dict[str, list[str]]:
        found = [self._countries[text] for text in cells["country"]]
        codes = [country.code for country in found]
        if "" in codes:
            for i, code in enumerate(codes):
                if not code:
                    text = missing_countries.get(i, cells["country"][i])
                    problems[i].append(_unknown_country(text))
        return {
            "country": [country.label for country in found],
            "continent": self._continents_of(cells["continent"], found, problems, warnings),
            "country_code": codes,
        }

    def _continents_of(
        self,
        texts: Sequence[str],
        found: Sequence[_CountryCell],
        problems: Problems,
        warnings: list[RowWarning],
    ) -> list[str]:
        """The continents as given, and the country's own where blank, unknown or contradicted."""
        own = [country.continent for country in found]
        continents = [
            self._continents[text] if text else default
            for text, default in zip(texts, own, strict=True)
        ]
        if continents == own and "" not in own:
            return own
        for i, (continent, country) in enumerate(zip(continents, found, strict=True)):
            if continent and continent == country.continent:
                continue
            if not continent:
                continents[i] = country.continent
                if texts[i].strip():
                    problems[i].append(_unknown_continent(texts[i]))
            elif country.code and not gazetteer.is_on_continent(country.code, texts[i]):
                continents[i] = country.continent
                warnings.append(RowWarning(i, CONTRADICTION, _contradiction(texts[i], country)))
        return continents

    def _coordinates(
        self,
        cells: dict[str, list[str]],
        codes: Sequence[str],
        problems: Problems,
        warnings: list[RowWarning],
    ) -> dict[str, NDArray[np.float64]]:
        if not self.columns.has_coordinates:
            unknown = np.full(len(codes), np.nan)
            return {"latitude_deg": unknown, "longitude_deg": unknown.copy()}
        latitude_deg, longitude_deg, bad = parse_coordinates(*(cells[c] for c in COORDINATES))
        for i, problem in bad:
            problems[i].append(problem)
        points = Points(latitude_deg, longitude_deg, codes)
        misplaced = self._misplaced.find(points)
        for i in misplaced.swapped.tolist():
            problems[i].append(
                f"latitude {latitude_deg[i]:g}, longitude {longitude_deg[i]:g} lies outside "
                f"{shown(cells['country'][i])}, but inside when the two are swapped. Swap them, or "
                "mend the country."
            )
        warnings += self._misplaced.warnings(points, misplaced)
        return {"latitude_deg": latitude_deg, "longitude_deg": longitude_deg}


def _wrong_length(row: list[str], expected: int) -> str:
    problem = f"has {len(row)} cell{'s' * (len(row) != 1)}; expected {expected}, as in the header."
    if has_quote_after_space(row):
        return f"{problem} {_QUOTE_ADVICE}"
    if len(row) > expected:
        return f"{problem} Put quotes around a cell with a comma in it."
    return problem


def _check_quotes(cells: dict[str, list[str]], problems: Problems) -> None:
    for name in ("city", "region", "country", "continent"):
        if '"' not in "".join(cells[name]):
            continue
        for i, text in enumerate(cells[name]):
            if has_quote_after_space([text]):
                problems[i].append(f"{name} starts with a space and a quote. {_QUOTE_ADVICE}")


def _unknown_country(text: str) -> str:
    if not text.strip():
        return "country is blank; expected a country's name or ISO code."
    if is_marker(text):
        hint = " Write Namibia if that is meant." if text.strip().upper() == "NA" else ""
        return (
            f"country is {shown(text)}, which is read as missing; expected a country's name or ISO "
            f"code.{hint}"
        )
    repaired = repair_mojibake(text)
    if repaired is not None:
        return (
            f"country {shown(text)} is {shown(repaired)}, decoded in another encoding than UTF-8. "
            "Export the file again as UTF-8."
        )
    nearest = gazetteer.suggest_countries(text)
    hint = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
    return f"country {shown(text)} is unknown; expected a country's name or ISO code.{hint}"


def _unknown_continent(text: str) -> str:
    return (
        f"continent is {shown(text)}; expected one of {', '.join(gazetteer.CONTINENTS)}, or blank "
        "to take the country's."
    )


def _contradiction(text: str, country: _CountryCell) -> str:
    return (
        f"continent is {shown(text)}, but {country.label} is in {country.continent}, which is used."
    )


def _mojibake_warnings(cells: dict[str, list[str]]) -> list[RowWarning]:
    """One warning a row, whatever the number of its cells."""
    findings: dict[int, list[str]] = {}
    for name in ("city", "region", "caption"):
        texts = cells.get(name, [])
        if "".join(texts).isascii():
            continue
        doubts = {text: _text_doubt(text) for text in set(texts)}
        for i, text in enumerate(texts):
            if doubts[text]:
                findings.setdefault(i, []).append(f"{name} is {shown(text)}, {doubts[text]}")
    return [RowWarning(i, MOJIBAKE, " Also: ".join(found)) for i, found in findings.items()]


def _text_doubt(text: str) -> str:
    if has_lost_characters(text):
        return "in which a character was lost (U+FFFD). Export the file again as UTF-8."
    repaired = repair_mojibake(text)
    if repaired is None:
        return ""
    return f"which reads {shown(repaired)} when decoded as UTF-8. Export the file again as UTF-8."


def _check_captions(captions: Sequence[str], problems: Problems) -> None:
    doubtful = {caption for caption in set(captions) if not caption.strip() or is_marker(caption)}
    if doubtful:
        for i, caption in enumerate(captions):
            if caption in doubtful:
                found = f"{shown(caption)}, read as missing" if caption.strip() else "blank"
                problems[i].append(
                    f"caption is {found}; expected text. Fill it, or remove the column to have "
                    "captions made."
                )
