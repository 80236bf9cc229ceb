"""One run at a time on an output folder."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from gigaxas.errors import InputError

LOCK = "run.lock"
HOLDER = "run.lock.json"
"""Who holds the lock: in a file of its own, because Windows lets nobody read a file that is locked."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold an output folder while the context lasts.

    The lock is the operating system's and ends with the process, however that ends, so that nothing which a
    killed run leaves behind is a hindrance; on a disk without locks, the process that made the file is looked
    for. Raises InputError that names the run which holds the folder, or where no lock can be made there.
    """
    lock = FileLock(folder / LOCK, blocking=False)
    try:
        lock.acquire()
        (folder / HOLDER).write_text(json.dumps(_this_process()) + "\n", encoding="utf-8")
    except Timeout:
        raise InputError(
            f"output: {folder} is in use by another run ({_holder(folder)}); wait for it, or give another "
            "output"
        ) from None
    except OSError as error:
        lock.release()
        raise InputError(
            f"output: {folder} cannot be written or locked ({error.strerror or error}); give a folder you "
            "may write to"
        ) from None
    try:
        yield
    finally:
        (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def _this_process() -> dict[str, str | int]:
    return {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _holder(folder: Path) -> str:
    try:
        holder = json.loads((folder / HOLDER).read_text(encoding="utf-8"))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, TypeError, KeyError):
        return "it does not say which"
