"""Correlation of noise between neighbouring pixels and between neighbouring energies."""

from collections.abc import Sequence

import numpy as np
from scipy import fft, linalg

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.spectra.noise import NO_CORRELATION

RADIUS = 4
"""Pixels to the farthest neighbour whose correlation is measured."""
QUIET = 0.4
"""Share of the energies whose second differences vary least and tell noise from structure best."""
LAGS = 6
"""Energies to the farthest neighbour whose correlation is measured."""
_ENERGIES_A_LAG = 4  # a lag is measured from so many energies on
_LEAST_SHARE = 0.1  # of a sample's variance in its residual: less would magnify errors
_OUTLIER = 5.0  # standard deviations
_NORMAL_MEDIAN = 1.4826  # standard deviation of a normal distribution over its median deviation
_SURE = 4.0  # standard errors


def correlation_matrix(correlation: FloatArray, energies: int) -> FloatArray:
    """Return the matrix (energies, energies) of a correlation (lags,) that is 0 beyond its lags."""
    return np.asarray(linalg.toeplitz(np.pad(correlation, (0, energies - len(correlation)))))


def correlation_in_space(normal: Sequence[FloatArray], seen: Sequence[BoolArray]) -> FloatArray:
    """Return the correlation (2 RADIUS + 1, 2 RADIUS + 1) of areas (E, h, w) of noise with themselves moved.

    Pixels that are not `seen` (h, w) are 0. Squared Fourier transforms give all shifts at once; frames are
    wide enough that no shift goes round.
    """
    parts = [neighbour_products(area, mask) for area, mask in zip(normal, seen, strict=True)]
    return correlation_of_products(*(np.sum(part, axis=0) for part in zip(*parts, strict=True)))


def neighbour_products(normal: FloatArray, seen: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Return the sums of the products of pixels with their neighbours', and how many samples they hold.

    Both are (2 RADIUS + 1, 2 RADIUS + 1), of an area (E, h, w) that is 0 where it is not seen (h, w).
    """
    pairs = np.rint(_autocorrelation(seen[None].astype(np.float64)))
    return _autocorrelation(normal), pairs * len(normal)


def correlation_of_products(products: FloatArray, samples: FloatArray) -> FloatArray:
    """Return the correlation (n, n) of a pixel with its neighbours' from the sums of `neighbour_products`.

    Without any variance there is no correlation.
    """
    covariance = products / np.maximum(samples, 1.0)
    middle = tuple(side // 2 for side in products.shape)
    if not covariance[middle] > 0.0:
        covariance[middle] = 1.0
    return np.asarray(covariance / covariance[middle])


def sure_correlation(products: FloatArray, samples: FloatArray) -> FloatArray:
    """Return the same without what cannot be told from no correlation; (1, 1) where nothing is left."""
    found = correlation_of_products(products, samples)
    chance = np.maximum(NO_CORRELATION, _SURE / np.sqrt(np.maximum(samples, 1.0)))
    found = np.where(np.abs(found) < chance, 0.0, found)
    return found if np.count_nonzero(found) > 1 else np.ones((1, 1))


def quiet_differences(area: FloatArray, seen: BoolArray) -> FloatArray:
    """Return noise of variance 1 that an area (E, h, w) shows: (n, h, w), 0 where it is not seen (h, w).

    Spectra are smooth, so that structure hardly enters the second differences along energy; those of the
    QUIET energies are freed of their median and clipped (MEASURED 2).
    """
    differences = np.diff(area, 2, axis=0)
    if not seen.any() or not len(differences):
        return np.zeros((0, *seen.shape))
    values = differences[:, seen]
    values -= np.median(values, axis=1)[:, None]
    deviation = _NORMAL_MEDIAN * np.median(np.abs(values), axis=1)
    # more than half of the differences of few counts are 0
    deviation = np.where(deviation > 0.0, deviation, values.std(axis=1))
    quiet = np.argsort(deviation, kind="stable")
    quiet = quiet[deviation[quiet] > 0.0]
    quiet = quiet[: max(1, round(QUIET * len(quiet)))]
    normal = np.zeros((len(quiet), *seen.shape))
    normal[:, seen] = np.clip(values[quiet] / deviation[quiet, None], -_OUTLIER, _OUTLIER)
    return normal


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
