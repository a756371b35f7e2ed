"""Decode JPEG files at a reduced scale, in fewer passes.

A JPEG holds blocks of 8 × 8 waves. Pillow's `draft` computes 4, 2 or 1 pixels a side from them
(libjpeg's scaled inverse transform). In progressive files, where reading the passes costs more
than the transform, later passes refine the waves bit by bit; those worth little are left out.

Source: ITU-T T.81, annexes B (markers), G (progressive mode) and A.3 (the transform).
"""

import hashlib
import io
import math
import re
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

JPEG_FORMATS = frozenset({"JPEG", "MPO"})
"""As Pillow names them; an MPO is a JPEG with further frames."""

DAMAGED = (
    SyntaxError, ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError,
    EOFError, struct.error, zlib.error,
)  # fmt: skip
"""What Pillow raises on damaged files, besides OSError."""

# At least so many decoded pixels become one of the result. At 1, what is decoded differs visibly
# from what averaging all pixels gives; at 2 by half a grey level.
_OVERSAMPLING = 2
_SCALES = (8, 4, 2)
# Passes are left out as long as the crest of no coarse wave is off by more than this, in grey
# levels. Most are off by a small part of it, which averaging makes smaller.
_MAX_ERROR = 8.0

_SOI, _EOI, _SOS, _DQT, _APP2 = 0xD8, 0xD9, 0xDA, 0xDB, 0xE2
_START, _END = bytes((0xFF, _SOI)), bytes((0xFF, _EOI))
_PROGRESSIVE = 0xC2  # Huffman-coded; what else is progressive is rare and left as it is
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HEADER_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # after a pass: a marker, no restart
_WAVES = 64  # of a block
_LOW_WAVES = slice(1, 6)  # in the file's order; finer ones are lost where the image is made smaller
_MALFORMED = (IndexError, KeyError, struct.error, ValueError)

# What follows complete coded data is never decoded: more codes, or one more interval of them.
_PADDINGS = (b"", b"\x55" * 256, b"\xaa" * 256)
_INTERVALS = tuple(bytes((0xFF, 0xD0 + number)) + b"\x55" * 256 for number in range(8))
_RESTART_INTERVAL = b"\xff\xdd"


def reduced_scale(shrinking: float) -> int:
    """Choose an image's reduction while decoding: 1, 2, 4 or 8.

    `shrinking` is how many pixels become one, along the axis with fewer.
    """
    return next((scale for scale in _SCALES if shrinking >= scale * _OVERSAMPLING), 1)


def open_reduced(image: Image.Image, scale: int) -> tuple[Image.Image, int]:
    """Make an opened, not yet loaded JPEG decode at a reduced scale.

    Returns the image to load (`image`, or another with fewer passes), and its scale: 1 if no JPEG.
    """
    if scale == 1 or image.format not in JPEG_FORMATS:
        return image, 1
    if image.info.get("progressive"):
        file = image.fp  # type: ignore[attr-defined]
        file.seek(0)
        coarse = without_fine_passes(file.read())
        if coarse is not None:
            image = Image.open(io.BytesIO(coarse), formats=("JPEG",))
    width = image.width
    drafted = image.draft(None, (max(width // scale, 1), max(image.height // scale, 1)))
    return image, 1 if drafted is None else round(width / drafted[1][2])


def without_fine_passes(content: bytes) -> bytes | None:
    """Leave out a progressive JPEG's passes that refine waves by little, profiles, more frames.

    Returns None if there is no such pass, or the file is unusual or damaged.
    """
    kept = [content[:2]]
    is_shorter = False
    steps: dict[int, float] = {}  # mean quantisation step of the low waves, by table
    tables: dict[int, int] = {}  # table of each colour component
    try:
        for marker, start, header_end, end in _segments(content):
            segment = content[start + 4 : header_end]
            if marker in _FRAMES:
                if marker != _PROGRESSIVE:
                    return None
                tables = {segment[i]: segment[i + 2] for i in range(6, len(segment), 3)}
            elif marker == _DQT:
                steps |= _mean_steps(segment)
            if marker == _SOS and _is_fine(segment, steps, tables):
                is_shorter = True
            elif marker != _APP2:
                kept.append(content[start:end])
    except _MALFORMED:
        return None
    return b"".join([*kept, _END]) if is_shorter else None


def with_end(content: bytes) -> bytes | None:
    """Complete a JPEG that lacks only its end marker; else None.

    A decoder reads no further than the last block. So where bytes after the coded data change the
    pixels, blocks are missing, and the file is damaged.
    """
    if content[:2] != _START or content.endswith(_END):
        return None
    content = content.removesuffix(b"\xff")
    if not _has_all_passes(content + _END):
        return None
    paddings = _PADDINGS + _INTERVALS * (_RESTART_INTERVAL in content)
    pixels = {_hash_pixels(content + padding + _END) for padding in paddings}
    return content + _END if len(pixels) == 1 and None not in pixels else None


def _has_all_passes(content: bytes) -> bool:
    """Return whether the passes give every wave to its last bit."""
    missing_bits: dict[int, list[int]] = {}
    try:
        for marker, start, header_end, _ in _segments(content):
            segment = content[start + 4 : header_end]
            if marker in _FRAMES:
                missing_bits = {segment[i]: [8] * _WAVES for i in range(6, len(segment), 3)}
            elif marker == _SOS:
                first, last, bits = segment[1 + 2 * segment[0] : 4 + 2 * segment[0]]
                for component in segment[1 : 1 + 2 * segment[0] : 2]:
                    missing_bits[component][first : last + 1] = [bits % 16] * (last + 1 - first)
    except _MALFORMED:
        return False
    return bool(missing_bits) and not any(map(any, missing_bits.values()))


def _hash_pixels(content: bytes) -> bytes | None:
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG",)) as image:
            return hashlib.blake2b(image.tobytes()).digest()
    except (OSError, *DAMAGED):
        return None


def _segments(content: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield marker, start, header end, data end; ValueError if truncated."""
    start = 2
    while content[:2] == _START and content[start] == _START[0]:
        marker = content[start + 1]
        if marker == _EOI:
            return
        header_end = end = start + 2 + struct.unpack_from(">H", content, start + 2)[0]
        if marker == _SOS:
            found = _HEADER_END.search(content, header_end)
            if found is None:
                break
            end = found.start()
        yield marker, start, header_end, end
        start = end
    raise ValueError


def _mean_steps(segment: bytes) -> dict[int, float]:
    """Average the steps of the low waves, by number of the table."""
    steps = {}
    start = 0
    while start < len(segment):
        is_wide, table = divmod(segment[start], 16)
        values = struct.unpack_from(">64H" if is_wide else ">64B", segment, start + 1)
        steps[table] = sum(values[_LOW_WAVES]) / len(values[_LOW_WAVES])
        start += 1 + 64 * (2 if is_wide else 1)
    return steps


def _is_fine(segment: bytes, steps: dict[int, float], tables: dict[int, int]) -> bool:
    """Return whether a pass refines waves by bits that are worth little."""
    first_wave, _, bits = segment[1 + 2 * segment[0] : 4 + 2 * segment[0]]
    previous_bit, bit = divmod(bits, 16)
    if first_wave == 0 or previous_bit == 0:
        return False  # mean colours, or the upper bits of waves
    step = steps[tables[segment[1]]]
    # Without the bits below the n-th a wave is off by up to 2ⁿ − 1 steps; a wave of 4 rises by 1.
    return bit < int(math.log2(4 * _MAX_ERROR / step + 1))
