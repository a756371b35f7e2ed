"""Start a job in several processes: launch.py --nproc_per_node N jobs/train.py FLAGS.

Takes torchrun's flags and does what it does, but ends as the job itself: 130 and one line after an
interrupt, 2 after a user's mistake.
"""

import logging
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from jobs import EXIT_INTERRUPTED
from jobs.support.cli import EXIT_DONE, EXIT_FAULT

# Without SIGINT: Ctrl-C reaches the processes, too, and a second one would disturb their saving.
_SIGNALS = "SIGTERM,SIGHUP,SIGQUIT"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the processes and return the exit code of the job."""
    words = sys.argv[1:] if argv is None else list(argv)
    if words[:1] in (["--help"], ["-h"]):
        print(f"{__doc__}\nFlags of torchrun: python -m torch.distributed.run --help")
        return EXIT_DONE
    # Torch takes seconds to import; --help must not wait for it.
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    def end_with_term(_number: int, _frame: FrameType | None) -> NoReturn:
        msg = "interrupted"
        raise SignalException(msg, sigval=signal.SIGTERM)

    before = signal.signal(signal.SIGINT, end_with_term)
    logging.disable()  # the processes of the job write what they log themselves
    try:
        arguments = parse_args(words)  # type: ignore[no-untyped-call]
        arguments.signals_to_handle = _SIGNALS
        run(arguments)  # type: ignore[no-untyped-call]
    except SignalException:
        return EXIT_INTERRUPTED
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        return code if code > 0 else EXIT_FAULT
    finally:
        logging.disable(logging.NOTSET)
        signal.signal(signal.SIGINT, before)
    return EXIT_DONE


if __name__ == "__main__":
    raise SystemExit(main())
