"""Non-negative least squares of many spectra on one small basis, exact."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray
from gigaxas.components.active import solve
from gigaxas.components.projection import make_frame, project
from gigaxas.components.sets import make_sets
from gigaxas.errors import InputError, RunError

MOST_COMPONENTS = 62
"""As many as a set of them has bits in a whole number."""


@dataclass(frozen=True)
class Fit:
    """Weights (k, n), all at least 0, their variance (k, n), and the residual norm (n,).

    The variance is that of a fit with the free components of the pixel; that of a weight held at 0 is what
    it would have if it were free.
    """

    weights: FloatArray
    variance: FloatArray
    residual: FloatArray


def nnls(basis: ArrayLike, spectra: ArrayLike, sum_to_one: bool = False) -> Fit:
    """Minimise |basis x - spectrum| over x >= 0 for spectra (n, E) on a basis (E, k).

    With `sum_to_one` the weights of a pixel also add up to 1. The variance is for noise of 1 on every
    sample. Raises InputError for what is not finite, and for components that depend on each other.
    """
    columns, samples = np.asarray(basis, dtype=np.float64), np.asarray(spectra)
    if columns.ndim != 2 or samples.ndim != 2 or samples.shape[1] != columns.shape[0]:
        raise InputError(
            f"found spectra {samples.shape} on a basis {columns.shape}, expected (n, E) and (E, k)"
        )
    if not np.all(np.isfinite(samples)):
        raise InputError("a spectrum is not finite, expected whole spectra; mask such pixels first")
    frame = make_frame(columns)
    coordinates, total = project(frame, samples.T)
    return fit(frame.components, coordinates, total, np.eye(len(frame.components)), sum_to_one)


def fit(
    components: FloatArray, coordinates: FloatArray, total: FloatArray, noise: FloatArray, sum_to_one: bool
) -> Fit:
    """Fit coordinates (K, n), of squared length `total` (n,), with components (K, k) of the same frame.

    `noise` (K, K) is the covariance of a spectrum's coordinates. A spectrum gets the same bits whatever
    stands beside it. Raises InputError for more than MOST_COMPONENTS components.
    """
    axes, count = components.shape
    if count > MOST_COMPONENTS:
        raise InputError(
            f"found a basis of {count} components, expected at most {MOST_COMPONENTS}; merge some of them"
        )
    weights, variance = np.empty((2, count, total.size))
    residual = np.empty(total.size)
    given_up = solve(
        np.ascontiguousarray(components),
        sum_to_one,
        coordinates,
        total,
        np.ascontiguousarray(noise),
        make_sets(axes, count),
        weights,
        variance,
        residual,
    )
    if given_up:
        raise RunError(f"non-negative least squares found no end in {given_up} pixels; report this data set")
    return Fit(weights, variance, residual)
