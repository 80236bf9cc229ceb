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


def residual_mixing(rest: FloatArray, correlation: FloatArray) -> FloatArray:
    """Return (E, E): the variance of residuals is this matrix times that of the samples.

    `rest` (E, E) projects spectra on residuals; `correlation` (lags,) is the noise's in energy. Samples near
    enough to be correlated are taken to be of about the same variance.
    """
    return np.asarray(rest * (rest @ correlation_matrix(correlation, len(rest))))


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
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    patterns = [linalg.toeplitz(np.arange(energies) == lag) for lag in range(lags + 1)]
    filtered = rest * deviation
    shown = [_diagonal_sums(filtered @ pattern @ filtered.T / scale, lags) for pattern in patterns]
    found = np.linalg.solve(np.stack(shown, axis=1), _diagonal_sums(covariance / scale, lags))
    return np.asarray(np.clip(found / found[0], -1.0, 1.0))


def _autocorrelation(area: FloatArray) -> FloatArray:
    size = [fft.next_fast_len(side + RADIUS, real=True) for side in area.shape[1:]]
    power = np.sum(np.square(np.abs(fft.rfft2(area, size))), axis=0)
    near = np.arange(-RADIUS, RADIUS + 1)
    return np.asarray(fft.irfft2(power, size)[np.ix_(near, near)])


def _diagonal_sums(matrix: FloatArray, lags: int) -> FloatArray:
    return np.array([np.trace(matrix, lag) for lag in range(lags + 1)])
