"""What the units that files name are worth, by the tables of pint."""

import re
from functools import lru_cache
from typing import Any

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError

HC = 1.239841984332003
"""Planck's constant times the speed of light, eV um."""
LEAST, MOST = 1e-6, 1e6
"""What a unit that instruments use is worth at least and at most, in eV, um or s: MM is no megametre."""


def ev_per(unit: str) -> float:
    """Return the electronvolts in a unit of energy, however it is spelled. InputError: no such unit."""
    return _known_worth(unit, "eV")


def energy_of(values: FloatArray, unit: str, wavelengths: bool = True) -> FloatArray:
    """Return energies, or wavelengths, in eV. Raises InputError: a unit of neither."""
    if wavelengths and (length := _worth(unit, "um")) is not None:
        with np.errstate(divide="ignore"):
            return np.asarray(HC / (values * length))
    return values * ev_per(unit)


def um_per(unit: str) -> float:
    """Return the micrometres in a unit of length, however it is spelled. InputError: no such unit."""
    return _known_worth(unit, "um")


def seconds_per(unit: str) -> float:
    """Return the seconds in a unit of time, however it is spelled. InputError: no such unit."""
    return _known_worth(unit, "s")


def is_wavenumber(unit: str) -> bool:
    """Return whether a unit is that of a Raman shift, as 1/cm and cm-1 are."""
    return _worth(unit, "1/cm") == 1.0


def _known_worth(unit: str, wanted: str) -> float:
    worth = _worth(unit, wanted)
    if worth is None:
        raise InputError(f"found the unit {unit!r}, which does not measure what {wanted} does")
    return worth


_UNIT = re.compile(r"[^0-9]{0,30}[0-9]?[^0-9]{0,30}")
"""What a unit may look like: pint would work out any power of powers that a file names."""


KNOWN = {("eV", "eV"): 1.0, ("eV", "1/cm"): None, ("eV", "um"): None, ("um", "um"): 1.0, ("s", "s"): 1.0}
"""What pint says of units of this program's own stores, kept here because its tables take long to read."""


@lru_cache
def _worth(unit: str, wanted: str) -> float | None:
    """Return what a unit is worth as it is spelled, else in small letters; None where it is no such unit."""
    if (unit, wanted) in KNOWN:
        return KNOWN[unit, wanted]
    text = re.sub(r"(?<=[a-z])\s*\^?-1$", "**-1", unit.strip())
    text = re.sub(r"(?<=[a-zA-Z]) (?=[a-zA-Z])", "_", text)
    small = re.sub("ev$", "eV", text.lower())
    if not _UNIT.fullmatch(text):
        return None
    found = (_converted(spelling, wanted) for spelling in (text, small))
    return next((worth for worth in found if worth is not None and LEAST <= worth <= MOST), None)


def _converted(text: str, wanted: str) -> float | None:

    table = _table()
    try:
        unit = table.parse_units(text)
        is_of_print = any(name in table.get_group("Printer").members for name in unit._units)
        return None if is_of_print else float((1.0 * unit).to(wanted).magnitude)
    except Exception:  # its parser fails in many ways of its own on text that is no unit
        return None


@lru_cache
def _table() -> Any:
    import pint  # its tables take a while to read

    return pint.UnitRegistry()
