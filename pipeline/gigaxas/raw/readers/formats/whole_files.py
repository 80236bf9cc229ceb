"""Files that are read whole or mapped into memory: NumPy, MATLAB, PNG, text images, masks of letters."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import io

from gigaxas.raw.readers.described import FileArray, Format
from gigaxas.raw.readers.formats.stxm import read_letter_mask, read_text_image

KEPT = 128
"""Arrays that are kept in memory."""
MATLAB = b"MATLAB 5.0 MAT-file"


def _whole(read: Callable[[Path], NDArray[Any]]) -> Callable[[Path, str], NDArray[Any]]:
    """Return what reads a file and keeps what it holds, until the file changes."""
    kept = lru_cache(KEPT)(lambda path, stamp: read(path))
    return lambda path, inner: kept(path, path.stat().st_mtime_ns)


def _one(open_file: Callable[[Path, str], NDArray[Any]]) -> Callable[[Path], list[FileArray]]:
    def describe(path: Path) -> list[FileArray]:
        array = open_file(path, "")
        return [FileArray("", array.shape, array.dtype)]

    return describe


def _png(path: Path) -> NDArray[Any]:
    with Image.open(path) as image:
        return np.asarray(image)


def _map(path: Path, inner: str) -> NDArray[Any]:
    return np.lib.format.open_memmap(path, mode="r")


@lru_cache(8)
def _matlab(path: Path, inner: str, stamp: int) -> NDArray[Any]:
    return np.asarray(io.loadmat(path, variable_names=[inner])[inner])


def _describe_matlab(path: Path) -> list[FileArray]:
    kinds = {"double": "f8", "single": "f4", "logical": "u1"} | {
        f"{s}int{n}": f"{s or 'i'}{n // 8}" for s in ("", "u") for n in (8, 16, 32, 64)
    }
    return [
        FileArray(name, tuple(shape), np.dtype(kinds[kind]))
        for name, shape, kind in io.whosmat(path)
        if kind in kinds and max(shape) > 1
    ]


_read_png, _read_text, _read_letters = map(_whole, (_png, read_text_image, read_letter_mask))
NUMPY = Format("NumPy", lambda head, path: head.startswith(b"\x93NUMPY"), _map, _one(_map))
PNG = Format(
    "PNG", lambda head, path: head.startswith(b"\x89PNG"), _read_png, _one(_read_png), is_read_whole=True
)
MAT = Format(
    "MATLAB",
    lambda head, path: head.startswith(MATLAB),
    lambda path, inner: _matlab(path, inner, path.stat().st_mtime_ns),
    _describe_matlab,
    is_read_whole=True,
)
TEXT = Format(
    "text image",
    lambda head, path: path.suffix.lower() == ".xim",
    _read_text,
    _one(_read_text),
    is_read_whole=True,
)
LETTERS = Format(
    "mask of letters",
    lambda head, path: path.suffix.lower() == ".msk",
    _read_letters,
    _one(_read_letters),
    is_read_whole=True,
)
