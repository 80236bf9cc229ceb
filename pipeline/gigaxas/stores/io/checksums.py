"""Checksums of chunks: collected as every chunk goes out, and compared before it is trusted again."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import google_crc32c
from zarr.storage import WrapperStore

from gigaxas.errors import DamagedError, unwritable
from gigaxas.locations import Location
from gigaxas.stores.io.folders import read_file, write_file

CRC_BYTES = 4
METADATA = ("zarr.json", ".zarray", ".zattrs", ".zgroup", ".zmetadata")


class ChunkChecksum(NamedTuple):
    """One chunk as it was written."""

    store: str
    """Location of the store."""
    key: str
    """Path of the chunk in it."""
    size: int
    """Its bytes, compressed, the checksum at their end included."""
    crc: int
    """The CRC-32C of all bytes before it."""


_collected: ContextVar[list[ChunkChecksum] | None] = ContextVar("collected", default=None)


class ChecksumStore(WrapperStore[Any]):
    """A store that keeps the size and the checksum of every chunk that is written to it."""

    def __init__(self, store: Any) -> None:
        super().__init__(store)
        self.chunks: list[tuple[str, int, int]] = []

    async def set(self, key: str, value: Any) -> None:
        """Store a value and keep its key, size and checksum."""
        await super().set(key, value)
        self.chunks.append((key, len(value), _crc_of(bytes(value.as_buffer_like()[-CRC_BYTES:]))))


class WholeStore(WrapperStore[Any]):
    """A store in which a chunk that is not there is an error, never the fill value."""

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return a value. Raises FileNotFoundError for a chunk that is missing."""
        value = await super().get(key, prototype, byte_range)
        if value is None and key.rpartition("/")[2] not in METADATA:
            raise FileNotFoundError(f"{key} is missing")
        return value


@contextmanager
def collect_checksums() -> Iterator[list[ChunkChecksum]]:
    """Collect the checksums of all chunks that this thread writes while the context lasts."""
    chunks: list[ChunkChecksum] = []
    token = _collected.set(chunks)
    try:
        yield chunks
    finally:
        _collected.reset(token)


def add_checksums(location: Location, store: ChecksumStore) -> None:
    """Add those of the chunks written to a store to what this thread collects, if it collects any."""
    collected = _collected.get()
    if collected is not None:
        collected.extend(ChunkChecksum(str(location), *chunk) for chunk in store.chunks)


def write_checked(location: Location, key: str, content: bytes) -> None:
    """Write a file of a store with its checksum at its end, and collect that. Raises RunError on failure."""
    crc = google_crc32c.value(content)
    data = content + crc.to_bytes(CRC_BYTES, "little")
    try:
        write_file(location, key, data)
    except OSError as error:
        raise unwritable(f"{location}/{key}", error) from None
    collected = _collected.get()
    if collected is not None:
        collected.append(ChunkChecksum(str(location), key, len(data), crc))


def read_checked(location: Location, key: str) -> bytes:
    """Return what `write_checked` wrote. Raises DamagedError where it is missing or altered."""
    try:
        data = read_file(location, key)
    except OSError:
        data = b""
    content = data[:-CRC_BYTES]
    if len(data) < CRC_BYTES or google_crc32c.value(content) != _crc_of(data[-CRC_BYTES:]):
        raise DamagedError(
            f"{location}/{key}: is missing or damaged; run the same command again: it is made anew",
            str(location),
        )
    return content


def is_intact(location: Location, chunk: ChunkChecksum) -> bool:
    """Return whether a chunk of a store is as it was written: size, checksum, and bytes that have it."""
    try:
        data = read_file(location, chunk.key)
    except OSError:
        return False
    return (
        len(data) == chunk.size
        and _crc_of(data[-CRC_BYTES:]) == chunk.crc
        and google_crc32c.value(data[:-CRC_BYTES]) == chunk.crc
    )


def _crc_of(end: bytes) -> int:
    return int.from_bytes(end, "little")
