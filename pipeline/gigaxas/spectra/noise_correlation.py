"""Correlation of noise between neighbouring pixels and between neighbouring energies."""

from collections.abc import Sequence

import numpy as np
from scipy import fft, linalg

from gigaxas.arrays import BoolArray, FloatArray

RADIUS = 4
"""Pixels to the farthest neighbour whose correlation is measured."""
LAGS = 6
"""Energies to the farthest neighbour whose correlation is measured."""
_ENERGIES_A_LAG = 4  # a lag is measured from so many energies on
_LEAST_SHARE = 0.1  # of a sample's variance in its residual: less would magnify errors


def correlation_matrix(correlation: FloatArray, energies: int) -> FloatArray:
    """Return the matrix (energies, energies) of a correlation (lags,) that is 0 beyond its lags."""
    return np.asarray(linalg.toeplitz(np.pad(correlation, (0, energies - len(correlation)))))


def correlation_in_space(normal: Sequence[FloatArray], seen: Sequence[BoolArray]) -> FloatArray:
    """Return the correlation (2 RADIUS + 1, 2 RADIUS + 1) of areas (E, h, w) of noise with themselves moved.

    Pixels that are not `seen` (h, w) are 0. Squared Fourier transforms give all shifts at once; frames are
    wide enough that no shift goes round.
    """
    products = np.sum([_autocorrelation(area) for area in normal], axis=0)
    pairs = np.sum([_autocorrelation(mask[None].astype(np.float64)) for mask in seen], axis=0)
    covariance = products / np.maximum(np.rint(pairs), 1.0)
    return np.asarray(covariance / covariance[RADIUS, RADIUS])


def correlated(values: FloatArray, correlation: FloatArray) -> FloatArray:
    """Return values (n, E) times the correlation matrix (E, E) of a correlation (lags,), lag by lag."""
    total = correlation[0] * values
    for lag, share in enumerate(correlation[1:], start=1):
        total[:, lag:] += share * values[:, :-lag]
        total[:, :-lag] += share * values[:, lag:]
    return total


def residual_mixing(rest: FloatArray, correlation: FloatArray) -> FloatArray:
    """Return (E, E): the variance of residuals is this matrix times that of the samples.

    `rest` (E, E) projects spectra on residuals; `correlation` (lags,) is the noise's in energy. Samples near
    enough to be correlated are taken to be of about the same variance.
    """
    return np.asarray(rest * correlated(rest, correlation))


def sample_variance(covariance: FloatArray, mixing: FloatArray) -> FloatArray:
    """Return the variance (E,) of samples whose residuals have the covariance (E, E)."""
    return np.asarray(np.diag(covariance) / np.maximum(mixing.sum(axis=1), _LEAST_SHARE))


def correlation_in_energy(covariance: FloatArray, rest: FloatArray, mixing: FloatArray) -> FloatArray:
    """Return the correlation (lags + 1,) in energy of noise whose residuals have the covariance (E, E).

    The projection on residuals correlates them too. Noise of the deviation w_i and the correlation r_k gives
    the sums of the residuals' k-th diagonals, which are linear in r: as many equations as unknowns.
    """
    energies = len(rest)
    lags = min(LAGS, energies // _ENERGIES_A_LAG)
    deviation = np.sqrt(sample_variance(covariance, mixing))
    scale = 1.0 / np.sqrt(np.diag(covariance))
    filtered = rest * deviation
    shown = [_product_sums(_neighbours(filtered, lag), filtered, scale, lags) for lag in range(lags + 1)]
    measured = [(np.diag(covariance, k) * scale[: energies - k] * scale[k:]).sum() for k in range(lags + 1)]
    found = np.linalg.solve(np.stack(shown, axis=1), np.array(measured))
    return np.asarray(np.clip(found / found[0], -1.0, 1.0))


def _neighbours(values: FloatArray, lag: int) -> FloatArray:
    """Return the sum (n, E) of the two columns `lag` to the left and to the right of each; itself for 0."""
    if lag == 0:
        return values
    total = np.zeros_like(values)
    total[:, lag:] += values[:, :-lag]
    total[:, :-lag] += values[:, lag:]
    return total


def _product_sums(first: FloatArray, second: FloatArray, scale: FloatArray, lags: int) -> FloatArray:
    """Return the sums (lags + 1,) of the first diagonals of first @ second.T, rows and columns scaled."""
    energies = len(scale)
    products = (
        np.einsum("ij,ij->i", first[: energies - k], second[k:]) * scale[: energies - k] * scale[k:]
        for k in range(lags + 1)
    )
    return np.array([product.sum() for product in products])


def _autocorrelation(area: FloatArray) -> FloatArray:
    size = [fft.next_fast_len(side + RADIUS, real=True) for side in area.shape[1:]]
    power = np.sum(np.square(np.abs(fft.rfft2(area, size))), axis=0)
    near = np.arange(-RADIUS, RADIUS + 1)
    return np.asarray(fft.irfft2(power, size)[np.ix_(near, near)])
