"""What a file is that bears an image's name and is no image that can be decoded."""

import re
from pathlib import Path

_HEAD_BYTES = 512
_SAVE_AS_JPEG = "Convert it to JPEG or PNG."
_DOWNLOAD_AGAIN = "Download the image again."

# Pattern of the first bytes, what the file is, what to do.
_KINDS: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL | re.IGNORECASE), kind, advice)
    for pattern, kind, advice in (
        (
            rb"version https://git-lfs\.github\.com/spec/",
            "a Git LFS pointer, not the image itself",
            "Fetch the images with `git lfs pull`.",
        ),
        (rb"(\xef\xbb\xbf)?\s*(<!--.*?-->\s*)?<(!doctype html|html|head|body)\b", "an HTML page",
         _DOWNLOAD_AGAIN),
        (rb"(\xef\xbb\xbf)?\s*(<\?xml.{,200}?)?<svg\b", "an SVG drawing", _SAVE_AS_JPEG),
        (rb"(\xef\xbb\xbf)?\s*<(\?xml|error)\b", "an XML document", _DOWNLOAD_AGAIN),
        (rb"\s*[\[{]\s*[\"{\[]", "JSON text", _DOWNLOAD_AGAIN),
        (rb"....ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1)", "an HEIC image", _SAVE_AS_JPEG),
        (rb"....ftyp(crx )", "a camera's raw file", _SAVE_AS_JPEG),
        (rb"....ftyp", "a video", "Extract a frame as JPEG."),
        (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "a JPEG 2000 image", _SAVE_AS_JPEG),
        (rb"\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a", "a JPEG XL image", _SAVE_AS_JPEG),
        (rb"%PDF-", "a PDF document", _SAVE_AS_JPEG),
        (rb"%!PS", "a PostScript document", _SAVE_AS_JPEG),
        (rb"8BPS", "a Photoshop file", _SAVE_AS_JPEG),
        (rb"PK\x03\x04", "a ZIP archive", "Unpack it."),
        (rb"\x1f\x8b", "compressed with gzip", "Unpack it with gunzip."),
        (rb"\x89HDF\r\n", "an HDF5 file", _SAVE_AS_JPEG),
        (rb"\0\x05\x16\x07", "the notes that macOS keeps on a file", "Leave files named ._* out."),
    )
)  # fmt: skip
_PATH_TEXT = re.compile(rb"\.{1,2}(?:/[\w.-]+)+\s*")


def describe_file(path: Path) -> str | None:
    """Name the kind of a file by its first bytes, with advice; None if it is unknown.

    Returns:
        Text to follow the name of the file, as "is an HTML page. Download the image again.".
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if _PATH_TEXT.fullmatch(head):
        return (
            f"is a link saved as text, to {head.decode('ascii', 'replace').strip()}. Copy the "
            "images with their links followed, as by `cp -rL`."
        )
    for pattern, kind, advice in _KINDS:
        if pattern.match(head):
            return f"is {kind}. {advice}"
    return None
