"""Run one job per file, each with `main(argv) -> int`; `support` is shared.

Ctrl-C ends a job with one line and 130 also while its modules are still being imported.
"""

import os
import sys
from types import TracebackType

EXIT_INTERRUPTED = 130

_show_traceback = sys.excepthook


def _end_interrupted(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        _show_traceback(kind, error, trace)
        return
    if os.environ.get("RANK", "0") == "0":  # of the processes of a launcher, only the first
        print(f"\n{sys.argv[0]}: interrupted", file=sys.stderr)
    raise SystemExit(EXIT_INTERRUPTED)


sys.excepthook = _end_interrupted
