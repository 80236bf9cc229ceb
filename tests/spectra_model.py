"""A plain model of an Fe K edge, for files that tests write and read back."""

import numpy as np
from gigaxas.arrays import FloatArray

GRID = np.linspace(7009.2, 7321.2, 178)
E0 = 7120.0


def scan_energies() -> FloatArray:
    """Energies (292,) as a step scan takes them: coarse, fine over the edge, coarse again."""
    return np.concatenate([np.arange(6990, 7100, 5), np.arange(7100, 7150, 0.25), np.arange(7150, 7361, 3.0)])


def edge(energy: FloatArray, e0: float = E0, white: float = 0.4, wiggle: float = 0.03) -> FloatArray:
    """Normalised absorbance: an arctangent step at e0, a white line above it, EXAFS after it."""
    above = np.maximum(energy - e0, 0.0)
    step = 0.5 + np.arctan((energy - e0) / 0.8) / np.pi
    line = white * np.exp(-(((energy - e0 - 6.0) / 3.0) ** 2))
    exafs = wiggle * np.sin(1.8 * np.sqrt(above)) * (1.0 - np.exp(-above / 20.0))
    return step + line + exafs


def raw(energy: FloatArray, step: float = 1.3, **shape: float) -> FloatArray:
    """Absorbance as measured: the edge times its step, on a sloping background."""
    return step * edge(energy, **shape) + 0.4 - 4e-4 * (energy - 7100.0)
