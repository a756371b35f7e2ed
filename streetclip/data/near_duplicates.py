"""Find images that two splits nearly share.

An image's fingerprint are the lowest frequencies of its gray levels (DCT-II, as in pHash: Zauner
2010), weighted by frequency, so that sky above ground does not decide. Pairs with similar
fingerprints are compared more finely, each image also without up to 10 % of its edges.

Shapes: N and M images of two splits, D coefficients, P pairs, B boxes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from streetclip.progress import Progress, no_progress

Bytes = NDArray[np.uint8]
Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

_SIDE: Final = 48  # of a thumbnail
_COARSE, _FINE = 8, 12  # frequencies each way
_CANDIDATE, _SAME = 0.75, 0.88  # least cosines
_MOST: Final = 8  # candidates of an image
_BLOCK: Final = 2**11
_BATCH: Final = 32
_KEPT, _PLACES = (0.95, 0.9), (0.0, 0.5, 1.0)
_BOXES: Final = (
    (0.0, 0.0, 1.0, 1.0),
    *(((1 - s) * x, (1 - s) * y, (1 - s) * x + s, (1 - s) * y + s)
      for s in _KEPT for x in _PLACES for y in _PLACES),
)  # fmt: skip
"""Parts of an image, as shares of its sides: all of it, then crops."""


@dataclass(frozen=True)
class Pairs:
    """Hold P pairs of an image of each split, and how alike they are (cosine), most alike first."""

    first_P: Int64
    second_P: Int64
    cosine_P: Float32


def thumbnails(
    paths: Sequence[Path], *, num_workers: int, progress: Progress = no_progress
) -> Bytes:
    """Decode N images to gray, N × 48 × 48; an unreadable one is black, and like none."""
    from streetclip.data.image_batches import iterate_batches  # imports torch

    found = np.zeros((len(paths), _SIDE, _SIDE), np.uint8)
    done = 0
    progress(done, len(paths))
    for batch in iterate_batches(paths, _thumbnail, batch_size=_BATCH, num_workers=num_workers):
        if len(batch.indices_B):
            found[batch.indices_B] = batch.pixels_BCHW[:, 0].numpy()
        done += len(batch.indices_B) + len(batch.errors)
        progress(done, len(paths))
    return found


def near_duplicates(first_N: Bytes, second_M: Bytes) -> Pairs:
    """Find the images of two splits, as `thumbnails`, that show nearly the same picture."""
    found = most_alike(
        _fingerprints(first_N, _COARSE), _fingerprints(second_M, _COARSE), _CANDIDATE
    )
    pairs = zip(found.first_P.tolist(), found.second_P.tolist(), strict=True)
    cosine_P = np.array([_finest(first_N[a], second_M[b]) for a, b in pairs], np.float32)
    return _sorted(found.first_P, found.second_P, cosine_P, cosine_P >= _SAME)


def most_alike(first_ND: Float32, second_MD: Float32, least: float, *, most: int = _MOST) -> Pairs:
    """Find the pairs of unit vectors with a cosine of at least `least`.

    Of a vector of the first set, the `most` pairs that are most alike. For image features of a
    model as well.

    Examples:
        >>> found = most_alike(np.eye(2, dtype="f4"), np.eye(2, dtype="f4")[::-1], 0.9)
        >>> found.first_P.tolist(), found.second_P.tolist()
        ([0, 1], [1, 0])
    """
    first_P, second_P = np.empty(0, np.int64), np.empty(0, np.int64)
    cosine_P = np.empty(0, np.float32)
    for start in range(0, len(second_MD), _BLOCK):
        cosine_NB = first_ND @ second_MD[start : start + _BLOCK].T
        rows, columns = np.nonzero(cosine_NB >= least)
        if not len(rows):
            continue
        first_P = np.concatenate([first_P, rows])
        second_P = np.concatenate([second_P, columns + start])
        cosine_P = np.concatenate([cosine_P, cosine_NB[rows, columns]])
        # Keep the best of each vector, so that splits of equal images fit in memory.
        order = np.lexsort((-cosine_P, first_P))
        first_P, second_P, cosine_P = first_P[order], second_P[order], cosine_P[order]
        rank_P = np.arange(len(first_P)) - np.searchsorted(first_P, first_P)
        kept = rank_P < most
        first_P, second_P, cosine_P = first_P[kept], second_P[kept], cosine_P[kept]
    return _sorted(first_P, second_P, cosine_P, np.ones(len(first_P), np.bool_))


def _thumbnail(image: Image.Image) -> Bytes:
    gray = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(gray)[..., None]


def _fingerprints(gray_N: NDArray[np.generic], num_frequencies: int) -> Float32:
    """Compute fingerprints as unit vectors, N × D; zero for an image of one gray."""
    from scipy.fft import dctn

    used = slice(num_frequencies)
    found = [
        dctn(gray_N[start : start + _BLOCK].astype(np.float32), axes=(1, 2), norm="ortho")
        [:, used, used]
        for start in range(0, len(gray_N), _BLOCK)
    ]  # fmt: skip
    frequencies = np.hypot(*np.mgrid[used, used]).astype(np.float32)
    vectors_ND = (np.concatenate(found) * frequencies).reshape(len(gray_N), -1)
    length_N1 = np.linalg.norm(vectors_ND, axis=1, keepdims=True)
    unit_ND: Float32 = vectors_ND / np.where(length_N1 < 1, np.inf, length_N1)
    return unit_ND


def _finest(first: Bytes, second: Bytes) -> float:
    """Compare all of each image with the parts of the other; return the greatest cosine."""
    first_BD, second_BD = (_fingerprints(_parts(each), _FINE) for each in (first, second))
    return float(max((first_BD @ second_BD[0]).max(), (second_BD @ first_BD[0]).max()))


def _parts(gray: Bytes) -> Bytes:
    image = Image.fromarray(gray)
    size, method = (32, 32), Image.Resampling.BILINEAR
    boxes = ((_SIDE * x, _SIDE * y, _SIDE * right, _SIDE * low) for x, y, right, low in _BOXES)
    return np.stack([np.asarray(image.resize(size, method, box=box)) for box in boxes])


def _sorted(first_P: Int64, second_P: Int64, cosine_P: Float32, kept_P: NDArray[np.bool_]) -> Pairs:
    order = np.lexsort((second_P, first_P, -cosine_P))
    order = order[kept_P[order]]
    return Pairs(first_P[order], second_P[order], cosine_P[order])
