"""Where Numba keeps the machine code of the kernels: a folder of its own for every version of the code.

Numba compiles a function again when the file of that function changes, but not when a function that it calls
does, if that one is in another file: the old machine code, with the old callee inside, would go on running.
"""

import contextlib
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from platformdirs import user_cache_path

from gigaxas.version import code_version

VARIABLE = "NUMBA_CACHE_DIR"
BELOW = Path("gigaxas", "numba")
"""Folders named by a version of the code lie here, below the user's folder for caches."""
VERSION = re.compile("[0-9a-f]{16}")
MOST_VERSIONS = 4
IDLE_SECONDS = 24 * 3600.0


def cache_by_version() -> Path | None:
    """Make Numba, here and in child processes, keep machine code in a folder of this version of the code.

    It lies in the user's NUMBA_CACHE_DIR, else in the user's folder for caches, else, where neither can be
    written, in the folder for temporary files. Must be called before a kernel is decorated. Does not import
    Numba. Returns None, and changes nothing, where no folder at all can be written.
    """
    folder = next((folder for folder in _candidates() if _made(folder)), None)
    if folder is None:
        return None
    os.environ[VARIABLE] = str(folder)
    config = sys.modules.get("numba.core.config")
    if config is not None:
        config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    return folder


def remove_old_versions(parent: Path, now: float) -> None:
    """Remove the folders of versions that nobody has used for a day, but for the last used few.

    A process that still runs such a version compiles again what it has not loaded yet.
    """
    with contextlib.suppress(OSError):  # another process removes them too
        used = {path: path.stat().st_mtime for path in parent.iterdir() if VERSION.fullmatch(path.name)}
        for path in sorted(used, key=used.__getitem__, reverse=True)[MOST_VERSIONS:]:
            if now - used[path] > IDLE_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _candidates() -> Iterator[Path]:
    given = os.environ.get(VARIABLE)
    if given:
        yield _users_own(Path(given)) / BELOW / code_version()
    with contextlib.suppress(RuntimeError):
        if (caches := user_cache_path()).is_absolute():  # a user without a home has them below `~`
            yield caches / BELOW / code_version()
    with contextlib.suppress(OSError):  # a machine on which nothing can be written
        temporary = Path(tempfile.gettempdir())
        if sys.platform == "win32":
            yield temporary / BELOW / code_version()
        elif _is_private(shared := temporary / f"gigaxas-{os.getuid()}"):
            yield shared / BELOW / code_version()
        yield Path(tempfile.mkdtemp(prefix="gigaxas-")) / BELOW / code_version()


def _users_own(folder: Path) -> Path:
    """Return the folder that the user gave where a parent process has made `folder` of it."""
    if VERSION.fullmatch(folder.name) and folder.parts[-3:-1] == BELOW.parts:
        return folder.parents[2]
    return folder


def _made(folder: Path) -> bool:
    """Make a folder if need be and note its use; return whether it can be written."""
    try:
        is_new = not folder.is_dir()
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    if is_new:
        remove_old_versions(folder.parent, time.time())
    return True


def _is_private(folder: Path) -> bool:
    """Make a folder among those of other users; return whether it is this user's alone."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)  # machine code that others could put there would be run
    except OSError:
        return False
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
