"""One run at a time on an output folder."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import psutil

from gigaxas.errors import InputError

LOCK = "run.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold an output folder while the context lasts.

    The lock is the system's and ends with the process, however that ends: what a killed run left in the
    file is no hindrance. Where the disk knows no such locks, the process that the file names is looked for.
    Raises InputError that names the run which holds the folder.
    """
    path = folder / LOCK
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"output: {folder} cannot be written ({error.strerror}); give a folder you may write to"
        ) from None
    with file:
        if not _take(file):
            raise InputError(
                f"output: {folder} is in use by another run ({_told(path)}); wait for it, or give another "
                "output"
            )
        file.truncate(0)
        file.write(json.dumps(_self()) + "\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _take(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return not _is_alive(_owner(Path(file.name)))
    return True


def _self() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _owner(path: Path) -> dict[str, Any]:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _is_alive(owner: dict[str, Any]) -> bool:
    if not owner:
        return False
    here = owner.get("host") == socket.gethostname()
    return not here or (owner.get("pid") != os.getpid() and psutil.pid_exists(int(owner.get("pid", 0))))


def _told(path: Path) -> str:
    owner = _owner(path)
    if not owner:
        return "it does not say which"
    return f"process {owner.get('pid')} on {owner.get('host')} since {owner.get('since')}"
