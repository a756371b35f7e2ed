"""List folders of photos as rows of a dataset, and find images by name."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from streetclip import gazetteer
from streetclip.data.csv_text import Rows
from streetclip.data.decoding import canonical_name
from streetclip.data.exif import read_position
from streetclip.data.photo_folder import find_photos
from streetclip.errors import ImageError, ManifestError, shown

_SHOWN = 20


class ImageNames:
    """Find the images of a folder by what a table calls them."""

    def __init__(self, folder: Path) -> None:
        self.all = frozenset(find_photos(folder, recursive=True))
        self._by_name: dict[str, str] = {}  # "" for a name of several
        for path in self.all:
            name = path.rpartition("/")[2]
            for key in {name, name.rpartition(".")[0], path.rpartition(".")[0]}:
                self._by_name[key] = "" if key in self._by_name else path

    def find(self, name: str) -> str | None:
        """Find an image by path, file name or either without its ending; None if it is unclear.

        A path may begin at a folder above or below the image folder.
        """
        name = canonical_name(name)
        if name in self.all:
            return name
        path = self._by_name.get(name) or self._by_name.get(name.rpartition("/")[2], "")
        for each in (path, path.rpartition(".")[0]):
            if each and (f"/{each}".endswith(f"/{name}") or f"/{name}".endswith(f"/{each}")):
                return path
        return None


class PhotoFolder:
    """Read photos as rows of image and place: GPS in EXIF, or a folder for each country.

    Photos without a place have a blank one. An unknown country raises a ManifestError.
    """

    header_line = 0

    def __init__(self, path: Path, image_dir: Path, *, by_folder: bool) -> None:
        self.path = path
        if not path.resolve().is_relative_to(image_dir.resolve()):
            msg = f"{path}: lies outside --image_dir {image_dir}; expected a folder inside it."
            raise ManifestError(msg)
        self._photos = find_photos(path, recursive=True)
        self._prefix = path.resolve().relative_to(image_dir.resolve())
        self._by_folder = by_folder
        places = ["country", "city"] if by_folder else ["latitude", "longitude"]
        self.header = ["image_filename", *places]
        self.num_bytes, self.bytes_read = len(self._photos), 0
        if by_folder:
            self._check_countries()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def sha256(self) -> str:
        """Return nothing: a folder has no digest."""
        return ""

    def chunks(self, chunk_rows: int) -> Iterator[tuple[Rows, Sequence[int]]]:
        """Yield a row for each photo; lines are numbers of photos, from 1."""
        place = _folder_place if self._by_folder else self._gps
        for start in range(0, len(self._photos), chunk_rows):
            photos = self._photos[start : start + chunk_rows]
            rows = [[(self._prefix / photo).as_posix(), *place(photo)] for photo in photos]
            self.bytes_read = start + len(photos)
            yield rows, range(start + 1, start + 1 + len(photos))

    def _gps(self, photo: str) -> tuple[str, str]:
        try:
            position = read_position(self.path / photo)
        except ImageError:
            position = None  # an image that cannot be read has no place either
        return ("", "") if position is None else (f"{position[0]:.6f}", f"{position[1]:.6f}")

    def _check_countries(self) -> None:
        unknown = {
            name: country
            for photo in self._photos
            if (name := photo.partition("/")[0]) != photo
            and gazetteer.find_country(country := _words(name)) is None
        }
        if unknown:
            lines = []
            for name, country in list(unknown.items())[:_SHOWN]:
                nearest = gazetteer.suggest_countries(country)
                hint = f" Did you mean {' or '.join(nearest)}?" if nearest else ""
                lines.append(f"{self.path / name}: is no known country.{hint}")
            msg = (
                f"{self.path}: {len(unknown)} folders that name no country, such as "
                f"{shown(next(iter(unknown)))}; expected a folder for each country. Rename or "
                "move them."
            )
            raise ManifestError("\n".join([msg, *lines]))


def has_country_folders(folder: Path) -> bool:
    """Return whether at least half of the folders in a folder are called like countries."""
    folders = [each.name for each in folder.iterdir() if each.is_dir() and each.name[0] != "."]
    named = sum(gazetteer.find_country(_words(name)) is not None for name in folders)
    return named > 0 and 2 * named >= len(folders)


def _words(folder: str) -> str:
    return folder.replace("_", " ")


def _folder_place(photo: str) -> tuple[str, str]:
    """Read country, and city if the gazetteer has it, from "France/Paris/1.jpg"."""
    *folders, _ = photo.split("/")
    if not folders:
        return "", ""
    country, city = _words(folders[0]), _words(folders[1]) if len(folders) > 1 else ""
    code = gazetteer.resolve_country(country).code
    return country, city if city and gazetteer.find_city(code, city) else ""
