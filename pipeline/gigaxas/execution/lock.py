"""One run at a time on an output folder."""

import errno
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from gigaxas.errors import InputError

LOCK = "run.lock"
MARKER = "run.lock.marker"
"""Stands for the lock on a disk that has none."""
HOLDER = "run.lock.json"
"""Who holds the lock: in a file of its own, because Windows lets nobody read a file that is locked."""
WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP)


@contextmanager
def locked(folder: Path, announce: Callable[[str], None] = lambda line: None) -> Iterator[None]:
    """Hold an output folder while the context lasts; `announce` is told where its disk has no locks.

    The lock is the operating system's and ends with the process, however that ends, so that nothing which a
    killed run leaves behind is a hindrance; on a disk without locks, the process that made the marker is
    looked for. Raises InputError that names the run which holds the folder, or where nothing can be written.
    """
    try:
        lock = _system_lock(folder) or _marker(folder, announce)
    except OSError as error:
        raise _unwritable(folder, error) from None
    try:
        (folder / HOLDER).write_text(json.dumps(_this_process()) + "\n", encoding="utf-8")
    except OSError as error:
        lock.release()
        raise _unwritable(folder, error) from None
    try:
        yield
    finally:
        (folder / HOLDER).unlink(missing_ok=True)
        lock.release()


def _system_lock(folder: Path) -> BaseFileLock | None:
    """Return the operating system's lock, held; None on a disk that has none."""
    lock = FileLock(folder / LOCK, blocking=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise _in_use(folder, "wait for it, or give another output") from None
    except NotImplementedError:
        return None
    except OSError as error:
        if error.errno in WITHOUT_LOCKS:
            return None
        raise
    return lock


def _marker(folder: Path, announce: Callable[[str], None]) -> BaseFileLock:
    """Return a file that stands for a lock, made; one of a process that has ended counts for nothing."""
    lock = SoftFileLock(folder / MARKER, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        raise _in_use(
            folder, f"wait for it, or, where it has ended on another machine, remove {folder / MARKER}"
        ) from None
    announce(f"lock       {folder} is on a disk without locks: start no run on it from another machine")
    return lock


def _in_use(folder: Path, cure: str) -> InputError:
    return InputError(f"output: {folder} is in use by another run ({_holder(folder)}); {cure}")


def _unwritable(folder: Path, error: OSError) -> InputError:
    return InputError(
        f"output: {folder} cannot be written or locked ({error.strerror or error}); give a folder you may "
        "write to"
    )


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
