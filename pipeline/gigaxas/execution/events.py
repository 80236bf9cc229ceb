"""What happened and when: run.log for people, events.jsonl for programs."""

import json
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LOG = "run.log"
EVENTS = "events.jsonl"


@dataclass(frozen=True)
class Events:
    """Appends a line to both files of an output folder for everything told; without a folder, nothing.

    A line that cannot be written (a full disk) is dropped: the run itself says what is wrong.
    """

    folder: Path | None = None
    """The output folder; None tells nobody."""

    def tell(self, event: str, **facts: Any) -> None:
        """Note an event with its facts and the time."""
        if self.folder is None:
            return
        now = datetime.now(UTC)
        line = {
            "time": now.isoformat(timespec="milliseconds"),
            "event": event,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            **facts,
        }
        said = "  ".join([event, *(f"{name}={value}" for name, value in facts.items())])
        _append(self.folder / EVENTS, json.dumps(line, default=str))
        _append(self.folder / LOG, f"{now.isoformat(sep=' ', timespec='seconds')}  {said}")


def _append(path: Path, line: str) -> None:
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError:
        return
