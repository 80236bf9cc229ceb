"""What a task wrote: noted as every chunk goes out, and compared before it is trusted again."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import google_crc32c
from zarr.storage import WrapperStore

from gigaxas.locations import Place
from gigaxas.stores.io.folders import read_file

CHECK_BYTES = 4
METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


class Written(NamedTuple):
    """One chunk as it was written: its store and key, its bytes, and the CRC-32C at their end."""

    store: str
    key: str
    size: int
    crc: int


_notes: ContextVar[list[Written] | None] = ContextVar("notes", default=None)


class NotingStore(WrapperStore[Any]):
    """A store that remembers what was set: (key, bytes, checksum at the end)."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.noted: list[tuple[str, int, int]] = []

    async def set(self, key: str, value: Any) -> None:
        """Store a value and remember its size and end."""
        await super().set(key, value)
        self.noted.append((key, len(value), _end(bytes(value.as_buffer_like()[-CHECK_BYTES:]))))


class WholeStore(WrapperStore[Any]):
    """A store in which a chunk that is not there is an error, never the fill value."""

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return a value. Raises FileNotFoundError for a chunk that is missing."""
        value = await super().get(key, prototype, byte_range)
        if value is None and key.rpartition("/")[2] not in METADATA:
            raise FileNotFoundError(f"{key} is missing")
        return value


@contextmanager
def noting() -> Iterator[list[Written]]:
    """Collect what this thread writes while the context lasts."""
    notes: list[Written] = []
    token = _notes.set(notes)
    try:
        yield notes
    finally:
        _notes.reset(token)


def note(store: Place, noted: list[tuple[str, int, int]]) -> None:
    """Add what was written to a store to the notes of this thread, if it takes any."""
    notes = _notes.get()
    if notes is not None:
        notes.extend(Written(str(store), *chunk) for chunk in noted)


def is_intact(store: Place, chunk: Written) -> bool:
    """Return whether a chunk holds what was written: the same size and checksum, and bytes that fit it."""
    try:
        data = read_file(store, chunk.key)
    except OSError:
        return False
    return (
        len(data) == chunk.size
        and _end(data[-CHECK_BYTES:]) == chunk.crc
        and google_crc32c.value(data[:-CHECK_BYTES]) == chunk.crc
    )


def _end(data: bytes) -> int:
    return int.from_bytes(data, "little")
