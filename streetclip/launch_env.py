"""Read from the environment which of a job's processes this one is, as torchrun sets it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from streetclip.errors import ConfigError, shown

_ADVICE = (
    "Start with jobs/launch.py --nproc_per_node N (or torchrun), which sets all of them, or unset "
    "WORLD_SIZE to run as one process."
)
_REQUIRED = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Ranks:
    """One process among those that share a job.

    Ranks count from 0: among all processes, and among those on its machine (local).
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read what a launcher has set; without one, this is the only process."""
        if not environment.get("WORLD_SIZE", "").strip():
            return cls()
        world_size = _number(environment, "WORLD_SIZE", least=1)
        if world_size == 1:
            return cls()
        rank, local_rank, local_world_size = (_number(environment, name) for name in _REQUIRED)
        if not (rank < world_size and local_rank < local_world_size <= world_size):
            given = ", ".join(f"{name} {environment[name]}" for name in ("WORLD_SIZE", *_REQUIRED))
            msg = f"the environment has {given}; expected ranks below their sizes. {_ADVICE}"
            raise ConfigError(msg)
        if not environment.get("MASTER_ADDR", "").strip():
            msg = f"WORLD_SIZE is {world_size}, but MASTER_ADDR is not set. {_ADVICE}"
            raise ConfigError(msg)
        _number(environment, "MASTER_PORT", least=1, most=_HIGHEST_PORT)
        return cls(rank, world_size, local_rank, local_world_size)

    @property
    def is_first(self) -> bool:
        """Whether this process writes the results; the others only help."""
        return self.rank == 0


ALONE = Ranks()
"""A process that shares its job with no other."""


def _number(environment: Mapping[str, str], name: str, *, least: int = 0, most: int = 2**31) -> int:
    text = environment.get(name, "").strip()
    is_number = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
    if not (is_number and least <= int(text) <= most):
        found = f"is {shown(text)}" if text else "is not set"
        limits = f"from {least} to {most}"
        msg = f"{name} {found} in the environment; expected a whole number {limits}. {_ADVICE}"
        raise ConfigError(msg)
    return int(text)
