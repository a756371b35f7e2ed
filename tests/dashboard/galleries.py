"""What a gallery or a triage form is given, read from a page that AppTest has run."""

import contextlib
import json
import time

from tests.dashboard.sites import PATIENCE_MS, serve
from tests.dashboard.worlds import World


def data_of(page, part):
    """The data of the component that has a part, such as "cards" or "image"; None without one."""
    components = [each.proto for each in page.main if each.type == "bidi_component"]
    found = [json.loads(each.json) for each in components if each.json]
    return next((each for each in found if part in each), None)


def cards_of(page):
    """The cards that are drawn, in order."""
    return data_of(page, "cards")["cards"]


def wait_until(read, expected):
    """Read until it gives what is expected, and give the last answer."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while (found := read()) != expected and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


@contextlib.contextmanager
def served_world(folder, *, num_images, skill, **environment):
    """A world with a run, and the address at which it is served; `environment`: variables."""
    world = World(folder, num_images=num_images)
    world.add_run(skill=skill)
    with serve(world.path, folder, **environment) as address:
        yield world, address
