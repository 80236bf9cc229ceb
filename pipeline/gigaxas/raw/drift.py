"""The specimen's drift while the energies of one field are taken: measured, and taken out again."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gigaxas.arrays import BoolArray, Float32Array, FloatArray
from gigaxas.raw.registration import move_between, overlap_correlation
from gigaxas.raw.robust_fit import robust_fit
from gigaxas.tiles import Region

DEGREE = 2
"""Degree of the polynomial over the order of the images."""
REFERENCE_IMAGES = 8
"""Post-edge images, evenly spread, whose mean the others are compared with."""
LEAST_CORRELATION = 0.3
"""Pearson's r with that mean below which an image tells nothing."""
IMAGES_A_TERM = 4
"""Images that every term of the polynomial needs."""


def measure_drift(mu: Float32Array, post: NDArray[np.intp]) -> FloatArray:
    """Return the drift (E, 2) in pixels, y and x, of the images mu (E, h, w), relative to the images `post`.

    What shows at p in those shows at p + drift[i] in image i. The drift is taken to be slow: a parabola over
    the order of the images, fitted to phase correlations with the mean of some post-edge images, each
    weighted by the square of their correlation. Without enough correlated images there is no drift.
    """
    reference = mu[post[:: max(1, len(post) // REFERENCE_IMAGES)]].mean(axis=0).astype(np.float64)
    moves = np.array([move_between(reference, image.astype(np.float64)) for image in mu])
    weight = np.array(
        [
            max(overlap_correlation(reference, image.astype(np.float64), move), 0.0)
            for image, move in zip(mu, moves, strict=True)
        ]
    )
    weight[weight < LEAST_CORRELATION] = 0.0
    if np.count_nonzero(weight) < IMAGES_A_TERM * (DEGREE + 1):
        return np.zeros((len(mu), 2))
    order = np.linspace(-1, 1, len(mu))
    design = np.vander(order, DEGREE + 1)
    found = [robust_fit(design, -moves[:, axis], weight**2)[0] for axis in (0, 1)]
    drift = np.stack([design @ terms for terms in found], axis=1)
    return np.asarray(drift - drift[post].mean(axis=0))


def margin(drift: FloatArray) -> int:
    """Return how many pixels around a region are needed to undo a drift (E, 2)."""
    return int(np.ceil(np.abs(drift).max())) + 1


def undo_drift(
    mu: Float32Array, valid: BoolArray, drift: FloatArray, core: Region
) -> tuple[Float32Array, BoolArray]:
    """Move the images mu (E, h, w) back by their drift (E, 2), linear between pixels, and cut out `core`.

    A pixel is valid where every pixel that it is made of lies in the images and is valid (h, w).
    """
    moved = np.stack(
        [
            ndimage.shift(image, -step, order=1, mode="nearest", prefilter=False)[core]
            for image, step in zip(mu, drift, strict=True)
        ]
    )
    halo = margin(drift)
    usable = np.pad(valid, halo)
    good = np.ones(moved.shape[1:], dtype=np.bool_)
    for y, x in np.unique(np.floor(drift).astype(int), axis=0):
        for dy, dx in ((y, x), (y, x + 1), (y + 1, x), (y + 1, x + 1)):
            rows = slice(core[0].start + halo + dy, core[0].stop + halo + dy)
            good &= usable[rows, core[1].start + halo + dx : core[1].stop + halo + dx]
    return moved, good
