"""The energies of the images, from a list, a text, a scan's header or an array."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.schema import EnergyUnit, Ingest
from gigaxas.errors import InputError
from gigaxas.locations import INSIDE
from gigaxas.raw.readers.files import FileSet, key_of, split_source
from gigaxas.raw.readers.formats.stxm import is_scan_header, read_scan_header
from gigaxas.raw.readers.images import described
from gigaxas.raw.readers.numbers import first_column, stored_numbers
from gigaxas.units import energy_of, is_wavenumber

KEV_LOOKS = 100.0
"""An axis in no unit that ends below this looks like keV."""


def read_energies(given: str | Sequence[float], unit: EnergyUnit | None) -> tuple[FloatArray, EnergyUnit]:
    """Return the energies (E,) as given, and their unit: `unit`, else what the file says, else eV.

    They are listed, or in a text file's first column, in the header of a scan, or in a `file::array`. Raises
    InputError unless they are finite and rise or fall strictly, in eV and not keV.
    """
    if not isinstance(given, str):
        values, told, where = np.array(given, dtype=np.float64), "", "ingest.energies"
    elif INSIDE in given:
        path, inner = split_source(given)
        (values, told), where = stored_numbers(Path(path), inner), given
    elif is_scan_header(given):
        values, told, where = read_scan_header(Path(given)).energy, "eV", given
    else:
        (values, told), where = first_column(Path(given), "ingest.energies"), given
    return in_known_unit(np.atleast_1d(values), told, unit, where)


def energies_of(text: str, found: FileSet, ingest: Ingest) -> tuple[FloatArray, EnergyUnit]:
    """Return the energies (E,) that the settings, the files' names or the files tell, and their unit."""
    if found.keys and (key_of(text) == "energy" or is_scan_header(text)):
        return checked_energies(
            np.array(found.keys), "ingest.stack", ingest.unit or "eV"
        ), ingest.unit or "eV"
    if ingest.energies is not None:
        return read_energies(ingest.energies, ingest.unit)
    told = None if found.keys else described(found.files[0], split_source(text)[1]).energy
    if told is None:
        raise InputError(
            "ingest.energies: missing; give a list, a file with one energy a line, a scan's .hdr, or "
            "`file::array`; `gigaxas info` tells what is in a file"
        )
    return in_known_unit(*told, ingest.unit, text)


def in_known_unit(
    values: FloatArray, told: str, unit: EnergyUnit | None, where: str
) -> tuple[FloatArray, EnergyUnit]:
    """Return energies (E,) in eV or 1/cm, by the unit that their file tells (may be empty), and that unit.

    InputError about `where`: no unit of energies, another than expected, or energies as `checked_energies`.
    """
    if not told:
        return checked_energies(values, where, unit or "eV"), unit or "eV"
    found: EnergyUnit = "1/cm" if is_wavenumber(told) else "eV"
    try:
        energy = values if found == "1/cm" else energy_of(values, told)
    except InputError as error:
        raise InputError(f"{where}: {error}; convert the energies") from None
    if unit not in (None, found):
        raise InputError(f"{where}: is in {told!r}, found ingest.unit: {unit}; remove that")
    return checked_energies(energy, where, found, is_told=True), found


def checked_energies(energy: FloatArray, where: str, unit: EnergyUnit, is_told: bool = False) -> FloatArray:
    """Return energies (E,) that rise, or fall, strictly; InputError that names the first that does not.

    `is_told` says that their unit is known and needs no guess.
    """
    if energy.ndim != 1 or energy.size < 1 or not np.all(np.isfinite(energy)):
        raise InputError(f"{where}: found {energy.size} energies, not all numbers; expected one an image")
    falls = energy.size > 1 and bool(np.all(np.diff(energy) < 0))
    wrong = np.flatnonzero(np.diff(energy) <= 0)
    if wrong.size and not falls:
        i = int(wrong[0])
        what = "twice" if energy[i + 1] == energy[i] else f"before {energy[i + 1]:g}"
        raise InputError(
            f"{where}: energy {i + 1} is {energy[i]:g}, {what}; expected energies that rise; sort the images "
            "by energy and leave out those taken twice"
        )
    if unit == "eV" and not is_told and energy.max() < KEV_LOOKS:
        raise InputError(f"{where}: the energies end at {energy.max():g}, which looks like keV; expected eV")
    return energy


def falls(energy: FloatArray) -> bool:
    """Return whether energies (E,) stand in the order of falling ones."""
    return len(energy) > 1 and bool(energy[-1] < energy[0])


def rising(energy: FloatArray, where: str) -> FloatArray:
    """Return energies (E,) that rise. Raises InputError where they fall."""
    if falls(energy):
        raise InputError(
            f"{where}: the energies fall from {energy[0]:g}; expected rising ones; sort the images"
        )
    return energy
