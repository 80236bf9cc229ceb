"""What a compressed chunk claims to hold, told from its first bytes: a small file can claim any size."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gigaxas.stores.io.checksums import WholeStore

BLOSC_HEADER = 16
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
ZSTD_SIZES = (0, 2, 4, 8)
SLACK = 16


class ModestStore(WholeStore):
    """A store whose chunks may not claim more bytes than one chunk of an array has; `sparse` allows gaps."""

    def __init__(self, store: Any, sparse: bool = False) -> None:
        super().__init__(store)
        self.sparse = sparse
        self.limit = 0
        self.claim: Callable[[bytes], int] | None = None

    def _with_store(self, store: Any) -> "ModestStore":
        return ModestStore(store, self.sparse)

    def expect(self, array: Any) -> None:
        """Take the limit of an array, if its codec writes down what a chunk holds."""
        kinds = [type(codec).__name__ for codec in array.compressors] if array.shards is None else []
        self.claim = {"BloscCodec": _blosc, "ZstdCodec": _zstd}.get(kinds[0]) if kinds else None
        self.limit = int(np.prod(array.chunks, dtype=float)) * array.dtype.itemsize + SLACK

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Return a value. Raises ValueError for a chunk that claims too much, FileNotFoundError for none."""
        value = await (self._store.get if self.sparse else super().get)(key, prototype, byte_range)
        if value is not None and self.claim is not None:
            claimed = self.claim(bytes(value.as_buffer_like()[:BLOSC_HEADER]))
            if claimed > self.limit:
                raise ValueError(f"it claims {claimed} bytes, a chunk has {self.limit - SLACK}")
        return value


def _blosc(head: bytes) -> int:
    return int.from_bytes(head[4:8], "little")


def _zstd(head: bytes) -> int:
    if head[:4] != ZSTD_MAGIC or len(head) < 5:
        return 0
    kind, single, dictionary = head[4] >> 6, head[4] >> 5 & 1, (0, 1, 2, 4)[head[4] & 3]
    size = ZSTD_SIZES[kind] or single
    start = 5 + (1 - single) + dictionary
    return int.from_bytes(head[start : start + size], "little") + (256 if size == 2 else 0)
