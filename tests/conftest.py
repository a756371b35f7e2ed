"""What every test shares."""

import contextlib
import logging
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.random_search import load_profile

# Set before any library that reads it is imported: no hub is ever asked.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Tests run side by side; threads of torch that wait for one another would slow all of them down.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Jobs keep their records here where a test names no store.
_FOLDER = tempfile.TemporaryDirectory(prefix="streetclip-tests-")
os.environ["STREETCLIP_DB"] = str(Path(_FOLDER.name) / "streetclip.db")

load_profile()

# A shell that starts this in the background makes it, and the jobs it starts, deaf to Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

SMALL_WORLD = {"num_train": 80, "num_val": 40, "num_test": 50}


def pytest_configure(config: pytest.Config) -> None:
    """Make pytest-xdist keep the order of the files; its own is by their number of tests."""
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of `slowest_files.txt` first, so that two workers end together."""
    folder = Path(__file__).parent
    names = (folder / "slowest_files.txt").read_text(encoding="utf-8").split()
    places = {folder / name: place for place, name in enumerate(names)}
    if missing := [str(path) for path in places if not path.exists()]:
        msg = f"slowest_files.txt names files that do not exist: {', '.join(missing)}"
        raise pytest.UsageError(msg)
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(autouse=True)
def _process_stays_as_it_is() -> Iterator[None]:
    """Take back what a job's `main` sets up for a process of its own.

    It would log to a stream that ends with the test; a job that was interrupted ignores TERM.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    for handler in [each for each in root.handlers if each not in handlers]:
        root.removeHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture(params=["fp32", "bf16"])
def precision(request) -> str:
    """Each number format, forced, so that the machine does not decide what is tested."""
    return request.param


@pytest.fixture(scope="session")
def small_world(tmp_path_factory) -> Path:
    """The folder of a drawn world of 170 images, with its small untrained model. Do not change.

    Drawn once; processes of pytest-xdist share it.
    """
    from filelock import FileLock

    from streetclip.config import DemoConfig
    from streetclip.demo.world import build_world

    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "small_world"
    with FileLock(shared / "small_world.lock"):
        if not folder.exists():
            build_world(DemoConfig(output_dir=shared / "drawn", num_workers=1, **SMALL_WORLD))
            (shared / "drawn").rename(folder)
    return folder


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """An empty file system of 24 MB, to be filled; skips where none can be mounted."""
    from tests.disks import mounted

    folder = tmp_path / "disk"
    folder.mkdir()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(mounted(folder, megabytes=24))
        except PermissionError as error:
            pytest.skip(f"no file system can be mounted here: {error}")
        yield folder
