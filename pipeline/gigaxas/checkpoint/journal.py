"""Which tile of which stage is done: what its task returned, and the checksums of the chunks it wrote.

A stage has a folder named after what its results depend on. Records go there in batches, a file every few
seconds, published by rename after the chunks are written; each file carries a checksum of its own, and the
chunks are compared with theirs before they are trusted. So no order of writes to the disk is relied upon,
no clock is read, and a batch that is lost costs the few seconds of work that it stood for.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gigaxas.errors import unwritable
from gigaxas.stores.io.checksums import Written
from gigaxas.stores.io.files import publish_file
from gigaxas.tiles import Box

MAGIC = b"gigaxas journal 1\n"
HASH_BYTES = 16
EVERY_SECONDS = 2.0
KINDS = "biufcSU"


class Record(NamedTuple):
    """One tile (y0, y1, x0, x1) that is done: what its task returned and which chunks it wrote."""

    tile: Box
    value: Any
    written: Sequence[Written]


@dataclass
class StageJournal:
    """The records of one stage in its folder; added ones are published every few seconds and by `flush`."""

    folder: Path
    _waiting: list[Record] = field(default_factory=list)
    _flushed: float = field(default_factory=time.monotonic)

    def add(self, record: Record) -> None:
        """Take in a tile that is done."""
        self._waiting.append(record)
        if time.monotonic() - self._flushed >= EVERY_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Publish what was added. Raises RunError where it cannot be written."""
        if self._waiting:
            number = max((int(path.stem) for path in record_files(self.folder)), default=0) + 1
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unwritable(self.folder, error, "made") from None
            publish_file(self.folder / f"{number:06d}.records", pack(self._waiting))
            self._waiting.clear()
        self._flushed = time.monotonic()

    def read(self) -> tuple[list[Record], int]:
        """Return the records that are whole, oldest first, and the number of damaged files, now removed."""
        found: list[Record] = []
        damaged = 0
        for path in record_files(self.folder):
            try:
                found += unpack(path.read_bytes())
            except (OSError, ValueError):
                damaged += 1
                path.unlink(missing_ok=True)
        return found, damaged


def open_stage(journal: Path, stage: str, keys: Sequence[str]) -> StageJournal:
    """Return the records of a stage under the last of `keys`; drop those under none of them."""
    name = _file_name(stage)
    for other in sorted(journal.glob(f"{name}.*")):
        if other.name.removeprefix(f"{name}.") not in keys:
            shutil.rmtree(other, ignore_errors=True)
    return StageJournal(journal / f"{name}.{keys[-1]}")


def journals_of(journal: Path, stage: str) -> list[StageJournal]:
    """Return the records of one stage, under whatever key."""
    return [StageJournal(folder) for folder in sorted(journal.glob(f"{_file_name(stage)}.*"))]


def _file_name(stage: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in stage)


def stage_journals(journal: Path) -> list[StageJournal]:
    """Return the records of every stage."""
    return [StageJournal(folder) for folder in sorted(journal.glob("*.*"))]


def record_files(folder: Path) -> list[Path]:
    """Return the record files of a stage, oldest first."""
    return sorted(path for path in folder.glob("*.records") if path.stem.isdigit())


def pack(records: Sequence[Record]) -> bytes:
    """Return records as bytes with their checksum. Raises TypeError for a value of an unknown kind."""
    arrays: list[bytes] = []
    tree = json.dumps(
        [[record.tile, _plain(record.value, arrays), list(record.written)] for record in records]
    ).encode()
    payload = b"".join([len(tree).to_bytes(8, "little"), tree, *arrays])
    return MAGIC + hashlib.blake2b(payload, digest_size=HASH_BYTES).digest() + payload


def unpack(data: bytes) -> list[Record]:
    """Return the records of `pack`. Raises ValueError where a byte was lost or changed."""
    start = len(MAGIC) + HASH_BYTES
    payload = data[start:]
    mark = hashlib.blake2b(payload, digest_size=HASH_BYTES).digest()
    if data[:start] != MAGIC + mark or len(payload) < 8:
        raise ValueError("the record file is torn or altered")
    size = int.from_bytes(payload[:8], "little")
    arrays = memoryview(payload)[8 + size :]
    return [
        Record(Box(y0, y1, x0, x1), _value(tree, arrays), [Written(*chunk) for chunk in written])
        for (y0, y1, x0, x1), tree, written in json.loads(payload[8 : 8 + size])
    ]


def _plain(value: Any, arrays: list[bytes]) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return _array(np.asarray(value), isinstance(value, np.generic), arrays)
    if is_dataclass(value) and not isinstance(value, type):
        parts = [_plain(getattr(value, part.name), arrays) for part in fields(value)]
        return {"class": [type(value).__module__, type(value).__qualname__], "parts": parts}
    if isinstance(value, tuple | list):
        kind = _name_of(value)
        return {"class": kind, "parts": [_plain(part, arrays) for part in value]}
    if isinstance(value, dict):
        return {"dict": [[_plain(name, arrays), _plain(part, arrays)] for name, part in value.items()]}
    raise TypeError(f"a task returned {type(value)}, which the journal cannot keep")


def _name_of(value: tuple[Any, ...] | list[Any]) -> str | list[str]:
    if type(value) in (tuple, list):
        return type(value).__name__
    return [type(value).__module__, type(value).__qualname__]


def _array(values: NDArray[Any], scalar: bool, arrays: list[bytes]) -> dict[str, Any]:
    if values.dtype == object and all(isinstance(value, int) for value in values.flat):
        return {"integers": [f"{value:x}" for value in values.flat], "shape": values.shape}
    if values.dtype.kind not in KINDS:
        raise TypeError(f"a task returned an array of {values.dtype}, which the journal cannot keep")
    start = sum(map(len, arrays))
    arrays.append(np.ascontiguousarray(values).tobytes())
    return {"array": [values.dtype.str, values.shape, start], "scalar": scalar}


def _value(tree: Any, arrays: memoryview) -> Any:
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        dtype, shape, start = tree["array"]
        count = int(np.prod(shape, dtype=np.int64))
        values = np.frombuffer(arrays, np.dtype(dtype), count, start).reshape(shape).copy()
        return values[()] if tree["scalar"] else values
    if "integers" in tree:
        whole = np.array([int(value, 16) for value in tree["integers"]] or [], dtype=object)
        return whole.reshape(tree["shape"])
    if "dict" in tree:
        return {_value(name, arrays): _value(part, arrays) for name, part in tree["dict"]}
    parts = [_value(part, arrays) for part in tree["parts"]]
    if tree["class"] in ("tuple", "list"):
        return tuple(parts) if tree["class"] == "tuple" else parts
    return _known_class(*tree["class"])(*parts)


def _known_class(module: str, name: str) -> Any:
    found = getattr(import_module(module), name, None) if module.split(".")[0] == "gigaxas" else None
    if not (isinstance(found, type) and (is_dataclass(found) or issubclass(found, tuple))):
        raise ValueError(f"the record file names {module}.{name}, which is no record of gigaxas")
    return found
