"""A spectrum's values at the energies of the cube."""

import numpy as np
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.spectrum import Spectrum, described, in_order

END_SLACK = 0.01
"""Share of the grid's span that a spectrum may lack; on the paper's grid 3.1 eV of a line."""
KEV_BELOW = 200.0
"""No absorption edge of a mapped element lies below 200 eV or above 200 keV."""


def resample(spectrum: Spectrum, grid: ArrayLike, extrapolate: bool = False) -> FloatArray:
    """Return mu at the energies `grid` (E,) in eV, interpolated linearly between samples.

    Linear, not averaged over the grid's bins: on measured standards and the paper's grid (1.76 eV), averaging
    flattens white lines by 0.005 to 0.025 of the edge step, while the noise it would take off is 0.0001 to
    0.003; and a spectrum given on the grid comes back bit for bit. An end short of the grid by up to a
    hundredth of its span is held at its last sample. InputError: a grid that does not increase, or a spectrum
    that ends further inside it, unless `extrapolate` is set: its end values are then held out to the grid's.
    """
    spectrum = in_order(spectrum)
    energies = checked_grid(grid)
    slack = 0.0 if extrapolate else END_SLACK * (energies[-1] - energies[0])
    short, over = missing_ends(spectrum, energies)
    apart = spectrum.energy[-1] < energies[0] or spectrum.energy[0] > energies[-1]
    if apart or (not extrapolate and max(short, over) > slack):
        raise InputError(_not_covered(spectrum, energies, apart))
    return np.interp(energies, spectrum.energy, spectrum.mu)


def checked_grid(grid: ArrayLike) -> FloatArray:
    """Return the grid as energies (E,); InputError unless they are finite, increase, and are at least two."""
    energies = np.asarray(grid, dtype=np.float64)
    if (
        energies.ndim != 1
        or energies.size < 2
        or not np.isfinite(energies).all()
        or (np.diff(energies) <= 0).any()
    ):
        raise InputError(
            f"grid of shape {energies.shape}; expected at least 2 finite, increasing energies in eV"
        )
    return energies


def missing_ends(spectrum: Spectrum, grid: FloatArray) -> tuple[float, float]:
    """Return by how many eV the spectrum starts after the grid and ends before it; 0 where it covers it."""
    return max(0.0, float(spectrum.energy[0] - grid[0])), max(0.0, float(grid[-1] - spectrum.energy[-1]))


def _not_covered(spectrum: Spectrum, grid: FloatArray, apart: bool) -> str:
    hint = "leave it out, shorten the grid, or ask for extrapolation"
    if apart:
        hint = "check that both are energies of the same edge in eV"
    if spectrum.energy[-1] < KEV_BELOW <= grid[0]:
        hint = "its energies look like keV; write them in eV"
    return (
        f"{described(spectrum)} runs only from {spectrum.energy[0]:.1f} to {spectrum.energy[-1]:.1f} eV; "
        f"expected it to cover the grid, {grid[0]:.1f} to {grid[-1]:.1f} eV; {hint}"
    )
