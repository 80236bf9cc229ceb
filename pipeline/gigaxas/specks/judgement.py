"""Whether a window that stands out is a speck: judged by all energies, and by every label that is near it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import nnls

from gigaxas.arrays import BoolArray, Float32Array, FloatArray, IntArray
from gigaxas.specks.surroundings import CELL, Surroundings
from gigaxas.tiles import Region

NEAR = 3
"""Pixels around a window, as far as blur reaches, within which any label may explain it, alone or mixed."""
FEWEST_NEAR = 16
"""Pixels without which a label near is known by the mean of its whole cluster."""
CELLS_NEAR = (1, 2)
"""Cells around that of a window in which these pixels are looked for, first in few."""
OTHER, QUARTER = 3.0, 0.25
"""Times the chi-square that so large a share of the pixels of a label stays below, beyond which one is of
another phase."""
HIT = 6.0
"""Times its noise that a sample must be off to be a hit, by a cosmic ray or the like."""
ALONE = 3.0
"""Times the residuals at the energies beside it that a hit must be off."""
MOST_HITS = 3
"""Energies at which samples of a pixel are left out at most."""


class Looked(NamedTuple):
    """A block of pixels (h, w) with all that was found out of it."""

    samples: NDArray[Any]
    """(E, h, w) as they are stored."""
    points: Float32Array
    """(r, h, w) coordinates on the axes."""
    around: Surroundings
    """What every pixel is expected to be."""
    scale: Float32Array
    """(cells,) noise of the pixels about each cell, as a chi-square, over the usual one."""


class Clusters(NamedTuple):
    """The clusters of the label map, from 0; NaN for a label that the map does not show."""

    spectra: FloatArray
    """(m + 1, E) mean spectra, in the unit of the samples as they are stored."""
    points: FloatArray
    """(m + 1, r) their coordinates."""
    sigma: FloatArray
    """(m + 1, E) noise of a pixel, in the same unit."""


class Verdict(NamedTuple):
    """What is known of a window once it is judged."""

    chi_square: float
    """Chi-square on the axes, over the noise around."""
    spectrum: FloatArray
    """(E,) mean spectrum, hits left out, as stored."""
    sigma: FloatArray
    """(E,) noise of a pixel there."""
    scale: float
    """Noise of a pixel there over the usual one, as a variance."""
    point: FloatArray
    """(r,) coordinates of that spectrum."""
    host: FloatArray
    """(r,) coordinates of the mixture of what is near that comes closest to it."""
    hits: int
    """Samples left out."""


class Near(NamedTuple):
    """What is near a window: labels, and stronger windows."""

    points: FloatArray
    """(k, r) mean coordinates of the pixels of each around it."""
    pixels: FloatArray
    """(k,) how many these are; infinite for a whole cluster."""
    spectra: FloatArray
    """(k, E) mean spectra: of the whole cluster, which is near enough to tell a hit."""


def what_is_near(looked: Looked, region: Region, clusters: Clusters, stronger: Sequence[Region] = ()) -> Near:
    """Return the labels within NEAR of a window, as the pixels around it have them, and `stronger` windows.

    Of these it may be the blurred rim or a further part. The pixels of all these windows are left out of
    those of the labels.
    """
    ys, xs = region
    own, labels = looked.around.own, looked.around.labels
    box = own[max(ys.start - NEAR, 0) : ys.stop + NEAR, max(xs.start - NEAR, 0) : xs.stop + NEAR]
    there = np.unique(labels[box[box >= 0]])
    taken = np.array([[y.start, y.stop, x.start, x.stop] for y, x in (region, *stronger)])
    middle = ((ys.start + ys.stop) // 2 // CELL, (xs.start + xs.stop) // 2 // CELL)
    points, pixels = clusters.points[there], np.full(there.size, np.inf)
    for number, label in enumerate(there.tolist()):
        _mean_around(looked.points, looked.around, taken, middle, label, points[number], pixels[number:])
    spectra = clusters.spectra[there]
    for window in stronger:
        points = np.vstack([points, _mean(looked.points[:, *window])])
        pixels = np.append(pixels, own[window].size)
        spectra = np.vstack([spectra, _mean(looked.samples[:, *window])])
    return Near(points, pixels, spectra)


def chi_square_of(looked: Looked, region: Region, near: Near) -> float:
    """Return what a mixture of all that is near leaves of a window, hits and all, over the noise around."""
    point = _mean(looked.points[:, *region])
    return _left(point, near, _scale_at(looked, region), looked.around.own[region].size)[0]


def judge(
    looked: Looked, region: Region, near: Near, axes: NDArray[np.float32], clusters: Clusters
) -> Verdict:
    """Judge the pixels of a window by a non-negative mixture of all that is near it, hits left out.

    Hits are looked for in every pixel, and in their mean, where an image has a fault at one energy.
    """
    scale = _scale_at(looked, region)
    sigma = clusters.sigma[looked.around.labels[looked.around.own[region]].min()] * np.sqrt(scale)
    pixels = looked.samples[:, *region].reshape(len(looked.samples), -1).astype(np.float64)
    count, hits = pixels.shape[1], 0
    expected = _fit(_point(pixels.mean(axis=1), axes), near) @ near.spectra
    for number in np.flatnonzero(_may_be_hit(pixels, expected, sigma)).tolist():
        pixels[:, number], found = _without_hits(pixels[:, number], near, sigma, axes)
        hits += found
    mean, found = _without_hits(pixels.mean(axis=1), near, sigma / np.sqrt(count), axes)
    point = _point(mean, axes)
    chi_square, host = _left(point, near, scale, count)
    return Verdict(chi_square, mean, sigma, scale, point, host, hits + found)


def _scale_at(looked: Looked, region: Region) -> float:
    """Return the noise about a window, as a chi-square over the usual one."""
    cells = -(-looked.around.own.shape[1] // CELL)
    y, x = ((part.start + part.stop) // 2 // CELL for part in region)
    return float(looked.scale[y * cells + x])


def _left(point: FloatArray, near: Near, scale: float, count: int) -> tuple[float, FloatArray]:
    """Return the chi-square of the mean (r,) of `count` pixels, and the mixture (r,) nearest to it."""
    weights = _fit(point, near)
    host = weights @ near.points
    share = 1.0 + count * float(np.sum(weights**2 / near.pixels)) / max(float(weights.sum()) ** 2, 1e-300)
    return count * float(np.sum((point - host) ** 2)) / (scale * share), host


@njit(nogil=True, cache=True)
def _mean_around(
    points: Float32Array,
    around: Surroundings,
    taken: IntArray,
    middle: tuple[int, int],
    label: int,
    mean: FloatArray,
    count: FloatArray,
) -> None:
    """Write the mean (r,) of the pixels of a label about a cell, and how many these are, first in few cells.

    The pixels of windows that are `taken` (k, 4) are left out. The map gives a label to slivers of other
    grains that it lost, too, and to specks: pixels that are not of the phase of its cluster, which `mean`
    holds, are left out as well. Errors that vary slowly move all pixels alike, but a good share of them
    stays nearest to the cluster. Where there are too few pixels, both stay as they are.
    """
    height, width = around.own.shape
    side = (2 * CELLS_NEAR[-1] + 1) * CELL
    ys, xs, squares = np.empty(side * side, np.int64), np.empty(side * side, np.int64), np.empty(side * side)
    inverse = 1.0 / max(np.sum(mean * mean), 1e-300)
    for cells in CELLS_NEAR:
        found = 0
        for y in range(max(middle[0] - cells, 0) * CELL, min((middle[0] + cells + 1) * CELL, height)):
            for x in range(max(middle[1] - cells, 0) * CELL, min((middle[1] + cells + 1) * CELL, width)):
                if (
                    not around.uniform[y, x]
                    or around.labels[around.own[y, x]] != label
                    or _is_in(taken, y, x)
                ):
                    continue
                ys[found], xs[found] = y, x
                squares[found] = _square_beside(points, y, x, mean, inverse)
                found += 1
        if found < FEWEST_NEAR:
            continue
        most = OTHER * np.quantile(squares[:found], QUARTER)
        alike = np.flatnonzero(squares[:found] <= most)
        if alike.size >= FEWEST_NEAR:
            mean[:] = 0.0
            for k in alike:
                for axis in range(mean.size):
                    mean[axis] += points[axis, ys[k], xs[k]]
            mean /= alike.size
            count[0] = alike.size
            return


@njit(nogil=True, cache=True)
def _is_in(boxes: IntArray, y: int, x: int) -> bool:
    found = False
    for y0, y1, x0, x1 in boxes:
        found |= y0 <= y < y1 and x0 <= x < x1
    return found


@njit(nogil=True, cache=True)
def _square_beside(points: Float32Array, y: int, x: int, mean: FloatArray, inverse: float) -> float:
    """Return the square of what a pixel differs by from `mean` (r,), of whatever scale."""
    along = square = 0.0
    for axis in range(mean.size):
        along += points[axis, y, x] * mean[axis]
    along *= inverse
    for axis in range(mean.size):
        square += (points[axis, y, x] - along * mean[axis]) ** 2
    return square


def _mean(values: NDArray[Any]) -> FloatArray:
    """Return the mean (k,) over pixels (k, h, w), summed in one order wherever these lie."""
    return np.asarray(np.ascontiguousarray(values, np.float64).reshape(len(values), -1).mean(axis=1))


def _point(spectrum: FloatArray, axes: NDArray[np.float32]) -> FloatArray:
    """Return the coordinates (r,) of a spectrum (E,)."""
    return np.asarray((spectrum - spectrum.mean()) @ axes)


def _fit(point: FloatArray, near: Near) -> FloatArray:
    """Return the weights (k,) of the mixture of what is near that a point (r,) comes closest to."""
    return np.asarray(nnls(near.points.T, point)[0])


def _may_be_hit(pixels: FloatArray, expected: FloatArray, sigma: FloatArray) -> BoolArray:
    """Return which pixels (E, n) have a sample that is off by HIT, and half as much at most beside it.

    The scale and the offset of what is `expected` (E,) are free.
    """
    shape = expected - expected.mean()
    left = pixels - pixels.mean(axis=0)
    left -= shape[:, None] * (shape @ left / max(float(shape @ shape), 1e-300))
    left /= sigma[:, None]
    np.abs(left, out=left)
    beside = np.zeros_like(left)
    beside[1:] = left[:-1]
    np.maximum(beside[:-1], left[1:], out=beside[:-1])
    return np.asarray(((left >= HIT) & (2.0 * beside <= left)).any(axis=0))


def _without_hits(
    spectrum: FloatArray, near: Near, sigma: FloatArray, axes: NDArray[np.float32]
) -> tuple[FloatArray, int]:
    """Return a spectrum (E,) whose hits have the value that is expected there, and how many they are."""
    spectrum = spectrum.copy()
    kept = np.ones(spectrum.size, np.bool_)
    for _ in range(MOST_HITS):
        shape = _fit(_point(spectrum, axes), near) @ near.spectra
        model = shape + np.median((spectrum - shape)[kept])
        left = (spectrum - model) / sigma
        left[~kept] = 0.0
        worst = int(np.abs(left).argmax())
        beside = max(abs(left[k]) for k in (worst - 1, worst + 1) if 0 <= k < left.size)
        if abs(left[worst]) < HIT or beside > abs(left[worst]) / ALONE:
            break
        kept[worst] = False
        spectrum[worst] = model[worst]
    return spectrum, int(np.count_nonzero(~kept))
