"""Make captions to train on, and shorten those that are longer than a model reads.

The built-in patterns are those of StreetCLIP (Haas, Alberti, Skreta, arXiv 2302.00275) and of its
authors' next repository, LukasHaas/PIGEON.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from streetclip.captions.patterns import (
    ALL_KEPT,
    FIELD_LIST,
    PLACE_FIELDS,
    Place,
    bare_name,
    chances,
    fill,
    parse_pattern,
)
from streetclip.errors import TemplateError, shown

CLIP_TOKENS = 77
"""Tokens that CLIP reads of a text, special ones included."""

_ASCII_CHARACTERS_PER_TOKEN = 4
_MOST_CHANCES = 10  # 1,024 ways to draw them are tried
_WORDS = struct.Struct("<16I")
_MAX_FILE_BYTES = 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class CaptionTemplate:
    """Hold a pattern that names a place and cannot come out empty; see `captions.patterns`."""

    name: str
    pattern: str

    def __post_init__(self) -> None:
        try:
            segments = parse_pattern(self.pattern)
        except TemplateError as error:
            msg = f"template {shown(self.name)}: {error}"
            raise TemplateError(msg) from None
        if not any(segment.fields for segment in segments):
            msg = (
                f"template {shown(self.name)} names no place; expected at least one of "
                f"{FIELD_LIST}. Else every image would have the same caption."
            )
            raise TemplateError(msg)
        if not fill(self.pattern, 0, ("x", "x", "x", "x")):
            msg = (
                f"template {shown(self.name)} may come out empty; expected some text that is "
                "always kept. Take the chance off one segment."
            )
            raise TemplateError(msg)


FULL = CaptionTemplate(
    "full",
    "A Street View photo [close to the town of {city} ][in the region of {region} ]"
    "in {the_country}.",
)
DROPOUT = CaptionTemplate(
    "dropout",
    "A Street View photo [0.4: close to the town of {city} ][0.6: in the region of {region} ]"
    "in {the_country}.",
)
PAPER = CaptionTemplate("paper", "A Street View photo in {country}.")
BUILTIN: Mapping[str, CaptionTemplate] = {t.name: t for t in (FULL, DROPOUT, PAPER)}


def load_templates(
    names: Sequence[str], template_file: Path | None = None
) -> tuple[CaptionTemplate, ...]:
    """Find templates by name, built-in ones and those of a file.

    A name given twice is drawn twice as often. The file has one `name: pattern` a line, blank lines
    and `#` comments; bad lines, unreadable files and unknown names raise a `TemplateError`.
    """
    known = dict(BUILTIN)
    if template_file is not None:
        known.update(_read_template_file(template_file))
    if not names:
        msg = f"no template was named; expected one or more of {', '.join(known)}."
        raise TemplateError(msg)
    for name in names:
        if name not in known:
            msg = (
                f"template {shown(name)} is unknown; expected one of {', '.join(known)}. "
                "Write your own into a file for --template_file, one 'name: pattern' a line."
            )
            raise TemplateError(msg)
    return tuple(known[name] for name in names)


def make_captions(
    templates: Sequence[CaptionTemplate], columns: Mapping[str, Sequence[str]], *, seed: int
) -> list[tuple[str, str]]:
    """Make each image's caption and the name of its template.

    The choices come from a hash of seed and file name, so that neither the order of the rows nor
    their number matters. One template is drawn, evenly, among those that an image's blank fields
    allow; `columns` are image_filename, city, region, country and continent of N images.

    Raises:
        TemplateError: Every template needs a field that is blank for some image.

    Examples:
        >>> place = {"city": ["Utrecht"], "region": [""], "country": ["Peru"], "continent": [""]}
        >>> make_captions([FULL], {"image_filename": ["a.jpg"], **place}, seed=42)
        [('A Street View photo close to the town of Utrecht in Peru.', 'full')]
    """
    names = columns["image_filename"]
    city, region, country, continent = (columns[name] for name in PLACE_FIELDS)
    images = zip(names, zip(city, region, country, continent, strict=True), strict=True)
    if has_choice(templates):
        return [_make(templates, place, seed, name) for name, place in images]
    # Nothing is drawn: images of one place have one caption.
    made: dict[Place, tuple[str, str]] = {}
    captions = []
    for name, place in images:
        if place not in made:
            made[place] = _make(templates, place, seed, name)
        captions.append(made[place])
    return captions


def has_choice(templates: Sequence[CaptionTemplate]) -> bool:
    """Return whether captions of one place may differ by chance."""
    return len(templates) > 1 or bool(chances(templates[0].pattern))


def shorter_captions(caption: str, pattern: str, place: Place) -> list[str]:
    """Shorten a caption by leaving out region, continent, then city.

    A part is left out with the segment in square brackets that names it; the country stays. The
    longest is first; none if the caption was not made of this pattern and place.

    Examples:
        >>> pattern = "A photo [near {city} ][in {region} ]in {country}."
        >>> place = ("Lyon", "Rhône", "France", "Europe")
        >>> shorter_captions("A photo near Lyon in Rhône in France.", pattern, place)
        ['A photo near Lyon in France.', 'A photo in France.']
    """
    num_chances = len(chances(pattern))
    draws = [ALL_KEPT]  # one bit for each segment with a chance
    if num_chances <= _MOST_CHANCES:
        draws += range(2**num_chances)
    kept = next((kept for kept in draws if fill(pattern, kept, place) == caption), None)
    if kept is None:
        return []
    city, region, country, continent = place
    names = (bare_name(country), city, region, continent)
    needed = next((name for name in names if name and name in caption), "")
    shorter = [caption]
    for field in ("region", "continent", "city"):
        city, region, country, continent = (
            "" if name == field else value for name, value in zip(PLACE_FIELDS, place, strict=True)
        )
        made = fill(pattern, kept, (city, region, country, continent))
        # Blank where the pattern names the field outside of brackets.
        if made and needed in made:
            place = (city, region, country, continent)
            shorter.append(made)
    return list(dict.fromkeys(shorter))[1:]


def estimate_tokens(text: str) -> float:
    """Estimate CLIP's tokens: 4 English characters or 1 other byte each."""
    num_further_bytes = len(text.encode("utf-8", "replace")) - len(text)
    return 2 + len(text) / _ASCII_CHARACTERS_PER_TOKEN + num_further_bytes


def _make(
    templates: Sequence[CaptionTemplate], place: Place, seed: int, image_filename: str
) -> tuple[str, str]:
    made = _draw(templates, place, f"{seed}\0{image_filename}")
    if made[0]:
        return made
    usable = [each for each in templates if fill(each.pattern, 0, place)]
    if not usable:
        names = ", ".join(dict.fromkeys(template.name for template in templates))
        msg = (
            f"image {shown(image_filename)} has blank fields that every template given needs "
            f"({names}). Put what may be blank into a segment, as in '[near {{city}} ]', or add a "
            "template that does without."
        )
        raise TemplateError(msg)
    # The first draw says which template could not be filled; another decides on the others.
    return _draw(usable, place, f"{seed}\0{image_filename}\0")


def _draw(templates: Sequence[CaptionTemplate], place: Place, key: str) -> tuple[str, str]:
    """Draw a template and its segments by machine-independent 32-bit words."""
    words = _WORDS.unpack(blake2b(key.encode("utf-8", "surrogatepass")).digest())
    template = templates[words[0] * len(templates) >> 32]
    kept = ALL_KEPT
    for bit, threshold in chances(template.pattern):
        if words[bit + 1] >= threshold:
            kept &= ~(1 << bit)
    return fill(template.pattern, kept, place), template.name


def _read_template_file(path: Path) -> dict[str, CaptionTemplate]:
    found: dict[str, CaptionTemplate] = {}
    for number, line in enumerate(read_small_text(path).splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{path}:{number}"
        name, colon, pattern = (part.strip() for part in line.partition(":"))
        if not (colon and pattern and _NAME.fullmatch(name)):
            msg = f"{where}: found {shown(line)}; expected 'name: pattern'."
            raise TemplateError(msg)
        if name in found or name in BUILTIN:
            kind = "built in" if name in BUILTIN else "defined above"
            msg = f"{where}: template {shown(name)} is {kind}. Choose another name."
            raise TemplateError(msg)
        try:
            found[name] = CaptionTemplate(name, pattern)
        except TemplateError as error:
            msg = f"{where}: {error}"
            raise TemplateError(msg) from None
    return found


def read_small_text(path: Path) -> str:
    """Read a UTF-8 file of templates or prompts, at most 1 MiB."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); expected a UTF-8 text file."
        raise TemplateError(msg) from error
    if len(content) > _MAX_FILE_BYTES:
        msg = f"{path}: is larger than 1 MiB; expected a short file of patterns."
        raise TemplateError(msg)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        msg = f"{path}: byte {error.start} is not UTF-8. Save the file as UTF-8."
        raise TemplateError(msg) from error
