"""Get image features from the cache or by encoding.

Features are rounded to float16, as in the cache, so that cached and new ones are equal. Processes
that share an evaluation take the same batches in turn; the first collects them and does the rest.

Shapes: N images, F files of a batch, D embedding.
"""

import contextlib
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from streetclip.data.file_identity import Digests, content_digests, signatures
from streetclip.data.image_batches import iterate_batches
from streetclip.evaluation.feature_cache import FeatureCache, Float16, Int64
from streetclip.models.encoder import DualEncoder
from streetclip.models.identity import ModelIdentity
from streetclip.models.preprocessing import Preprocess
from streetclip.provenance import versions
from streetclip.runtime.distributed import Group

_LOG = logging.getLogger(__name__)

_BLOCK = 4096  # images read from the cache at once
# Packages that decode, resize and compute: another version may change features.
_PACKAGES = ("pillow", "torch", "transformers")


@dataclass(frozen=True)
class FeatureBatch:
    """Features of some images."""

    indices_F: Int64  # into the `paths` given
    features_FD: Float16  # of length 1 up to rounding; zeros for an unreadable image
    errors: list[str | None]  # why an image is unreadable
    digests_F2: Digests  # of the files' content; zeros if unreadable or changed meanwhile

    @property
    def is_readable_F(self) -> NDArray[np.bool_]:
        """Mask of readable images."""
        return np.array([error is None for error in self.errors], bool)

    def __len__(self) -> int:
        return len(self.indices_F)


@dataclass(frozen=True)
class Encoding:
    """Encode images, alone or in a group of processes."""

    encoder: DualEncoder
    preprocess: Preprocess  # the encoder's exact or fast one
    batch_size: int
    num_workers: int  # processes that decode
    group: Group | None = None  # processes that share the work

    def open_cache(self, cache_dir: Path, identity: ModelIdentity) -> FeatureCache | None:
        """Open the cache of these features; None if it cannot be read."""
        made_of = {
            **identity.of_images(),
            "precision": self.encoder.precision.name,
            "preprocessing": repr(self.preprocess),
            "versions": {name: versions()[name] for name in _PACKAGES},
        }
        try:
            return FeatureCache(cache_dir, made_of, self.encoder.embedding_dim)
        except OSError as error:
            _LOG.warning("%s: cannot be read (%s); continuing without it", cache_dir, error)
            return None

    def features(
        self,
        paths: Sequence[str],
        cache: FeatureCache | None,
        before_N: NDArray[Any],
        *,
        before_new: Callable[[Sequence[str]], object],
    ) -> Generator[FeatureBatch]:
        """Yield the features of all images, cached first, and cache new ones.

        Paths are absolute; `before_N` are their `signatures` of before. `before_new` is called with
        the paths to encode, before the first is encoded.
        """
        is_missing_N = np.ones(len(paths), bool)
        if cache is not None:
            for batch in _known(paths, cache, before_N):
                is_missing_N[batch.indices_F] = False
                yield batch
            _LOG.info(
                "%d of %d images are in the cache (%s, %.1f MB)",
                *(len(paths) - is_missing_N.sum(), len(paths)),
                *(cache.folder, cache.num_bytes / 1e6),
            )
        missing = np.flatnonzero(is_missing_N)
        before_new([paths[i] for i in missing.tolist()])
        with contextlib.nullcontext() if cache is None else cache.writer() as writer:
            for batch in self._encoded(paths, missing):
                files = [paths[index] for index in batch.indices_F.tolist()]
                before_F = before_N[batch.indices_F]
                # Features of files that changed meanwhile may be of either content.
                batch.digests_F2[signatures(files) != before_F] = 0
                if writer is not None:
                    # Unreadable images are not cached.
                    digests_F2 = np.where(batch.is_readable_F[:, None], batch.digests_F2, 0)
                    writer.add(files, before_F, batch.features_FD, digests_F2)
                yield batch

    def help(self, paths: Sequence[str]) -> None:
        """Encode this process's share for the first one, which calls `features`."""
        for _ in self._encoded(paths, np.empty(0, np.int64)):
            pass

    def _encoded(self, paths: Sequence[str], missing: Int64) -> Iterator[FeatureBatch]:
        """Yield the batches of all processes, in the first one."""
        if not len(paths):
            return
        if self.group is None:
            yield from self._share(paths, missing)
            return
        missing = self.group.broadcast(missing)
        ranks = self.group.ranks
        batch_N = np.arange(len(missing)) // self.batch_size
        own = self._share(paths, missing[batch_N % ranks.world_size == ranks.rank])
        num_batches = -(-len(missing) // self.batch_size)
        with contextlib.closing(own):
            for _ in range(0, num_batches, ranks.world_size):
                gathered = self.group.gather(next(own, None))
                yield from (batch for batch in gathered if batch is not None)

    def _share(self, paths: Sequence[str], order: Int64) -> Generator[FeatureBatch]:
        for images in iterate_batches(
            [Path(paths[index]) for index in order.tolist()],
            self.preprocess,
            batch_size=self.batch_size,
            num_workers=self.num_workers,
            device=self.encoder.device,
        ):
            num_readable = len(images.indices_B)
            indices_F = order[[*images.indices_B.tolist(), *images.errors]]
            features_FD = np.zeros((len(indices_F), self.encoder.embedding_dim), np.float16)
            if num_readable:
                encoded_BD = self.encoder.encode_images(images.pixels_BCHW)
                features_FD[:num_readable] = encoded_BD.to(torch.float16).cpu().numpy()
            errors = [*[None] * num_readable, *images.errors.values()]
            digests_F2 = content_digests([paths[index] for index in indices_F.tolist()])
            yield FeatureBatch(indices_F, features_FD, errors, digests_F2.copy())


def join_batches(batches: Sequence[FeatureBatch]) -> FeatureBatch:
    """Join at least one batch."""
    return FeatureBatch(
        np.concatenate([each.indices_F for each in batches]),
        np.concatenate([each.features_FD for each in batches]),
        [error for each in batches for error in each.errors],
        np.concatenate([each.digests_F2 for each in batches]),
    )


def _known(
    paths: Sequence[str], cache: FeatureCache, before_N: NDArray[Any]
) -> Iterator[FeatureBatch]:
    try:
        rows_N = cache.find(paths, before_N)
        hits = np.flatnonzero(rows_N >= 0)
        for start in range(0, len(hits), _BLOCK):
            indices_F = hits[start : start + _BLOCK]
            features_FD, is_whole_F = cache.read(rows_N[indices_F])
            if not is_whole_F.all():
                _LOG.warning("%s: skipped %d damaged rows", cache.folder, (~is_whole_F).sum())
            whole = indices_F[is_whole_F]
            errors: list[str | None] = [None] * len(whole)
            digests_F2 = cache.digests(rows_N[whole])
            yield FeatureBatch(whole, features_FD[is_whole_F], errors, digests_F2)
    except OSError as error:
        _LOG.warning("%s: cannot be read (%s); continuing without it", cache.folder, error)
