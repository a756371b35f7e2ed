"""Image features for an evaluation: from the cache where they are known, else decoded and encoded.

They are rounded to float16, as the cache keeps them, before anybody uses them: a run from the
cache equals the run that filled it.

Shapes: B images of a batch, D embedding.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from streetclip.datasets.batches import ImageBatch, iterate_batches
from streetclip.errors import StreetClipError
from streetclip.evaluation.feature_cache import (
    CacheWriter,
    FeatureCache,
    Float16,
    Int64,
    signatures,
)
from streetclip.models import DualEncoder

_LOG = logging.getLogger(__name__)

_BLOCK = 4096  # images read from the cache at once
_KEPT_AT_ONCE = 256  # images written to it at once


@dataclass(frozen=True)
class FeatureBatch:
    """Features of some images.

    Attributes:
        indices_B: For each image its index in the `paths` given.
        features_BD: float32 of float16's precision, of length 1 up to that, on the device.
        errors: Why others cannot be read, by index.
    """

    indices_B: Int64
    features_BD: torch.Tensor
    errors: dict[int, str]


def open_cache(cache_dir: Path, encoder: DualEncoder, model_sha256: str) -> FeatureCache | None:
    """The cache of what this encoder makes of images; None, and a word, if it cannot be read.

    Args:
        cache_dir: Folder of all caches.
        encoder: The model, with its precision and preprocessing.
        model_sha256: Of its weights.
    """
    made_of = {
        "model": model_sha256,
        "precision": encoder.precision.name,
        "preprocessing": repr(encoder.preprocess),
    }
    try:
        return FeatureCache(cache_dir, made_of, encoder.embedding_dim)
    except OSError as error:
        _LOG.warning("%s: cannot be read (%s); done without", cache_dir, error)
        return None


def iterate_features(
    paths: Sequence[Path],
    encoder: DualEncoder,
    cache: FeatureCache | None,
    *,
    batch_size: int,
    num_workers: int,
) -> Iterator[FeatureBatch]:
    """Give the features of all images, known ones first, and keep the new ones.

    A cache that cannot be read or written is said once, and done without.

    Args:
        paths: The images.
        encoder: The model.
        cache: Of this encoder; None for none.
        batch_size: Images of a forward pass.
        num_workers: Processes that decode, as `iterate_batches` has it.
    """
    missing = np.arange(len(paths))
    if cache is not None:
        known: list[Int64] = []
        for batch in _known(paths, encoder, cache):
            known.append(batch.indices_B)
            yield batch
        missing = np.setdiff1d(missing, np.concatenate([np.empty(0, np.int64), *known]))
        _LOG.info(
            "%d of %d images are known from earlier (%s, %.1f MB)",
            len(paths) - len(missing),
            len(paths),
            cache.folder,
            cache.num_bytes / 1e6,
        )
    with _Keeper(cache, paths, missing) as keeper:
        for images in iterate_batches(
            paths,
            encoder.preprocess,
            batch_size=batch_size,
            num_workers=num_workers,
            order=missing,
        ):
            features_BD = _encode(encoder, images)
            keeper.add(images.indices_B, features_BD)
            yield _batch(encoder, images.indices_B, features_BD, images.errors)


def _known(
    paths: Sequence[Path], encoder: DualEncoder, cache: FeatureCache
) -> Iterator[FeatureBatch]:
    try:
        rows_N = cache.find(paths)
    except OSError as error:
        _LOG.warning("%s: cannot be read (%s); done without", cache.folder, error)
        return
    hits = np.flatnonzero(rows_N >= 0)
    for start in range(0, len(hits), _BLOCK):
        indices_B = hits[start : start + _BLOCK]
        features_BD, whole_B = cache.read(rows_N[indices_B])
        if not whole_B.all():
            _LOG.warning("%s: %d damaged rows; made anew", cache.folder, (~whole_B).sum())
        yield _batch(encoder, indices_B[whole_B], features_BD[whole_B], {})


def _encode(encoder: DualEncoder, images: ImageBatch) -> Float16:
    if not len(images.indices_B):
        return np.empty((0, encoder.embedding_dim), np.float16)
    features_BD = encoder.encode_images(images.pixels_BCHW)
    rounded: Float16 = features_BD.to(torch.float16).cpu().numpy()
    return rounded


def _batch(
    encoder: DualEncoder, indices_B: Int64, features_BD: Float16, errors: dict[int, str]
) -> FeatureBatch:
    features = torch.from_numpy(features_BD.astype(np.float32)).to(encoder.device)
    return FeatureBatch(indices_B, features, errors)


class _Keeper:
    """Writes new features to the cache some hundreds at a time, as long as that works."""

    def __init__(self, cache: FeatureCache | None, paths: Sequence[Path], missing: Int64) -> None:
        self._cache = cache if len(missing) else None
        self._paths = paths
        self._missing = missing
        self._before: NDArray[Any] = np.empty(0)
        self._stack = contextlib.ExitStack()
        self._writer: CacheWriter | None = None
        self._waiting: list[tuple[Int64, Float16]] = []

    def __enter__(self) -> Self:
        if self._cache is not None:
            self._before = signatures([self._paths[i] for i in self._missing.tolist()])
            with self._failures_told():
                self._writer = self._stack.enter_context(self._cache.writer())
        return self

    def __exit__(self, *exception: object) -> None:
        self._write()
        self._stack.close()

    def add(self, indices_B: Int64, features_BD: Float16) -> None:
        """Take a batch."""
        if self._writer is not None and len(indices_B):
            self._waiting.append((indices_B, features_BD))
            if sum(len(indices) for indices, _ in self._waiting) >= _KEPT_AT_ONCE:
                self._write()

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._writer is None or not waiting:
            return
        indices = np.concatenate([indices for indices, _ in waiting])
        before = self._before[np.searchsorted(self._missing, indices)]
        with self._failures_told():
            paths = [self._paths[i] for i in indices.tolist()]
            self._writer.add(paths, before, np.concatenate([part for _, part in waiting]))

    @contextlib.contextmanager
    def _failures_told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, StreetClipError) as error:
            assert self._cache is not None
            _LOG.warning("%s: features are not kept from here on (%s)", self._cache.folder, error)
            self._writer = None
