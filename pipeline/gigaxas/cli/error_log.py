"""What nobody foresaw: one sentence, and a file with the rest."""

import contextlib
import errno
import os
import platform
import shlex
import sys
import tempfile
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import typer

from gigaxas import __version__
from gigaxas.version import code_version

LOG = "error.log"
OUT_OF_FILES = (errno.EMFILE, errno.ENFILE)


@dataclass
class ErrorLog:
    """Where it is told how an error came about."""

    folder: Path | None = None
    """The output folder of the run, once it is known."""

    def sentence(self, error: BaseException) -> str:
        """Note an error with its traceback; return what happened, what to do, and where the file is."""
        if isinstance(error, typer.Abort) and error.__cause__ is not None:
            error = error.__cause__  # what it was before typer took it for an interrupted prompt
        happened, cure = _told(error)
        return f"{happened}; {cure} ({self._written(error)})"

    def _written(self, error: BaseException) -> str:
        now = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
        about = f"gigaxas {__version__} ({code_version()}), Python {platform.python_version()}"
        command = shlex.join(["gigaxas", *sys.argv[1:]])
        lines = [f"{now}  {about}, {platform.platform()}\n{command}\n", *traceback.format_exception(error)]
        try:
            return f"details in {self._append(''.join(lines))}"
        except OSError:
            last = traceback.extract_tb(error.__traceback__)[-1]
            return f"in {last.filename}, line {last.lineno}; no file could be written that tells more"

    def _append(self, text: str) -> Path:
        """Write to the folder of the run, if there is one already, else to that for temporary files."""
        from gigaxas.checkpoint.owner import OWNER

        if self.folder is not None and (self.folder / OWNER).is_file():
            with contextlib.suppress(OSError):
                return _appended(self.folder / LOG, text)
        number, name = tempfile.mkstemp(prefix="gigaxas-", suffix=".log")
        os.close(number)
        return _appended(Path(name), text)


def _appended(path: Path, text: str) -> Path:
    with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return path


def _told(error: BaseException) -> tuple[str, str]:
    """Return in words what happened, and what may help."""
    if isinstance(error, MemoryError):
        return "the memory does not suffice", "set fewer compute.workers, or a smaller compute.tile"
    if isinstance(error, OSError) and error.errno in OUT_OF_FILES:
        return (
            f"{error.filename or 'gigaxas'}: more files are open than the system allows",
            "raise that number (`ulimit -n 4096`) and run the same command again",
        )
    if isinstance(error, OSError) and error.errno is not None:
        happened = f"{error.filename or 'gigaxas'}: {error.strerror or error}"
        cure = "see to the disk, its permissions and the network and run the same command again"
        return happened, cure
    said = " ".join(str(error).split())[:300]
    happened = f"gigaxas does not know what happened here: {type(error).__name__}: {said}"
    return happened, "run the same command again and, where it ends so again, report it"
