"""Energies by the unit that a file names: electronvolts, or wavenumbers as they are."""

import re
from pathlib import Path

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.spectrum import EV, WAVENUMBER
from gigaxas.units import ev_per, is_wavenumber

SHORT = ("e", "en", "ene", "enc")
"""What a column of energies is called in short; spectra may have such names too."""
ENERGIES = ("energy", "energies", "mono energy", "photon energy", "energy loss", *SHORT)
"""What a column of energies is called, in small letters and with blanks."""
WAVENUMBERS = ("raman shift", "ramanshift", "wavenumber", "wavenumbers")
"""What a column of energies in 1/cm is called."""
IN_EV = r"[kmg]?ev"
"""Units that need no brackets, in capitals or not."""
_WITH_UNIT = re.compile(
    r"(?P<name>.*?)\s*(?:\[(?P<square>[^\[\]]*)\]|\((?P<round>[^()]*)\)|/\s*(?P<slash>\S.*)|,\s*(?P<comma>\S.*)"
    r"|\s+in\s+(?P<word>\S+)|[_\s](?P<bare>" + IN_EV + r"))",
    re.IGNORECASE,
)


def named_energy(label: str) -> tuple[str, str] | None:
    """Return the name and the unit of a column of energies, unit "" for none; None for any other column.

    `Energy [keV]`, `energy(keV)`, `E / eV`, `energy_ev`, `Raman shift (cm-1)` and `keV` are understood.
    """
    text = " ".join(label.strip().lstrip("#").split())
    if re.fullmatch(IN_EV, text, re.IGNORECASE):
        return ENERGIES[0], text
    match = _WITH_UNIT.fullmatch(text)
    name, unit = text, ""
    if match:
        name = match["name"]
        unit = next((part for key, part in match.groupdict().items() if key != "name" and part), "")
    name = name.lower().replace("_", " ").strip()
    if name in WAVENUMBERS:
        return name, unit or WAVENUMBER
    return (name, unit.strip()) if name in ENERGIES else None


def in_unit(values: FloatArray, unit: str, where: Path | str) -> tuple[FloatArray, str]:
    """Return energies (n,) in eV or 1/cm, and which; without a unit they are taken for eV.

    InputError: a unit that measures no energy.
    """
    if unit.lower() in ("", EV.lower()):
        return values, EV
    if is_wavenumber(unit):
        return values, WAVENUMBER
    try:
        return values * ev_per(unit), EV
    except InputError as error:
        raise InputError(f"{where}: {error}; expected energies in eV, keV or 1/cm") from None
