"""Tell when the times of a file tell its state: not while it was only just written."""

import time
from typing import Final

SETTLED_NS: Final = 2 * 10**9  # file systems round times to 2 s or better, Linux to some ms
PERIOD_NS: Final = 10**8


def period(newest_ns: int) -> int:
    """Number the present tenth of a second while a file is fresh; 0 once its times are settled.

    It is part of the key of what was read of the file: two writes within one tick of the file
    system's clock leave the same time.
    """
    now_ns = time.time_ns()
    return 0 if newest_ns < now_ns - SETTLED_NS else now_ns // PERIOD_NS
