"""Whether a window that stands out is a speck: judged by all energies, and by every label that is near it."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from gigaxas.arrays import BoolArray, Float32Array, FloatArray
from gigaxas.specks.surroundings import CELL, Surroundings

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
    """The clusters of the label map, from 0, NaN for a label without one."""

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
    """The labels near a window."""

    spectra: FloatArray
    """(k, E) the mean of the pixels of each around it."""
    points: FloatArray
    """(k, r) their coordinates."""
    pixels: FloatArray
    """(k,) how many these are."""
    sigma: FloatArray
    """(E,) noise of a pixel of the label that the window has."""


def judge(
    looked: Looked, region: tuple[slice, slice], axes: NDArray[np.float32], clusters: Clusters
) -> Verdict:
    """Judge the pixels of a window by a non-negative mixture of all labels near it, hits left out.

    Hits are looked for in every pixel, and in their mean, where an image has a fault at one energy.
    """
    ys, xs = region
    near = _labels_near(looked, ys, xs, clusters)
    scale = float(looked.scale[_cell(looked, (ys.start + ys.stop) // 2, (xs.start + xs.stop) // 2)])
    pixels = looked.samples[:, ys, xs].reshape(len(looked.samples), -1).astype(np.float64)
    sigma = near.sigma * np.sqrt(scale)
    hits = 0
    for number in range(pixels.shape[1]):
        pixels[:, number], found = _without_hits(pixels[:, number], near, sigma, axes)
        hits += found
    count = pixels.shape[1]
    mean, found = _without_hits(pixels.mean(axis=1), near, sigma / np.sqrt(count), axes)
    point = (mean - mean.mean()) @ axes
    weights, _ = nnls(near.points.T, point)
    host = weights @ near.points
    share = 1.0 + count * float(np.sum(weights**2 / near.pixels)) / max(float(weights.sum()) ** 2, 1e-300)
    chi_square = count * float(np.sum((point - host) ** 2)) / (scale * share)
    return Verdict(chi_square, mean, sigma, scale, point, host, hits + found)


def _cell(looked: Looked, y: int, x: int) -> int:
    width = looked.around.own.shape[1]
    return y // CELL * -(-width // CELL) + x // CELL


def _labels_near(looked: Looked, ys: slice, xs: slice, clusters: Clusters) -> _Near:
    """Return the labels within NEAR of a window, as the pixels around it have them, its own left out."""
    own, labels = looked.around.own, looked.around.labels
    height, width = own.shape
    box = np.s_[
        max(ys.start - NEAR, 0) : min(ys.stop + NEAR, height),
        max(xs.start - NEAR, 0) : min(xs.stop + NEAR, width),
    ]
    there = np.unique(labels[own[box][own[box] >= 0]])
    top, left = (ys.start + ys.stop) // 2 // CELL * CELL, (xs.start + xs.stop) // 2 // CELL * CELL
    uniform = looked.around.uniform.copy()
    uniform[ys, xs] = False
    spectra, points = clusters.spectra[there], clusters.points[there]
    pixels = np.zeros(there.size)
    for number, label in enumerate(there):
        for cells in CELLS_NEAR:
            wide = np.s_[
                max(top - cells * CELL, 0) : top + (cells + 1) * CELL,
                max(left - cells * CELL, 0) : left + (cells + 1) * CELL,
            ]
            mask = uniform[wide] & (own[wide] >= 0)
            mask[mask] = labels[own[wide][mask]] == label
            mask[mask] = _alike(looked.points[:, *wide][:, mask], clusters.points[label])
            last = cells == CELLS_NEAR[-1] and np.isnan(clusters.points[label, 0])
            if mask.sum() >= (1 if last else FEWEST_NEAR):
                spectra[number] = looked.samples[:, *wide][:, mask].mean(axis=1, dtype=np.float64)
                points[number] = looked.points[:, *wide][:, mask].mean(axis=1, dtype=np.float64)
                pixels[number] = mask.sum()
                break
    pixels[pixels == 0] = np.inf
    known = ~np.isnan(points[:, 0])
    host = labels[own[ys, xs]].min()
    return _Near(spectra[known], points[known], pixels[known], clusters.sigma[host])


def _alike(points: Float32Array, cluster: FloatArray) -> BoolArray:
    """Return which of the pixels of a label (r, n) are of the phase of its cluster (r,).

    The map gives a label to slivers of other grains that it lost, too, and to specks. Errors that vary slowly
    move all pixels alike, but a good share of them stays nearest to its cluster.
    """
    if not points.shape[1] or np.isnan(cluster[0]):
        return np.ones(points.shape[1], np.bool_)
    scale = cluster @ points / max(float(cluster @ cluster), 1e-300)
    square = np.sum((points - np.outer(cluster, scale)) ** 2, axis=0)
    return np.asarray(square <= OTHER * np.quantile(square, QUARTER), np.bool_)


def _without_hits(
    spectrum: FloatArray, near: _Near, sigma: FloatArray, axes: NDArray[np.float32]
) -> tuple[FloatArray, int]:
    """Return a spectrum (E,) whose hits have the value that is expected there, and how many they are."""
    spectrum = spectrum.copy()
    kept = np.ones(spectrum.size, np.bool_)
    for _ in range(MOST_HITS):
        model = _model(spectrum, near, axes, kept)
        left = (spectrum - model) / sigma
        left[~kept] = 0.0
        worst = int(np.abs(left).argmax())
        beside = max(abs(left[k]) for k in (worst - 1, worst + 1) if 0 <= k < left.size)
        if abs(left[worst]) < HIT or beside > abs(left[worst]) / ALONE:
            break
        kept[worst] = False
        spectrum[worst] = model[worst]
    return spectrum, int(np.count_nonzero(~kept))


def _model(spectrum: FloatArray, near: _Near, axes: NDArray[np.float32], kept: BoolArray) -> FloatArray:
    """Return the mixture of what is near, with its offset, that a spectrum (E,) comes closest to."""
    weights, _ = nnls(near.points.T, (spectrum - spectrum.mean()) @ axes)
    shape = weights @ near.spectra
    return np.asarray(shape + np.median((spectrum - shape)[kept]))
