"""Which pixels hold no signal, and why (MEASURED 4)."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import ndtri

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.spectra.noise import Noise

VOID_MEANINGS = {
    "signal": "with a signal",
    "no_samples": "without valid samples",
    "masked": "outside the mask",
    "edge_step": "without an edge step above its noise",
    "noise": "with nothing but noise about their mean",
    "sum": "with a sum below least_sum",
}
VOID_REASONS = tuple(VOID_MEANINGS)
"""Why a pixel is void, by its number in a map; 0 is a pixel with a signal."""
NO_SAMPLES, MASKED, EDGE_STEP, NOISE, SUM = range(1, len(VOID_REASONS))
TAIL = 1e-3
"""Probability with which noise alone passes for a signal."""
SLAB = 4096
"""Pixels that are looked at together: their sums stay in the cache."""
MOST_SUMMED = 2**15
"""Energies whose codes of 16 bits 32 bits can sum."""
BEFORE, AFTER = 1, 2
"""Sides of the edge."""


@dataclass(frozen=True, eq=False)
class VoidRule:
    """What a pixel must show to hold a signal; what is None is not asked for."""

    noise: Noise
    """The noise of a sample, in the cube's own unit."""
    before: BoolArray | None
    """Energies (E,) before the edge."""
    after: BoolArray | None
    """Energies (E,) after the edge."""
    least_step: float
    """Edge step, in its own noise, below which an absorbance is void."""
    least_sum: float | None
    """Sum over the energies below which an intensity is void."""
    intensity: bool
    """Whether the samples are an intensity: more than noise about its mean is a signal, edge or not."""


def rule_record(rule: VoidRule) -> dict[str, Any]:
    """Return what tells a rule from others, as JSON takes it."""
    masks = [None if mask is None else np.flatnonzero(mask).tolist() for mask in (rule.before, rule.after)]
    limits = (rule.least_step, rule.least_sum, rule.intensity)
    return {"noise": rule.noise.record(), "energies": masks, "limits": limits}


def void_reasons(
    samples: NDArray[Any],
    rule: VoidRule | None,
    scale: float = 1.0,
    offset: float = 0.0,
    invalid: int | None = None,
) -> NDArray[np.uint8]:
    """Return the reason (n,), a number in VOID_REASONS, why each of the spectra (E, n) is void.

    Their signal is samples * scale + offset. One with a sample that is `invalid` or not finite, or the same
    at all energies, has no samples. No rule asks for more.
    """
    none = -1 if samples.dtype.kind == "u" else np.nan  # equal to no sample
    held = Samples(np.ascontiguousarray(samples), scale, offset, none if invalid is None else invalid)
    sides = _sides(rule, len(samples))
    reasons = np.empty(samples.shape[1], np.uint8)
    for start in range(0, reasons.size, SLAB):
        slab = reasons[start : start + SLAB]
        slab[:] = _reasons(held, start, slab.size, sides, rule)
    return reasons


class Samples(NamedTuple):
    """Spectra as they are stored."""

    stored: NDArray[Any]
    """(E, n), contiguous."""
    scale: float
    """What turns them into signals, as a factor."""
    offset: float
    """What is added then."""
    mark: float
    """Stands for no sample."""


def _reasons(
    held: Samples, start: int, count: int, sides: NDArray[np.int8], rule: VoidRule | None
) -> NDArray[np.uint8]:
    """Return the reasons of so many spectra, from `start` on."""
    stored, scale, offset, mark = held
    whole = stored.dtype == np.uint16 and len(stored) <= MOST_SUMMED
    sums = np.zeros((3, count), np.int32 if whole else np.float64)
    valid = np.zeros(count, np.bool_)
    _sum_samples(stored, start, sides, mark, sums, valid)
    with np.errstate(invalid="ignore", over="ignore"):  # what is not valid may be anything
        mean = sums.sum(axis=0) / len(stored) * scale + offset
        valid &= np.isfinite(mean)
        reasons = np.where(valid, 0, NO_SAMPLES).astype(np.uint8)
        if rule is None:
            return reasons
        if rule.intensity:
            reasons[valid & _is_noise(held, start, mean, rule.noise)] = NOISE
        elif sides.any():
            low, high = (sums[k] / np.count_nonzero(sides == k) * scale + offset for k in (BEFORE, AFTER))
            reasons[valid & (high - low < rule.least_step * step_noise(low, high, rule))] = EDGE_STEP
        if rule.least_sum is not None:
            reasons[valid & (mean * len(stored) < rule.least_sum)] = SUM
    return reasons


@njit(nogil=True, cache=True)
def mark_void(samples: NDArray[Any], reasons: NDArray[np.uint8], mark: float) -> None:
    """Give all samples (E, n) of spectra that are void for a reason (n,) a value that stands for none."""
    void = np.flatnonzero(reasons)
    for e in range(samples.shape[0]):
        row = samples[e]
        for p in void:
            row[p] = mark


def _sides(rule: VoidRule | None, energies: int) -> NDArray[np.int8]:
    """Return on which side of the edge each energy (E,) is: BEFORE, AFTER, or 0 for neither."""
    sides = np.zeros(energies, np.int8)
    if rule is not None and rule.before is not None and rule.after is not None:
        sides[rule.before], sides[rule.after] = BEFORE, AFTER
    return sides


@njit(nogil=True, cache=True)
def _sum_samples(
    stored: NDArray[Any],
    start: int,
    sides: NDArray[np.int8],
    mark: float,
    sums: NDArray[Any],
    valid: BoolArray,
) -> None:
    """Add samples of n spectra, from `start` on, to `sums` (3, n), by the side (E,) on which their energy is.

    A spectrum is `valid` (n,) where no sample is marked and not all are the same.
    """
    count = valid.size
    first = stored[0, start : start + count]
    differs, marked = np.zeros((2, count), np.bool_)
    for e in range(stored.shape[0]):
        row, into = stored[e, start : start + count], sums[sides[e]]
        for p in range(count):
            into[p] += row[p]
            marked[p] |= row[p] == mark
            differs[p] |= row[p] != first[p]
    for p in range(count):
        valid[p] = differs[p] and not marked[p]


def step_noise(low: FloatArray, high: FloatArray, rule: VoidRule) -> FloatArray:
    """Return the noise (n,) of an edge step between two levels (n,), the means before and after the edge."""
    assert rule.before is not None
    assert rule.after is not None
    weight = rule.after / rule.after.sum() - rule.before / rule.before.sum()
    variance = np.zeros(low.shape)
    for level, side in ((low, rule.before), (high, rule.after)):
        variance += rule.noise.mean_over(side).sigma_at(level, 0.0, 1.0) ** 2 / side.sum()
    return np.asarray(np.sqrt(variance * _shared(weight, rule.noise.energy)))


def _shared(weight: FloatArray, correlation: FloatArray) -> float:
    """Return the variance of a weighted sum of samples over what it is where their noise is independent."""
    lags = range(1, min(correlation.size, weight.size))
    mixed = sum(2.0 * correlation[lag] * float(weight[lag:] @ weight[:-lag]) for lag in lags)
    return max(1.0 + mixed / float(weight @ weight), 1e-6)


def _is_noise(held: Samples, start: int, mean: FloatArray, noise: Noise) -> BoolArray:
    """Return which of n spectra, from `start` on, scatter about their mean (n,) no more than noise does.

    To the tail TAIL.
    """
    count = held.stored.shape[0]
    variance = np.maximum(noise.sigma_at(mean[:, None], 0.0, 1.0) ** 2, 1e-300)
    chi_square = np.zeros(mean.size)
    _add_squares(held, start, mean, np.ascontiguousarray(variance.T), chi_square)
    later = noise.energy[1:count]
    shares = 1.0 - np.arange(1, later.size + 1) / count
    expected = count - 1.0 - 2.0 * float(shares @ later)
    spread = 2.0 * (count - 1.0) * (1.0 + 2.0 * float(shares @ later**2)) + noise.excess(mean, count)
    return np.asarray(chi_square <= _upper_tail(expected, spread))


@njit(nogil=True, cache=True)
def _add_squares(
    held: Samples, start: int, mean: FloatArray, variance: FloatArray, squares: FloatArray
) -> None:
    """Add to `squares` (n,) those of the signals of n spectra, from `start` on, about their mean (n,).

    Over their variance: (E, n), or (1, n) where it is the same at all energies.
    """
    stored, scale, offset, _ = held
    for e in range(stored.shape[0]):
        row, own = stored[e, start : start + mean.size], variance[min(e, variance.shape[0] - 1)]
        for p in range(mean.size):
            away = row[p] * scale + offset - mean[p]
            squares[p] += away * away / own[p]


def _upper_tail(mean: float, variance: FloatArray) -> FloatArray:
    """Return what a scaled chi-square of this mean and variance exceeds with the probability TAIL.

    Wilson & Hilferty (1931): its cube root is nearly normal.
    """
    freedom = 2.0 * mean**2 / variance
    spread = 2.0 / (9.0 * freedom)
    return np.asarray(mean * (1.0 - spread - float(ndtri(TAIL)) * np.sqrt(spread)) ** 3)
