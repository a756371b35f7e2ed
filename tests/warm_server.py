"""Fork jobs from a process that has already imported torch, transformers and the library.

Started by `tests.warm`; a request names a script with its arguments and passes stdin, stdout and
stderr; the answers are the process number, then the exit status.
"""

import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import traceback

MAX_REQUEST_BYTES = 2**18


def _preload() -> None:
    import pandas as pd  # noqa: F401
    import torch  # noqa: F401
    import transformers.models.clip.modeling_clip  # noqa: F401
    from transformers import AutoProcessor, CLIPModel  # noqa: F401
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    import streetclip.evaluation.runner
    import streetclip.runtime.distributed
    import streetclip.training.loop  # noqa: F401
    from streetclip.demo.cues import drawn_countries
    from streetclip.gazetteer import resolve_city
    from streetclip.gazetteer.outlines import outline_features, outline_rings

    # What each job would read, index or compile again.
    for country in drawn_countries():
        resolve_city(country.code, "no city")  # looked for by every name, of small cities last
    outline_features()
    outline_rings()
    get_checkpoint_conversion_mapping("clip")


def _run(request: dict, files: list[int]) -> int:
    """Become the process that the request asks for, and give its exit status."""
    os.setsid()
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.closerange(3, 256)
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, closefd=False)  # noqa: SIM115 -- for as long as the process runs
        for number, mode in enumerate(("r", "w", "w"))
    )
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    script = request["argv"][0]
    sys.argv = list(request["argv"])
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))  # noqa: PTH100, PTH120
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as exit_:
        code = exit_.code
        return code if isinstance(code, int) else int(code is not None)
    except BaseException:  # noqa: BLE001 -- as the interpreter itself does
        traceback.print_exc()
        return 1
    return 0


def _end(status: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            status = status or 120  # as the interpreter itself does
    os._exit(status)


def main() -> None:
    """Serve until the other end of the socket closes; then kill what still runs."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    _preload()
    gc.collect()
    gc.freeze()  # a collection in a job would walk, and so copy, all that was loaded
    ready = selectors.DefaultSelector()
    ready.register(connection, selectors.EVENT_READ)
    pids: dict[int, int] = {}
    while True:
        for key, _ in ready.select():
            if key.fileobj is connection:
                message, files, _, _ = socket.recv_fds(connection, MAX_REQUEST_BYTES, 3)
                if not message:
                    for pid in pids.values():
                        os.kill(pid, signal.SIGKILL)
                    return
                pid = os.fork()
                if not pid:
                    _end(_run(json.loads(message), files))
                for file in files:
                    os.close(file)
                watched = os.pidfd_open(pid)
                pids[watched] = pid
                ready.register(watched, selectors.EVENT_READ)
                connection.send(json.dumps({"pid": pid}).encode())
            else:
                watched = key.fd
                ready.unregister(watched)
                os.close(watched)
                _, status = os.waitpid(pids[watched], 0)
                answer = {"pid": pids.pop(watched), "code": os.waitstatus_to_exitcode(status)}
                connection.send(json.dumps(answer).encode())


if __name__ == "__main__":
    main()
