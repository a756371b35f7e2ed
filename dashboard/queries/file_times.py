"""Decide whether a file's times identify its content: not within their resolution."""

import time
from typing import Final

SETTLED_NS: Final = 2 * 10**9  # file systems round times to 2 s or better, Linux to some ms
PERIOD_NS: Final = 10**8


def period(newest_ns: int) -> int:
    """Number the current tenth of a second while a file is fresh, else 0.

    As part of a cache key: two writes within one tick of the file system leave the same time.
    """
    now_ns = time.time_ns()
    return 0 if newest_ns < now_ns - SETTLED_NS else now_ns // PERIOD_NS
