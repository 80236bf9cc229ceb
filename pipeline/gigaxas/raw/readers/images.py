"""Stacks of images (energy, y, x) in files of every format, read in pieces."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image

from gigaxas.errors import InputError, RunError
from gigaxas.raw.readers.absent import check_whole
from gigaxas.raw.readers.files import FileSet, split_source
from gigaxas.raw.readers.stxm import read_letter_mask, read_text_image
from gigaxas.tiles import Plane, Region

FileFormat = Literal["tiff", "hdf5", "zarr", "npy", "png", "text", "letters"]
FORMATS: dict[str, FileFormat] = {
    ".tif": "tiff",
    ".tiff": "tiff",
    ".btf": "tiff",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".nxs": "hdf5",
    ".nx5": "hdf5",
    ".hdf": "hdf5",
    ".zarr": "zarr",
    ".npy": "npy",
    ".png": "png",
    ".xim": "text",
    ".msk": "letters",
}
"""The format of a file by its ending, in lower case."""
AXES = "FEYX"
"""The axes of a stack in their order: frames of one energy, energy, y, x."""
OPEN_FILES = 512
"""Files of each format that are kept open."""
WHOLE_FILES = 128
"""Images that can only be read whole and are kept in memory."""
_DAMAGED = (OSError, ValueError, RuntimeError, KeyError, tifffile.TiffFileError)


@dataclass(frozen=True)
class Stack:
    """A stack of images: one array, or a file for every image; one image is a stack too."""

    files: tuple[str, ...]
    """One file, or one for every image."""
    inner: str
    """The array inside the files; empty where they hold one only."""
    file_format: FileFormat
    """What the files are."""
    axes: str
    """Those of AXES that a file holds."""
    order: tuple[int, ...]
    """Transposes what a file holds, without its axes of length 1, to `axes`."""
    shape: tuple[int, int, int]
    """Images, rows and columns."""
    frames: int
    """Frames of every image."""
    dtype: str
    """Type of the samples in the machine's byte order, as NumPy writes it."""
    piece: Plane
    """Pixels (h, w) that are unpacked at once to read one of them; (1, 1) where nothing is packed."""

    @property
    def plane(self) -> Plane:
        """Rows and columns, in pixels."""
        return self.shape[1], self.shape[2]


def open_stack(source: str, found: FileSet, axes: str = "EYX") -> Stack:
    """Describe a stack without reading its images. `axes` is the order of the axes in its files.

    Raises InputError: a format, an array, axes or numbers that cannot be taken, files of unequal shape.
    """
    _, inner = split_source(source)
    file_format = FORMATS.get(found.files[0].suffix.lower())
    if file_format is None:
        raise InputError(f"{found.files[0]}: {found.files[0].suffix or 'no suffix'}; expected {_known()}")
    layouts = [_layout(path, inner, file_format, axes, bool(found.keys)) for path in found.files]
    first = layouts[0]
    for path, layout in zip(found.files, layouts, strict=True):
        if (layout.shape, layout.dtype) != (first.shape, first.dtype):
            raise InputError(
                f"{path}: holds {layout.dtype} of shape {layout.shape}, {found.files[0].name} {first.dtype} "
                f"of {first.shape}; expected equal images"
            )
    _try_to_unpack(found.files[0], inner, file_format)
    size = dict(zip(first.axes, first.shape, strict=True))
    return Stack(
        files=tuple(map(str, found.files)),
        inner=inner,
        file_format=file_format,
        axes=first.axes,
        order=first.order,
        shape=(size.get("E", len(found.files)), size["Y"], size["X"]),
        frames=size.get("F", 1),
        dtype=first.dtype,
        piece=first.piece,
    )


def has_one_axis(path: Path, inner: str) -> bool:
    """Return whether the array of a file of FORMATS is a list of numbers; False where it cannot be read."""
    try:
        shape = _open(path, inner, FORMATS[path.suffix.lower()]).shape
    except _DAMAGED:
        return False
    return sum(size != 1 for size in shape) <= 1


def read_stack(stack: Stack, region: Region, energies: slice = slice(None), frame: int = 0) -> NDArray[Any]:
    """Read one frame of the images `energies` in the region (y, x): (e, h, w), in the numbers of the file.

    Raises RunError that names the file that cannot be read.
    """
    cut = dict(zip(AXES, (slice(frame, frame + 1), energies, *region), strict=True))
    wanted = tuple(cut[axis] for axis in stack.axes)
    files = stack.files if "E" in stack.axes else stack.files[energies]
    images = [_read(stack, Path(file), wanted) for file in files]
    whole = images[0] if "E" in stack.axes else np.stack(images, axis=stack.axes.index("Y"))
    return whole[0] if "F" in stack.axes else whole


@dataclass(frozen=True)
class _Layout:
    """How the images lie in one file; `axes`, `order`, `dtype` and `piece` are those of Stack."""

    shape: tuple[int, ...]
    """Lengths of the axes."""
    dtype: str
    axes: str
    order: tuple[int, ...]
    piece: Plane


def _layout(path: Path, inner: str, file_format: FileFormat, axes: str, single: bool) -> _Layout:
    try:
        array = _open(path, inner, file_format)
    except InputError:
        raise
    except _DAMAGED as error:
        reason = f"({_first_words(error)}){_datasets(path, file_format)}"
        raise InputError(f"{path}: cannot be read as {file_format} {reason}") from None
    check_whole(path, array)
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "uifb":
        raise InputError(f"{path}: holds {dtype}; expected whole or floating-point numbers")
    wanted, kept = _wanted_axes(axes.replace("E", "") if single else axes, array.shape)
    named = "".join(name for name, keep in zip(_axis_names(path, file_format), kept, strict=False) if keep)
    if sum(kept) != len(wanted) or any(named.find(axis) != wanted.index(axis) for axis in "YX" if named):
        raise InputError(
            f"{path}: holds the axes {named or 'without names'} of shape {tuple(array.shape)}, expected "
            f"{wanted} (energy, y, x); declare their order in ingest.axes, or name an array of such images"
        )
    found = "".join(axis for axis in AXES if axis in wanted)
    order = tuple(wanted.index(axis) for axis in found)
    shape = [size for size, keep in zip(array.shape, kept, strict=True) if keep]
    pieces = [size for size, keep in zip(_pieces(array, file_format), kept, strict=True) if keep]
    shape, pieces = [shape[axis] for axis in order], [pieces[axis] for axis in order]
    return _Layout(tuple(shape), dtype.newbyteorder("=").str, found, order, (pieces[-2], pieces[-1]))


def _wanted_axes(axes: str, shape: tuple[int, ...]) -> tuple[str, list[bool]]:
    """Return which of the declared axes an array has, frames and then energies left out where it has fewer.

    The second is which of its own axes these are.
    """
    if len(shape) < len(axes):
        axes = axes.replace("F", "")
    kept = _kept_axes(shape, len(axes))
    for missing in "FE":
        if sum(kept) < len(axes):
            axes = axes.replace(missing, "")
    return axes, kept


def _try_to_unpack(path: Path, inner: str, file_format: FileFormat) -> None:
    """Unpack one sample, so that a missing decoder or a broken file is found before any work."""
    try:
        array = _open(path, inner, file_format)
        np.asarray(array[tuple(slice(0, 1) for _ in array.shape)])
    except _DAMAGED as error:
        raise InputError(
            f"{path}: its images cannot be unpacked ({_first_words(error)}); store them uncompressed, "
            "or compressed with deflate"
        ) from None


def _kept_axes(shape: tuple[int, ...], wanted: int) -> list[bool]:
    """Leave axes of length 1 out where there are more axes than wanted."""
    return [size != 1 or len(shape) == wanted for size in shape]


def _pieces(array: Any, file_format: FileFormat) -> tuple[int, ...]:
    if file_format in _READ_WHOLE:
        return tuple(array.shape)
    chunks = getattr(array, "chunks", None)
    return tuple(chunks) if chunks else (1,) * len(array.shape)


def _read(stack: Stack, path: Path, region: tuple[slice, ...]) -> NDArray[Any]:
    try:
        array = _open(path, stack.inner, stack.file_format)
        inside = iter(np.argsort(stack.order))
        kept = _kept_axes(array.shape, len(stack.order))
        values = np.asarray(array[tuple(region[next(inside)] if keep else 0 for keep in kept)])
    except _DAMAGED as error:
        raise RunError(
            f"{path}: cannot be read any further ({_first_words(error)}); put back a good copy of it and "
            "run the same command again"
        ) from None
    return np.ascontiguousarray(np.transpose(values, stack.order), dtype=stack.dtype)


def _open(path: Path, inner: str, file_format: FileFormat) -> Any:
    """Return the array of a file, open from before unless the file has changed since."""
    stamp = path.stat().st_mtime_ns
    if file_format == "tiff":
        return _tiff(path, stamp)[0]
    if file_format == "npy":
        return np.lib.format.open_memmap(path, mode="r")
    if file_format in _READ_WHOLE:
        return _whole(path, file_format, stamp)
    return _hdf5(path, inner, stamp) if file_format == "hdf5" else _zarr(path, inner, stamp)


def _axis_names(path: Path, file_format: FileFormat) -> str:
    """Return the axes that a microscope's TIFF names; other files carry guesses of the writer, or none."""
    return _tiff(path, path.stat().st_mtime_ns)[1] if file_format == "tiff" else ""


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


@lru_cache(WHOLE_FILES)
def _whole(path: Path, file_format: FileFormat, stamp: int) -> NDArray[Any]:
    return _READ_WHOLE[file_format](path)


def _png(path: Path) -> NDArray[Any]:
    with Image.open(path) as image:
        return np.asarray(image)


_READ_WHOLE: dict[FileFormat, Callable[[Path], NDArray[Any]]] = {
    "png": _png,
    "text": read_text_image,
    "letters": read_letter_mask,
}
"""What reads the image of a file of which no part can be read alone."""


def _datasets(path: Path, file_format: FileFormat) -> str:
    if file_format != "hdf5":
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
    return f"TIFF, HDF5, Zarr, NumPy, PNG or text images ({', '.join(FORMATS)})"


def _first_words(error: Exception) -> str:
    return " ".join(str(error).split())[:160].rstrip(".")
