"""Sign queued and running jobs with a key of this user that lies apart from the data.

A store that comes from elsewhere may hold queued jobs, and running ones of any process of this
machine; they are not signed with the key: none is started, and no process is ended.
"""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from streetclip.errors import ConfigError
from streetclip.files import translated_disk_errors
from streetclip.store.connection import Store

STATE_VARIABLE = "STREETCLIP_STATE_DIR"
"""Environment variable of the folder that keeps the key."""

_KEY_FILE = "job_key"
_KEY_BYTES = 32
# What a process is started with, which attempt of which job it is, and which process that has.
_SIGNED = (
    "id, state, attempt, kind, arguments, cwd, log_path, output_dir, created_at, "
    "host, pid, process_started_at, process_boot_id"
)


def sign(store: Store, job_id: int) -> None:
    """Sign the queued or running attempt of a job; call it in a transaction.

    Raises ConfigError where the key can be read by others, OutputError where none can be made.
    """
    key = _own_key(make=True)
    assert key is not None
    row = store.rows(f"SELECT {_SIGNED} FROM jobs WHERE id = ?", (job_id,))[0]  # noqa: S608 -- our own names
    store.update("jobs", job_id, {"signature": _signature(store, key, row)})


def signed_here(store: Store, *states: str) -> list[int]:
    """List the jobs that this installation signed, in the order of the queue.

    They are in one of `states`, without any queued or running.
    """
    states = states or ("queued", "running")
    found = store.rows(
        f"SELECT signature, {_SIGNED} FROM jobs "  # noqa: S608 -- our own names
        f"WHERE state IN ({', '.join('?' * len(states))}) ORDER BY updated_at, id",
        states,
    )
    key = _own_key(make=False) if found else None
    if key is None:
        return []
    return [
        row[0]
        for signature, *row in found
        if signature
        and hmac.compare_digest(signature.encode(), _signature(store, key, row).encode())
    ]


def state_folder(environment: Mapping[str, str]) -> Path:
    """Locate the folder of this user's own state.

    It is that of `STATE_VARIABLE`, else of XDG_STATE_HOME. Raises ConfigError without a home.
    """
    named = Path(environment.get(STATE_VARIABLE, ""))
    base = Path(environment.get("XDG_STATE_HOME", ""))
    if not base.is_absolute():
        base = Path(os.path.expanduser("~/.local/state"))  # noqa: PTH111 -- it does not raise
    folder = named if named.is_absolute() else base / "streetclip"
    if not folder.is_absolute():
        msg = f"this user has no home folder; expected one. Set {STATE_VARIABLE} to a folder."
        raise ConfigError(msg)
    return folder


def _signature(store: Store, key: bytes, row: list[object] | tuple[object, ...]) -> str:
    identity = store.rows("SELECT revision FROM revisions WHERE name = 'store'")
    text = json.dumps([identity, os.path.realpath(store.path), *row])
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _own_key(*, make: bool) -> bytes | None:
    try:
        path = state_folder(os.environ) / _KEY_FILE
    except ConfigError:
        if make:
            raise
        return None
    with translated_disk_errors(path):
        if make and not path.exists():
            _make_key(path)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            status = os.fstat(descriptor)
            is_private = status.st_uid == os.geteuid() and not status.st_mode & 0o077
            is_key = is_private and stat.S_ISREG(status.st_mode) and status.st_size == _KEY_BYTES
            key = os.read(descriptor, _KEY_BYTES) if is_key else None
        finally:
            os.close(descriptor)
    if key is None:
        msg = (
            f"{path}: expected {_KEY_BYTES} bytes that only this user can read and write. Remove "
            "it; what waits in a queue must then be queued again."
        )
        raise ConfigError(msg)
    return key


def _make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent)  # which only this user can read
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
        with contextlib.suppress(FileExistsError):  # another process was first
            os.link(name, path)
    finally:
        Path(name).unlink()
