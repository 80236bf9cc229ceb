"""Stacks of images (energy, y, x) in files of every format, read in pieces."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gigaxas.config.schema import Missing
from gigaxas.errors import InputError, RunError
from gigaxas.raw.readers.described import AXES, AbsentPart, FileArray, Format
from gigaxas.raw.readers.files import FileSet, split_source
from gigaxas.raw.readers.formats import FORMATS, format_of
from gigaxas.stores.io.cf import PLAIN, Packing, unpack, unpacked_type
from gigaxas.tiles import Plane, Region

DEFAULT_AXES = "EYX"
MOST_NAMED = 8
"""Arrays or absent parts that one error names."""
_BY_NAME = {each.name: each for each in FORMATS}


class AbsentImages(NamedTuple):
    """A part of the array in one file that is not there."""

    file: str
    part: AbsentPart


@dataclass(frozen=True)
class Stack:
    """A stack of images: one array, or a file for every image; one image is a stack too."""

    files: tuple[str, ...]
    """One file, or one for every image; those of one scan after those of another."""
    inner: str
    """The array inside the files; empty where they hold one only."""
    format_name: str
    """The name of their format."""
    axes: str
    """Those of AXES that a file holds."""
    order: tuple[int, ...]
    """Transposes what a file holds, without its axes of length 1, to `axes`."""
    shape: tuple[int, int, int]
    """Images, rows and columns."""
    frames: int
    """Frames of every image, those of all scans."""
    dtype: str
    """Type of the samples in the machine's byte order, as NumPy writes it."""
    piece: Plane
    """Pixels (h, w) that are unpacked at once to read one of them; (1, 1) where nothing is packed."""
    packing: Packing = PLAIN
    """How the stored numbers become samples, and which stand for none."""
    absent: tuple[AbsentImages, ...] = ()
    """What is not there, and is read as NaN."""
    is_backwards: bool = False
    """Whether the files hold the images in the order of falling energy."""
    scans: int = 1
    """How often the images were taken, each time into files of its own."""

    @property
    def plane(self) -> Plane:
        """Rows and columns, in pixels."""
        return self.shape[1], self.shape[2]


def every_array(path: Path, inner: str) -> list[FileArray]:
    """Tell every array of numbers in a file. Raises InputError where it cannot be read."""
    found = format_of(path, inner)
    try:
        return found.describe(path)
    except InputError:
        raise
    except Exception as error:  # libraries raise whatever they stumble over
        raise _unreadable(path, found, error) from None


def described(path: Path, inner: str, is_single: bool = False) -> FileArray:
    """Return what a file says of an array: of the one named `inner`, else of the one that can be meant.

    `is_single` looks for an image rather than a stack. Raises InputError: no such array, or more than one.
    """
    found = every_array(path, inner)
    if inner:
        named = (each for each in found if each.name.strip("/") == inner.strip("/"))
        array = next(named, None)
        return array or FileArray(inner, *_shape_and_type(path, inner))
    wanted = [each for each in found if (sum(size > 1 for size in each.shape) > 2) != is_single] or found
    wanted = [each for each in wanted if each.is_main] or wanted
    if len(wanted) != 1:
        names = ", ".join(each.name for each in found[:MOST_NAMED]) or "none"
        raise InputError(f"{path}: the images in it are {names}; name one as {path.name}::array")
    return wanted[0]


def open_stack(source: str, found: FileSet, axes: str | None = None, missing: Missing = "error") -> Stack:
    """Describe a stack without reading its images. `axes` is the order of the axes in its files.

    Left out, it is what a file says, else EYX. Raises InputError: a format, an array, axes or numbers that
    cannot be taken, files of unequal shape, images that are not there unless `missing` is void.
    """
    first_file, inner = found.files[0], split_source(source)[1]
    told = described(first_file, inner, bool(found.keys))
    fits = sorted(told.letters.replace("F", "")) == sorted("YX" if found.keys else DEFAULT_AXES)
    order = axes or (told.letters if fits else DEFAULT_AXES)
    layouts = [_layout(path, told, order, bool(found.keys)) for path in found.files]
    first = layouts[0]
    for path, layout in zip(found.files, layouts, strict=True):
        if (layout.shape, layout.dtype) != (first.shape, first.dtype):
            raise InputError(
                f"{path}: holds {layout.dtype} of shape {layout.shape}, {first_file.name} {first.dtype} "
                f"of {first.shape}; expected equal images"
            )
    absent = [
        AbsentImages(str(p), part)
        for p, each in zip(found.files, layouts, strict=True)
        for part in each.absent
    ]
    if absent and missing == "error":
        raise InputError(_absent_sentence(absent, first))
    _try_to_unpack(first_file, told.name)
    size = dict(zip(first.axes, first.shape, strict=True))
    is_plain = first.packing.is_plain and not absent
    return Stack(
        files=tuple(map(str, found.files)),
        inner=told.name,
        format_name=format_of(first_file, told.name).name,
        axes=first.axes,
        order=first.order,
        shape=(size.get("E", len(found.files) // found.scans), size["Y"], size["X"]),
        frames=size.get("F", 1) * found.scans,
        dtype=first.dtype if is_plain else unpacked_type(np.dtype(first.dtype)).str,
        piece=first.piece,
        packing=first.packing,
        absent=tuple(absent),
        scans=found.scans,
    )


def has_one_axis(path: Path, inner: str) -> bool:
    """Return whether an array is a list of numbers; False where it cannot be read."""
    try:
        shape = _opened(path, inner)[1].shape
    except InputError:
        return False
    return sum(size != 1 for size in shape) <= 1


def read_stack(stack: Stack, region: Region, energies: slice = slice(None), frame: int = 0) -> NDArray[Any]:
    """Read one frame of the images `energies` in the region (y, x): (e, h, w), as the file numbers them.

    Packed numbers are unpacked; samples that stand for none, or are not there, are NaN. Raises RunError that
    names the file that cannot be read.
    """
    if stack.is_backwards:
        start, stop, _ = energies.indices(stack.shape[0])
        energies = slice(stack.shape[0] - stop, stack.shape[0] - start)
    scan, frame = divmod(frame, stack.frames // stack.scans)
    cut = dict(zip(AXES, (slice(frame, frame + 1), energies, *region), strict=True))
    wanted = tuple(cut[axis] for axis in stack.axes)
    per_scan = len(stack.files) // stack.scans
    of_scan = stack.files[scan * per_scan : (scan + 1) * per_scan]
    files = of_scan if "E" in stack.axes else of_scan[energies]
    images = [_read(stack, Path(file), wanted) for file in files]
    whole = images[0] if "E" in stack.axes else np.stack(images, axis=stack.axes.index("Y"))
    samples = whole[0] if "F" in stack.axes else whole
    return samples[::-1] if stack.is_backwards else samples


@dataclass(frozen=True)
class _Layout:
    """How the images lie in one file; `axes`, `order`, `dtype`, `piece` and `packing` are those of Stack."""

    shape: tuple[int, ...]
    """Lengths of the axes."""
    dtype: str
    axes: str
    order: tuple[int, ...]
    piece: Plane
    packing: Packing
    absent: tuple[AbsentPart, ...]
    """What is not there."""
    energies: int | None
    """Number of the array's axis of energies; None in a file of one image."""


def _opened(path: Path, inner: str) -> tuple[Format, Any]:
    found = format_of(path, inner)
    try:
        return found, found.open(path, inner)
    except InputError:
        raise
    except Exception as error:  # libraries raise whatever they stumble over
        raise _unreadable(path, found, error) from None


def _unreadable(path: Path, found: Format, error: Exception) -> InputError:
    names = []
    if isinstance(error, KeyError):
        names = [each.name for each in every_array(path, "")][:MOST_NAMED]
    listed = f"; the images in it are {', '.join(names)}; name one as {path.name}::array" if names else ""
    return InputError(f"{path}: cannot be read as {found.name} ({_first_words(error)}){listed}")


def _shape_and_type(path: Path, inner: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    array = _opened(path, inner)[1]
    return tuple(array.shape), np.dtype(array.dtype)


def _layout(path: Path, told: FileArray, axes: str, is_single: bool) -> _Layout:
    kind, array = _opened(path, told.name)
    dtype = np.dtype(array.dtype)
    if dtype.kind not in "uifb":
        raise InputError(f"{path}: holds {dtype}; expected whole or floating-point numbers")
    if 0 in array.shape:
        raise InputError(f"{path}: its shape is {tuple(array.shape)}; expected at least one sample")
    wanted, kept = _wanted_axes(axes.replace("E", "") if is_single else axes, array.shape)
    if sum(kept) != len(wanted) or not _agree(told.letters, wanted):
        raise InputError(
            f"{path}: holds {told.letters or 'axes without names'} of shape {tuple(array.shape)}, "
            f"expected {wanted} (energy, y, x); declare their order in ingest.axes, or name another array"
        )
    try:
        packing, absent = kind.packing(path, array), tuple(kind.absent(path, array))
    except InputError as error:
        raise InputError(f"{path}: {error}; correct the attribute") from None
    except Exception as error:  # libraries raise whatever they stumble over
        raise _unreadable(path, kind, error) from None
    found = "".join(axis for axis in AXES if axis in wanted)
    order = tuple(wanted.index(axis) for axis in found)
    shape = [size for size, keep in zip(array.shape, kept, strict=True) if keep]
    pieces = [size for size, keep in zip(_pieces(array, kind), kept, strict=True) if keep]
    shape, pieces = [shape[axis] for axis in order], [pieces[axis] for axis in order]
    return _Layout(
        shape=tuple(shape),
        dtype=dtype.newbyteorder("=").str,
        axes=found,
        order=order,
        piece=(pieces[-2], pieces[-1]),
        packing=packing,
        absent=absent,
        energies=int(np.flatnonzero(kept)[wanted.index("E")]) if "E" in wanted else None,
    )


def _agree(told: str, wanted: str) -> bool:
    """Return whether the axes that a file tells are those that are expected, in their order."""
    return len(told) != len(wanted) or told == wanted


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


def _try_to_unpack(path: Path, inner: str) -> None:
    """Unpack one sample, so that a missing decoder or a broken file is found before any work."""
    array = _opened(path, inner)[1]
    try:
        np.asarray(array[tuple(slice(0, 1) for _ in array.shape)])
    except Exception as error:  # libraries raise whatever they stumble over
        cure = (
            "pip install 'gigaxas[formats]', or store them" if "imagecodecs" in str(error) else "store them"
        )
        raise InputError(
            f"{path}: its images cannot be unpacked ({_first_words(error)}); {cure} uncompressed, "
            "or compressed with deflate"
        ) from None


def _kept_axes(shape: tuple[int, ...], wanted: int) -> list[bool]:
    """Leave axes of length 1 out where there are more axes than wanted."""
    return [size != 1 or len(shape) == wanted for size in shape]


def _pieces(array: Any, kind: Format) -> tuple[int, ...]:
    if kind.is_read_whole:
        return tuple(array.shape)
    chunks = getattr(array, "chunks", None)
    return tuple(chunks) if chunks else (1,) * len(array.shape)


def _read(stack: Stack, path: Path, region: tuple[slice, ...]) -> NDArray[Any]:
    try:
        array = _BY_NAME[stack.format_name].open(path, stack.inner)
        inside = iter(np.argsort(stack.order))
        kept = _kept_axes(array.shape, len(stack.order))
        cut = tuple(region[next(inside)] if keep else slice(0, 1) for keep in kept)
        values = np.asarray(array[cut])
    except Exception as error:  # libraries raise whatever they stumble over
        raise RunError(
            f"{path}: cannot be read any further ({_first_words(error)}); put back a good copy of it and "
            "run the same command again"
        ) from None
    if not stack.packing.is_plain:
        values = unpack(values, stack.packing)
    if stack.absent:
        values = _without_absent(values, cut, [part for file, part in stack.absent if file == str(path)])
    values = values.reshape([size for size, keep in zip(values.shape, kept, strict=True) if keep])
    return np.ascontiguousarray(np.transpose(values, stack.order), dtype=stack.dtype)


def _without_absent(values: NDArray[Any], cut: tuple[slice, ...], parts: list[AbsentPart]) -> NDArray[Any]:
    """Return values with NaN in the parts of the array, cut out by slices, that are not there."""
    values = values.astype(unpacked_type(values.dtype))
    starts = [part.start or 0 for part in cut]
    for part in parts:
        spans = zip(part.start, part.stop, starts, strict=True)
        values[tuple(slice(max(first - at, 0), max(last - at, 0)) for first, last, at in spans)] = np.nan
    return values


def _absent_sentence(absent: list[AbsentImages], layout: _Layout) -> str:
    """Name the files, the planes and the parts that are not there."""
    files = list(dict.fromkeys(each.file for each in absent))
    parts = list(dict.fromkeys(each.part.what for each in absent))
    names = ", ".join(parts[:MOST_NAMED]) + (", ..." if len(parts) > MOST_NAMED else "")
    planes = ""
    if (axis := layout.energies) is not None:
        numbers = sorted({i for each in absent for i in range(each.part.start[axis], each.part.stop[axis])})
        planes = f"plane{'s' if len(numbers) > 1 else ''} {_ranges(numbers)} (counted from 0): "
    where = files[0] if len(files) == 1 else f"{files[0]} and {len(files) - 1} more files"
    return (
        f"{where}: its data are not whole: {planes}{names} would read as the fill value; copy what is "
        "missing, cut the stack to what was measured, or set `missing: void` to take these pixels as void"
    )


def _ranges(numbers: list[int]) -> str:
    """Return whole numbers as ranges, as 3, 12 to 19."""
    gaps = np.flatnonzero(np.diff(numbers) > 1) + 1
    runs = np.split(np.array(numbers), gaps)
    said = [f"{run[0]} to {run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]
    return ", ".join(said[:MOST_NAMED]) + (", ..." if len(said) > MOST_NAMED else "")


def _first_words(error: Exception) -> str:
    return " ".join(str(error).split())[:160].rstrip(".") or type(error).__name__
