"""Specks of one composition within noise: a kind."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls
from scipy.special import chdtrc

from gigaxas.arrays import BoolArray, FloatArray, IntArray
from gigaxas.specks.search import Specks

LEVEL = 1e-3
"""Probability below which a difference is more than noise."""


class Kinds(NamedTuple):
    """Kinds, that of the most significant speck first."""

    number: IntArray
    """(n,) kind of each speck, from 1."""
    share: FloatArray
    """(n,) share of the kind in the pixels of each speck; what is around it is the rest."""
    spectrum: FloatArray
    """(k, E) mean spectrum of the specks of each kind that hold nothing else, as stored."""
    error: FloatArray
    """(k, E) its standard error."""


def kinds_of(specks: Specks) -> Kinds:
    """Join specks, the most significant first, to kinds.

    A speck is of the kind whose first speck explains it best, alone or mixed with what is around: blur and
    the size of a pixel mix them. Where none explains it, it is the first of a new kind.
    """
    number, share = np.zeros(specks.y.size, np.int64), np.ones(specks.y.size)
    pure = np.ones(specks.y.size, np.bool_)
    first: list[int] = []
    for one in range(specks.y.size):
        fits = [_fit(specks, one, leader) for leader in first]
        best = min(range(len(fits)), key=lambda k: fits[k].chi_square, default=-1)
        if best >= 0 and fits[best].p_value >= LEVEL:
            number[one], share[one], pure[one] = best + 1, fits[best].share, fits[best].pure
        else:
            first.append(one)
            number[one] = len(first)
    return Kinds(number, share, *_spectra(specks, number, pure, len(first)))


class _Fit(NamedTuple):
    chi_square: float
    p_value: float
    share: float
    pure: bool


def _fit(specks: Specks, one: int, leader: int) -> _Fit:
    """Fit a speck with the first one of a kind, and with what is around itself."""
    point, like, host = specks.point[one], specks.point[leader], specks.host[one]
    axes = int(np.count_nonzero(point))
    (part, rest), _ = nnls(np.stack([like, host], axis=1), point)
    left = point - part * like - rest * host
    chi_square = float(left @ left) / (specks.variance[one] + part**2 * specks.variance[leader])
    if part == 0.0:
        return _Fit(np.inf, 0.0, 0.0, False)
    alone = max(float(point @ like) / float(like @ like), 0.0)
    left = point - alone * like
    only = float(left @ left) / (specks.variance[one] + alone**2 * specks.variance[leader])
    pure = bool(chdtrc(axes - 1, only) >= LEVEL)
    return _Fit(chi_square, float(chdtrc(axes - 2, chi_square)), 1.0 if pure else part / (part + rest), pure)


def _spectra(specks: Specks, number: IntArray, pure: BoolArray, kinds: int) -> tuple[FloatArray, FloatArray]:
    """Return mean spectra (k, E) over the pixels of the pure specks of each kind, and their errors."""
    weight = np.zeros((kinds, number.size))
    weight[number - 1, np.arange(number.size)] = np.where(pure, specks.height * specks.width, 0)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1.0)
    return weight @ specks.spectrum, np.sqrt(weight**2 @ specks.error**2)
