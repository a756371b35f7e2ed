"""Exchange values between the processes that share a job, on one machine or several.

Plain values and tensors in memory travel over gloo, tensors of GPUs over NCCL. Each exchange raises
ResourceError where another process has ended.

Shape suffixes: N rows of all processes, B rows of this one, D columns.
"""

import contextlib
import datetime as dt
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist

from streetclip.errors import ConfigError, ResourceError, shown
from streetclip.launch_env import Ranks
from streetclip.models.precision import resolve_device

_LOG = logging.getLogger(__name__)

_MEETING_TIME = dt.timedelta(minutes=10)
# The others wait while the first one writes. Its connection reports at once if it dies.
_WORKING_TIME = dt.timedelta(days=7)
_BUCKET_BYTES = 2**26  # tensors that travel together


class Group:
    """The processes of one job, seen from one of them; made by `meet`."""

    def __init__(self, ranks: Ranks, process_group: Any) -> None:
        self.ranks = ranks
        self._process_group = process_group

    @property
    def place(self) -> tuple[int, int]:
        """Rank of this process, and the number of processes."""
        return self.ranks.rank, self.ranks.world_size

    def broadcast(self, value: Any) -> Any:
        """Return the first process's value in all of them; anything that pickles."""
        values = [value]
        with _losses_translated():
            dist.broadcast_object_list(values, src=0, group=self._process_group)
        return values[0]

    def gather(self, value: Any) -> list[Any]:
        """Collect a value of each process, by rank, in the first one; the others get none."""
        values = [None] * self.ranks.world_size if self.ranks.is_first else None
        with _losses_translated():
            dist.gather_object(value, values, dst=0, group=self._process_group)
        return values or []

    def exchange(self, value: Any) -> list[Any]:
        """Collect a value of each process, by rank, in all of them."""
        values = [None] * self.ranks.world_size
        with _losses_translated():
            dist.all_gather_object(values, value, group=self._process_group)
        return values

    def gather_rows(self, rows_BD: torch.Tensor, counts: Sequence[int]) -> torch.Tensor:
        """Collect the rows of all processes, by rank, in all of them: ND, without gradient.

        `counts` is B of each process.
        """
        padded = rows_BD.new_zeros(max(counts), *rows_BD.shape[1:])
        padded[: len(rows_BD)] = rows_BD.detach()
        gathered = [torch.empty_like(padded) for _ in counts]
        with _losses_translated():
            dist.all_gather(gathered, padded, group=self._group_of(padded))
        return torch.cat([rows[:n] for rows, n in zip(gathered, counts, strict=True)])

    def sum_in_place(self, tensors: Iterable[torch.Tensor]) -> None:
        """Replace tensors by their sums over all processes, the same bits in each.

        All processes pass tensors of the same number, shapes and order.
        """
        for bucket in _buckets(tensors):
            flat = torch.cat([tensor.detach().reshape(-1) for tensor in bucket])
            with _losses_translated():
                dist.all_reduce(flat, group=self._group_of(flat))
            sums = torch.split(flat, [tensor.numel() for tensor in bucket])
            with torch.no_grad():
                for tensor, total in zip(bucket, sums, strict=True):
                    tensor.copy_(total.view_as(tensor))

    def _group_of(self, tensor: torch.Tensor) -> Any:
        return None if tensor.device.type == "cuda" else self._process_group


@contextlib.contextmanager
def meet(ranks: Ranks, device: torch.device | None = None) -> Iterator[Group | None]:
    """Wait for the other processes; yield None where there are none.

    Torchrun names the meeting point in the environment. `device` is that of the tensors to
    exchange, if it is a GPU. Raises ResourceError if the others do not come.
    """
    if ranks.world_size == 1:
        yield None
        return
    where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    _LOG.info("meeting %d other processes at %s", ranks.world_size - 1, where)
    on_gpu = device is not None and device.type == "cuda"
    if on_gpu:
        torch.cuda.set_device(device)
    try:
        backend = "cpu:gloo,cuda:nccl" if on_gpu else "gloo"
        dist.init_process_group(backend, timeout=_MEETING_TIME)
        process_group = dist.new_group(backend="gloo", timeout=_WORKING_TIME)
    except (RuntimeError, ValueError) as error:
        msg = (
            f"the {ranks.world_size - 1} other processes of this job could not be met at "
            f"{where} ({_first_line(error)}). Start all with jobs/launch.py, on machines that "
            "reach each other."
        )
        raise ResourceError(msg) from error
    try:
        yield Group(ranks, process_group)
    finally:
        dist.destroy_process_group()


def check_agreement(group: Group, own: Mapping[str, Any]) -> None:
    """Raise ConfigError if a setting differs from the first process's; by name for users."""
    for name, first in group.broadcast(own).items():
        if own[name] != first:
            msg = (
                f"{name} is {shown(str(own[name]))} in process {group.ranks.rank} of this job, but "
                f"{shown(str(first))} in the first one; expected the same. Start all with the same "
                "flags, on files and machines that are alike."
            )
            raise ConfigError(msg)


def own_device(name: str, ranks: Ranks) -> str:
    """Choose the `--device` of this process: each of a machine's processes takes its own GPU.

    A GPU that the user names by number is taken by all.
    """
    shares = ranks.world_size > 1 and name in {"auto", "cuda"}
    return f"cuda:{ranks.local_rank}" if shares and resolve_device(name).type == "cuda" else name


def _buckets(tensors: Iterable[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Group consecutive tensors of one type and device, up to `_BUCKET_BYTES`."""
    bucket: list[torch.Tensor] = []
    size = 0
    for tensor in tensors:
        kind = (tensor.dtype, tensor.device)
        is_other = bool(bucket) and kind != (bucket[0].dtype, bucket[0].device)
        if is_other or size >= _BUCKET_BYTES:
            yield bucket
            bucket, size = [], 0
        bucket.append(tensor)
        size += tensor.numel() * tensor.element_size()
    if bucket:
        yield bucket


@contextlib.contextmanager
def _losses_translated() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        msg = (
            f"another process of this job ended early ({_first_line(error)}); its own output "
            "says why. What was stored is kept: run again with --resume."
        )
        raise ResourceError(msg) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
