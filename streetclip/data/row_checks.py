"""Find bad or doubtful manifest rows, in whole columns of a chunk."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from streetclip import gazetteer
from streetclip.data.columns import CAPTION_COLUMNS, COORDINATES, Columns
from streetclip.data.coordinates import SWAPPED, MisplacedFinder, Points, parse_coordinates
from streetclip.data.csv_text import Rows, has_quote_after_space
from streetclip.data.encodings import repair_mojibake
from streetclip.data.image_names import all_plain, canonical_name, name_problem
from streetclip.data.missing_values import Cells, blank_missing_values, is_marker
from streetclip.data.row_warnings import RowWarning
from streetclip.errors import shown

CONTRADICTION = "the continent contradicts the country; the country's own is used"
MOJIBAKE = "text was decoded in another encoding than its own; it is used as it is"

_QUOTE_ADVICE = "Remove spaces between a comma and a quote."

Problems = dict[int, list[str]]
"""Why rows of a chunk are bad, by index; good rows are absent."""


def name_hashes(names: Sequence[str]) -> Iterator[int]:
    """Hash names, equal for the same file; valid in this process only."""
    if all_plain(names):
        return map(hash, names)
    return (hash(canonical_name(name)) for name in names)


class _Country(NamedTuple):
    """Store the country that a cell names; blank if unknown."""

    code: str = ""
    continent: str = ""
    label: str = ""


@dataclass
class RowChecker:
    """Check one manifest's rows in order; `repeated` has hashes of repeated names."""

    columns: Columns
    repeated: set[int]
    check_captions: bool = True
    _first_lines: dict[str, int] = field(default_factory=dict)
    _misplaced: MisplacedFinder = field(default_factory=MisplacedFinder)

    def check(
        self, rows: Rows, lines: Sequence[int]
    ) -> tuple[dict[str, Any], Problems, list[RowWarning]]:
        """Check a chunk; return its columns, bad rows included, problems and warnings."""
        width = len(self.columns.header)
        misshapen = {
            i: [_wrong_length(row, width)] for i, row in enumerate(rows) if len(row) != width
        }
        if misshapen:
            rows = [[""] * width if i in misshapen else row for i, row in enumerate(rows)]
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
        countries = _countries(cells["country"], missing_countries, problems)
        read["country"] = [country.label for country in countries]
        read["continent"] = _continents(cells["continent"], countries, problems, warnings)
        read["country_code"] = [country.code for country in countries]
        read |= self._coordinates(cells, read["country_code"], problems, warnings)
        if self.check_captions and "caption" in cells:
            _check_captions(cells["caption"], problems)
        for name in CAPTION_COLUMNS:
            if name in cells:
                read[name] = cells[name]
        for column, name in self.columns.attribute_names.items():
            read[name] = cells[column]
        read["line"] = np.array(lines, np.int64)
        return read, problems | misshapen, warnings

    def _check_names(self, names: Sequence[str], lines: Sequence[int], problems: Problems) -> None:
        plain = all_plain(names)
        if plain and not self.repeated:
            return
        for i, name in enumerate(names):
            problem = None if plain else name_problem(name)
            if problem:
                quoted = f"{shown(name)} " if name.strip() else ""
                problems[i].append(f"image_filename {quoted}{problem}.")
            elif self.repeated and hash(canonical := canonical_name(name)) in self.repeated:
                first = self._first_lines.setdefault(canonical, lines[i])
                if first != lines[i]:
                    problems[i].append(
                        f"image_filename {shown(name)} repeats line {first}; expected each image "
                        "once. Remove one of the rows."
                    )

    def _coordinates(
        self, cells: Cells, codes: Sequence[str], problems: Problems, warnings: list[RowWarning]
    ) -> dict[str, Any]:
        if COORDINATES[0] not in cells:
            unknown = np.full(len(codes), np.nan)
            return {"latitude_deg": unknown, "longitude_deg": unknown.copy()}
        latitude_deg, longitude_deg, bad = parse_coordinates(*(cells[c] for c in COORDINATES))
        for i, problem in bad:
            problems[i].append(problem)
        for warning in self._misplaced.find(Points(latitude_deg, longitude_deg, codes)):
            if warning.kind == SWAPPED:
                problems[warning.row].append(warning.text)
            else:
                warnings.append(warning)
        return {"latitude_deg": latitude_deg, "longitude_deg": longitude_deg}


def _wrong_length(row: list[str], expected: int) -> str:
    problem = f"has {len(row)} cell{'s' * (len(row) != 1)}; expected {expected}, as in the header."
    if has_quote_after_space(row):
        return f"{problem} {_QUOTE_ADVICE}"
    if len(row) > expected:
        return f"{problem} Put quotes around a cell with a comma in it."
    return problem


def _check_quotes(cells: Cells, problems: Problems) -> None:
    for name in ("city", "region", "country", "continent"):
        if '"' not in "".join(cells[name]):
            continue
        for i, text in enumerate(cells[name]):
            if has_quote_after_space([text]):
                problems[i].append(f"{name} starts with a space and a quote. {_QUOTE_ADVICE}")


def _countries(texts: list[str], missing: dict[int, str], problems: Problems) -> list[_Country]:
    known = {text: _country(text) for text in set(texts)}
    found = [known[text] for text in texts]
    if _Country() in known.values():
        for i, country in enumerate(found):
            if not country.code:
                problems[i].append(_unknown_country(missing.get(i, texts[i])))
    return found


def _country(text: str) -> _Country:
    country = gazetteer.find_country(text) if text.strip() else None
    if country is None:
        return _Country()
    return _Country(country.code, country.continent, gazetteer.country_label(text, country))


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


def _continents(
    texts: list[str], countries: list[_Country], problems: Problems, warnings: list[RowWarning]
) -> list[str]:
    """Find the continents, the country's own where blank, unknown or contradicted."""
    known = {text: gazetteer.find_continent(text) for text in set(texts) if text.strip()}
    own = [country.continent for country in countries]
    continents = [known.get(text) or default for text, default in zip(texts, own, strict=True)]
    if continents == own and None not in known.values():
        return own
    for i, (text, country) in enumerate(zip(texts, countries, strict=True)):
        if text.strip() and known[text] is None:
            problems[i].append(
                f"continent is {shown(text)}; expected one of {', '.join(gazetteer.CONTINENTS)}, "
                "or blank to take the country's."
            )
        elif (
            continents[i] != country.continent
            and country.code
            and not gazetteer.is_on_continent(country.code, text)
        ):
            continents[i] = country.continent
            warnings.append(
                RowWarning(
                    i,
                    CONTRADICTION,
                    f"continent is {shown(text)}, but {country.label} is in {country.continent}, "
                    "which is used.",
                )
            )
    return continents


def _mojibake_warnings(cells: Cells) -> list[RowWarning]:
    findings: dict[int, list[str]] = defaultdict(list)
    for name in ("city", "region", "caption"):
        texts = cells.get(name, [])
        if "".join(texts).isascii():
            continue
        doubts = {text: _text_doubt(text) for text in set(texts)}
        for i, text in enumerate(texts):
            if doubts[text]:
                findings[i].append(f"{name} is {shown(text)}, {doubts[text]}")
    return [RowWarning(i, MOJIBAKE, " Also: ".join(found)) for i, found in findings.items()]


def _text_doubt(text: str) -> str:
    if "\ufffd" in text:
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
