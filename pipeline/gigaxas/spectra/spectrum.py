"""One measured spectrum, and what makes the columns of a file into one that later steps can rely on."""

from dataclasses import dataclass, replace

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError

EV, WAVENUMBER = "eV", "1/cm"
"""Units of energies."""
EnergyRange = tuple[float, float]
"""The lower and the upper end of a range of energies, in eV."""
MIN_SAMPLES = 8
"""Energies that a spectrum has at least."""
ENCODER_JITTER = 1.0
"""eV; continuous scans step back by a fraction of it, glued scans by a hundred times it."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """One measured spectrum."""

    name: str
    """What the spectrum is called in messages and tables."""
    energy: FloatArray
    """Energies (n,) in `unit`."""
    mu: FloatArray
    """Absorbance (n,), without unit."""
    source: str = ""
    """The file it comes from; empty where there is none."""
    unit: str = EV
    """Unit of the energies: eV, or 1/cm where the file tells that."""


class NoSpectrum(InputError):
    """What a file is that holds no spectrum: a licence, a list, an image."""


def described(spectrum: Spectrum) -> str:
    """Return how a message names the spectrum: its file, where it has one, and its name."""
    return (
        f"{spectrum.source}: spectrum {spectrum.name!r}" if spectrum.source else f"spectrum {spectrum.name!r}"
    )


def in_order(spectrum: Spectrum) -> Spectrum:
    """Return the spectrum with finite samples and strictly increasing energies.

    A scan taken downwards is turned round, encoder jitter of up to 1 eV is sorted, and samples taken at one
    and the same energy become their mean. InputError: non-finite samples, fewer than 8 energies, or energies
    that go back further, as they do where a file holds several scans in one table.
    """
    where = described(spectrum)
    energy, mu = spectrum.energy, spectrum.mu
    if energy.ndim != 1 or energy.shape != mu.shape:
        raise InputError(
            f"{where} has {energy.shape} energies and {mu.shape} values; expected as many of each"
        )
    bad = ~(np.isfinite(energy) & np.isfinite(mu))
    if bad.any():
        raise InputError(
            f"{where} has {int(bad.sum())} of {bad.size} samples that are not finite, the first in row "
            f"{int(np.argmax(bad)) + 1} (a count of zero, or a gap); expected a number at every energy; "
            "remove these rows or the scan"
        )
    if energy.size > 1 and energy[0] > energy[-1]:
        energy, mu = energy[::-1], mu[::-1]
    if energy.size:
        _refuse_glued_scans(energy, where)
    energies, group = np.unique(energy, return_inverse=True)
    if energies.size < MIN_SAMPLES:
        raise InputError(f"{where} has {energies.size} energies; expected at least {MIN_SAMPLES}")
    weight = 1.0 / np.bincount(group)
    return replace(
        spectrum, energy=energies, mu=np.bincount(group, weights=mu * weight[group]).astype(np.float64)
    )


def _refuse_glued_scans(energy: FloatArray, where: str) -> None:
    back = np.maximum.accumulate(energy) - energy
    worst = int(np.argmax(back))
    if back[worst] > ENCODER_JITTER:
        raise InputError(
            f"{where} goes back by {back[worst]:.4g} eV at row {worst + 1}; expected energies in order "
            f"(jitter up to {ENCODER_JITTER:g} eV is sorted); save each scan as a file or column of its own"
        )
