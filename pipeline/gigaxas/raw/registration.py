"""How two overlapping images lie to each other: phase correlation, refined on the part they share."""

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gigaxas.arrays import FloatArray
from gigaxas.tiles import Box, Plane

LEAST_SIDE = 12
"""Pixels that an overlap must measure at least, in both directions, to be compared."""
LEAST_CORRELATION = 0.3
"""Pearson's r of the shared part below which two images do not show the same."""
LEAST_CONTRAST = 1.0
"""Variance of the specimen over that of the noise, in the details, below which an overlap has no texture."""
UPSAMPLE = 50
"""Steps to a pixel in which phase correlation finds an offset."""
ROUNDS = 10
"""How often the shared part is cut anew at most."""
CONVERGED = 0.02
"""Pixels by which the offset changes no more: one step of UPSAMPLE."""
FINE, COARSE = 0.7, 4.0
"""Standard deviations, in pixels, of the Gaussians between which details lie."""
Offset = tuple[float, float]
Rejection = Literal["", "no texture", "not alike", "outlier"]
"""Why a pair of fields does not count; empty for one that does."""


@dataclass(frozen=True)
class Pair:
    """Two fields that overlap: where the second lies as seen from the first."""

    first: int
    """Number of the first field, from 0."""
    second: int
    """Number of the second field."""
    stage: Offset
    """The offset (y, x) by the stage, in pixels."""
    offset: Offset
    """The measured offset (y, x), in pixels; that of the stage for a pair that was rejected."""
    correlation: float
    """Pearson's r of the shared part."""
    rejected: Rejection = ""
    """Why the pair does not count."""


def overlapping(stage: FloatArray, plane: Plane) -> list[tuple[int, int]]:
    """Return the pairs of fields at stage (n, 2) in pixels that share enough of their images (h, w)."""
    return [
        (a, b)
        for a, b in combinations(range(len(stage)), 2)
        if min(np.array(plane) - np.abs(stage[b] - stage[a])) >= LEAST_SIDE
    ]


def shared(offset: FloatArray, plane: Plane) -> tuple[Box, Box]:
    """Return the shared part in the first and in the second field, for an offset rounded to whole pixels."""
    y, x = (int(move) for move in np.rint(offset))
    height, width = plane
    first = Box(max(y, 0), min(height, height + y), max(x, 0), min(width, width + x))
    return first, first.seen_from(y, x)


def measure_offset(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    stage: FloatArray,
    noise: float,
    shift_limit: float,
) -> tuple[FloatArray, float, Rejection]:
    """Return the offset (2,) of the second image (h, w) from the first, Pearson's r, and why it is rejected.

    `stage` is the offset to start from, `shift_limit` how many pixels it may be wrong by, `noise` the
    standard deviation of the images' noise. NaN in the images is left out. The offset is found on the part
    that the two share, which is cut anew with every better offset.
    """
    start = np.asarray(stage, dtype=np.float64)
    offset, r = start, 0.0
    for _ in range(ROUNDS):
        boxes = shared(offset, (first.shape[0], first.shape[1]))
        if min(boxes[0].shape) < LEAST_SIDE:
            return start, 0.0, "not alike"
        a, b = (_cut(image, box) for image, box in zip((first, second), boxes, strict=True))
        b = ndimage.shift(b, offset - np.rint(offset), order=3, mode="nearest")
        if min(float(detail(image).var()) for image in (a, b)) < (1 + LEAST_CONTRAST) * _noise_left(noise):
            return start, 0.0, "no texture"
        move = move_between(a, b)
        offset = offset + move
        if np.abs(offset - start).max() > shift_limit:
            return start, 0.0, "not alike"
        r = overlap_correlation(a, b, move)
        if np.abs(move).max() <= CONVERGED:
            break
    return (offset, r, "") if r >= LEAST_CORRELATION else (start, r, "not alike")


def _cut(image: NDArray[np.float32], box: Box) -> FloatArray:
    part = image[box.region].astype(np.float64)
    known = np.isfinite(part)
    return np.where(known, part, part[known].mean() if known.any() else 0.0)


def move_between(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return how far b's content lies from a's: what is at p in a is at p - move in b."""
    # not at the top: every start would wait for a third of a second for packages that raw fields alone need
    from scipy.signal.windows import tukey
    from skimage.registration import phase_cross_correlation

    window = np.outer(tukey(a.shape[0], 0.5), tukey(a.shape[1], 0.5))
    details = [detail(image) * window for image in (a, b)]
    move, _, _ = phase_cross_correlation(*details, upsample_factor=UPSAMPLE, normalization=None)
    return np.asarray(move, dtype=np.float64)


def overlap_correlation(a: FloatArray, b: FloatArray, move: FloatArray) -> float:
    """Return Pearson's r of the details of a and b, b moved by whole pixels; 0 where too little is shared."""
    boxes = shared(move, (a.shape[0], a.shape[1]))
    one, two = (detail(image)[box.region] for image, box in zip((a, b), boxes, strict=True))
    if one.size < LEAST_SIDE or not one.std() or not two.std():
        return 0.0
    return float(np.corrcoef(one.ravel(), two.ravel())[0, 1])


def detail(image: FloatArray) -> FloatArray:
    """Leave what lies between FINE and COARSE: wide gradients follow the window, not the specimen."""
    return np.asarray(ndimage.gaussian_filter(image, FINE) - ndimage.gaussian_filter(image, COARSE))


def _noise_left(noise: float) -> float:
    """Return the variance that white noise of this standard deviation has in the details of an image."""
    side = 2 * int(6 * COARSE) + 1
    point = np.zeros((side, side))
    point[side // 2, side // 2] = noise
    return float((detail(point) ** 2).sum())
