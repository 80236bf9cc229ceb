"""Stacks of aXis2000: numbers in a .ncb file, everything else in a text file .dat beside it."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.raw.readers.described import Axis, FileArray, Format
from gigaxas.spectra.readers.columns import read_text
from gigaxas.stores.io.cf import Packing


class _Header(NamedTuple):
    """What the text file says."""

    shape: tuple[int, int, int]
    """Energies, rows and columns."""
    scale: float
    """Stored numbers are the samples times this; negative for floating-point samples."""
    x: tuple[float, float]
    """First and last position, in um."""
    y: tuple[float, float]
    """First and last position, in um."""
    energy: FloatArray
    """(E,) in eV."""


def _header(path: Path) -> _Header:
    beside = path.with_suffix(".dat")
    if not beside.is_file():
        raise InputError(f"{path}: there is no {beside.name} beside it, which tells its shape; copy it there")
    lines = read_text(beside).splitlines()
    try:
        columns, rows, scale = (float(word) for word in lines[0].split()[:3])
        x, y = ((float(first), float(last)) for first, last in (line.split()[:2] for line in lines[1:3]))
        energies = int(lines[3].split()[0])
        energy = np.array([float(line.split()[0]) for line in lines[4 : 4 + energies]])
    except (IndexError, ValueError):
        raise InputError(
            f"{beside}: cannot be read; expected lines with columns, rows and scale, the ends of x, of y, "
            "the number of energies, and each of them"
        ) from None
    if len(energy) != energies or min(columns, rows, energies) < 1 or not scale:
        raise InputError(f"{beside}: tells {energies} energies and has {len(energy)}; copy it again")
    return _Header((energies, int(rows), int(columns)), scale, x, y, energy)


def open_stack(path: Path, inner: str) -> "np.memmap[tuple[int, int, int], np.dtype[np.generic]]":
    """Map the numbers of a stack into memory. Raises InputError where header and numbers do not fit."""
    header = _header(path)
    dtype = np.dtype("<f4" if header.scale < 0 else "<i2")
    expected = int(np.prod(header.shape)) * dtype.itemsize
    if path.stat().st_size != expected:
        raise InputError(
            f"{path}: has {path.stat().st_size} bytes, its header tells {header.shape} (energy, y, x) of "
            f"{dtype}, {expected} bytes; copy both files again"
        )
    return np.memmap(path, dtype=dtype, mode="r", shape=header.shape)


def describe_stack(path: Path) -> list[FileArray]:
    """Tell the stack, with its energies and the size of a pixel."""
    array, header = open_stack(path, ""), _header(path)
    _, height, width = header.shape
    axes = [
        Axis("energy", header.energy, "eV"),
        Axis("y", np.linspace(*header.y, height), "um"),
        Axis("x", np.linspace(*header.x, width), "um"),
    ]
    return [FileArray("", header.shape, array.dtype, axes)]


def _packing(path: Path, array: Any) -> Packing:
    scale = _header(path).scale
    return Packing(scale=1.0 / scale) if scale > 0 else Packing()


AXIS2000 = Format(
    "aXis2000", lambda head, path: path.suffix.lower() == ".ncb", open_stack, describe_stack, packing=_packing
)
