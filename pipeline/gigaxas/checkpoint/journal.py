"""Which tile of which stage is done: what its task returned, and the checksums of the chunks it wrote.

A stage has a folder named after what its results depend on. Records go there in batches, a file every few
seconds, published by rename after the chunks are written; each file carries a checksum of its own, and the
chunks are compared with theirs before they are trusted. So no order of writes to the disk is relied upon,
no clock is read, and a batch that is lost costs the few seconds of work that it stood for.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gigaxas.checkpoint.records import Record, pack, unpack
from gigaxas.errors import unwritable
from gigaxas.stores.io.files import publish_file

EVERY_SECONDS = 2.0
RUN = "run"
"""The file beside the records of a stage that holds the mark of the run which opened them last."""


@dataclass
class StageJournal:
    """The records of one stage; added ones are published every few seconds and by `flush`."""

    folder: Path
    """Holds the record files of the stage."""
    _waiting: list[Record] = field(default_factory=list)
    """Added and not yet published."""
    _flushed: float = field(default_factory=time.monotonic)
    """When records were last published, in seconds."""
    _number: int | None = None
    """Of the last file; None where nobody has looked yet."""

    def assign_to(self, run: str) -> None:
        """Note that these records are those of a run with this mark. Raises RunError where it cannot."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.folder, error, "made") from None
        publish_file(self.folder / RUN, run.encode())

    def add(self, record: Record) -> None:
        """Take in a tile that is done."""
        self._waiting.append(record)
        if time.monotonic() - self._flushed >= EVERY_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Publish what was added. Raises RunError where it cannot be written."""
        if self._waiting:
            if self._number is None:
                self._number = max((int(path.stem) for path in self._files()), default=0)
            self._number += 1
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unwritable(self.folder, error, "made") from None
            publish_file(self.folder / f"{self._number:06d}.records", pack(self._waiting))
            self._waiting.clear()
        self._flushed = time.monotonic()

    def keep(self, records: Sequence[Record]) -> None:
        """Keep these records alone. Raises RunError where they cannot be written."""
        files = self._files()
        self._waiting[:] = records
        self.flush()
        for path in files:
            path.unlink(missing_ok=True)

    def read(self) -> tuple[list[Record], list[Path]]:
        """Return the records of the files that are whole, oldest first, and the files that are damaged."""
        found: list[Record] = []
        damaged: list[Path] = []
        for path in self._files():
            try:
                found += unpack(path.read_bytes())
            except (OSError, ValueError):
                damaged.append(path)
        return found, damaged

    def _files(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("*.records") if path.stem.isdigit())


def open_stage(journal: Path, stage: str, keys: Sequence[str]) -> StageJournal:
    """Return the records of a stage under the last of `keys`; drop those under none of them."""
    name = _file_name(stage)
    for other in sorted(journal.glob(f"{name}.*")):
        if other.name.removeprefix(f"{name}.") not in keys:
            shutil.rmtree(other, ignore_errors=True)
    return StageJournal(journal / f"{name}.{keys[-1]}")


def journals_of(journal: Path, stage: str, run: str) -> list[StageJournal]:
    """Return the records of one stage that a run of this mark was the last to open."""
    folders = sorted(journal.glob(f"{_file_name(stage)}.*"))
    return [StageJournal(f) for f in folders if (f / RUN).is_file() and (f / RUN).read_text() == run]


def _file_name(stage: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in stage)


def stage_journals(journal: Path) -> list[StageJournal]:
    """Return the records of every stage."""
    return [StageJournal(folder) for folder in sorted(journal.glob("*.*"))]
