"""Zarr arrays read and written in whole chunks, with errors that name the chunk."""

import warnings
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import Store
from zarr.buffer.cpu import NDBuffer
from zarr.codecs import BloscCodec, Crc32cCodec

from gigaxas.errors import DamagedError, InputError, RunError, unwritable
from gigaxas.locations import Location
from gigaxas.stores.io.cf import DIMENSIONS
from gigaxas.stores.io.checksums import ChecksumStore, add_checksums
from gigaxas.stores.io.direct import read_directly
from gigaxas.stores.io.folders import exists, sizes
from gigaxas.stores.io.groups import open_store
from gigaxas.stores.io.size_guard import SizeGuardStore

MOST_CHUNKS = 1_000_000

# Zarr drops the reads that it had begun beside a damaged chunk, which Python would tell on the screen.
warnings.filterwarnings("ignore", "coroutine 'concurrent_map", RuntimeWarning)


def create_array(
    group: Location,
    name: str,
    *,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dtype: Any,
    dims: tuple[str, ...],
    attributes: Mapping[str, Any] | None = None,
    fill_value: Any = 0,
) -> None:
    """Add an array whose chunks are all written, compressed (LZ4, bits shuffled) and carry a checksum.

    The chunks of an array that is there already, and the same but for its values, stay as they are, also
    where they divide the chunks asked for, and where it only has another shape.
    """
    layout: dict[str, Any] = {
        "name": name,
        "shape": shape,
        "chunks": tuple(min(chunk, size) for chunk, size in zip(chunks, shape, strict=True)),
        "dtype": dtype,
        "fill_value": fill_value,
        "compressors": [BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"), Crc32cCodec()],
        "dimension_names": dims,
        "attributes": dict(attributes or {}),
        "config": {"write_empty_chunks": True},
        "zarr_format": 3,
    }
    wanted = zarr.create_array(store={}, **layout)
    if not _is_like(group, name, wanted) and not _reshaped(group, name, wanted):
        zarr.create_array(store=open_store(group), overwrite=True, **layout)


def save_array(
    group: Location, name: str, values: NDArray[Any], dims: tuple[str, ...], **attributes: Any
) -> None:
    """Add a small array and write it whole, as one chunk."""
    create_array(
        group,
        name,
        shape=values.shape,
        chunks=values.shape,
        dtype=values.dtype,
        dims=dims,
        attributes=attributes,
    )
    _put(group, name, (slice(None),) * values.ndim, values)


def open_array(group: Location, name: str, mode: Any = "r") -> "zarr.Array[Any]":
    """Open one array of a group. Raises InputError where there is none."""
    return _opened(open_store(group), group, name, mode)


def has_array(group: Location, name: str) -> bool:
    """Return whether a group holds an array, in Zarr's third format or its second."""
    return exists(group / name / "zarr.json") or exists(group / name / ".zarray")


def dimension_names(array: "zarr.Array[Any]") -> tuple[str, ...] | None:
    """Return the names of the axes of an array; None where nothing names them."""
    names = getattr(array.metadata, "dimension_names", None) or dict(array.attrs).get(DIMENSIONS)
    return tuple(map(str, names)) if isinstance(names, list | tuple) else None


def _opened(store: Store, group: Location, name: str, mode: Any = "r") -> "zarr.Array[Any]":
    try:
        return zarr.open_array(store, path=name, mode=mode)
    except (FileNotFoundError, KeyError, ValueError) as error:
        raise InputError(
            f"{group}: found no readable Zarr array {name!r} ({error}); expected the layout that "
            "docs/reference/stores.md describes"
        ) from None


def read(
    group: Location,
    name: str,
    region: tuple[slice, ...],
    sparse: bool = False,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Read a region, into `out` where it is given.

    Raises DamagedError that names a damaged chunk, or a missing one unless `sparse`.
    """
    if isinstance(group, Path) and (found := read_directly(group / name, region, sparse, out)) is not None:
        return found
    array = _opened(SizeGuardStore(open_store(group), sparse), group, name)
    cast(SizeGuardStore, array.store).expect(array)
    try:
        into = None if out is None else NDBuffer.from_numpy_array(out)
        return np.asarray(array.get_basic_selection(region, out=into))
    except (RuntimeError, ValueError, OSError, MemoryError) as error:
        chunk = next(_damaged(array, region), "?")
        reason = " ".join(str(error).split())
        raise DamagedError(
            f"{group}/{name}: chunk {chunk} is damaged ({reason[:120]}); put back a good copy of it, "
            "or make the store again",
            str(group),
        ) from None


def write(group: Location, name: str, region: tuple[slice, ...], values: NDArray[Any]) -> None:
    """Write a region that is made of whole chunks. Raises RunError where it cuts one or the disk is full."""
    array = open_array(group, name)
    for axis, (part, size, chunk) in enumerate(zip(region, array.shape, outer_chunks(array), strict=True)):
        if part.start % chunk or (part.stop % chunk and part.stop != size):
            raise RunError(
                f"{group}/{name}: pixels {part.start} to {part.stop} of axis {axis} cut a chunk of {chunk}; "
                "expected whole chunks; make the tile a multiple of the chunk"
            )
    _put(group, name, region, values)


def _put(group: Location, name: str, region: tuple[slice, ...], values: NDArray[Any]) -> None:
    store = ChecksumStore(open_store(group))
    array = zarr.open_array(store, path=name, mode="r+").with_config({"write_empty_chunks": True})
    try:
        array[region] = values
    except OSError as error:
        raise unwritable(f"{group}/{name}", error) from None
    add_checksums(group, store)


def missing_chunks(group: Location, name: str) -> list[str]:
    """Return the keys of the chunks that a store should hold and does not, in order."""
    array = open_array(group, name)
    if array.nchunks > MOST_CHUNKS:
        raise InputError(
            f"{group}/{name}: found {array.nchunks:,} chunks, expected at most {MOST_CHUNKS:,}; "
            "write the cube again with larger chunks"
        )
    there = sizes(group / name)
    return [key for key in _chunk_keys(array) if key not in there]


def outer_chunks(array: "zarr.Array[Any]") -> tuple[int, ...]:
    """Return what is one file of a store: the shard where there are shards, else the chunk."""
    return array.shards or array.chunks


def _is_like(group: Location, name: str, wanted: "zarr.Array[Any]") -> bool:
    try:
        there = zarr.open_array(open_store(group), path=name, mode="r")
    except (OSError, KeyError, ValueError):
        return False
    found, asked = there.metadata.to_dict(), wanted.metadata.to_dict()
    found.pop("chunk_grid")
    asked.pop("chunk_grid")
    return found == asked and all(
        new % max(old, 1) == 0 or new == size
        for new, old, size in zip(wanted.chunks, there.chunks, wanted.shape, strict=True)
    )


def _reshaped(group: Location, name: str, wanted: "zarr.Array[Any]") -> bool:
    """Give an array that is like another but for its shape that shape; return whether it is."""
    try:
        there = zarr.open_array(open_store(group), path=name, mode="r+")
    except (OSError, KeyError, ValueError):
        return False
    found, asked = there.metadata.to_dict(), wanted.metadata.to_dict()
    if {**found, "shape": asked["shape"]} != asked:
        return False
    there.resize(wanted.shape)
    return True


def _chunk_keys(array: "zarr.Array[Any]") -> Iterator[str]:
    counts = [-(-size // chunk) for size, chunk in zip(array.shape, outer_chunks(array), strict=True)]
    for coordinates in product(*map(range, counts)):
        yield array.metadata.encode_chunk_key(coordinates)


def _damaged(array: "zarr.Array[Any]", region: tuple[slice, ...]) -> Iterator[str]:
    chunks = outer_chunks(array)
    spans = []
    for part, size, chunk in zip(region, array.shape, chunks, strict=True):
        start, stop, _ = part.indices(size)
        spans.append(range(start // chunk, -(-stop // chunk)))
    for coordinates in product(*spans):
        window = tuple(
            slice(i * chunk, (i + 1) * chunk) for i, chunk in zip(coordinates, chunks, strict=True)
        )
        try:
            array[window]
        except (RuntimeError, ValueError, OSError, MemoryError):
            yield array.metadata.encode_chunk_key(coordinates)
