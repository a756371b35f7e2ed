import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from streetclip.data import image_batches
from streetclip.data.image_batches import Workers
from streetclip.errors import ImageError, ResourceError


@dataclass
class Dying:
    """Gives back the digits of a name as pixels; dies of images called so, so many times."""

    folder: Path
    name: str
    number: signal.Signals
    times: int

    def __call__(self, path, turn, draw):
        if path.name == self.name:
            with (self.folder / "deaths").open("a") as deaths:
                deaths.write(".")
            if (self.folder / "deaths").stat().st_size <= self.times:
                faulthandler.disable()  # pytest's, which tells of crashes
                os.kill(os.getpid(), self.number)
        return np.array([[[int(path.name)]]], np.uint8)


PATHS = [Path(str(number)) for number in range(12)]


def outcomes(prepare, num_workers=2):
    """The pixel of each of `PATHS`, or the error in its place."""
    found = []
    with Workers(prepare, num_workers) as pool:
        for future in [pool.submit(path) for path in PATHS]:
            try:
                found.append(future.result(timeout=60).item())
            except (ImageError, ResourceError) as error:
                found.append(error)
    return found


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_worker_that_is_killed_once_is_replaced_and_nothing_lost(tmp_path, num_workers):
    found = outcomes(Dying(tmp_path, "7", signal.SIGKILL, times=1), num_workers)
    assert found == list(range(12))
    assert (tmp_path / "deaths").read_text() == ".."


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_the_image_whose_workers_die_is_named_and_the_others_go_on(tmp_path, number):
    found = outcomes(Dying(tmp_path, "7", number, times=9))
    error = found.pop(7)
    assert found == [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11]
    assert str(error).startswith("'7': each process that decodes it ")
    assert (tmp_path / "deaths").read_text() == ".."


def test_a_crash_is_the_images_fault(tmp_path):
    error = outcomes(Dying(tmp_path, "7", signal.SIGSEGV, times=9))[7]
    assert isinstance(error, ImageError)
    assert "crashes (SIGSEGV)" in str(error)


def test_being_killed_is_not_the_images_fault(tmp_path):
    error = outcomes(Dying(tmp_path, "7", signal.SIGKILL, times=9))[7]
    assert isinstance(error, ResourceError)
    assert "memory ran out" in str(error)


def leave(_path, _turn, _draw):
    os._exit(3)


@pytest.mark.parametrize("delay_s", [0.0, 0.01])
def test_an_exit_is_told_with_its_code(monkeypatch, delay_s):
    """Also when starting another process reaps the dead one first."""
    wait = os.waitpid

    def wait_slowly(pid, options):
        time.sleep(0 if options == os.WNOHANG else delay_s)
        found = wait(pid, options)
        time.sleep(delay_s if found[0] else 0)
        return found

    monkeypatch.setattr(os, "waitpid", wait_slowly)
    assert all("ends with exit code 3" in str(each) for each in outcomes(leave))


def divide(_path, _turn, _draw):
    return 1 / 0


def test_a_fault_tells_where_in_the_worker_it_happened():
    with Workers(divide, 1) as pool, pytest.raises(ZeroDivisionError) as caught:
        pool.submit(Path("a")).result(timeout=60)
    assert "in divide" in caught.value.__notes__[0]


def refuse(path, _turn, _draw):
    msg = f"{path}: too dark"
    raise ImageError(msg)


def test_an_image_error_arrives_as_it_was_raised():
    assert [str(error) for error in outcomes(refuse)] == [f"{path}: too dark" for path in PATHS]


def test_workers_that_cannot_be_started_are_told(monkeypatch):
    def refuse_to_start(_self):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(image_batches.multiprocessing.Process, "start", refuse_to_start)
    with pytest.raises(ResourceError, match=r"temporarily unavailable.*num_workers"):
        Workers(divide, 2)


def wait_for_turn(path, turn, _draw):
    with turn:
        (path.parent / "begun").touch()
        if path.name == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
    return np.zeros((1, 1, 1), np.uint8)


def test_a_worker_that_dies_gives_its_turn_back(tmp_path):
    with Workers(wait_for_turn, 1) as pool:
        killed, other = (pool.submit(tmp_path / name) for name in ("killed", "other"))
        assert other.result(timeout=60).shape == (1, 1, 1)
        with pytest.raises(ResourceError):
            killed.result()


def take_two_turns(_path, turn, _draw):
    for _ in range(2):
        with turn:
            pass
    return np.zeros((1, 1, 1), np.uint8)


def test_an_image_may_need_its_turn_again():
    """A large image that cannot be decoded is tried again with its end."""
    with Workers(take_two_turns, 1) as pool:
        assert pool.submit(Path("a")).result(timeout=60).shape == (1, 1, 1)


UNCLOSED = """
    import numpy as np
    from pathlib import Path
    from streetclip.data.image_batches import Workers

    def prepare(path, turn, draw):
        return np.zeros((1, 2, 3), np.uint8)

    pool = Workers(prepare, 2)
    print(pool.submit(Path("a")).result().shape, flush=True)
"""


@pytest.mark.slow
def test_a_program_that_forgets_to_close_them_ends_all_the_same():
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(UNCLOSED)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.communicate(timeout=60) == ("(1, 2, 3)\n", "")
            with pytest.raises(ProcessLookupError):
                os.killpg(process.pid, 0)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
