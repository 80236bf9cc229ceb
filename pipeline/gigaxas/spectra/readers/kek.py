"""KEK-PF 9809 files: a monochromator angle and counts of each detector, under a fixed header."""

import re
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.readers.bragg import bragg_energy
from gigaxas.spectra.readers.columns import as_number, numbers, read_text
from gigaxas.spectra.readers.measurement import absorbance, ratio
from gigaxas.spectra.spectrum import Spectrum

INCOMING, TRANSMITTED, FLUORESCENCE = 1, 2, 3
"""The numbers of the line `Mode`."""
DETECTORS_FROM = 3
"""Columns before the detectors: angle set, angle observed, time."""


def read_kek(path: Path) -> list[Spectrum]:
    """Read a 9809 file: observed angle with the header's D, fluorescence over I0 or ln(I0/I1).

    The line `Offset` holds dark counts a second; they are subtracted times the counting time. InputError: no
    D, no lines Mode and Offset, or detectors that give no absorbance.
    """
    lines = [(i, line.strip()) for i, line in enumerate(read_text(path).splitlines(), start=1)]
    matches = (re.search(r"\bD=\s*([\d.]+)\s*A\b", line) for _, line in lines)
    spacing = next((as_number(match[1]) for match in matches if match), None) or 0.0
    mode = _settings(lines, "Mode", path)
    offset = _settings(lines, "Offset", path)
    start = next(i for i, (_, line) in enumerate(lines) if line.startswith("Offset")) + 1
    values = numbers([(i, line) for i, line in lines[start:] if line], path)
    if not 0.0 < spacing < 100.0:
        raise InputError(f"{path}: no crystal spacing in its header; expected D= and a value in Angstrom")
    if values.shape[1] < 5 or not values.shape[1] == len(mode) + 1 == len(offset) + 1:
        raise InputError(
            f"{path}: {values.shape[1]} columns, {len(mode)} modes, {len(offset)} offsets; expected angle, "
            "angle, time and at least two detectors, with a mode and an offset of each"
        )
    detectors = values[:, DETECTORS_FROM:] - values[:, 2:3] * offset[DETECTORS_FROM - 1 :]
    modes = mode[DETECTORS_FROM - 1 :]
    name = lines[1][1].split("  ")[0].strip()
    mu = _mu(detectors, modes, path)
    return [Spectrum(name or path.stem, bragg_energy(values[:, 1], spacing), mu)]


def _mu(detectors: FloatArray, modes: FloatArray, path: Path) -> FloatArray:
    """Return the absorbance (n,) of detectors (n, d) of these modes (d,), fluorescence channels summed."""
    i0, transmitted, fluorescence = (
        detectors[:, modes == kind] for kind in (INCOMING, TRANSMITTED, FLUORESCENCE)
    )
    if i0.shape[1] == transmitted.shape[1] == 1:
        return absorbance(i0[:, 0], transmitted[:, 0])
    if i0.shape[1] == 1 and not transmitted.size and fluorescence.size:
        return ratio(fluorescence.sum(axis=1), i0[:, 0])
    raise InputError(
        f"{path}: detectors of mode {', '.join(f'{mode:g}' for mode in modes)}; expected one I0 (1) with one "
        "of transmission (2), or with fluorescence (3)"
    )


def _settings(lines: list[tuple[int, str]], word: str, path: Path) -> FloatArray:
    for number, line in lines:
        if line.startswith(word):
            values = numbers([(number, line.removeprefix(word).strip())], path)[0]
            if np.isfinite(values).all():
                return values
            raise InputError(f"{path}: line {number} reads {line[:60]!r}; expected finite numbers")
    raise InputError(f"{path}: no line {word}; expected the 9809 header of KEK-PF")
