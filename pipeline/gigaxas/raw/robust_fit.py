"""Least squares that outliers do not bend."""

import numpy as np

from gigaxas.arrays import FloatArray

HUBER = 1.5
"""Robust standard deviations beyond which a residual counts less."""
ROUNDS = 30
"""Rounds of weighting; the weights settle in about ten."""
MAD_TO_SIGMA = 1.4826
"""The standard deviation of normal noise over its median absolute deviation."""


def robust_fit(
    design: FloatArray, values: FloatArray, weight: FloatArray | None = None
) -> tuple[FloatArray, FloatArray]:
    """Solve design (n, k) for values (n,) by least squares; return the solution (k,), its covariance (k, k).

    Residuals beyond 1.5 robust standard deviations are weighted down (Huber 1964), on top of `weight` (n,).
    """
    own = np.ones(len(values)) if weight is None else weight
    down = np.ones(len(values))
    for _ in range(ROUNDS):
        root = np.sqrt(own * down)
        found = np.linalg.lstsq(design * root[:, None], values * root, rcond=None)[0]
        rest = values - design @ found
        known = rest[own > 0]
        scale = max(MAD_TO_SIGMA * float(np.median(np.abs(known - np.median(known)))), 1e-9)
        down = np.minimum(1.0, HUBER * scale / np.maximum(np.abs(rest), 1e-12))
    freedom = max(int(np.count_nonzero(own)) - design.shape[1], 1)
    both = own * down
    variance = float(both @ rest**2) / freedom
    return np.asarray(found), np.linalg.pinv(design.T @ (design * both[:, None])) * variance
