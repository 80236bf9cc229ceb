"""Mixtures: the two, or three, clusters whose non-negative combination comes nearest to another one."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.components.evidence import ClusterEvidence
from gigaxas.components.nnls import nnls

SHORT_LIST = 8
REFITS = 3


@dataclass(frozen=True)
class Mixture:
    """A combination of clusters."""

    members: tuple[int, ...]
    """Rows of the k clusters."""
    weights: FloatArray
    """Their weights (k,), all above 0."""
    chi_square: float
    """Chi-square of the combination."""


def best_mixture(
    clusters: ClusterEvidence, row: int, others: IntArray, size: int, floor: float
) -> Mixture | None:
    """Return the combination of `size` of the clusters in rows `others` that fits cluster `row` best.

    All combinations are tried; the best few are fitted again with the variance of their members counted as
    well. `floor` times the noise of a pixel is what no model explains. None where every combination leaves
    a member at 0. Among equals the lowest rows win.
    """
    target = clusters.spectra[row]
    allowed = clusters.variance[row] + (floor * clusters.noise[row]) ** 2
    root = 1.0 / np.sqrt(allowed)
    basis = clusters.spectra[others] * root
    found = np.full(SHORT_LIST, np.inf)
    sets = np.zeros((SHORT_LIST, 3), np.int64)
    _search(basis @ basis.T, basis @ (target * root), float(np.sum((target * root) ** 2)), size, found, sets)
    fits = [
        _refit(clusters, target, allowed, others[chosen[:size]])
        for chosen, value in zip(sets, found, strict=True)
        if np.isfinite(value)
    ]
    return min((fit for fit in fits if fit is not None), key=lambda fit: fit.chi_square, default=None)


def _refit(
    clusters: ClusterEvidence, target: FloatArray, allowed: FloatArray, members: IntArray
) -> Mixture | None:
    """Fit one combination, counting the variance that its members bring in."""
    variance = allowed
    for _ in range(REFITS):
        root = 1.0 / np.sqrt(variance)
        fit = nnls((clusters.spectra[members] * root).T, (target * root)[None])
        weights = fit.weights[:, 0]
        variance = allowed + weights**2 @ clusters.variance[members]
    if np.any(weights <= 0.0):
        return None
    left = target - weights @ clusters.spectra[members]
    return Mixture(tuple(int(m) for m in members), weights, float(np.sum(left**2 / variance)))


@njit(nogil=True, cache=True)
def _search(
    gram: FloatArray, product: FloatArray, square: float, size: int, found: FloatArray, sets: IntArray
) -> None:
    """Keep the combinations of two or three, all weights above 0, of least chi-square, the least first."""
    count = product.size
    for i in range(count):
        for j in range(i + 1, count):
            if size == 2:
                a, b, _ = _weights(gram, product, i, j, -1)
                if a > 0.0 and b > 0.0:
                    _enter(square - a * product[i] - b * product[j], i, j, -1, found, sets)
                continue
            for k in range(j + 1, count):
                a, b, c = _weights(gram, product, i, j, k)
                if a > 0.0 and b > 0.0 and c > 0.0:
                    value = square - a * product[i] - b * product[j] - c * product[k]
                    _enter(value, i, j, k, found, sets)


@njit(nogil=True, cache=True)
def _enter(value: float, i: int, j: int, k: int, found: FloatArray, sets: IntArray) -> None:
    rank = found.size
    while rank > 0 and value < found[rank - 1]:
        rank -= 1
    if rank == found.size:
        return
    for row in range(found.size - 1, rank, -1):
        found[row] = found[row - 1]
        sets[row] = sets[row - 1]
    found[rank] = value
    sets[rank, 0], sets[rank, 1], sets[rank, 2] = i, j, k


@njit(nogil=True, cache=True)
def _weights(gram: FloatArray, product: FloatArray, i: int, j: int, k: int) -> tuple[float, float, float]:
    """Return the weights of two (k < 0) or three members without bounds, by elimination; 0 if dependent."""
    ratio = gram[i, j] / gram[i, i]
    left = gram[j, j] - ratio * gram[i, j]
    if not left > 1e-12 * gram[j, j]:
        return 0.0, 0.0, 0.0
    to_second = product[j] - ratio * product[i]
    if k < 0:
        second = to_second / left
        return (product[i] - gram[i, j] * second) / gram[i, i], second, 0.0
    third_ratio = gram[i, k] / gram[i, i]
    cross = gram[j, k] - ratio * gram[i, k]
    rest = gram[k, k] - third_ratio * gram[i, k] - cross * cross / left
    if not rest > 1e-12 * gram[k, k]:
        return 0.0, 0.0, 0.0
    third = (product[k] - third_ratio * product[i] - cross / left * to_second) / rest
    second = (to_second - cross * third) / left
    return (product[i] - gram[i, j] * second - gram[i, k] * third) / gram[i, i], second, third
