"""Specks of one composition within noise: a kind."""

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.optimize import nnls
from scipy.special import chdtrc

from gigaxas.arrays import BoolArray, FloatArray, IntArray
from gigaxas.specks.residuals import mix_weights
from gigaxas.specks.search import Specks

LEVEL = 1e-3
"""Probability below which a difference is more than noise."""
CLOSE = 1.001
"""Times the least chi-square, as it is known about, up to which one may be the least."""
ALIKE = 1e-6
"""Square of the sine of an angle below which a chi-square is not even known about."""


class Kinds(NamedTuple):
    """Kinds: those that the map does not show, by their most significant specks, then its own clusters."""

    number: IntArray
    """(n,) kind of each speck, from 1."""
    share: FloatArray
    """(n,) share of the kind in the pixels of each speck; what is around it is the rest."""
    cluster: IntArray
    """(k,) label of the cluster whose composition a kind has; 0 where the map shows none."""
    spectrum: FloatArray
    """(k, E) mean spectrum of the specks of each kind that hold nothing else, as stored."""
    error: FloatArray
    """(k, E) its standard error."""


class _Fit(NamedTuple):
    """A speck as a composition, alone or mixed with what is around."""

    chi_square: float
    """Chi-square of the better of both; infinite where the composition has no share."""
    p_value: float
    """Probability of a larger one."""
    share: float
    """Share of the composition."""
    pure: bool
    """Whether it explains the speck alone."""


NO_FIT = _Fit(np.inf, 0.0, 0.0, False)
"""What is said where a composition has no share."""


def kinds_of(specks: Specks, clusters: FloatArray) -> Kinds:
    """Join specks, the most significant first, to kinds.

    A speck is a piece of the cluster that explains it best, alone or mixed with what is around: blur and the
    size of a pixel mix them. Where two clusters and what is around are needed, it is a piece of the larger.
    `clusters` (m + 1, r) are their mean coordinates, NaN for a label without one. Where these do not explain
    it, it is of the kind whose first speck does, or else the first of a new kind.
    """
    count = specks.y.size
    pieces, new = np.zeros((2, count), np.int64)
    share, pure = np.ones(count), np.ones(count, np.bool_)
    first: list[int] = []
    labels = np.flatnonzero(~np.isnan(clusters[:, 0]))
    for one in range(count):
        others = labels[labels != specks.label[one]]
        best, found = _best_of(specks, one, clusters[others], np.zeros(others.size))
        if best >= 0:
            pieces[one], share[one], pure[one] = others[best], found.share, found.pure
            continue
        pair = [label for label in _best_pair(specks, one, clusters, labels) if label != specks.label[one]]
        if pair:
            pieces[one], pure[one] = pair[0], False
            continue
        best, found = _best_of(specks, one, specks.point[first], specks.variance[first])
        if best >= 0:
            new[one], share[one], pure[one] = best + 1, found.share, found.pure
        else:
            first.append(one)
            new[one] = len(first)
    shown, place = np.unique(pieces[pieces > 0], return_inverse=True)
    number = new.copy()
    number[pieces > 0] = len(first) + place + 1
    cluster = np.concatenate([np.zeros(len(first), np.int64), shown])
    return Kinds(number, share, cluster, *_spectra(specks, number, pure, cluster.size))


def _best_of(specks: Specks, one: int, like: FloatArray, variance: FloatArray) -> tuple[int, _Fit]:
    """Return which composition (n, r), of such noise (n,), fits a speck best, and how.

    The number is -1 where none explains it.
    """
    about = _about(specks.point[one], specks.host[one], specks.variance[one], like, variance)
    best, found = -1, NO_FIT
    for k in np.flatnonzero(about <= CLOSE * about[about > 0.0].min(initial=np.inf)).tolist():
        fit = _fit(specks, one, like[k], float(variance[k]))
        if fit.chi_square < found.chi_square:
            best, found = k, fit
    return (best, found) if found.p_value >= LEVEL else (-1, NO_FIT)


@njit(nogil=True, cache=True)
def _about(
    point: FloatArray, host: FloatArray, own: float, like: FloatArray, variance: FloatArray
) -> FloatArray:
    """Return the chi-squares (n,) of `_fit`, but for rounding.

    They are 0 where a composition and what is around are so alike that rounding decides.
    """
    out = np.zeros(len(like))
    c, q = np.sum(host * host), np.sum(point * host)
    for k in range(out.size):
        a, b, p = np.sum(like[k] * like[k]), np.sum(like[k] * host), np.sum(point * like[k])
        determinant = a * c - b * b
        if determinant <= ALIKE * a * c:
            continue
        part, around = (p * c - q * b) / determinant, (q * a - p * b) / determinant
        if around < 0.0:
            part, around = p / a, 0.0
        if part < 0.0:
            part, around = 0.0, max(q / c, 0.0)
        out[k] = np.sum((point - part * like[k] - around * host) ** 2) / (own + part**2 * variance[k])
    return out


def _fit(specks: Specks, one: int, like: FloatArray, variance: float) -> _Fit:
    """Fit a speck with a composition (r,), of such noise, and with what is around itself."""
    point, host = specks.point[one], specks.host[one]
    axes = int(np.count_nonzero(point))
    (part, around), _ = nnls(np.stack([like, host], axis=1), point)
    if part == 0.0:
        return NO_FIT
    left = point - part * like - around * host
    mixed = float(left @ left) / (specks.variance[one] + part**2 * variance)
    alone = max(float(point @ like) / float(like @ like), 0.0)
    left = point - alone * like
    only = float(left @ left) / (specks.variance[one] + alone**2 * variance)
    pure = bool(chdtrc(axes - 1, only) >= LEVEL)
    return _Fit(mixed, float(chdtrc(axes - 2, mixed)), 1.0 if pure else part / (part + around), pure)


def _best_pair(specks: Specks, one: int, clusters: FloatArray, labels: IntArray) -> list[int]:
    """Return the labels of the two clusters that explain a speck with what is around, the larger share first.

    None where no two do.
    """
    point = specks.point[one]
    first, second, left = _best_two(point, specks.host[one], clusters[labels])
    freedom = int(np.count_nonzero(point)) - 3
    if second < 0 or chdtrc(freedom, left / specks.variance[one]) < LEVEL:
        return []
    return [int(labels[first]), int(labels[second])]


@njit(nogil=True, cache=True)
def _best_two(point: FloatArray, host: FloatArray, clusters: FloatArray) -> tuple[int, int, float]:
    """Return the two clusters that fit a point (r,) best with its host, and the square that is left.

    The one with the larger share comes first; -1 and -1 where there are no two.
    """
    basis = np.concatenate((clusters, host.reshape(1, -1)))
    gram, dots = basis @ basis.T, basis @ point
    count, last = len(clusters), len(clusters)
    first, second, least = -1, -1, float(np.inf)
    small, right, weights = np.empty((3, 3)), np.empty(3), np.empty(3)
    for i in range(count):
        for j in range(i + 1, count):
            members = (i, j, last)
            for a in range(3):
                right[a] = dots[members[a]]
                for b in range(3):
                    small[a, b] = gram[members[a], members[b]]
            mix_weights(small, right, 3, weights)
            rest = float(point @ point - np.sum(weights * right))
            if rest < least:
                least = rest
                first, second = (i, j) if weights[0] >= weights[1] else (j, i)
    return first, second, least


def _spectra(specks: Specks, number: IntArray, pure: BoolArray, kinds: int) -> tuple[FloatArray, FloatArray]:
    """Return mean spectra (k, E) over the pixels of the specks of each kind, and their errors.

    Those that hold something else count only for a kind that has no others.
    """
    weight = np.zeros((kinds, number.size))
    weight[number - 1, np.arange(number.size)] = specks.height * specks.width
    alone = weight * pure
    weight = np.where(alone.any(axis=1, keepdims=True), alone, weight)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1.0)
    return weight @ specks.spectrum, np.sqrt(weight**2 @ specks.error**2)
