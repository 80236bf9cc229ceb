"""One cluster as another one: the same, self-absorbed, shifted in energy, or with another background.

Scale and offset are always free. One cluster is fitted with many others at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.components.evidence import ClusterEvidence
from gigaxas.spectra.alignment import FARTHEST

MOST_SHIFT = 2.0
"""eV by which the energy is taken to vary over one image at most."""
SHIFT_STEP = 0.25
"""eV between the shifts tried first: a twentieth of an edge's width, so that no minimum is stepped over."""
LEAST_ABSORBED, MOST_ABSORBED = 1e-3, 10.0
"""Self-absorption s between which it is looked for; a thick piece of pure metal has about 5."""
ABSORBED_STEPS = 24
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0
NARROWINGS = 16
"""Golden sections after the first steps: what is left is 2000 times smaller than two steps."""
REFINED = 32
"""Others that the best amount is narrowed down for."""
SIGNIFICANT = 5.0
"""Times its own error that the amount of the other cluster must be."""
IMPULSE = np.asarray(CubicSpline(np.arange(25.0), np.eye(25)[12]).c.T)
"""Cubic pieces (24, 4) of the spline through one sample of 1 among many of 0: what a sample counts between
others."""
BEND = IMPULSE[:, :2] * [6.0, 2.0]
"""Its second derivative (24, 2)."""
IMPULSE_PRODUCTS = [
    sum(map(np.polymul, left, right)) for left, right in ((IMPULSE, IMPULSE), (IMPULSE, BEND), (BEND, BEND))
]
"""Polynomials: over all samples, the sums of its square, of its product with the derivative, and of the
square of that."""
RIDGE = 1e-12
"""Share of its trace on the diagonal of normal equations: two equal columns are no reason to fail."""


class Fits(NamedTuple):
    """One cluster as each of n others."""

    chi_square: FloatArray
    """Chi-square (n,); infinite where no positive amount of the other fits."""
    amount: FloatArray
    """The number (n,) that says how the other is changed; 0 where nothing is."""
    error: FloatArray
    """One sigma of that number (n,)."""


class Fitted(NamedTuple):
    """The best combinations of some columns."""

    chi_square: FloatArray
    """Chi-square (n,); infinite where the amount of the first column is not above 0 beyond its error."""
    amounts: FloatArray
    """Amounts (n, k + 1) of the columns, that of the offset last."""
    model: FloatArray
    """The combinations (n, E)."""


@dataclass(frozen=True)
class Comparison:
    """One cluster, and n others that may be the same phase."""

    energy: FloatArray
    """Energies (E,) in eV."""
    target: FloatArray
    """The spectrum (E,) of the cluster."""
    allowed: FloatArray
    """The variance (E,) of its mean, and of what no model explains."""
    others: FloatArray
    """Spectra (n, E) of the others."""
    variance: FloatArray
    """The variance (n, E) of their means."""

    @cached_property
    def weight(self) -> FloatArray:
        """One over the variance (n, E) of the difference from the others as they are."""
        alone = np.broadcast_to(1.0 / self.allowed, self.others.shape)
        return self.weighed(self.fit(self.others[:, None], alone).amounts[:, 0], np.ones(1))

    def only(self, rows: IntArray) -> "Comparison":
        """Return the comparison with some of the others."""
        return replace(self, others=self.others[rows], variance=self.variance[rows])

    @cached_property
    def curves(self) -> FloatArray:
        """Cubic splines (4, E - 1, n) through the others."""
        return np.asarray(CubicSpline(self.energy, self.others, axis=1).c)

    def weighed(self, scale: FloatArray, share: FloatArray) -> FloatArray:
        """Return one over the variance (n, E) of the difference from others scaled by (n,).

        `share` (n, E) is how much of the variance of a sample the change of the other has left.
        """
        return 1.0 / (self.allowed + scale[:, None] ** 2 * share * self.variance)

    def fit(self, columns: FloatArray, weight: FloatArray) -> Fitted:
        """Fit the target with columns (n, k, E) and an offset by weights (n, E)."""
        offset = np.ones((len(columns), 1, self.energy.size))
        design = np.concatenate([columns, offset], axis=1)
        weighted = design * weight[:, None]
        normal = weighted @ design.transpose(0, 2, 1)
        size = normal.shape[1]
        normal += RIDGE * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(size)
        inverse = np.linalg.inv(normal)
        amounts = (inverse @ (weighted @ self.target)[..., None])[..., 0]
        model = np.sum(amounts[..., None] * design, axis=1)
        chi_square = np.sum(weight * (self.target - model) ** 2, axis=1)
        usable = amounts[:, 0] > SIGNIFICANT * np.sqrt(inverse[:, 0, 0])
        return Fitted(np.where(usable, chi_square, np.inf), amounts, model)


def compare(clusters: ClusterEvidence, row: int, others: IntArray, floor: float) -> Comparison:
    """Return the comparison of the cluster in a row with those in the rows `others` (n,).

    `floor` times the noise of a pixel is what no model explains.
    """
    allowed = clusters.variance[row] + (floor * clusters.noise[row]) ** 2
    return Comparison(
        clusters.energy, clusters.spectra[row], allowed, clusters.spectra[others], clusters.variance[others]
    )


@dataclass(frozen=True)
class Likeness:
    """A way in which one cluster can be another one."""

    fit: Callable[[Comparison, FloatArray], Fitted]
    """Fits the others (n,), changed by amounts (n,)."""
    free: int
    """Free parameters, scale and offset included."""
    tried: FloatArray
    """Amounts in rising order between which the best one is looked for; empty where there is nothing to
    change."""

    def search(self, comparison: Comparison) -> Fits:
        """Fit the others, changed as comes nearest to the cluster.

        The amount is narrowed down for the REFINED that fit best at those tried; the others keep the best of
        these, without an error.
        """
        count = len(comparison.others)
        if not self.tried.size:
            none = np.zeros(count)
            return Fits(self.fit(comparison, none).chi_square, none, none)
        first = np.stack([self.fit(comparison, np.full(count, one)).chi_square for one in self.tried])
        best, least = first.argmin(axis=0), first.min(axis=0)
        amount, error = self.tried[best], np.full(count, np.inf)
        near = np.argsort(least, kind="stable")[:REFINED]
        least[near], amount[near], error[near] = self._narrow(comparison.only(near), best[near])
        return Fits(least, amount, error)

    def _narrow(self, comparison: Comparison, best: IntArray) -> Fits:
        """Find the least chi-square (n,) about amounts of these numbers (n,), and its one sigma."""

        def chi_square(amount: FloatArray) -> FloatArray:
            return self.fit(comparison, amount).chi_square

        middle = np.clip(best, 1, self.tried.size - 2)
        low, high = self.tried[middle - 1], self.tried[middle + 1]
        by = 0.2 * (high - low)
        for _ in range(NARROWINGS):
            left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
            lower = chi_square(left) <= chi_square(right)
            low, high = np.where(lower, low, left), np.where(lower, right, high)
        amount = 0.5 * (low + high)
        least, beside = chi_square(amount), chi_square(amount - by) + chi_square(amount + by)
        rise = beside - 2.0 * np.where(np.isfinite(least), least, np.inf)
        bent = rise > 0.0
        return Fits(least, amount, np.where(bent, by * np.sqrt(2.0 / np.where(bent, rise, 1.0)), np.inf))


def self_absorbed(spectra: FloatArray, absorption: FloatArray) -> FloatArray:
    """Return fluorescence spectra (n, E) with self-absorption s (n,): x / (1 + s x), where x is 0 to 1.

    The stronger a thick piece absorbs, the less deep light goes, so that its peaks are cut. Scale and offset
    are free, so that it does not matter which level x = 0 stands for.
    """
    span = np.maximum(np.ptp(spectra, axis=1, keepdims=True), 1e-300)
    x = (spectra - spectra.min(axis=1, keepdims=True)) / span
    return np.asarray(x / (1.0 + absorption[:, None] * x))


def most_blur(energy: FloatArray) -> float:
    """Return half of the most that the variances of two blurs can differ by, in eV^2.

    Shifts spread evenly over MOST_SHIFT have a variance of its square over 12; linear interpolation between
    samples h apart has one of h^2 / 4 at most.
    """
    return float((MOST_SHIFT**2 / 12 + np.median(np.diff(energy)) ** 2 / 4) / 2)


def _fit_same(comparison: Comparison, amount: FloatArray) -> Fitted:
    return comparison.fit(comparison.others[:, None], comparison.weight)


def _fit_self_absorbed(comparison: Comparison, amount: FloatArray) -> Fitted:
    """Fit the others self-absorbed; their noise counts as if they were not, which is more."""
    return comparison.fit(self_absorbed(comparison.others, amount)[:, None], comparison.weight)


def _fit_shifted(comparison: Comparison, amount: FloatArray) -> Fitted:
    """Fit the others moved by eV (n,), up where positive.

    The mean of pixels whose energies differ a little is blurred, and so are interpolated samples: to the
    first order by a second derivative, which is fitted along between its bounds. Noise is moved and blurred
    too, and counts as what this leaves of it.
    """
    energy = comparison.energy
    at = np.clip(energy - amount[:, None], energy[0], energy[-1])
    k = np.clip(np.searchsorted(energy, at, side="right") - 1, 0, energy.size - 2)
    c, t = comparison.curves[:, k, np.arange(len(amount))[:, None]], at - energy[k]
    moved, bend = ((c[0] * t + c[1]) * t + c[2]) * t + c[3], 6.0 * c[0] * t + 2.0 * c[1]
    free = comparison.fit(np.stack([moved, bend], axis=1), comparison.weight).amounts
    scale, most = np.maximum(free[:, 0], 1e-300), most_blur(energy)
    blur = np.clip(free[:, 1] / scale, -most, most)[:, None]
    width = energy[k + 1] - energy[k]
    share = _noise_left(t / width, blur / width**2)
    return comparison.fit((moved + blur * bend)[:, None], comparison.weighed(scale, share))


def _noise_left(t: FloatArray, blur: FloatArray) -> FloatArray:
    """Return what is left (n, E) of the variance of independent samples in a spline between two of them.

    t is the way from one to the next, 0 to 1, `blur` the amount of the second derivative; both for samples 1
    apart.
    """
    values, cross, bent = (np.polyval(product, t) for product in IMPULSE_PRODUCTS)
    return np.asarray(values + blur * (2.0 * cross + blur * bent))


def _fit_background(comparison: Comparison, amount: FloatArray) -> Fitted:
    energy = comparison.energy
    u = (2.0 * energy - energy[0] - energy[-1]) / (energy[-1] - energy[0])
    slow = np.broadcast_to(np.stack([u, u * u]), (len(comparison.others), 2, u.size))
    return comparison.fit(np.concatenate([comparison.others[:, None], slow], axis=1), comparison.weight)


SAME = Likeness(_fit_same, 2, np.empty(0))
SELF_ABSORBED = Likeness(_fit_self_absorbed, 3, np.geomspace(LEAST_ABSORBED, MOST_ABSORBED, ABSORBED_STEPS))
SHIFTED = Likeness(_fit_shifted, 4, np.arange(-MOST_SHIFT, MOST_SHIFT + SHIFT_STEP / 2, SHIFT_STEP))
MOVED = Likeness(_fit_shifted, 4, np.arange(-FARTHEST, FARTHEST + SHIFT_STEP / 2, SHIFT_STEP))
"""References, which another instrument measured, may be moved by more than clusters of one image."""
BACKGROUND = Likeness(_fit_background, 4, np.empty(0))
