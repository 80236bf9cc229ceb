"""What a file says of an array of images in it: its shape, axes, energies and size of a pixel."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.stores.io.cf import Packing
from gigaxas.units import energy_of, is_wavenumber, um_per

AXES = "FEYX"
"""The axes of a stack in their order: frames of one energy, energy, y, x."""
UNEQUAL_STEPS = 0.01
"""Share by which the steps along y and x may differ and still be one pixel size."""
ENERGY_NAMES = (
    "energy",
    "energies",
    "ev",
    "kev",
    "e",
    "photon_energy",
    "raman shift",
    "wavelength",
    "wavenumber",
)
"""What an axis of energies is called, in small letters, besides names in which `energy` occurs."""
LETTERS = {"height": "Y", "row": "Y", "rows": "Y", "width": "X", "column": "X", "columns": "X"}
"""Letters of axes that are called neither x nor y."""


class Axis(NamedTuple):
    """An axis as a file tells it."""

    name: str
    """What it is called; may be empty."""
    values: FloatArray | None
    """Its coordinates; None where the file gives none."""
    unit: str
    """What they are in; may be empty."""


class AbsentPart(NamedTuple):
    """A part of an array that was never written, or is gone, and would read as zero."""

    start: tuple[int, ...]
    """Its first index on every axis."""
    stop: tuple[int, ...]
    """Its last index on every axis, plus one."""
    what: str
    """The file, page or chunk that is missing."""


@dataclass(frozen=True, eq=False)
class FileArray:
    """An array of numbers in a file, with what the file says of it."""

    name: str
    """Where it lies in the file; empty where the file holds one only."""
    shape: tuple[int, ...]
    """Lengths of its axes."""
    dtype: np.dtype[Any]
    """Type of the stored numbers."""
    axes: Sequence[Axis] = ()
    """Its axes in their order; empty where the file tells none."""
    is_main: bool = False
    """Whether the file itself says that this is the array to look at."""

    @property
    def letters(self) -> str:
        """The axes as letters of AXES, where they are clear, or those longer than 1 are; else empty."""
        return "".join(self._letters.values())

    @property
    def _letters(self) -> dict[int, str]:
        """The letter of every axis by its number, or of those that are longer than 1."""
        long = [i for i, size in enumerate(self.shape) if size > 1]
        for used in (range(len(self.shape)), long) if len(self.axes) == len(self.shape) else ():
            letters = [_letter(self.axes[i]) for i in used]
            rest = [letter for letter in "EYX" if letter not in letters]
            if letters.count("") == len(rest) and (rest == ["E"] or rest == ["Y", "X"]):
                letters = [letter or rest.pop(0) for letter in letters]
            if "" not in letters and len(set(letters)) == len(letters) >= 2:
                return dict(zip(used, letters, strict=True))
        return {}

    @property
    def energy(self) -> tuple[FloatArray, str] | None:
        """The energies (E,) in eV or 1/cm, and that unit; None where the file tells none.

        Raises InputError where they are in no unit of energy, wavelength or wavenumber.
        """
        found = self._axis("E")
        if found is None or found.values is None:
            return None
        if is_wavenumber(found.unit):
            return found.values, "1/cm"
        try:
            return energy_of(found.values, found.unit or "eV"), "eV"
        except InputError as error:
            raise InputError(f"its axis {found.name!r}: {error}; give ingest.energies") from None

    @property
    def pixel_um(self) -> float | None:
        """The size of a pixel in um; None where the file does not tell it.

        Raises InputError where y and x differ, or are in no unit of length.
        """
        steps = [step for letter in "YX" if (step := self._step_um(letter)) is not None]
        if not steps:
            return None
        if max(steps) - min(steps) > UNEQUAL_STEPS * max(steps):
            found = ", ".join(f"{step:g}" for step in steps)
            raise InputError(f"its pixels are {found} um, expected square ones; give ingest.pixel_um")
        return round(float(np.mean(steps)), 9)

    def _axis(self, letter: str) -> Axis | None:
        return next((self.axes[i] for i, found in self._letters.items() if found == letter), None)

    def _step_um(self, letter: str) -> float | None:
        found = self._axis(letter)
        if found is None or found.values is None or len(found.values) < 2 or not found.unit:
            return None
        try:
            worth = um_per(found.unit)
        except InputError as error:
            raise InputError(f"its axis {found.name!r}: {error}; give ingest.pixel_um") from None
        return abs(float(found.values[-1] - found.values[0])) / (len(found.values) - 1) * worth


@dataclass(frozen=True)
class Format:
    """A family of files."""

    name: str
    """What it is called."""
    recognises: Callable[[bytes, Path], bool]
    """Whether a file or folder belongs to it, by its first bytes and its path."""
    open: Callable[[Path, str], Any]
    """Opens an array by its name: shape, dtype and slices of it; KeyError where there is none."""
    describe: Callable[[Path], list[FileArray]]
    """Tells every array of numbers in a file."""
    absent: Callable[[Path, Any], list[AbsentPart]] = lambda path, array: []
    """Tells what a file should hold of an open array, and does not."""
    packing: Callable[[Path, Any], Packing] = lambda path, array: Packing()
    """Tells how the numbers of an open array become samples, and which stand for none."""
    is_read_whole: bool = False
    """Whether no part of an array can be read alone."""


def _letter(axis: Axis) -> str:
    name = axis.name.lower().rsplit("/", 1)[-1]
    if "energy" in name or name in ENERGY_NAMES or _is_energy(axis.unit):
        return "E"
    known = LETTERS.get(name) or re.search(r"(?:^|[_ -])([xy])(?:$|[_ -])", name)
    return known if isinstance(known, str) else known[1].upper() if known else ""


def _is_energy(unit: str) -> bool:
    try:
        return is_wavenumber(unit) or bool(unit and energy_of(np.ones(1), unit, wavelengths=False).size)
    except InputError:
        return False
