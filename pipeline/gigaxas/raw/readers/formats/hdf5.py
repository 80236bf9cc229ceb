"""HDF5 files of any ending: NeXus, netCDF4, MANTiS, Data Exchange, MATLAB 7.3, and plain arrays."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.raw.readers.described import ENERGY_NAMES, AbsentPart, Axis, FileArray, Format
from gigaxas.stores.io.cf import Packing, packing_of, text_of

MAGIC = b"\x89HDF\r\n\x1a\n"
OPEN_FILES = 128
"""Datasets that are kept open."""
MOST_ENERGIES = 100_000
"""Samples of an axis that are read."""
BUILT_IN = frozenset({"gzip", "shuffle", "fletcher32", "lzf", "scaleoffset", "szip"})
"""Filters that h5py itself undoes."""


def open_dataset(path: Path, inner: str) -> h5py.Dataset:
    """Open a dataset, open from before unless the file has changed since.

    Raises KeyError where there is none, and InputError where it is packed by a filter that is not installed.
    """
    return _dataset(path, inner, path.stat().st_mtime_ns)


@lru_cache(OPEN_FILES)
def _dataset(path: Path, inner: str, stamp: int) -> h5py.Dataset:
    # file systems of beamlines are often mounted read-only, where HDF5 cannot lock
    found = h5py.File(path, "r", locking=False).get(inner) if inner else None
    if not isinstance(found, h5py.Dataset):
        raise KeyError(f"there is no dataset {inner!r} in it")
    if set(found._filters) - BUILT_IN:
        _install_filters(path)
    return found


def forget_files() -> None:
    """Close every file: one that is written again in its place would be read as it was."""
    _dataset.cache_clear()


def opens(path: Path) -> bool:
    """Return whether a file can be opened, and nobody is writing it where the disk has locks."""
    forget_files()  # what this process has open itself cannot be opened with a lock
    try:
        with h5py.File(path, "r", locking="best-effort"):
            return True
    except OSError:
        return False


def _install_filters(path: Path) -> None:
    try:
        import hdf5plugin  # noqa: F401 - it registers its filters with the HDF5 library
    except ImportError:
        raise InputError(
            f"{path}: is packed by a filter that h5py does not know; pip install 'gigaxas[formats]'"
        ) from None


def describe_datasets(path: Path) -> list[FileArray]:
    """Tell every dataset of numbers with at least two axes; what NeXus calls the signal is the main one."""
    names: list[str] = []
    with h5py.File(path, "r", locking=False) as file:
        file.visititems(lambda name, item: names.append(name) if _is_image(item) else None)
        return [_described(file, name) for name in names]


def describe_lists(path: Path) -> dict[str, int]:
    """Return every list of numbers, and every number, of a file by its name, with how many there are."""
    sizes: dict[str, int] = {}

    def note(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and item.ndim <= 1 and item.dtype.kind in "uif":
            sizes[name] = int(item.size)

    with h5py.File(path, "r", locking=False) as file:
        file.visititems(note)
    return sizes


def _is_image(item: Any) -> bool:
    return isinstance(item, h5py.Dataset) and item.ndim >= 2 and item.dtype.kind in "uifb"


def _described(file: h5py.File, name: str) -> FileArray:
    data: h5py.Dataset = file[name]
    axes = _nexus_axes(data) or _scales(data) or _listed_axes(data) or _neighbours(data)
    return FileArray(name, data.shape, data.dtype, axes, _is_signal(data))


def _is_signal(data: h5py.Dataset) -> bool:
    """Return whether a dataset is the signal of its NXdata group, by the newer or the older convention."""
    group, name = data.parent, data.name.rsplit("/", 1)[-1]
    return text_of(group.attrs.get("signal")) == name or str(text_of(data.attrs.get("signal"))) == "1"


def _nexus_axes(data: h5py.Dataset) -> list[Axis]:
    names = _words(data.parent.attrs.get("axes"))
    return (
        [_axis(data.parent, name) for name in names] if _is_signal(data) and len(names) == data.ndim else []
    )


def _scales(data: h5py.Dataset) -> list[Axis]:
    """Return the axes that netCDF4 and h5py attach as dimension scales."""
    if not any(len(dimension) for dimension in data.dims):
        return []
    return [
        _read_axis(dimension[0].name.rsplit("/", 1)[-1], dimension[0])
        if len(dimension)
        else Axis("", None, "")
        for dimension in data.dims
    ]


def _listed_axes(data: h5py.Dataset) -> list[Axis]:
    """Return the axes that an attribute names, as in Data Exchange, which may leave energies out."""
    names = _words(data.attrs.get("axes"))
    energies = [name for name in data.parent if name.lower() in ENERGY_NAMES]
    if len(names) == data.ndim - 1 and len(energies) == 1:
        names.append(energies[0])
    return [_axis(data.parent, name) for name in names] if len(names) == data.ndim else []


def _neighbours(data: h5py.Dataset) -> list[Axis]:
    """Return the axis of energies where a list beside the dataset is called so and fits just one axis."""
    near = [item for item in data.parent.values() if isinstance(item, h5py.Dataset) and item.ndim == 1]
    energies = [item for item in near if item.name.rsplit("/", 1)[-1].lower() in ENERGY_NAMES]
    fits = [i for i, size in enumerate(data.shape) if energies and size == energies[0].size]
    if len(energies) != 1 or len(fits) != 1:
        return []
    return [
        _read_axis("energy", energies[0]) if i == fits[0] else Axis("", None, "") for i in range(data.ndim)
    ]


def _axis(group: h5py.Group, name: str) -> Axis:
    found = group.get(name)
    return _read_axis(name, found) if isinstance(found, h5py.Dataset) else Axis(name, None, "")


def _read_axis(name: str, data: h5py.Dataset) -> Axis:
    readable = data.ndim == 1 and data.dtype.kind in "uif" and data.size <= MOST_ENERGIES
    whole = readable and not absent_parts(Path(data.file.filename), data)
    values: FloatArray | None = np.asarray(data[...], dtype=np.float64) if whole else None
    return Axis(name, values, str(text_of(data.attrs.get("units")) or ""))


def _words(given: Any) -> list[str]:
    """Return the names in an attribute: a list of text, or text with colons or commas between them."""
    found = text_of(given)
    if isinstance(found, str):
        return [word.strip() for word in found.replace(",", ":").strip("[]").split(":") if word.strip()]
    return [str(text_of(word)) for word in np.atleast_1d(found)] if found is not None else []


def absent_parts(path: Path, data: h5py.Dataset) -> list[AbsentPart]:
    """Return what of a dataset was never written, or lies in files that are gone."""
    whole = (0,) * data.ndim, tuple(data.shape)
    if data.is_virtual:
        return list(_absent_sources(path, data))
    if data.external:
        return [AbsentPart(*whole, file) for file in _absent_files(data)]
    if data.size and data.id.get_storage_size() == 0:
        return [AbsentPart(*whole, data.name)]
    if data.chunks and data.id.get_num_chunks() < np.prod(
        [-(-n // c) for n, c in zip(data.shape, data.chunks, strict=True)]
    ):
        return list(_absent_chunks(data))
    return []


def _absent_chunks(data: h5py.Dataset) -> Iterator[AbsentPart]:
    there = {data.id.get_chunk_info(i).chunk_offset for i in range(data.id.get_num_chunks())}
    steps = (range(0, size, chunk) for size, chunk in zip(data.shape, data.chunks, strict=True))
    for start in product(*steps):
        if start not in there:
            stop = tuple(map(min, (i + c for i, c in zip(start, data.chunks, strict=True)), data.shape))
            yield AbsentPart(start, stop, f"the chunk at {list(start)}")


def _absent_sources(path: Path, data: h5py.Dataset) -> Iterator[AbsentPart]:
    """Yield the parts of a virtual dataset whose source is gone or not whole, and planes without a source."""
    covered = np.zeros(data.shape[0], dtype=bool)
    for source in data.virtual_sources():
        first, last = source.vspace.get_select_bounds()
        covered[first[0] : last[0] + 1] = True
        if not _is_whole_source(path, source.file_name, source.dset_name):
            yield AbsentPart(first, tuple(i + 1 for i in last), source.file_name)
    for i in np.flatnonzero(~covered).tolist():
        yield AbsentPart((i, *(0,) * (data.ndim - 1)), (i + 1, *data.shape[1:]), "a source of it")


def _is_whole_source(path: Path, file_name: str, name: str) -> bool:
    # %b counts the files of a series, of which the library takes those that are there
    if "%" in file_name:
        return True
    file = path if file_name == "." else path.parent / file_name
    try:
        with h5py.File(file, "r", locking=False) as source:
            return isinstance(source.get(name), h5py.Dataset) and not absent_parts(file, source[name])
    except OSError:
        return False


def _absent_files(data: h5py.Dataset) -> Iterator[str]:
    for name, offset, size in data.external:
        file = Path(name if isinstance(name, str) else name.decode())
        if not file.is_file() or (size != h5py.h5f.UNLIMITED and file.stat().st_size < offset + size):
            yield str(file)


def _packing(path: Path, data: h5py.Dataset) -> Packing:
    return packing_of(data.attrs, data.dtype, data.fillvalue or None)


HDF5 = Format(
    "HDF5", lambda head, path: head.startswith(MAGIC), open_dataset, describe_datasets, absent_parts, _packing
)
