"""Identify files that have an image's name and cannot be decoded."""

import re
from pathlib import Path

_HEAD_BYTES = 512
_CONVERT = "Convert it to JPEG or PNG."
_DOWNLOAD = "Download it again."
_BOM = rb"(\xef\xbb\xbf)?\s*"

# Patterns of the first bytes, what the file is, what to do.
_NO_IMAGES = (
    (
        rb"version https://git-lfs\.github\.com/spec/",
        "a Git LFS pointer",
        "Fetch the images with `git lfs pull`.",
    ),
    (_BOM + rb"(<!--.*?-->\s*)?<(!doctype html|html|head|body)\b", "an HTML page", _DOWNLOAD),
    (_BOM + rb"(<\?xml.{,200}?)?<svg\b", "an SVG drawing", _CONVERT),
    (_BOM + rb"<(\?xml|error)\b", "an XML document", _DOWNLOAD),
    (rb"\s*[\[{]\s*[\"{\[]", "JSON text", _DOWNLOAD),
    (rb"....ftyp(isom|iso[2-9]|mp4.|avc1|qt  |M4V |3gp.)", "a video", "Extract a frame as JPEG."),
    (rb"%PDF-", "a PDF document", _CONVERT),
    (rb"%!PS", "a PostScript document", _CONVERT),
    (rb"PK\x03\x04", "a ZIP archive", "Unpack it."),
    (rb"\x1f\x8b", "a file compressed with gzip", "Unpack it with gunzip."),
    (rb"\x89HDF\r\n", "an HDF5 file", _CONVERT),
    (rb"\0\x05\x16\x07", "a macOS file of attributes", "Leave out files named ._*."),
)
_OTHER_FORMATS = (
    (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (rb"\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a", "a JPEG XL image"),
    (rb"8BPS", "a Photoshop image"),
    (rb"....ftypcrx ", "a raw image of a camera"),
)
_HEIC = re.compile(rb"....ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1)", re.DOTALL)
_PATH_TEXT = re.compile(rb"\.{1,2}(?:/[\w.-]+)+\s*")


def describe_file(path: Path) -> str | None:
    """Identify a file by its first bytes, with advice; None if unknown.

    The text follows a file's name: "is not an image but an HTML page. Download it again."
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if _PATH_TEXT.fullmatch(head):
        target = head.decode("ascii", "replace").strip()
        return (
            f"is not an image but a link to {target}, saved as text. Copy the images with links "
            "followed, as by `cp -rL`."
        )
    for pattern, kind, advice in _NO_IMAGES:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return f"is not an image but {kind}. {advice}"
    if _HEIC.match(head):
        problem = "is an HEIC image, damaged or not decoded without pillow-heif."
        return f"{problem} Run `pip install pillow-heif`, or convert it to JPEG or PNG."
    for pattern, kind in _OTHER_FORMATS:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return f"is {kind}, which is not decoded. {_CONVERT}"
    return None
