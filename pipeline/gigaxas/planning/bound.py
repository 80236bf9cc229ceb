"""What no set of energies can pass: a bound on the z of pairs, from the differences of their spectra.

Whatever the energies and the exposure x of each, z12 <= a F1 and z21 <= (1 - a) F2 with one a from 0 to 1,
where F1^2 = sum_i x_i (s1_i - h s2_i - c)^2 / variance_1i for any gain h > 0 and offset c, and F2^2 the same
with variance_2i h^2: (1 - r) n1 is the product of the difference of the standardised spectra with any
s1 - h s2 - c, times a, so that the inequality of Cauchy and Schwarz holds. Eq. 1 is then no less than
Phi(-F / 2), F being taken with the lesser noise of the two at every energy.
"""

import numpy as np
from scipy.optimize import linprog

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import RunError

STEPS = 24
"""Of the search of an offset c."""
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
GAINS = 2.0 ** np.linspace(-1.0, 1.0, 17)
"""Gains h that are tried; any h and c give a bound."""


def z_bound(spectra: FloatArray, variance: FloatArray, pairs: IntArray, count: int) -> float:
    """Return what the least z of pairs (P, 2) cannot pass, at any set of `count` energies.

    `variance` (n, E) is that of the samples of normalised spectra (n, E) at the exposure that each energy of
    such a set has. The bound is the optimum of sets whose members may be parts of energies. Memory: a few
    times P x E.
    """
    signal = _signal(spectra[pairs], variance[pairs], count)
    number, energies = signal.shape
    scale = signal.max()
    found = linprog(
        np.r_[np.zeros(energies), -1.0],
        A_ub=np.hstack([-signal / scale, np.ones((number, 1))]),
        b_ub=np.zeros(number),
        A_eq=np.r_[np.ones(energies), 0.0][None],
        b_eq=[count],
        bounds=[(0.0, 1.0)] * energies + [(0.0, None)],
        method="highs",
    )
    if found.fun is None:
        raise RunError(f"the bound of sets of {count} energies was not found: {found.message}")
    return float(0.5 * np.sqrt(-found.fun * scale))


def _signal(spectra: FloatArray, variance: FloatArray, count: int) -> FloatArray:
    """Return (s1 - h s2 - c)^2 over the lesser variance (P, E), by the h and c of the least bound of a pair.

    Spectra and variance are those of pairs, (P, 2, E).
    """
    best, least = np.empty((len(spectra), spectra.shape[2])), np.full(len(spectra), np.inf)
    for gain in GAINS:
        noise = np.minimum(variance[:, 0], gain**2 * variance[:, 1])
        signal = _squares(spectra[:, 0] - gain * spectra[:, 1], noise, count)
        value = _largest(signal, count)
        better = value < least
        best[better], least[better] = signal[better], value[better]
    return best


def _squares(gap: FloatArray, noise: FloatArray, count: int) -> FloatArray:
    """Return (gap - c)^2 / noise (P, E) with the c of each row for which its `count` largest sum to least."""
    low, high = gap.min(axis=1, keepdims=True), gap.max(axis=1, keepdims=True)
    for _ in range(STEPS):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        sums = (_largest((gap - c) ** 2 / noise, count)[:, None] for c in (left, right))
        is_left = np.less_equal(*sums)
        low, high = np.where(is_left, low, left), np.where(is_left, right, high)
    return np.asarray((gap - 0.5 * (low + high)) ** 2 / noise)


def _largest(values: FloatArray, count: int) -> FloatArray:
    """Return the sum (P,) of the `count` largest values of each row (P, E)."""
    first = values.shape[1] - count
    return np.asarray(np.partition(values, first, axis=1)[:, first:].sum(axis=1))
