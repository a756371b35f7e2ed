"""What a launcher set is read whole; anything else is told before any work."""

import pytest

from streetclip.errors import ConfigError
from streetclip.launch_env import Ranks

LAUNCHED = {
    "WORLD_SIZE": "8",
    "RANK": "5",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "MASTER_ADDR": "node1",
    "MASTER_PORT": "29500",
}


def test_what_torchrun_sets_is_read():
    assert Ranks.from_environment(LAUNCHED) == Ranks(5, 8, 1, 4)
    assert not Ranks.from_environment(LAUNCHED).is_first
    assert Ranks.from_environment(LAUNCHED | {"RANK": "0"}).is_first


@pytest.mark.parametrize("world_size", ["", "1", " 1 "])
def test_one_process_needs_nothing_else(world_size):
    assert Ranks.from_environment({"WORLD_SIZE": world_size}) == Ranks()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"WORLD_SIZE": "many"}, "WORLD_SIZE is 'many'"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE is '0'"),
        ({"WORLD_SIZE": "-2"}, "WORLD_SIZE is '-2'"),
        ({"WORLD_SIZE": "²"}, "WORLD_SIZE is '²'"),
        ({"WORLD_SIZE": "9" * 5000}, "WORLD_SIZE is '999"),
        ({"RANK": "1.5"}, "RANK is '1.5'"),
        ({"RANK": "8"}, "RANK 8"),
        ({"RANK": ""}, "RANK is not"),
        ({"LOCAL_RANK": "4"}, "LOCAL_RANK 4"),
        ({"LOCAL_WORLD_SIZE": "9"}, "LOCAL_WORLD_SIZE 9"),
        ({"MASTER_ADDR": " "}, "MASTER_ADDR is not set"),
        ({"MASTER_PORT": "70000"}, "MASTER_PORT is '70000'"),
    ],
)
def test_nonsense_is_told_with_the_way_out(change, word):
    with pytest.raises(
        ConfigError, match=r"launch.py --nproc_per_node N.*unset WORLD_SIZE"
    ) as told:
        Ranks.from_environment(LAUNCHED | change)
    assert word in str(told.value)
    assert len(str(told.value)) < 600
