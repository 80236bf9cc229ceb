"""Guard of chunk sizes: a small file may declare any number of bytes, a cut one is read beyond its end."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gigaxas.stores.io.checksums import WholeStore

HEADER_BYTES = 16
CHECKSUM_BYTES = 4
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_SIZES = (0, 2, 4, 8)
SLACK = 16
"""Bytes that a codec may declare beyond those of a chunk, for a checksum."""


class SizeGuardStore(WholeStore):
    """A store whose chunks may not declare more bytes than a chunk of the array has; `sparse` allows gaps.

    What Blosc has compressed must be as long as it tells: numcodecs reads on beyond the end of a cut file.
    """

    def __init__(self, store: Any, sparse: bool = False) -> None:
        super().__init__(store)
        self.sparse = sparse
        self.limit = 0
        self.declared: Callable[[bytes], int] | None = None
        self.after: int | None = None

    def _with_store(self, store: Any) -> "SizeGuardStore":
        return SizeGuardStore(store, self.sparse)

    def expect(self, array: Any) -> None:
        """Take the limit from an array whose codec, Blosc or Zstandard, declares what a chunk holds."""
        codecs = [type(codec).__name__ for codec in array.compressors] if array.shards is None else []
        self.declared = {"BloscCodec": _blosc, "ZstdCodec": _zstd}.get(codecs[0]) if codecs else None
        self.after = {("BloscCodec",): 0, ("BloscCodec", "Crc32cCodec"): CHECKSUM_BYTES}.get(tuple(codecs))
        self.limit = int(np.prod(array.chunks, dtype=float)) * array.dtype.itemsize + SLACK

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return a value. Raises ValueError for one that declares too much, FileNotFoundError for none."""
        value = await (self._store.get if self.sparse else super().get)(key, prototype, byte_range)
        if value is not None and self.declared is not None:
            size = self.declared(bytes(value.as_buffer_like()[:HEADER_BYTES]))
            if size > self.limit:
                raise ValueError(f"it declares {size} bytes, a chunk has {self.limit - SLACK}")
        if value is not None and self.after is not None:
            whole = int.from_bytes(bytes(value.as_buffer_like()[12:HEADER_BYTES]), "little") + self.after
            if len(value) != whole:
                raise ValueError(f"it has {len(value)} bytes and tells of {whole}")
        return value


def _blosc(head: bytes) -> int:
    """Return the uncompressed size in a Blosc header (c-blosc, README_CHUNK_FORMAT)."""
    return int.from_bytes(head[4:8], "little")


def _zstd(head: bytes) -> int:
    """Return the content size in the header of a Zstandard frame (RFC 8878, 3.1.1.1), 0 where it has none."""
    if head[:4] != ZSTD_MAGIC or len(head) < 5:
        return 0
    kind, single, dictionary = head[4] >> 6, head[4] >> 5 & 1, (0, 1, 2, 4)[head[4] & 3]
    size = ZSTD_SIZES[kind] or single
    start = 5 + (1 - single) + dictionary
    return int.from_bytes(head[start : start + size], "little") + (256 if size == 2 else 0)
