"""Convert the rows of a dataset to a manifest's: map columns, complete places, name sources.

Axes: N rows of a chunk.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from streetclip import gazetteer
from streetclip.data.columns import COORDINATES, REQUIRED, SOURCE_COLUMNS, column_key
from streetclip.data.coordinates import parse_coordinates
from streetclip.data.csv_text import BadRow, Rows, RowSource
from streetclip.data.dataset_formats import CITY_COORDINATES, ROLES, Mapped
from streetclip.data.dataset_photos import ImageNames
from streetclip.data.row_checks import blank_missing_values, wrong_length
from streetclip.errors import ManifestError
from streetclip.gazetteer.reverse_geocoding import FARTHEST_KM, places_at

_LEAST_MISPLACED = 0.1  # of the rows, for latitude and longitude to count as swapped

NO_PLACE: Final = "neither country nor coordinates"
AT_SEA: Final = f"no country, and coordinates more than {FARTHEST_KM:g} km from land"

_Cells = dict[str, list[str]]
_Floats = NDArray[np.float64]


@dataclass
class ImportCounts:
    """Account for the rows of a dataset."""

    num_rows: int = 0
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Images without a country, and why."""
    filled: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Cells by column (country, region, city, coordinates) and source."""
    missing: list[str] = field(default_factory=list)
    """Names of images that the image folder lacks."""
    found: set[str] = field(default_factory=set)


class DatasetRows:
    """Read a dataset as rows of a manifest; a `RowSource`.

    The columns are a manifest's, then the others of the dataset, then `SOURCE_COLUMNS`, where each
    country, region, city and point comes from: `given` (dataset, folder or EXIF), city, coordinates
    or gazetteer. Rows without a country are left out; `counts` says how many, of one pass.
    """

    def __init__(
        self,
        open_source: Callable[[], RowSource],
        columns: Mapped,
        *,
        given: str,
        suffix: str = "",
        images: ImageNames | None = None,
        may_be_swapped: bool = False,
    ) -> None:
        self._open_source = open_source
        with open_source() as self._source:
            header = self._source.header
        self.path, self.header_line = self._source.path, self._source.header_line
        self.num_bytes = self._source.num_bytes
        self._width = len(header)
        self._position = {role: header.index(name) for role, name in columns.items()}
        self._others = [i for i in range(self._width) if i not in self._position.values()]
        self.header = [*ROLES, *self._other_names(header), *SOURCE_COLUMNS]
        self._given, self._suffix, self._images = given, suffix, images
        key = column_key(columns.get(COORDINATES[0], ""))
        self._given_coordinates = "city" if key in CITY_COORDINATES else given
        self._columns, self._may_be_swapped = columns, may_be_swapped
        self.counts = ImportCounts()

    def _other_names(self, header: Sequence[str]) -> Iterator[str]:
        taken = {*ROLES, *SOURCE_COLUMNS}
        for i in self._others:
            name = header[i].strip() or f"column {i + 1}"
            while name in taken:
                name += " (csv)"
            taken.add(name)
            yield name

    def __enter__(self) -> Self:
        self._source = self._open_source()
        return self

    def __exit__(self, *exception: object) -> None:
        self._source.__exit__(*exception)

    @property
    def without_row(self) -> tuple[str, ...]:
        """List the images of the image folder that no row names."""
        return tuple(self._images.all - self.counts.found) if self._images else ()

    @property
    def bytes_read(self) -> int:
        """Return the bytes read so far."""
        return self._source.bytes_read

    def sha256(self) -> str:
        """Compute the hex digest of the dataset's file."""
        return self._source.sha256()

    def chunks(self, chunk_rows: int) -> Iterator[tuple[Rows, Sequence[int]]]:
        """Yield chunks of converted rows and their lines; raise ManifestError if none is left."""
        counts = self.counts = ImportCounts()
        for rows, lines in self._source.chunks(chunk_rows):
            is_first = counts.num_rows == 0
            counts.num_rows += len(rows)
            misshapen = {i for i, row in enumerate(rows) if len(row) != self._width}
            good = [i for i in range(len(rows)) if i not in misshapen]
            cells = self._cells([rows[i] for i in good])
            if is_first and self._may_be_swapped:
                self._check_swapped(cells)
            reasons, unplaced = self._complete(cells)
            converted: Rows = [list(row) for row in zip(*cells.values(), strict=True)]
            kept = {i: row for i, row, why in zip(good, converted, reasons, strict=True) if not why}
            kept |= {i: BadRow(wrong_length(rows[i], self._width)) for i in misshapen}
            kept |= {good[i]: BadRow(problem) for i, problem in unplaced.items()}
            names = cells["image_filename"]
            counts.left_out += [(n, why) for n, why in zip(names, reasons, strict=True) if why]
            if kept:
                order = sorted(kept)
                yield [kept[i] for i in order], [lines[i] for i in order]
        if counts.num_rows and len(counts.left_out) == counts.num_rows:
            msg = (
                f"{self.path}: none of {counts.num_rows:,} images has a place: each has "
                f"{counts.left_out[0][1]}. Nothing can be measured on them; predict them with "
                "python jobs/predict.py."
            )
            raise ManifestError(msg)

    def _cells(self, rows: Rows) -> _Cells:
        """Make the columns of a manifest, then the others."""
        blank = [""] * len(rows)
        columns: list[list[str]] = [[row[i] for row in rows] for i in range(self._width)]
        cells = {
            role: columns[self._position[role]] if role in self._position else list(blank)
            for role in ROLES
        }
        cells["image_filename"] = list(map(self._image_name, cells["image_filename"]))
        names = self.header[len(ROLES) :]
        return cells | {name: columns[i] for name, i in zip(names, self._others, strict=False)}

    def _image_name(self, name: str) -> str:
        with_suffix = name if Path(name).suffix or not name.strip() else name + self._suffix
        if self._images is None or not name.strip():
            return with_suffix
        found = self._images.find(name)
        if found is None:
            self.counts.missing.append(with_suffix)
            return with_suffix
        self.counts.found.add(found)
        return found

    def _complete(self, cells: _Cells) -> tuple[list[str], dict[int, str]]:
        """Fill in places and add their sources.

        Returns why rows have no country, "" where they have one, and problems with the coordinates
        of rows that have none for that reason.
        """
        place: _Cells = {role: list(cells[role]) for role in (*REQUIRED[1:], *COORDINATES)}
        blank_missing_values(place)
        *points, bad = parse_coordinates(*(place[name] for name in COORDINATES))
        located = np.isfinite(points[0])
        sources = {
            name: [self._given * bool(text) for text in place[name]]
            for name in ("country", "region", "city")
        }
        sources["coordinates"] = [self._given_coordinates if each else "" for each in located]
        self._fill_names(place, sources, points)
        self._fill_coordinates(place, sources, dict(bad))
        for name, texts in place.items():
            cells[name] = [text or old for text, old in zip(texts, cells[name], strict=True)]
        cells |= {f"{name}_source": words for name, words in sources.items()}
        unplaced = {i: problem for i, problem in bad if not place["country"][i]}
        reasons = [
            "" if place["country"][i] or i in unplaced else AT_SEA if located[i] else NO_PLACE
            for i in range(len(located))
        ]
        for name, words in sources.items():
            kept = (word for word, why in zip(words, reasons, strict=True) if not why)
            self.counts.filled.update((name, word) for word in kept)
        return reasons, unplaced

    def _fill_names(
        self, place: _Cells, sources: Mapping[str, list[str]], points: Sequence[_Floats]
    ) -> None:
        """Complete country, region and city from coordinates, within the country given."""
        named = zip(*(place[name] for name in sources if name in place), strict=True)
        lacking = np.array([not all(names) for names in named], bool)
        rows = np.flatnonzero(lacking & np.isfinite(points[0]))
        if not len(rows):
            return
        found = places_at(points[0][rows], points[1][rows])
        known = gazetteer.countries()
        codes = {text: _code(text) for text in {place["country"][i] for i in rows}}
        columns = (found[name].tolist() for name in ("country", "region", "city"))
        for i, code, *names in zip(rows.tolist(), *columns, strict=True):
            if not code or codes[place["country"][i]] not in ("", code):
                continue
            texts = known[code].name, *names
            for name, text in zip(("country", "region", "city"), texts, strict=True):
                if text and not place[name][i]:
                    place[name][i], sources[name][i] = text, "coordinates"

    def _fill_coordinates(
        self, place: _Cells, sources: Mapping[str, list[str]], bad: Mapping[int, str]
    ) -> None:
        """Take the coordinates of cities from the gazetteer, where a name means one city."""
        known: dict[tuple[str, ...], gazetteer.City | None] = {}
        for i, source in enumerate(sources["coordinates"]):
            label = tuple(place[name][i].strip() for name in ("country", "region", "city"))
            if source or i in bad or not (label[0] and label[2]):
                continue
            if label not in known:
                code = _code(label[0])
                known[label] = gazetteer.resolve_city(code, label[2], label[1] or None).city
            if (city := known[label]) is not None:
                for name, value in zip(
                    COORDINATES, (city.latitude_deg, city.longitude_deg), strict=True
                ):
                    place[name][i] = str(value)
                sources["coordinates"][i] = "gazetteer"

    def _check_swapped(self, cells: _Cells) -> None:
        """Raise ManifestError if the points fit the Earth's land only when swapped."""
        latitudes, longitudes = (cells[name] for name in COORDINATES)
        num_points = sum(bool(text.strip()) for text in latitudes)
        misplaced, swapped = (
            num_points - _num_on_land(first, second)
            for first, second in ((latitudes, longitudes), (longitudes, latitudes))
        )
        if misplaced <= _LEAST_MISPLACED * num_points or 2 * swapped > misplaced:
            return
        latitude, longitude = (self._columns[name] for name in COORDINATES)
        msg = (
            f"{self.path}: columns {latitude} and {longitude} are swapped: of {num_points:,} "
            f"points {misplaced:,} are out of range or more than {FARTHEST_KM:g} km from land, "
            f"read the other way {swapped:,}. Add --columns latitude={longitude} "
            f"longitude={latitude}; to keep them, --columns latitude={latitude} "
            f"longitude={longitude}."
        )
        raise ManifestError(msg)


def _num_on_land(latitudes: Sequence[str], longitudes: Sequence[str]) -> int:
    latitude_deg, longitude_deg, _ = parse_coordinates(latitudes, longitudes)
    return int((places_at(latitude_deg, longitude_deg)["country"] != "").sum())


def _code(country: str) -> str:
    """Find a country's code; "" for a blank, "?" for an unknown name."""
    found = gazetteer.find_country(country) if country.strip() else None
    return found.code if found else "?" if country.strip() else ""
