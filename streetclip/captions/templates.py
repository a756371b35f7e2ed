"""Captions to train on.

The built-in patterns are those of StreetCLIP (Haas, Alberti, Skreta, arXiv 2302.00275) and of its
authors' next repository, LukasHaas/PIGEON.
"""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from streetclip.captions.patterns import ALL_KEPT, chances, field_list, fill, parse_pattern
from streetclip.errors import TemplateError, shown

PLACE_FIELDS = ("city", "region", "country", "continent")
"""What a caption is made of: columns of a manifest."""

_Place = tuple[str, str, str, str]

_WORDS = struct.Struct("<16I")
_NO_DRAW = (0,)
_MAX_FILE_BYTES = 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class CaptionTemplate:
    """A named pattern; malformed ones cannot be made.

    Args:
        name: What the user and the captions CSV call it.
        pattern: Text in the language of `streetclip.captions.patterns`.

    Raises:
        TemplateError: The pattern has an unknown field, an unclosed bracket, a chance outside
            0 to 1, or no field at all.
    """

    name: str
    pattern: str

    def __post_init__(self) -> None:
        """Check the pattern once, so that the million captions after it need no check."""
        try:
            segments = parse_pattern(self.pattern)
        except TemplateError as error:
            msg = f"template {shown(self.name)}: {error}"
            raise TemplateError(msg) from None
        if not any(segment.fields for segment in segments):
            msg = (
                f"template {shown(self.name)} names no place; expected at least one of "
                f"{field_list()}. Else every image would have the same caption."
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
    """Find templates by name, among the built-in ones and those of a file.

    Args:
        names: Which to draw from; one that stands twice is drawn twice as often.
        template_file: Text file, one `name: pattern` a line; blank lines and lines that start
            with `#` are skipped.

    Raises:
        TemplateError: The file cannot be read or has a bad line, or a name is unknown.
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


def make_caption(
    templates: Sequence[CaptionTemplate],
    fields: Mapping[str, str],
    *,
    seed: int,
    image_filename: str,
) -> tuple[str, str]:
    """Caption an image: the same for the same arguments, whatever was captioned before.

    The choices come from a hash of seed and file name, so that neither the order of the rows nor
    their number matters.

    Args:
        templates: One is drawn, evenly, among those that this image's blank fields allow.
        fields: city, region, country and continent; blank or absent where unknown.
        seed: Seed of every choice.
        image_filename: Name of the image in its manifest.

    Returns:
        The caption, and the name of the template that made it.

    Raises:
        TemplateError: Every template needs a field that is blank for this image.

    Examples:
        >>> make_caption([FULL], {"city": "Utrecht", "country": "Netherlands"},
        ...              seed=42, image_filename="a.jpg")
        ('A Street View photo close to the town of Utrecht in the Netherlands.', 'full')
    """
    city, region, country, continent = (fields.get(name, "") for name in PLACE_FIELDS)
    place = (city, region, country, continent)
    return _make(templates, place, seed, image_filename)


def make_captions(
    templates: Sequence[CaptionTemplate], columns: Mapping[str, Sequence[str]], *, seed: int
) -> list[tuple[str, str]]:
    """Caption many images: what `make_caption` gives for each, in less time.

    Args:
        templates: As for `make_caption`.
        columns: image_filename, city, region, country and continent of N images.
        seed: Seed of every choice.

    Returns:
        N captions, each with the name of the template that made it.

    Raises:
        TemplateError: Every template needs a field that is blank for some image.
    """
    names = columns["image_filename"]
    city, region, country, continent = (columns[name] for name in PLACE_FIELDS)
    places = zip(city, region, country, continent, strict=True)
    if has_choice(templates):
        pairs = zip(names, places, strict=True)
        return [_make(templates, place, seed, name) for name, place in pairs]
    # Nothing is drawn: images of one place have one caption.
    made: dict[_Place, tuple[str, str]] = {}
    captions = []
    for name, place in zip(names, places, strict=True):
        caption = made.get(place)
        if caption is None:
            caption = made[place] = _make(templates, place, seed, name)
        captions.append(caption)
    return captions


def _make(
    templates: Sequence[CaptionTemplate], place: "_Place", seed: int, image_filename: str
) -> tuple[str, str]:
    words = _draw(seed, image_filename) if has_choice(templates) else _NO_DRAW
    template = templates[words[0] * len(templates) >> 32]
    caption = _caption(template.pattern, words, place)
    if not caption:
        usable = [each for each in templates if fill(each.pattern, 0, place)]
        if not usable:
            raise TemplateError(_unusable_message(templates, image_filename))
        words = _draw(seed, f"{image_filename}\0")  # the first draw says what could not be filled
        template = usable[words[0] * len(usable) >> 32]
        caption = _caption(template.pattern, words, place)
    return caption, template.name


def has_choice(templates: Sequence[CaptionTemplate]) -> bool:
    """Whether anything is drawn by chance, so that images of one place may differ in caption."""
    return len(templates) > 1 or bool(chances(templates[0].pattern))


def _draw(seed: int, image_filename: str) -> tuple[int, ...]:
    """16 evenly spread 32-bit words, the same on every machine and in every version."""
    key = f"{seed}\0{image_filename}".encode("utf-8", "surrogatepass")
    return _WORDS.unpack(blake2b(key).digest())


def _caption(pattern: str, words: tuple[int, ...], place: _Place) -> str:
    kept = ALL_KEPT
    for bit, threshold in chances(pattern):
        if words[bit + 1] >= threshold:
            kept &= ~(1 << bit)
    return fill(pattern, kept, place)


def _unusable_message(templates: Sequence[CaptionTemplate], image_filename: str) -> str:
    names = ", ".join(dict.fromkeys(template.name for template in templates))
    return (
        f"image {shown(image_filename)} has blank fields that every template given needs "
        f"({names}). Put what may be blank into a segment, as in '[near {{city}} ]', or add a "
        "template that does without."
    )


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
    """Read a UTF-8 file of templates or prompts, at most 1 MiB.

    Raises:
        TemplateError: The file is missing, too large or not UTF-8.
    """
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
