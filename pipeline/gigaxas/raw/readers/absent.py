"""Images that a file should hold and does not: what was never written reads as zero, and is no signal."""

from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import zarr

from gigaxas.errors import InputError

MOST_NAMED = 8
"""Absent parts that one error names."""


def check_whole(path: Path, array: Any) -> None:
    """Raise InputError that names the parts of an HDF5 or Zarr array that were never written, or are gone.

    Libraries read them as the fill value, most often zero.
    """
    missing = list(islice(_missing(path, array), MOST_NAMED + 1))
    if missing:
        names = ", ".join(missing[:MOST_NAMED]) + (", ..." if len(missing) > MOST_NAMED else "")
        raise InputError(
            f"{path}: its data are not whole: {names} would read as the fill value; copy what is missing, or "
            "cut the stack to what was measured"
        )


def _missing(path: Path, array: Any) -> Iterator[str]:
    if isinstance(array, h5py.Dataset):
        if array.is_virtual:
            yield from _missing_sources(path, array)
        elif array.size and array.id.get_storage_size() == 0:
            yield f"all of {array.name}"
        elif array.chunks and array.id.get_num_chunks() < _chunk_count(array.shape, array.chunks):
            yield from _missing_chunks(array)
    elif isinstance(array, zarr.Array) and path.is_dir() and array.nchunks_initialized < array.nchunks:
        yield from _missing_files(path, array)


def _missing_sources(path: Path, array: h5py.Dataset) -> Iterator[str]:
    """Yield the files that a virtual dataset takes its data from and that are not there."""
    for source in array.virtual_sources():
        file = source.file_name
        # %b counts the files of a series, which the library looks for one after the other
        if file != "." and "%" not in file and not (path.parent / file).is_file():
            yield file


def _missing_chunks(array: h5py.Dataset) -> Iterator[str]:
    """Yield the chunks that were never written, by their first samples."""
    there = {array.id.get_chunk_info(i).chunk_offset for i in range(array.id.get_num_chunks())}
    steps = (range(0, size, chunk) for size, chunk in zip(array.shape, array.chunks, strict=True))
    yield from (f"the chunk at {list(start)}" for start in product(*steps) if start not in there)


def _missing_files(path: Path, array: "zarr.Array[Any]") -> Iterator[str]:
    store = path / array.path if array.path else path
    outer = array.shards or array.chunks
    counts = (range(-(-size // chunk)) for size, chunk in zip(array.shape, outer, strict=True))
    version_3 = (store / "zarr.json").is_file()
    for place in product(*counts):
        name = "/".join(("c", *map(str, place))) if version_3 else ".".join(map(str, place))
        if not (store / name).exists() and not (store / name.replace(".", "/")).exists():
            yield f"chunk {name}"


def _chunk_count(shape: tuple[int, ...], chunks: tuple[int, ...]) -> int:
    return int(np.prod([-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True)]))
