"""Chunks of an array on a disk of this machine, decoded straight into place.

Zarr gives every chunk fresh memory, twice, which the system fills with zeros page by page, and an array is
opened anew for every region: together half as long again as decoding. Here a thread keeps its memory. What is
not as `create_array` makes arrays, or not whole, is left to Zarr, whose errors tell what is wrong.
"""

import json
import sys
import threading
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import google_crc32c
import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

CHECKSUM_BYTES = 4
BLOSC_HEADER_BYTES = 16
MOST_KEPT = 64 * 2**20
"""Bytes of a chunk, decoded, up to which a thread keeps memory for one."""


class Layout(NamedTuple):
    """How an array is laid out in its files."""

    shape: tuple[int, ...]
    """Samples along each axis."""
    chunk: tuple[int, ...]
    """The same of a chunk, a file of its own."""
    dtype: np.dtype[Any]
    """Type of the samples."""
    fill: Any
    """What a chunk without a file holds."""
    separator: str
    """Stands between the numbers in the key of a chunk."""
    has_checksum: bool
    """Whether a CRC-32C follows what is compressed."""

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a chunk, decoded."""
        return int(np.prod(self.chunk)) * self.dtype.itemsize


class _Scratch(threading.local):
    """Memory that a thread keeps: what a file holds, and what a chunk does."""

    packed = np.empty(0, np.uint8)
    decoded = np.empty(0, np.uint8)


_scratch = _Scratch()


def read_directly(
    folder: Path, region: tuple[slice, ...], sparse: bool, out: NDArray[Any] | None = None
) -> NDArray[Any] | None:
    """Read a region of the array in a folder, into `out` where it is given.

    Returns None where only Zarr can, or can tell what is wrong. A chunk without a file holds the fill value
    where the array is `sparse`.
    """
    layout = _layout_of(folder)
    if layout is None or len(region) != len(layout.shape) or layout.chunk_bytes > MOST_KEPT:
        return None
    spans = [part.indices(size) for part, size in zip(region, layout.shape, strict=True)]
    if any(step != 1 or stop <= start for start, stop, step in spans):
        return None
    starts, shape = [start for start, _, _ in spans], tuple(stop - start for start, stop, _ in spans)
    out = np.empty(shape, layout.dtype) if out is None else out
    if out.shape != shape or out.dtype != layout.dtype:
        return None
    chunks = zip(spans, layout.chunk, strict=True)
    for place in product(*(range(start // side, -(-stop // side)) for (start, stop, _), side in chunks)):
        if not _read_chunk(folder, layout, place, starts, out, sparse):
            return None
    return out


def _read_chunk(
    folder: Path, layout: Layout, place: tuple[int, ...], starts: list[int], out: NDArray[Any], sparse: bool
) -> bool:
    """Put what a chunk holds of the region from `starts` on into `out`; return whether it was whole."""
    corner = [number * side - start for number, side, start in zip(place, layout.chunk, starts, strict=True)]
    target, source = [], []
    for first, side, size in zip(corner, layout.chunk, out.shape, strict=True):
        target.append(slice(max(first, 0), min(first + side, size)))
        source.append(slice(max(-first, 0), min(side, size - first)))
    key = layout.separator.join(("c", *map(str, place)))
    try:
        packed = _packed(folder / key)
    except FileNotFoundError:
        out[tuple(target)] = layout.fill
        return sparse
    except OSError:
        return False
    if layout.has_checksum:
        packed, stored = packed[:-CHECKSUM_BYTES], packed[-CHECKSUM_BYTES:]
        if google_crc32c.value(packed) != int.from_bytes(stored.tobytes(), "little"):
            return False
    whole = out[tuple(target)]
    if whole.shape == layout.chunk and whole.flags.c_contiguous:
        return _decode(packed, whole.reshape(-1).view(np.uint8))
    decoded = _kept("decoded", layout.chunk_bytes)
    if not _decode(packed, decoded):
        return False
    whole[...] = decoded.view(layout.dtype).reshape(layout.chunk)[tuple(source)]
    return True


def _packed(file: Path) -> NDArray[np.uint8]:
    """Return the bytes of a file, in memory that the thread uses again."""
    with file.open("rb", buffering=0) as opened:
        size = file.stat().st_size
        packed = _kept("packed", size)
        return packed[: opened.readinto(packed.data)]


def _decode(packed: NDArray[np.uint8], out: NDArray[np.uint8]) -> bool:
    """Decompress to bytes (n,); return False where what is packed does not say that it holds just these."""
    held, stored = packed[4:BLOSC_HEADER_BYTES].tobytes()[:4], packed[12:BLOSC_HEADER_BYTES].tobytes()
    if (int.from_bytes(held, "little"), int.from_bytes(stored, "little")) != (out.size, packed.size):
        return False
    try:
        blosc.decompress(packed, out)
    except (RuntimeError, ValueError):
        return False
    return True


def _kept(name: str, size: int) -> NDArray[np.uint8]:
    """Return so many bytes of a thread's memory."""
    if getattr(_scratch, name).size < size:
        setattr(_scratch, name, np.empty(size, np.uint8))
    return np.asarray(getattr(_scratch, name)[:size])


def _layout_of(folder: Path) -> Layout | None:
    """Return how the array in a folder is laid out; None where it is not as `create_array` makes one."""
    try:
        stamp = (folder / "zarr.json").stat()
    except OSError:
        return None
    return _layout(folder, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=256)
def _layout(folder: Path, stamp: int, size: int) -> Layout | None:
    """Read the layout in a file of this size that was written at `stamp`."""
    try:
        found = json.loads((folder / "zarr.json").read_bytes())
        names = [codec["name"] for codec in found["codecs"]]
        if names[:2] != ["bytes", "blosc"] or names[2:] not in ([], ["crc32c"]):
            return None
        if found["chunk_grid"]["name"] != "regular" or found["chunk_key_encoding"]["name"] != "default":
            return None
        dtype, order = np.dtype(found["data_type"]), found["codecs"][0].get("configuration", {})
        if dtype.kind not in "iuf" or order.get("endian", "little") != "little" or sys.byteorder != "little":
            return None
        return Layout(
            shape=tuple(found["shape"]),
            chunk=tuple(found["chunk_grid"]["configuration"]["chunk_shape"]),
            dtype=dtype,
            fill=dtype.type(found["fill_value"]),
            separator=found["chunk_key_encoding"].get("configuration", {}).get("separator", "/"),
            has_checksum=len(names) > 2,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
