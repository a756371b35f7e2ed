"""How many inputs a test draws: few and always the same ones, or many others each time.

`HYPOTHESIS_PROFILE=random` chooses the longer search; see `make test-random`.
"""

import os

from hypothesis import settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "same")
_FACTORS = {"same": 1, "random": 50}


def examples(number: int) -> int:
    """The inputs that a test draws where `make test` draws `number`."""
    return number * _FACTORS[PROFILE]


def load_profile() -> None:
    """Make the profile the default of every test; no time limit, for machines differ."""
    settings.register_profile(
        "same", derandomize=True, database=None, deadline=None, max_examples=examples(100)
    )
    settings.register_profile(
        "random", derandomize=False, deadline=None, print_blob=True, max_examples=examples(100)
    )
    settings.load_profile(PROFILE)
