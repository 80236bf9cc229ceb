"""The axes on which specks are looked for: what spectra can differ by, each of noise 1 and independent.

A window of n pixels that differs by d from what surrounds it has a chi-square whose noncentrality is n |d|^2;
the noise of every axis adds to it, and shapes that no spectrum takes add nothing but noise. So a few axes see
more than all energies do: those along which references and clusters differ, then the slowest waves.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray

MOST_AXES = 32
"""Axes, all together."""
KNOWN_AXES = 16
"""Axes at most along which known spectra differ."""
EIGHTS = 8
"""Axes are projected on so many at a time; those that are missing are zero."""
STEEP, EVEN, SMOOTHED = 0.7, 0.3, 7
"""How much faster waves are where spectra are steep: the power of the slope, what is added to it in its mean,
and the energies that it is smoothed over."""
LEAST = 1e-3
"""Share of the largest difference that one must have to give an axis."""


def speck_axes(spectra: FloatArray, sigma: FloatArray, correlation: FloatArray) -> NDArray[np.float32]:
    """Return axes (E, r) for pixels less their own mean, of which the last ones may be zero.

    spectra (n, E) are those that are known; sigma (E,) is the noise of a typical pixel, `correlation` (lags,)
    that with the next energies.
    """
    energies = sigma.size
    count = min(MOST_AXES, max(energies - 1, 1))
    weighted = (spectra - spectra.mean(axis=1, keepdims=True)) / sigma
    known = _differences(weighted, min(KNOWN_AXES, count))
    full = np.linalg.qr(np.column_stack([known, _waves(weighted)]))[0][:, :count]
    raw = full / sigma[:, None]
    raw -= raw.mean(axis=0)
    white = _whitening(raw, sigma, correlation)
    axes = np.zeros((energies, -(-count // EIGHTS) * EIGHTS), np.float32)
    axes[:, :count] = raw @ white
    return axes


def _differences(spectra: FloatArray, most: int) -> FloatArray:
    """Return axes (E, k) of the differences of spectra (n, E), the longest first."""
    if len(spectra) < 2:
        return np.empty((spectra.shape[1], 0))
    _, lengths, rows = np.linalg.svd(spectra - spectra.mean(axis=0), full_matrices=False)
    rows = rows[lengths > LEAST * lengths[0]][:most]
    # a decomposition leaves the sign of an axis open
    largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1)[:, None], axis=1)
    return np.asarray((rows * np.sign(largest)).T)


def _waves(spectra: FloatArray) -> FloatArray:
    """Return cosines (E, E - 1) over the energies, slowest first, faster where spectra (n, E) are steep."""
    energies = spectra.shape[1]
    slope = np.sqrt(np.mean(np.gradient(spectra, axis=1) ** 2, axis=0))
    slope = np.convolve(np.pad(slope, SMOOTHED // 2, mode="edge"), np.ones(SMOOTHED) / SMOOTHED, "valid")
    steep = slope**STEEP
    density = EVEN + steep / max(float(steep.mean()), 1e-300)
    place = (np.cumsum(density) - 0.5 * density) / density.sum()
    return np.asarray(np.cos(np.pi * np.outer(place, np.arange(1, energies))) * np.sqrt(density)[:, None])


def _whitening(axes: FloatArray, sigma: FloatArray, correlation: FloatArray) -> FloatArray:
    """Return the matrix (r, r) that makes the noise on axes (E, r) independent and 1."""
    lags = np.zeros(sigma.size)
    lags[: min(correlation.size, sigma.size)] = correlation[: sigma.size]
    shared = sigma[:, None] * scipy.linalg.toeplitz(lags) * sigma
    values, vectors = np.linalg.eigh(axes.T @ shared @ axes)
    return np.asarray(vectors / np.sqrt(np.maximum(values, 1e-6 * values[-1])) @ vectors.T)
