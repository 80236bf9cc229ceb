"""Stacks of images (energy, y, x) in TIFF, HDF5 and Zarr files, read in pieces."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from gigaxas.errors import InputError, RunError
from gigaxas.raw.readers.files import Found, split_source

Kind = Literal["tiff", "hdf5", "zarr"]
KINDS: dict[str, Kind] = {
    ".tif": "tiff",
    ".tiff": "tiff",
    ".btf": "tiff",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".nxs": "hdf5",
    ".nx5": "hdf5",
    ".hdf": "hdf5",
    ".zarr": "zarr",
}
AXES = "EYX"
OPEN_FILES = 512
_DAMAGED = (OSError, ValueError, RuntimeError, KeyError, tifffile.TiffFileError)


@dataclass(frozen=True)
class Stack:
    """A stack of images of shape (E, h, w): one array, or a file for every plane; one image is a stack too.

    `order` transposes what a file holds, its axes of length 1 left out, to (E, y, x) or, for a file of one
    plane, (y, x). `piece` (h, w) is what is unpacked at once to read a pixel of it, (1, 1) where nothing is.
    """

    files: tuple[str, ...]
    inner: str
    kind: Kind
    order: tuple[int, ...]
    shape: tuple[int, int, int]
    dtype: str
    piece: tuple[int, int]

    @property
    def plane(self) -> tuple[int, int]:
        """Rows and columns, in pixels."""
        return self.shape[1], self.shape[2]


def open_stack(source: str, found: Found, axes: str = AXES) -> Stack:
    """Look at a stack without reading it. `axes` is the order of the axes in its files.

    Raises InputError: a format, an array, axes or numbers that cannot be taken, files of unequal shape.
    """
    _, inner = split_source(source)
    kind = KINDS.get(found.files[0].suffix.lower())
    if kind is None:
        raise InputError(f"{found.files[0]}: {found.files[0].suffix or 'no suffix'}; expected {_known()}")
    looks = [_look(path, inner, kind, axes, bool(found.keys)) for path in found.files]
    first = looks[0]
    for path, look in zip(found.files, looks, strict=True):
        if (look.shape, look.dtype) != (first.shape, first.dtype):
            raise InputError(
                f"{path}: holds {look.dtype} of shape {look.shape}, {found.files[0].name} {first.dtype} of "
                f"{first.shape}; expected equal planes"
            )
    _probe(found.files[0], inner, kind)
    height, width = first.shape[-2:]
    planes = len(found.files) if len(first.shape) == 2 else first.shape[0]
    shape = (planes, height, width)
    return Stack(tuple(map(str, found.files)), inner, kind, first.order, shape, first.dtype, first.piece)


def read_stack(stack: Stack, region: tuple[slice, slice], energies: slice = slice(None)) -> NDArray[Any]:
    """Read the planes `energies` of the region (y, x): (e, h, w), in the numbers of the file.

    Raises RunError that names the file that cannot be read.
    """
    if len(stack.files) == 1 and len(stack.order) == 3:
        return _read(stack, Path(stack.files[0]), (energies, *region))
    return np.stack([_read(stack, Path(file), region) for file in stack.files[energies]])


@dataclass(frozen=True)
class _Look:
    shape: tuple[int, ...]
    dtype: str
    order: tuple[int, ...]
    piece: tuple[int, int]


def _look(path: Path, inner: str, kind: Kind, axes: str, single: bool) -> _Look:
    try:
        array = _open(path, inner, kind)
    except _DAMAGED as error:
        said = f"{_said(error)}){_datasets(path, kind)}"
        raise InputError(f"{path}: cannot be read as {kind} ({said}") from None
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "uif":
        raise InputError(f"{path}: holds {dtype}; expected whole or floating-point numbers")
    wanted = axes.replace("E", "") if single else axes
    kept = _kept_axes(array.shape, len(wanted))
    if sum(kept) == 2:
        wanted = axes.replace("E", "")
    named = "".join(name for name, keep in zip(_axis_names(path, kind), kept, strict=False) if keep)
    if sum(kept) != len(wanted) or any(named.find(axis) != wanted.index(axis) for axis in "YX" if named):
        raise InputError(
            f"{path}: holds the axes {named or 'without names'} of shape {tuple(array.shape)}, expected "
            f"{wanted} (energy, y, x); declare their order in ingest.axes, or name an array of such images"
        )
    order = tuple(wanted.index(axis) for axis in AXES if axis in wanted)
    shape = [size for size, keep in zip(array.shape, kept, strict=True) if keep]
    pieces = [size for size, keep in zip(_pieces(array), kept, strict=True) if keep]
    shape, pieces = [shape[axis] for axis in order], [pieces[axis] for axis in order]
    return _Look(tuple(shape), dtype.newbyteorder("=").str, order, (pieces[-2], pieces[-1]))


def _probe(path: Path, inner: str, kind: Kind) -> None:
    """Unpack one sample, so that a missing decoder or a broken file is told before any work."""
    try:
        array = _open(path, inner, kind)
        np.asarray(array[tuple(slice(0, 1) for _ in array.shape)])
    except _DAMAGED as error:
        raise InputError(
            f"{path}: its images cannot be unpacked ({_said(error)}); store them uncompressed, or compressed "
            "with deflate"
        ) from None


def _kept_axes(shape: tuple[int, ...], wanted: int) -> list[bool]:
    """Leave axes of length 1 out where there are more axes than wanted."""
    return [size != 1 or len(shape) == wanted for size in shape]


def _pieces(array: Any) -> tuple[int, ...]:
    chunks = getattr(array, "chunks", None)
    return tuple(chunks) if chunks else (1,) * len(array.shape)


def _read(stack: Stack, path: Path, region: tuple[slice, ...]) -> NDArray[Any]:
    try:
        array = _open(path, stack.inner, stack.kind)
        inside = iter(np.argsort(stack.order))
        kept = _kept_axes(array.shape, len(stack.order))
        values = np.asarray(array[tuple(region[next(inside)] if keep else 0 for keep in kept)])
    except _DAMAGED as error:
        raise RunError(
            f"{path}: cannot be read any further ({_said(error)}); put back a good copy of it and run the "
            "same command again"
        ) from None
    return np.ascontiguousarray(np.transpose(values, stack.order), dtype=stack.dtype)


def _open(path: Path, inner: str, kind: Kind) -> Any:
    """Return the array of a file, open from before unless the file has changed since."""
    stamp = path.stat().st_mtime_ns
    if kind == "tiff":
        return _tiff(path, stamp)[0]
    return _hdf5(path, inner, stamp) if kind == "hdf5" else _zarr(path, inner, stamp)


def _axis_names(path: Path, kind: Kind) -> str:
    """Return the axes that a microscope's TIFF names; other files carry guesses of the writer, or none."""
    return _tiff(path, path.stat().st_mtime_ns)[1] if kind == "tiff" else ""


@lru_cache(OPEN_FILES)
def _tiff(path: Path, stamp: int) -> tuple[Any, str]:
    """Map a TIFF that lies in one piece into memory; others are unpacked piece by piece."""
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        axes = series.axes if file.is_ome or file.is_imagej else ""
        if series.dataoffset is not None and series.keyframe.is_memmappable:
            return tifffile.memmap(path, series=0, mode="r"), axes
    store: Any = tifffile.imread(path, series=0, aszarr=True)
    array = zarr.open(store, mode="r")
    return (array if isinstance(array, zarr.Array) else array["0"]), axes


@lru_cache(OPEN_FILES)
def _hdf5(path: Path, inner: str, stamp: int) -> Any:
    # file systems of beamlines are often mounted read-only, where HDF5 cannot lock
    found = h5py.File(path, "r", locking=False).get(inner) if inner else None
    if not isinstance(found, h5py.Dataset):
        raise KeyError(f"there is no dataset {inner!r} in it")
    return found


@lru_cache(OPEN_FILES)
def _zarr(path: Path, inner: str, stamp: int) -> Any:
    return zarr.open_array(path, path=inner, mode="r")


def _datasets(path: Path, kind: Kind) -> str:
    if kind != "hdf5":
        return ""
    names: list[str] = []
    try:
        with h5py.File(path, "r", locking=False) as file:
            file.visititems(lambda name, item: _note(names, name, item))
    except OSError:
        return ""
    return f"; the images in it are {', '.join(names[:6]) or 'none'}; name one as file.h5::path"


def _note(names: list[str], name: str, item: Any) -> None:
    if isinstance(item, h5py.Dataset) and item.ndim >= 2:
        names.append(name)


def _known() -> str:
    return f"TIFF, HDF5 or Zarr ({', '.join(KINDS)})"


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:160].rstrip(".")
