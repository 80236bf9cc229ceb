"""Energy of a crystal monochromator from its angle."""

import numpy as np

from gigaxas.arrays import FloatArray

HC = 12398.419843320026
"""Planck's constant times the speed of light, eV Angstrom, exact in the 2019 SI."""


def bragg_energy(angle: FloatArray, spacing: float) -> FloatArray:
    """Return E = hc / (2 d sin(angle)) in eV for angles (n,) in degrees and the spacing d in Angstrom.

    Angles outside 0 to 90 degrees have no energy and give NaN.
    """
    usable = (angle > 0) & (angle <= 90)
    sine = np.sin(np.radians(np.where(usable, angle, 90.0)))
    return np.where(usable, HC / (2.0 * spacing * sine), np.nan)
