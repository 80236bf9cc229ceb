"""Whether a window that stands out is a speck: judged by all energies, and by every label that is near it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from gigaxas.arrays import BoolArray, Float32Array, FloatArray
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


class _Near(NamedTuple):
    """What is near a window: labels, and stronger windows."""

    points: FloatArray
    """(k, r) mean coordinates of the pixels of each around it."""
    pixels: FloatArray
    """(k,) how many these are; infinite for a whole cluster."""
    spectra: FloatArray
    """(k, E) mean spectra: of the whole cluster, which is near enough to tell a hit."""


def judge(
    looked: Looked,
    region: Region,
    axes: NDArray[np.float32],
    clusters: Clusters,
    stronger: Sequence[Region] = (),
) -> Verdict:
    """Judge the pixels of a window by a non-negative mixture of all that is near it, hits left out.

    That are the labels near, and `stronger` windows, of which it may be the blurred rim or a further part.
    Hits are looked for in every pixel, and in their mean, where an image has a fault at one energy.
    """
    ys, xs = region
    own, labels = looked.around.own, looked.around.labels
    near = _what_is_near(looked, ys, xs, clusters, stronger)
    cells = -(-own.shape[1] // CELL)
    scale = float(looked.scale[(ys.start + ys.stop) // 2 // CELL * cells + (xs.start + xs.stop) // 2 // CELL])
    sigma = clusters.sigma[labels[own[ys, xs]].min()] * np.sqrt(scale)
    pixels = looked.samples[:, ys, xs].reshape(len(looked.samples), -1).astype(np.float64)
    count, hits = pixels.shape[1], 0
    expected = _fit(pixels.mean(axis=1), near, axes) @ near.spectra
    for number in np.flatnonzero(_worst(pixels, expected, sigma) >= HIT).tolist():
        pixels[:, number], found = _without_hits(pixels[:, number], near, sigma, axes)
        hits += found
    mean, found = _without_hits(pixels.mean(axis=1), near, sigma / np.sqrt(count), axes)
    point, weights = (mean - mean.mean()) @ axes, _fit(mean, near, axes)
    host = weights @ near.points
    share = 1.0 + count * float(np.sum(weights**2 / near.pixels)) / max(float(weights.sum()) ** 2, 1e-300)
    chi_square = count * float(np.sum((point - host) ** 2)) / (scale * share)
    return Verdict(chi_square, mean, sigma, scale, point, host, hits + found)


def _what_is_near(
    looked: Looked, ys: slice, xs: slice, clusters: Clusters, stronger: Sequence[Region]
) -> _Near:
    """Return the labels within NEAR of a window, as the pixels around it have them, and stronger windows.

    The pixels of all these windows are left out of those of the labels.
    """
    own, labels = looked.around.own, looked.around.labels
    box = own[max(ys.start - NEAR, 0) : ys.stop + NEAR, max(xs.start - NEAR, 0) : xs.stop + NEAR]
    there = np.unique(labels[box[box >= 0]])
    free = looked.around.uniform.copy()
    for region in ((ys, xs), *stronger):
        free[region] = False
    points, pixels = clusters.points[there], np.full(there.size, np.inf)
    for number, label in enumerate(there):
        for cells in CELLS_NEAR:
            wide = _cells_around(ys, xs, cells)
            mask = free[wide] & (own[wide] >= 0)
            mask[mask] = labels[own[wide][mask]] == label
            mask[mask] = _are_alike(looked.points[:, *wide][:, mask], clusters.points[label])
            if np.count_nonzero(mask) >= FEWEST_NEAR:
                points[number], pixels[number] = _mean(looked.points[:, *wide], mask), np.count_nonzero(mask)
                break
    spectra = clusters.spectra[there]
    for region in stronger:
        mask = np.ones(own[region].shape, np.bool_)
        points = np.vstack([points, _mean(looked.points[:, *region], mask)])
        pixels = np.append(pixels, mask.size)
        spectra = np.vstack([spectra, _mean(looked.samples[:, *region], mask)])
    return _Near(points, pixels, spectra)


def _cells_around(ys: slice, xs: slice, cells: int) -> Region:
    """Return the slices (y, x) that cut out the cell of a window's middle, with so many on every side."""
    top, left = ((part.start + part.stop) // 2 // CELL - cells for part in (ys, xs))
    side = 2 * cells + 1
    return (
        slice(max(top, 0) * CELL, (top + side) * CELL),
        slice(max(left, 0) * CELL, (left + side) * CELL),
    )


def _are_alike(points: Float32Array, cluster: FloatArray) -> BoolArray:
    """Return which of the pixels of a label (r, n) are of the phase of its cluster (r,).

    The map gives a label to slivers of other grains that it lost, too, and to specks. Errors that vary slowly
    move all pixels alike, but a good share of them stays nearest to its cluster.
    """
    if not points.shape[1]:
        return np.zeros(0, np.bool_)
    scale = cluster @ points / max(float(cluster @ cluster), 1e-300)
    square = np.sum((points - np.outer(cluster, scale)) ** 2, axis=0)
    return np.asarray(square <= OTHER * np.quantile(square, QUARTER), np.bool_)


def _mean(values: NDArray[Any], mask: BoolArray) -> FloatArray:
    """Return the mean (k,) over the pixels of a mask (h, w), summed in one order wherever the values lie."""
    return np.asarray(np.ascontiguousarray(values[:, mask], np.float64).mean(axis=1))


def _fit(spectrum: FloatArray, near: _Near, axes: NDArray[np.float32]) -> FloatArray:
    """Return the weights (k,) of the mixture of what is near that a spectrum (E,) comes closest to."""
    return np.asarray(nnls(near.points.T, (spectrum - spectrum.mean()) @ axes)[0])


def _worst(pixels: FloatArray, expected: FloatArray, sigma: FloatArray) -> FloatArray:
    """Return how many times its noise the worst sample of each pixel (E, n) is off, scale and offset free."""
    shape = expected - expected.mean()
    left = pixels - pixels.mean(axis=0)
    left -= shape[:, None] * (shape @ left / max(float(shape @ shape), 1e-300))
    left /= sigma[:, None]
    return np.asarray(np.abs(left, out=left).max(axis=0))


def _without_hits(
    spectrum: FloatArray, near: _Near, sigma: FloatArray, axes: NDArray[np.float32]
) -> tuple[FloatArray, int]:
    """Return a spectrum (E,) whose hits have the value that is expected there, and how many they are."""
    spectrum = spectrum.copy()
    kept = np.ones(spectrum.size, np.bool_)
    for _ in range(MOST_HITS):
        shape = _fit(spectrum, near, axes) @ near.spectra
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
