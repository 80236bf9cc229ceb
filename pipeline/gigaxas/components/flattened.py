"""Flattened spectra: is one cluster what leaked light, or harmonics, make of another (METHOD 8)?

Light that passes beside the sample, a share f of what reaches the detector without one, turns the
absorbance mu into -ln((exp(-mu) + f) / (1 + f)): the higher the peak, the more is cut off it.
"""

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray
from gigaxas.components.alike import Fits
from gigaxas.components.evidence import ClusterEvidence

SMALLEST_LEAK = 1e-4
LARGEST_LEAK = 2.0
THICKEST = 8.0
"""Edge step, in units of absorbance, beyond which no light comes through."""
GRID = 32
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
NARROW = 1e-7


def leaked(mu: ArrayLike, share: float) -> FloatArray:
    """Return what absorbance (any shape) is measured where a share f of light leaks: METHOD 8."""
    return np.asarray(-np.log((np.exp(-np.asarray(mu, dtype=np.float64)) + share) / (1.0 + share)))


def fit_flattened(clusters: ClusterEvidence, row: int, floor: float) -> Fits:
    """Fit the cluster in a row with every cluster (n,) flattened; the amount is the share f of leaked light.

    Chi-square counts the variance of both means and, as what no model explains, `floor` times the noise of
    a pixel; it is infinite for the cluster itself. Where the absorbance of the clusters was measured,
    thickness follows from the edge step of the flattened one; else both have that of the working point.
    """
    count = len(clusters.labels)
    fits = Fits(np.full(count, np.inf), np.zeros(count), np.zeros(count))
    allowed = clusters.variance[row] + (floor * clusters.noise[row]) ** 2
    step, low = float(clusters.step[row]), float(clusters.low[row])
    most = _largest_share(step) if clusters.measured else LARGEST_LEAK
    for other in np.flatnonzero(np.arange(count) != row):
        weight = 1.0 / (allowed + clusters.variance[other])
        chi_square, share, error = _fit_pair(
            clusters.spectra[row], clusters.spectra[other], weight, step, clusters.measured, most
        )
        f = _true_share(np.array([share - error, share, share + error]), low, clusters.measured)
        fits.chi_square[other] = chi_square
        fits.amount[other], fits.error[other] = f[1], (f[2] - f[0]) / 2
    return fits


def flattened(clusters: ClusterEvidence, row: int, other: FloatArray) -> FloatArray:
    """Return the spectrum `other` (E,) flattened as comes nearest to that of the cluster in this row."""
    target, step = clusters.spectra[row], float(clusters.step[row])
    weight = 1.0 / clusters.noise[row] ** 2
    most = _largest_share(step) if clusters.measured else LARGEST_LEAK
    _, share, _ = _fit_pair(target, other, weight, step, clusters.measured, most)
    shape = np.empty(other.size)
    _flatten(other, share, step, clusters.measured, shape)
    scale, offset = _line(target, shape, weight)
    return scale * shape + offset


def _largest_share(step: float) -> float:
    """Return the largest share that leaves an edge step of `step` at all."""
    through = np.exp(-step)
    return float(max((through - np.exp(-THICKEST)) / (1.0 - through), 2 * SMALLEST_LEAK))


def _true_share(share: FloatArray, low: float, measured: bool) -> FloatArray:
    """Turn a share of the light that passes before the edge into f, a share of all light."""
    through = np.exp(-low)
    if not measured:
        return share * through
    return share * through / (1.0 + share - share * through)


@njit(nogil=True, cache=True)
def _fit_pair(
    target: FloatArray, other: FloatArray, weight: FloatArray, step: float, measured: bool, most: float
) -> tuple[float, float, float]:
    """Return the least chi-square, and the leak as a share of the light before the edge, with one sigma."""
    shape = np.empty(other.size)
    grid = SMALLEST_LEAK * (most / SMALLEST_LEAK) ** (np.arange(GRID) / (GRID - 1))
    best, least = 0, np.inf
    for i in range(GRID):
        _flatten(other, grid[i], step, measured, shape)
        value = _chi_square(target, shape, weight)
        if value < least:
            best, least = i, value
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
    while high - low > NARROW * high:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        _flatten(other, left, step, measured, shape)
        at_left = _chi_square(target, shape, weight)
        _flatten(other, right, step, measured, shape)
        if at_left <= _chi_square(target, shape, weight):
            high = right
        else:
            low = left
    share = 0.5 * (low + high)
    _flatten(other, share, step, measured, shape)
    least = _chi_square(target, shape, weight)
    return least, share, _sigma(target, other, weight, step, measured, share, least)


@njit(nogil=True, cache=True)
def _sigma(
    target: FloatArray,
    other: FloatArray,
    weight: FloatArray,
    step: float,
    measured: bool,
    share: float,
    least: float,
) -> float:
    """Return the change of the share that raises chi-square by one, from its curvature."""
    shape = np.empty(other.size)
    by = 0.01 * share
    rise = -2.0 * least
    for near in (share - by, share + by):
        _flatten(other, near, step, measured, shape)
        rise += _chi_square(target, shape, weight)
    return by * np.sqrt(2.0 / rise) if rise > 0.0 else share


@njit(nogil=True, cache=True)
def _flatten(spectrum: FloatArray, share: float, step: float, measured: bool, shape: FloatArray) -> None:
    """Write the absorbance of a normalised spectrum with a leak, up to scale and offset."""
    true_step = step
    if measured:
        true_step = -np.log(max((1.0 + share) * np.exp(-step) - share, np.exp(-2 * THICKEST)))
    for e in range(spectrum.size):
        shape[e] = -np.log(np.exp(-true_step * spectrum[e]) + share)


@njit(nogil=True, cache=True)
def _line(target: FloatArray, shape: FloatArray, weight: FloatArray) -> tuple[float, float]:
    """Return the scale and the offset that bring a shape nearest to the target."""
    total = np.sum(weight)
    mean_shape, mean_target = np.sum(weight * shape) / total, np.sum(weight * target) / total
    square, product = 0.0, 0.0
    for e in range(shape.size):
        product += weight[e] * (shape[e] - mean_shape) * (target[e] - mean_target)
        square += weight[e] * (shape[e] - mean_shape) ** 2
    scale = product / square if square > 0.0 else 0.0
    return scale, mean_target - scale * mean_shape


@njit(nogil=True, cache=True)
def _chi_square(target: FloatArray, shape: FloatArray, weight: FloatArray) -> float:
    """Return chi-square of the target about the best line through the shape; infinite where it falls."""
    scale, offset = _line(target, shape, weight)
    if not scale > 0.0:
        return np.inf
    value = 0.0
    for e in range(shape.size):
        value += weight[e] * (target[e] - scale * shape[e] - offset) ** 2
    return value
