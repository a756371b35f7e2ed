"""Image features for an evaluation: from the cache where they are known, else decoded and encoded.

They are rounded to float16, as the cache keeps them, before anybody uses them: a run from the
cache equals the run that filled it.

Where several processes share an evaluation, they take the batches in turn. The batches are those
of one process, so their features are, too. The first process collects them, and does all the rest.

Shapes: N images, B readable images of a batch, F all of its files, D embedding.
"""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from streetclip.data.file_identity import content_digests, signatures
from streetclip.data.image_batches import iterate_batches
from streetclip.errors import StreetClipError
from streetclip.evaluation.feature_cache import (
    CacheWriter,
    FeatureCache,
    Float16,
    Int64,
)
from streetclip.models import DualEncoder
from streetclip.models.identity import ModelIdentity
from streetclip.models.preprocessing import Preprocess
from streetclip.provenance import versions
from streetclip.runtime.distributed import Group

_LOG = logging.getLogger(__name__)

_BLOCK = 4096  # images read from the cache at once
_KEPT_AT_ONCE = 256  # images written to it at once
# Packages that decode and resize images, hold the model's code, and compute: another version may
# make other features. A run within one version is worth encoding the images once more.
_PACKAGES = ("pillow", "torch", "transformers")


@dataclass(frozen=True)
class FeatureBatch:
    """Features of some images.

    Attributes:
        indices_B: For each image its index in the `paths` given.
        features_BD: Of length 1 up to float16's precision.
        errors: Why others cannot be read, by index.
        digests_F2: Of the content of all F files, in the order of `order_F`; zeros for one that
            cannot be read, or that changed since the evaluation began.
    """

    indices_B: Int64
    features_BD: Float16
    errors: dict[int, str]
    digests_F2: NDArray[np.uint64]

    @property
    def order_F(self) -> Int64:
        """Indices of all images, first the readable ones."""
        return np.concatenate([self.indices_B, np.fromiter(self.errors, np.int64)])

    def __len__(self) -> int:
        """Images, readable or not."""
        return len(self.indices_B) + len(self.errors)

    @staticmethod
    def joined(batches: "Sequence[FeatureBatch]") -> "FeatureBatch":
        """One batch of several, at least one."""
        return FeatureBatch(
            np.concatenate([each.indices_B for each in batches]),
            np.concatenate([each.features_BD for each in batches]),
            {index: error for each in batches for index, error in each.errors.items()},
            np.concatenate(
                [each.digests_F2[: len(each.indices_B)] for each in batches]
                + [each.digests_F2[len(each.indices_B) :] for each in batches]
            ),
        )


@dataclass(frozen=True)
class Encoding:
    """How images become features.

    Attributes:
        encoder: The model.
        preprocess: Its own, or its fast one.
        batch_size: Images of a forward pass.
        num_workers: Processes that decode, as `iterate_batches` has it.
        group: The processes that share the work; None for this one alone.
    """

    encoder: DualEncoder
    preprocess: Preprocess
    batch_size: int
    num_workers: int
    group: Group | None = None

    def open_cache(self, cache_dir: Path, identity: ModelIdentity) -> FeatureCache | None:
        """Open the cache of these features; give None, with a warning, if it cannot be read.

        Args:
            cache_dir: Folder of all caches.
            identity: Of the encoder.
        """
        made_of = {
            **identity.of_images(),
            "precision": self.encoder.precision.name,
            "preprocessing": repr(self.preprocess),
            "versions": {name: versions()[name] for name in _PACKAGES},
        }
        try:
            return FeatureCache(cache_dir, made_of, self.encoder.embedding_dim)
        except OSError as error:
            _LOG.warning("%s: cannot be read (%s); done without", cache_dir, error)
            return None

    def features(
        self,
        paths: Sequence[str],
        cache: FeatureCache | None,
        before_N: NDArray[Any],
        *,
        before_new: Callable[[Sequence[str]], object] = lambda _paths: None,
    ) -> Iterator[FeatureBatch]:
        """Give the features of all images, known ones first, and keep the new ones.

        A cache that cannot be read or written is said once, and done without.

        Args:
            paths: The images, absolute.
            cache: Of `open_cache`; None for none.
            before_N: `signatures` of the images, taken before this call.
            before_new: Called with those that are not known, before the first is encoded.
        """
        missing = np.arange(len(paths))
        if cache is not None:
            known: list[Int64] = []
            for batch in _known(paths, cache, before_N):
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
        before_new([paths[i] for i in missing.tolist()])
        with _Keeper(cache if len(missing) else None, paths, before_N) as keeper:
            for encoded in self._encoded(paths, missing):
                batch = _without_changed(encoded, paths, before_N)
                keeper.add(batch)
                yield batch

    def help(self, paths: Sequence[str]) -> None:
        """Encode this process's share for the first one, which is in `features`.

        Args:
            paths: The same images.
        """
        for _ in self._encoded(paths, np.empty(0, np.int64)):
            pass

    def _encoded(self, paths: Sequence[str], missing: Int64) -> Iterator[FeatureBatch]:
        """Batches of all processes in the first one; of the others' `missing` none is looked at."""
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
            features_BD = np.empty((0, self.encoder.embedding_dim), np.float16)
            if len(images.indices_B):
                encoded_BD = self.encoder.encode_images(images.pixels_BCHW)
                features_BD = encoded_BD.to(torch.float16).cpu().numpy()
            errors = {int(order[index]): error for index, error in images.errors.items()}
            indices_B = order[images.indices_B]
            # Here, where each process has just read its own files.
            digests_F2 = content_digests([paths[index] for index in (*indices_B.tolist(), *errors)])
            yield FeatureBatch(indices_B, features_BD, errors, digests_F2)


def _without_changed(
    batch: FeatureBatch, paths: Sequence[str], before_N: NDArray[Any]
) -> FeatureBatch:
    """Blank the digests of files that changed since `before_N`: features may be of either."""
    order_F = batch.order_F
    same_F = signatures([paths[index] for index in order_F.tolist()]) == before_N[order_F]
    return dataclasses.replace(batch, digests_F2=np.where(same_F[:, None], batch.digests_F2, 0))


def _known(
    paths: Sequence[str], cache: FeatureCache, before_N: NDArray[Any]
) -> Iterator[FeatureBatch]:
    try:
        rows_N = cache.find(paths, before_N)
        hits = np.flatnonzero(rows_N >= 0)
        for start in range(0, len(hits), _BLOCK):
            indices_B = hits[start : start + _BLOCK]
            features_BD, whole_B = cache.read(rows_N[indices_B])
            digests_B2 = cache.digests(rows_N[indices_B])
            if not whole_B.all():
                _LOG.warning("%s: %d damaged rows; made anew", cache.folder, (~whole_B).sum())
            yield FeatureBatch(indices_B[whole_B], features_BD[whole_B], {}, digests_B2[whole_B])
    except OSError as error:
        _LOG.warning("%s: cannot be read (%s); done without", cache.folder, error)


class _Keeper:
    """Writes new features to the cache some hundreds at a time, as long as that works."""

    def __init__(
        self, cache: FeatureCache | None, paths: Sequence[str], before_N: NDArray[Any]
    ) -> None:
        self._cache = cache
        self._paths = paths
        self._before_N = before_N
        self._stack = contextlib.ExitStack()
        self._writer: CacheWriter | None = None
        self._waiting: list[FeatureBatch] = []

    def __enter__(self) -> Self:
        if self._cache is not None:
            with self._failures_told():
                self._writer = self._stack.enter_context(self._cache.writer())
        return self

    def __exit__(self, *exception: object) -> None:
        self._write()
        self._stack.close()

    def add(self, batch: FeatureBatch) -> None:
        """Take a batch."""
        if self._writer is not None and len(batch.indices_B):
            self._waiting.append(batch)
            if sum(map(len, self._waiting)) >= _KEPT_AT_ONCE:
                self._write()

    def _write(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._writer is None or not waiting:
            return
        whole = FeatureBatch.joined(waiting)
        before_B = self._before_N[whole.indices_B]
        digests_B2 = whole.digests_F2[: len(whole.indices_B)]
        with self._failures_told():
            paths = [self._paths[i] for i in whole.indices_B.tolist()]
            self._writer.add(paths, before_B, whole.features_BD, digests_B2)

    @contextlib.contextmanager
    def _failures_told(self) -> Iterator[None]:
        try:
            yield
        except (OSError, StreetClipError) as error:
            assert self._cache is not None
            _LOG.warning("%s: features are not kept from here on (%s)", self._cache.folder, error)
            self._writer = None
