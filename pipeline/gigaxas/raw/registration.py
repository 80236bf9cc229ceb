"""How two overlapping images lie to each other: phase correlation, refined on the part they share."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.signal.windows import tukey
from skimage.registration import phase_cross_correlation

from gigaxas.arrays import FloatArray
from gigaxas.tiles import Box

LEAST_SIDE = 12
"""Pixels that an overlap must measure at least, in both directions, to be compared."""
LEAST_CORRELATION = 0.3
LEAST_CONTRAST = 1.0
"""Variance of the specimen over that of the noise, in the details, below which an overlap has no texture."""
UPSAMPLE = 50
REFINEMENTS = 10
SETTLED = 0.02
FINE, COARSE = 0.7, 4.0


@dataclass(frozen=True)
class Pair:
    """Two fields that overlap: where the second lies as seen from the first (y, x in pixels).

    `offset` is measured, `stage` what the stage says. `correlation` is Pearson's r of the shared part.
    `why` is empty for a pair that counts, else `no texture`, `not alike` or `outlier`.
    """

    first: int
    second: int
    stage: tuple[float, float]
    offset: tuple[float, float]
    correlation: float
    why: str = ""


def overlapping(stage: FloatArray, plane: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the pairs of fields at stage (n, 2) in pixels that share enough of their images (h, w)."""
    return [
        (a, b)
        for a, b in combinations(range(len(stage)), 2)
        if min(np.array(plane) - np.abs(stage[b] - stage[a])) >= LEAST_SIDE
    ]


def shared(offset: FloatArray, plane: tuple[int, int]) -> tuple[Box, Box]:
    """Return the box of the shared part in the first and in the second field, for a rounded offset."""
    first: list[int] = []
    second: list[int] = []
    for move, size in zip(np.rint(offset).astype(int), plane, strict=True):
        first += [int(max(move, 0)), int(min(size, size + move))]
        second += [int(max(-move, 0)), int(min(size, size - move))]
    return Box(*first), Box(*second)


def measure_offset(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    stage: FloatArray,
    noise: float,
    reach: float,
) -> tuple[FloatArray, float, str]:
    """Return the offset (2,) of the second image (h, w) from the first, Pearson's r, and why it fails or "".

    `stage` is the offset to start from, `reach` how many pixels it may be wrong by, `noise` the standard
    deviation of the images' noise. NaN in the images is left out. The offset is found on the part that the
    two share, which is cut anew with every better offset.
    """
    start = np.asarray(stage, dtype=np.float64)
    offset, r = start, 0.0
    for _ in range(REFINEMENTS):
        boxes = shared(offset, (first.shape[0], first.shape[1]))
        if min(boxes[0].y1 - boxes[0].y0, boxes[0].x1 - boxes[0].x0) < LEAST_SIDE:
            return start, 0.0, "not alike"
        a, b = (_cut(image, box) for image, box in zip((first, second), boxes, strict=True))
        b = ndimage.shift(b, offset - np.rint(offset), order=3, mode="nearest")
        if min(float(detail(image).var()) for image in (a, b)) < (1 + LEAST_CONTRAST) * _noise_left(noise):
            return start, 0.0, "no texture"
        move = move_between(a, b)
        offset = offset + move
        if np.abs(offset - start).max() > reach:
            return start, 0.0, "not alike"
        r = alike(a, b, move)
        if np.abs(move).max() <= SETTLED:
            break
    return (offset, r, "") if r >= LEAST_CORRELATION else (start, r, "not alike")


def _cut(image: NDArray[np.float32], box: Box) -> FloatArray:
    part = image[box.y0 : box.y1, box.x0 : box.x1].astype(np.float64)
    known = np.isfinite(part)
    return np.where(known, part, part[known].mean() if known.any() else 0.0)


def move_between(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return how far b's content lies from a's: what is at p in a is at p - move in b."""
    window = np.outer(tukey(a.shape[0], 0.5), tukey(a.shape[1], 0.5))
    details = [detail(image) * window for image in (a, b)]
    move, _, _ = phase_cross_correlation(*details, upsample_factor=UPSAMPLE, normalization=None)
    return np.asarray(move, dtype=np.float64)


def alike(a: FloatArray, b: FloatArray, move: FloatArray) -> float:
    """Return Pearson's r of the details of a and b, b moved by whole pixels."""
    boxes = shared(move, (a.shape[0], a.shape[1]))
    pair = zip((a, b), boxes, strict=True)
    one, two = (detail(image)[box.y0 : box.y1, box.x0 : box.x1] for image, box in pair)
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
