"""Share the fixtures of the store's tests: a queue, and a store with predictions."""

from tests.store.conftest import filled, make_filled, queue

__all__ = ["filled", "make_filled", "queue"]
