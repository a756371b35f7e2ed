"""The image files of a training, as they were when it began, kept in its checkpoints."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from streetclip.data.file_identity import (
    FILE_RECORD,
    compare_files,
    count_changed,
    file_records,
    sampled_digests,
    signatures,
)
from streetclip.errors import ConfigError
from streetclip.training.training_data import TrainingData

_COLUMNS = FILE_RECORD.itemsize // 8


def describe_files(checkpoint: Path, data: TrainingData, recorded_NF: Tensor | None) -> Tensor:
    """Describe all images of a training, and refuse to resume it if some changed.

    Args:
        checkpoint: For the message.
        data: What the training reads.
        recorded_NF: What this gave when the training began; None if it begins now.

    Returns:
        N × 5 int64, see `FILE_RECORD`: images of training, validation and held-out countries.

    Raises:
        ConfigError: Images changed since the training began.
    """
    paths = _paths(data)
    if recorded_NF is None:
        records_N = file_records(signatures(paths), sampled_digests(paths))
    else:
        records_N = _checked(checkpoint, paths, recorded_NF)
    return torch.from_numpy(records_N.view(np.int64).reshape(-1, _COLUMNS).copy())


def _checked(checkpoint: Path, paths: Sequence[str], recorded_NF: Tensor) -> NDArray[Any]:
    recorded_N = np.ascontiguousarray(recorded_NF.numpy()).view(FILE_RECORD).reshape(-1)
    changed_N, now_N = compare_files(paths, recorded_N, sampled_digests)
    if changed := count_changed(paths, changed_N, "the training began"):
        msg = (
            f"{checkpoint}: cannot be resumed, as {changed}. "
            "Restore them, or name another --output_dir."
        )
        raise ConfigError(msg)
    return now_N  # copied files have other times


def _paths(data: TrainingData) -> Sequence[str]:
    parts = (data.train, data.val, data.holdout)
    return [str(path) for part in parts if part is not None for path in part.paths]
