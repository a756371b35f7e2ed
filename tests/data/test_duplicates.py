import numpy as np
import pytest

from streetclip.data import duplicates
from streetclip.data.duplicates import RepeatedHashes


def test_nothing_repeats_in_nothing():
    with RepeatedHashes() as hashes:
        assert hashes.repeated() == set()


@pytest.mark.parametrize("in_memory", [10, 2**16])
def test_repeats_are_found_wherever_they_stand(monkeypatch, in_memory):
    monkeypatch.setattr(duplicates, "_IN_MEMORY", in_memory)
    values = np.random.default_rng(3).integers(-(2**63), 2**63, 1000).tolist()
    stream = [*values, values[0], values[500], values[999], -1, -1]
    with RepeatedHashes() as hashes:
        for start in range(0, len(stream), 7):
            hashes.add(stream[start : start + 7])
        assert hashes.repeated() == {values[0], values[500], values[999], -1}


def test_many_hashes_are_not_kept_in_memory(monkeypatch):
    monkeypatch.setattr(duplicates, "_IN_MEMORY", 100)
    with RepeatedHashes() as hashes:
        for start in range(0, 5000, 50):
            hashes.add(range(start, start + 50))
            assert len(hashes._pending) < 100
        assert hashes.repeated() == set()


def test_temporary_files_are_closed(monkeypatch):
    monkeypatch.setattr(duplicates, "_IN_MEMORY", 1)
    with RepeatedHashes() as hashes:
        hashes.add([1, 2, 3])
        files = hashes._files
        assert files
    assert all(file.closed for file in files)
