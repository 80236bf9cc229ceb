"""Images of Zeiss (Xradia) microscopes, .xrm and .txrm: OLE files with an image a stream."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.raw.readers.described import Axis, FileArray, Format

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
TYPES = {3: "u1", 5: "<u2", 10: "<f4"}
"""NumPy types of the numbers by which the file names them."""
BLOCK = 100
"""Images in one folder of the file."""


class ZeissImages:
    """The images (E, y, x) of a file, read one by one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _open(path) as ole:
            height, width = (
                int(_numbers(ole, path, name, "<i4")[0]) for name in ("ImageHeight", "ImageWidth")
            )
            self.shape = (int(_numbers(ole, path, "NoOfImages", "<i4")[0]), height, width)
            kind = int(_numbers(ole, path, "DataType", "<i4")[0])
            self.energy = _numbers(ole, path, "Energy", "<f4", needed=False)
            self.pixel_um = _numbers(ole, path, "PixelSize", "<f4", needed=False)
        if kind not in TYPES:
            raise InputError(
                f"{path}: its images are of type {kind}, expected one of {', '.join(map(str, TYPES))}"
            )
        self.dtype = np.dtype(TYPES[kind])
        self.chunks = (1, height, width)

    def __getitem__(self, cut: tuple[Any, ...]) -> NDArray[Any]:
        images, *plane = cut
        wanted = np.arange(self.shape[0])[images]
        with _open(self.path) as ole:
            read = [self._image(ole, int(i))[tuple(plane)] for i in np.atleast_1d(wanted)]
        return np.stack(read) if np.ndim(wanted) else read[0]

    def _image(self, ole: Any, number: int) -> NDArray[Any]:
        name = f"ImageData{number // BLOCK + 1}/Image{number + 1}"
        size = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        raw = ole.openstream(name).read() if ole.exists(name) else b""
        if len(raw) < size:
            raise ValueError(f"image {number + 1} has {len(raw)} of {size} bytes")
        return np.frombuffer(raw[:size], dtype=self.dtype).reshape(self.shape[1:])


def _open(path: Path) -> Any:
    try:
        import olefile
    except ImportError:
        raise InputError(
            f"{path}: images of Zeiss microscopes need olefile; pip install 'gigaxas[formats]'"
        ) from None
    return olefile.OleFileIO(path)


def _numbers(ole: Any, path: Path, name: str, dtype: str, needed: bool = True) -> FloatArray:
    stream = f"ImageInfo/{name}"
    raw = ole.openstream(stream).read() if ole.exists(stream) else b""
    size = np.dtype(dtype).itemsize
    if needed and len(raw) < size:
        raise InputError(f"{path}: has no {stream}; expected the images of a Zeiss microscope")
    return np.frombuffer(raw[: len(raw) // size * size], dtype=dtype).astype(np.float64)


@lru_cache(128)
def _images(path: Path, stamp: int) -> ZeissImages:
    return ZeissImages(path)


def open_images(path: Path, inner: str) -> ZeissImages:
    """Open the images of a file, open from before unless the file has changed since."""
    return _images(path, path.stat().st_mtime_ns)


def describe_images(path: Path) -> list[FileArray]:
    """Tell the images of a file, with their energies and the size of a pixel where they were written."""
    found = open_images(path, "")
    count, height, width = found.shape
    written = found.energy[:count]
    energy = written if written.size == count and np.all(written > 0) else None
    step = found.pixel_um[0] if found.pixel_um.size and found.pixel_um[0] > 0 else None
    axes = [Axis("energy", energy, "eV")] + [
        Axis(name, None if step is None else step * np.arange(size), "um")
        for name, size in (("y", height), ("x", width))
    ]
    return [FileArray("", found.shape, found.dtype, axes)]


ZEISS = Format("Zeiss", lambda head, path: head.startswith(MAGIC), open_images, describe_images)
