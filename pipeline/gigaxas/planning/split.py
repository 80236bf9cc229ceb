"""The best split of an exposure over given energies: the least dose at which all pairs are told apart.

z12 of a pair is 1 / sqrt(sum_i H_i / x_i) with the exposures x_i. The dose at which Eq. 1 of a pair has a
given error is a convex function of these sums where z is above the root of 3. Any weights of pairs
therefore give a lower bound of the least dose, (sum_i sqrt(weighted H_i))^2, and a split, x_i by the roots;
the weights are raised for pairs that need more until split and bound meet. The camera's B, a percent or less
of the variance, is left out of the choice.
"""

from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.planning.both_ways import pairs_both_ways
from gigaxas.planning.exposure import Planned
from gigaxas.spectra.standardisation import standardise

ROUNDS = 3000
CLOSE = 1e-3
"""Share of the bound by which a split may be above it."""
PACE = 4.0


@dataclass(frozen=True)
class Split:
    """An exposure shared out over energies."""

    share: FloatArray
    """(E,) shares of the dose; they sum to 1."""
    dose: float
    """Dose at which all pairs have the error, in exposures of the working point."""
    bound: float
    """No split has a smaller dose."""


def best_split(spectra: Planned, pairs: IntArray, goal: float) -> Split:
    """Return the split over the energies of `spectra` by which pairs (P, 2) need the least dose.

    `goal` is the z of the error they may have. No two spectra of a pair are alike.
    """
    light = _light(spectra, pairs)
    weight = np.full(len(pairs), 1.0 / len(pairs))
    share = np.full(light.shape[2], 1.0 / light.shape[2])
    best, dose, bound = share, np.inf, 0.0
    for _ in range(ROUNDS):
        needed, slope = _needed(light, share, goal)
        if needed.max() < dose:
            best, dose = share, float(needed.max())
        weight = weight * (needed / needed.max()) ** PACE
        weight = weight / weight.sum()
        root = np.sqrt(np.einsum("p,pd,pdi->i", weight, slope, light))
        bound = max(bound, float(root.sum() ** 2))
        if dose <= (1.0 + CLOSE) * bound:
            break
        share = root / root.sum()
    return Split(best, dose, min(bound, dose))


def at_least(exposure: FloatArray, least: float) -> FloatArray:
    """Return exposures (E,) of the same sum, none below `least`, or all alike where it is too much."""
    total, low = float(exposure.sum()), np.zeros(exposure.shape, dtype=np.bool_)
    if least * exposure.size >= total:
        return np.full(exposure.shape, total / exposure.size)
    raised = exposure
    while (raised < least).any():
        low |= raised < least
        rest = (total - least * low.sum()) / exposure[~low].sum()
        raised = np.where(low, least, exposure * rest)
    return raised


def _light(spectra: Planned, pairs: IntArray) -> FloatArray:
    """Return H (P, 2, E): at the exposures x, z12 and z21 are 1 / sqrt(sum_i H_i / x_i)."""
    t = standardise(spectra.spectra)
    centred = spectra.spectra - spectra.spectra.mean(axis=1, keepdims=True)
    gaps = (t[pairs[:, 0]] - t[pairs[:, 1]]) ** 2
    noise = spectra.first / (centred**2).sum(axis=1, keepdims=True)
    half = 0.5 * gaps.sum(axis=1)
    return np.asarray(noise[pairs] * (gaps / half[:, None] ** 2)[:, None, :])


def _needed(light: FloatArray, share: FloatArray, goal: float) -> tuple[FloatArray, FloatArray]:
    """Return the dose (P,) that pairs need at a split, and its slope (P, 2) by the sums of directions."""
    sums = (light / share).sum(axis=2)
    needed = (goal / pairs_both_ways(1.0 / np.sqrt(sums), goal)) ** 2
    z = np.sqrt(needed[:, None] / sums)
    slope = np.exp(-0.5 * (z**2 - z.min(axis=1, keepdims=True) ** 2)) * z / sums
    return needed, slope * (needed / (slope * sums).sum(axis=1))[:, None]
