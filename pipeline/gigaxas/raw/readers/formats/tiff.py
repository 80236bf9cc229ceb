"""TIFF files: of one page or many, in one piece or packed, OME-TIFF over several files."""

import logging
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple
from xml.etree import ElementTree

import numpy as np
import tifffile
import zarr

from gigaxas.raw.readers.described import AbsentPart, Axis, FileArray, Format

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BIG_TIFF = 43
"""The version of a TIFF whose offsets have eight bytes."""
OPEN_FILES = 512
"""Files that are kept open."""

# pages that are not there are told by `absent_parts`, in a sentence of this program
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


class _Pages(NamedTuple):
    """The images of a file, as they are read."""

    array: Any
    axes: tuple[Axis, ...]
    absent: tuple[AbsentPart, ...]


def open_pages(path: Path, inner: str) -> Any:
    """Map a TIFF that lies in one piece into memory; others are unpacked piece by piece."""
    return _pages(path, path.stat().st_mtime_ns).array


def describe_pages(path: Path) -> list[FileArray]:
    """Tell the images of a file; a microscope's (OME, ImageJ) names their axes and the size of a pixel."""
    found = _pages(path, path.stat().st_mtime_ns)
    return [FileArray("", tuple(found.array.shape), np.dtype(found.array.dtype), found.axes)]


def absent_pages(path: Path, array: Any) -> list[AbsentPart]:
    """Return the pages whose file is gone, or that have strips without a byte."""
    return list(_pages(path, path.stat().st_mtime_ns).absent)


@lru_cache(OPEN_FILES)
def _pages(path: Path, stamp: int) -> _Pages:
    _refuse_circles(path)
    with tifffile.TiffFile(path) as file:
        # some programs write a stack page by page, which is one series without their notes
        is_by_page = file.is_shaped and len(file.series) > 1
    how: dict[str, Any] = {"is_shaped": False} if is_by_page else {}
    with tifffile.TiffFile(path, **how) as file:
        number = int(np.argmax([series.size for series in file.series]))
        series = file.series[number]
        axes = tuple(_axes(file, series)) if file.is_ome or file.is_imagej else ()
        if not how and series.dataoffset is not None and series.keyframe.is_memmappable:
            return _Pages(tifffile.memmap(path, series=number, mode="r"), axes, ())
        absent = tuple(_absent_pages(series))
    store: Any = tifffile.imread(path, series=number, aszarr=True, **how)
    array = zarr.open(store, mode="r")
    return _Pages(array if isinstance(array, zarr.Array) else array["0"], axes, absent)


def _refuse_circles(path: Path) -> None:
    """Raise ValueError where a page is followed by one before it: such a list of pages has no end."""
    seen = set[int]()
    for offset in _page_offsets(path):
        if offset in seen:
            raise ValueError("its list of pages runs in a circle")
        seen.add(offset)


def _page_offsets(path: Path) -> Iterator[int]:
    """Yield where the pages of a file begin, each as the one before tells, as far as the file goes."""
    with path.open("rb") as file:
        order: Literal["little", "big"] = "little" if file.read(2) == b"II" else "big"
        is_big = int.from_bytes(file.read(2), order) == BIG_TIFF
        wide, entry, count = (8, 20, 8) if is_big else (4, 12, 2)
        place = wide if is_big else 4
        while True:
            file.seek(place)
            offset = int.from_bytes(file.read(wide), order)
            if offset == 0:
                return
            yield offset
            file.seek(offset)
            place = offset + count + entry * int.from_bytes(file.read(count), order)


def _absent_pages(series: tifffile.TiffPageSeries) -> Iterator[AbsentPart]:
    within = len(series.keyframe.shape)
    leading = series.shape[: len(series.shape) - within]
    for number, page in enumerate(series.pages):
        if page is None or not all(page.databytecounts):
            place = tuple(int(i) for i in np.unravel_index(number, leading)) if leading else ()
            stop = (*(i + 1 for i in place), *series.shape[len(leading) :])
            yield AbsentPart((*place, *(0,) * within), stop, f"page {number + 1}")


def _axes(file: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Iterator[Axis]:
    steps = dict(_ome_steps(file) if file.is_ome else _imagej_steps(file, series))
    for letter, size in zip(series.axes, series.shape, strict=True):
        step, unit = steps.get(letter, (None, ""))
        name = letter.lower() if letter in "YX" else ""
        yield Axis(name, None if step is None else step * np.arange(float(size)), unit)


def _ome_steps(file: tifffile.TiffFile) -> Iterator[tuple[str, tuple[float, str]]]:
    found = ElementTree.fromstring(file.ome_metadata or "<OME/>").find(".//{*}Pixels")
    if found is None:
        return
    for letter in "YX":
        step = found.get(f"PhysicalSize{letter}")
        if step is not None:
            yield letter, (float(step), found.get(f"PhysicalSize{letter}Unit", "um"))


def _imagej_steps(
    file: tifffile.TiffFile, series: tifffile.TiffPageSeries
) -> Iterator[tuple[str, tuple[float, str]]]:
    unit = str((file.imagej_metadata or {}).get("unit", "")).encode().decode("unicode_escape")
    for letter in "YX" if unit else "":
        pixels, length = series.keyframe.tags.valueof(f"{letter}Resolution", (0, 1))
        if pixels:
            yield letter, (length / pixels, unit)


TIFF = Format("TIFF", lambda head, path: head.startswith(MAGIC), open_pages, describe_pages, absent_pages)
