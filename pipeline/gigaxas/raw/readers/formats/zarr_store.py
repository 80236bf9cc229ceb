"""Zarr arrays, of the second format or the third, alone or in groups."""

from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from gigaxas.raw.readers.described import AbsentPart, Axis, FileArray, Format
from gigaxas.stores.io.cf import text_of, zarr_packing
from gigaxas.stores.io.chunks import dimension_names, outer_chunks

OPEN_ARRAYS = 128
"""Arrays that are kept open."""
METADATA = ("zarr.json", ".zarray", ".zgroup")


def open_array(path: Path, inner: str) -> "zarr.Array[Any]":
    """Open an array, open from before unless the folder has changed since."""
    return _array(path, inner, path.stat().st_mtime_ns)


@lru_cache(OPEN_ARRAYS)
def _array(path: Path, inner: str, stamp: int) -> "zarr.Array[Any]":
    return zarr.open_array(path, path=inner, mode="r")


def describe_arrays(path: Path) -> list[FileArray]:
    """Tell every array of numbers with at least two axes, and the coordinates that lie beside it."""
    root = zarr.open(path, mode="r")
    if isinstance(root, zarr.Array):
        return [_described("", root, None)]
    found = [(name, item) for name, item in root.members(max_depth=None) if isinstance(item, zarr.Array)]
    return [
        _described(name, array, root[name.rpartition("/")[0]] if "/" in name else root)
        for name, array in sorted(found)
        if array.ndim >= 2 and array.dtype.kind in "uifb"
    ]


def _described(name: str, array: "zarr.Array[Any]", group: Any) -> FileArray:
    axes = [_axis(axis, group) for axis in dimension_names(array) or ()] or _hyperspy_axes(group, array.ndim)
    return FileArray(name, array.shape, np.dtype(array.dtype), axes)


def _axis(name: str, group: Any) -> Axis:
    found = group.get(name) if group is not None else None
    if not isinstance(found, zarr.Array) or found.ndim != 1 or found.dtype.kind not in "uif":
        return Axis(name, None, "")
    return Axis(
        name, np.asarray(found[...], dtype=np.float64), str(text_of(dict(found.attrs).get("units", "")))
    )


def _hyperspy_axes(group: Any, count: int) -> list[Axis]:
    """Return the axes that HyperSpy describes beside its data, which rosettasciio reads with Zarr 2 alone."""
    groups = [group.get(f"axis-{i}") for i in range(count)] if group is not None else []
    if not groups or not all(isinstance(each, zarr.Group) for each in groups):
        return []
    return [_hyperspy_axis(each, size) for each, size in zip(groups, group["data"].shape, strict=True)]


def _hyperspy_axis(group: "zarr.Group", size: int) -> Axis:
    told: dict[str, Any] = dict(group.attrs)
    values = group.get("axis")
    if isinstance(values, zarr.Array):
        positions = np.asarray(values[...], dtype=np.float64)
    else:
        positions = float(told.get("offset", 0.0)) + float(told.get("scale", 1.0)) * np.arange(float(size))
    return Axis(str(told.get("name", "")), positions, str(told.get("units", "")))


def absent_parts(path: Path, array: "zarr.Array[Any]") -> list[AbsentPart]:
    """Return the chunks (or shards) that were never written, or are gone."""
    if array.nchunks_initialized == array.nchunks:
        return []
    store, outer = (path / array.path if array.path else path), outer_chunks(array)
    counts = (range(-(-size // chunk)) for size, chunk in zip(array.shape, outer, strict=True))
    found = []
    for place in product(*counts):
        name = array.metadata.encode_chunk_key(place)
        if not (store / name).exists():
            start = tuple(i * chunk for i, chunk in zip(place, outer, strict=True))
            stop = tuple(map(min, (i + c for i, c in zip(start, outer, strict=True)), array.shape))
            found.append(AbsentPart(start, stop, f"chunk {name}"))
    return found


ZARR = Format(
    "Zarr",
    lambda head, path: path.is_dir() and any((path / name).is_file() for name in METADATA),
    open_array,
    describe_arrays,
    absent_parts,
    lambda path, array: zarr_packing(array),
)
