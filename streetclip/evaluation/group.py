"""Processes that share an evaluation, on one machine or several, and what they say to each other.

Only features travel, a few kilobytes an image at most, over gloo; GPUs need not know each other.
"""

import contextlib
import datetime as dt
import logging
import os
from collections.abc import Iterator
from typing import Any

from streetclip.errors import ResourceError
from streetclip.ranks import Ranks

_LOG = logging.getLogger(__name__)

_MEETING_TIME = dt.timedelta(minutes=10)
# The others wait while the first one writes. That one has died, its connection tells at once.
_WORKING_TIME = dt.timedelta(days=7)


class Group:
    """The processes of one evaluation, seen from one of them."""

    def __init__(self, ranks: Ranks, process_group: Any) -> None:
        """Join a group that exists; `meet` is the usual way here."""
        self.ranks = ranks
        self._process_group = process_group

    def broadcast(self, value: Any) -> Any:
        """Give all what the first one has.

        Args:
            value: Of the first process; of others it does not matter. Anything that pickles.

        Raises:
            ResourceError: Another process has ended.
        """
        import torch.distributed as dist

        values = [value]
        with _losses_told():
            dist.broadcast_object_list(values, src=0, group=self._process_group)
        return values[0]

    def gather(self, value: Any) -> list[Any]:
        """Collect a value of each process in the first one, in the order of their ranks.

        Returns:
            The values; in the other processes an empty list.

        Raises:
            ResourceError: Another process has ended.
        """
        import torch.distributed as dist

        values = [None] * self.ranks.world_size if self.ranks.is_first else None
        with _losses_told():
            dist.gather_object(value, values, dst=0, group=self._process_group)
        return values or []


@contextlib.contextmanager
def meet(ranks: Ranks) -> Iterator[Group | None]:
    """Wait for the other processes; give None where there are none.

    Args:
        ranks: Of this process. Where they meet stands in the environment, as torchrun sets it.

    Raises:
        ResourceError: The others do not come.
    """
    if ranks.world_size == 1:
        yield None
        return
    import torch.distributed as dist

    where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    _LOG.info("meeting %d other processes at %s", ranks.world_size - 1, where)
    try:
        dist.init_process_group("gloo", timeout=_MEETING_TIME)
        process_group = dist.new_group(backend="gloo", timeout=_WORKING_TIME)
    except (RuntimeError, ValueError) as error:
        msg = (
            f"the {ranks.world_size - 1} other processes of this evaluation could not be met at "
            f"{where} ({_first_line(error)}). Start all of them with torchrun, on machines that "
            "reach each other."
        )
        raise ResourceError(msg) from error
    try:
        yield Group(ranks, process_group)
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def _losses_told() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        msg = (
            f"another process of this evaluation ended early ({_first_line(error)}); its own words "
            "say why. What was predicted is stored: run again with --resume."
        )
        raise ResourceError(msg) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
