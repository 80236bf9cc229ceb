"""What an observed site is made of: a reference, a mixture of up to three, or nothing the library holds."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.optimize import nnls
from scipy.special import chdtrc, chdtri

from gigaxas.arrays import FloatArray, IntArray

MOST_COMPONENTS = 3
MOST_POOLED = 40
"""References of which all threes are tried."""


@dataclass(frozen=True)
class SiteExplanation:
    """The best explanation of one spectrum."""

    shares: FloatArray
    """(n,) share of every reference; they sum to 1, or to 0 where no reference fits."""
    chi_square: float
    """Chi-square of the residual."""
    freedom: float
    """Its degrees of freedom."""
    p_value: float
    """Probability of a chi-square at least as large."""
    outside: bool
    """True where this is below the error asked for: the library does not hold the spectrum."""


def explain(
    spectrum: FloatArray, variance: FloatArray, references: FloatArray, error: float
) -> SiteExplanation:
    """Explain a spectrum (E,) of known noise variance (E,) by references (n, E), n >= 1.

    Scale and offset are free, as for the correlation; shares are not negative and sum to 1. A further
    reference is taken in only where noise would make it seem as useful at a probability below `error`.
    """
    weight = 1.0 / np.sqrt(variance)
    flat = weight / np.linalg.norm(weight)
    measured, design = _without(spectrum * weight, flat), _without(references * weight, flat)
    problem = _Problem(design @ design.T, design @ measured, float(measured @ measured))
    gain = float(chdtri(1, error))
    best, pool = problem.best(_subsets(np.arange(len(references)), 1)), np.arange(len(references))
    for count in range(2, MOST_COMPONENTS + 1):
        if count > 2:
            pool = _pool(problem, design, measured)
        fit = problem.best(_subsets(pool, count))
        if best.chi_square - fit.chi_square <= gain:
            break
        best = fit
    shares = np.zeros(len(references))
    if best.chosen.size:
        shares[best.chosen] = best.amounts / best.amounts.sum()
    freedom = float(spectrum.size - 1 - best.chosen.size)
    p_value = float(chdtrc(freedom, best.chi_square))
    return SiteExplanation(shares, best.chi_square, freedom, p_value, p_value < error)


@dataclass(frozen=True)
class _Fit:
    """References that were fitted to a spectrum."""

    chosen: IntArray
    """(c,) their numbers."""
    amounts: FloatArray
    """(c,) how much of each, all positive."""
    chi_square: float
    """Chi-square of the residual."""


@dataclass(frozen=True)
class _Problem:
    """The normal equations of a spectrum and its references."""

    normal: FloatArray
    """(n, n) products of the references with each other."""
    right: FloatArray
    """(n,) products of the references with the spectrum."""
    square: float
    """Product of the spectrum with itself."""

    def fit(self, subsets: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return amounts (c, k) and chi-square (c,) of subsets (c, k); infinite unless all are positive."""
        normal = self.normal[subsets[:, :, None], subsets[:, None, :]]
        right = self.right[subsets]
        # the least bit on the diagonal: two equal references are no reason to fail
        normal = normal + 1e-12 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(subsets.shape[1])
        amounts = np.linalg.solve(normal, right[:, :, None])[:, :, 0]
        chi_square = self.square - np.sum(amounts * right, axis=1)
        return amounts, np.where(np.all(amounts > 0, axis=1), chi_square, np.inf)

    def best(self, subsets: IntArray) -> _Fit:
        """Return the subset that fits best; nothing chosen where none fits with positive amounts."""
        amounts, chi_square = self.fit(subsets)
        at = int(np.argmin(chi_square)) if len(subsets) else -1
        if at < 0 or not np.isfinite(chi_square[at]):
            return _Fit(np.empty(0, np.int64), np.empty(0), self.square)
        return _Fit(subsets[at], amounts[at], max(float(chi_square[at]), 0.0))


def _without(rows: FloatArray, direction: FloatArray) -> FloatArray:
    """Return rows (..., E) without what they have along a direction (E,) of length 1."""
    return np.asarray(rows - (rows @ direction)[..., None] * direction)


def _subsets(pool: IntArray, count: int) -> IntArray:
    return np.array(list(combinations(pool.tolist(), count)), np.int64).reshape(-1, count)


def _pool(problem: _Problem, design: FloatArray, measured: FloatArray) -> IntArray:
    """Return the references worth trying in threes: those of the non-negative fit and of the best pairs."""
    amounts, _ = nnls(design.T, measured)
    pairs = _subsets(np.arange(len(design)), 2)
    _, chi_square = problem.fit(pairs)
    useful = pairs[np.argsort(chi_square, kind="stable")[:MOST_POOLED]].ravel()
    ordered = list(dict.fromkeys([*np.argsort(-amounts)[: np.count_nonzero(amounts)], *useful]))
    return np.sort(np.array(ordered[:MOST_POOLED], np.int64))
