"""How unlikely noise alone makes a window's chi-square: measured on the image itself, not assumed.

For every shape of window the chi-square of pixels inside their phases is scale x chi-square(freedom), under
noise alone: neighbours that share noise raise the scale, energies that do lower the freedom. Both follow from
two quantiles that specks, few as they are, do not move. Where phases vary by more than noise from pixel to
pixel, the upper one shows it, and the limits rise.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import chdtri, gammaincc, gammaincinv, gammaln

from gigaxas.arrays import FloatArray
from gigaxas.specks.surroundings import CELL, Surroundings
from gigaxas.specks.windows import PIXELS

MIDDLE, HIGH = 0.5, 0.9
"""The quantiles that scale and freedom follow from."""
FEWEST_WINDOWS = 400
"""Windows side by side from which on the freedom of a shape is measured; below, that of the next smaller one
is taken."""
FAR = -600.0
"""Logarithm of a probability below which it is taken from the leading term."""
FEWEST_AT_ALL = 50
"""Windows without which a shape is not searched: nothing tells what noise does to it."""
STEADY = 4.0
"""Pixels that the usual noise counts for beside those of a cell."""
UNSURE = 2.5
"""By how much of itself, over the pixels that it is known from, a scale is raised: its own error would carry
more windows over a limit far out in the tail than below it."""


class Limits(NamedTuple):
    """What a window must exceed."""

    scale: FloatArray
    """(16,) of the law of noise alone."""
    freedom: FloatArray
    """(16,)"""
    limit: FloatArray
    """(16,) chi-square over the scale."""


class NullLaw(NamedTuple):
    """The chi-squares that noise alone makes: scale x chi-square(freedom)."""

    scale: FloatArray
    """(16,) for each shape of window."""
    freedom: FloatArray
    """(16,)"""

    def limits(self, probability: float) -> "Limits":
        """Return the limits that noise alone passes with this probability, window by window."""
        return Limits(self.scale, self.freedom, np.asarray(chdtri(self.freedom, probability)))

    def tail(self, square: float, shape: int) -> float:
        """Return the natural logarithm of the probability of a chi-square this large or larger.

        Beyond what a float holds, it is that of the leading term of the incomplete gamma function.
        """
        half, x = float(self.freedom[shape]) / 2.0, max(square / float(self.scale[shape]) / 2.0, 1e-300)
        near = float(gammaincc(half, x))
        if near > np.exp(FAR):
            return float(np.log(near))
        return float(half * np.log(x) - x - gammaln(half) - np.log(x + 1.0 - half))


def fit_law(squares: list[FloatArray], axes: int) -> NullLaw:
    """Fit the law to chi-squares (n_s,) of windows of each shape on so many axes.

    The scale of a shape of which there are too few is infinite, so that none of its windows passes.
    """
    scale, freedom = np.empty((2, PIXELS.size))
    known = float(axes - 1)
    for shape in np.argsort(PIXELS, kind="stable").tolist():
        if squares[shape].size < FEWEST_AT_ALL:
            scale[shape], freedom[shape] = np.inf, known
            continue
        middle, high = np.quantile(squares[shape], [MIDDLE, HIGH]).tolist()
        if squares[shape].size / PIXELS[shape] >= FEWEST_WINDOWS:
            known = _freedom(high / middle, axes)
        freedom[shape] = known
        scale[shape] = middle / _quantile(MIDDLE, known)
    return NullLaw(scale, freedom)


def _quantile(probability: float, freedom: float) -> float:
    """Return the value that chi-square(freedom) stays below with this probability."""
    return float(2.0 * gammaincinv(freedom / 2.0, probability))


def _freedom(ratio: float, axes: int) -> float:
    """Return the freedom at which two quantiles have a ratio, not more than the axes leave."""

    def missed(freedom: float) -> float:
        return _quantile(HIGH, freedom) / _quantile(MIDDLE, freedom) - ratio

    most = float(axes - 1)
    if missed(most) >= 0.0:
        return most
    return float(brentq(missed, 1.0, most)) if missed(1.0) > 0.0 else 1.0


@njit(nogil=True, cache=True)
def local_scale(square: NDArray[np.float32], around: Surroundings, usual: float) -> NDArray[np.float32]:
    """Return the typical chi-square (cells,) of a pixel about each cell, over the usual one.

    Noise varies over the field with light and thickness. The medians of the cells are averaged over 3 x 3.
    """
    height, width = square.shape
    rows, columns = -(-height // CELL), -(-width // CELL)
    middle, pixels = np.zeros((rows, columns)), np.zeros((rows, columns))
    values = np.empty(CELL * CELL)
    for row in range(rows):
        for column in range(columns):
            count = 0
            for y in range(row * CELL, min(row * CELL + CELL, height)):
                for x in range(column * CELL, min(column * CELL + CELL, width)):
                    if around.inside[y, x]:
                        values[count] = square[y, x]
                        count += 1
            if count:
                middle[row, column] = np.median(values[:count]) / usual * count
                pixels[row, column] = count
    scale = np.ones(rows * columns, np.float32)
    for row in range(rows):
        for column in range(columns):
            near = (slice(max(row - 1, 0), row + 2), slice(max(column - 1, 0), column + 2))
            count = STEADY + pixels[near].sum()
            scale[row * columns + column] = (STEADY + middle[near].sum()) / count * (1.0 + UNSURE / count)
    return scale
