"""Which pixels hold no signal, and why (MEASURED 4)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
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
SLAB = 8192
"""Pixels that are looked at together."""


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


def void_reasons(spectra: NDArray[Any], rule: VoidRule | None) -> NDArray[np.uint8]:
    """Return the reason (n,), a number in VOID_REASONS, why each of the spectra (E, n) is void.

    One with a sample that is not finite, or the same at all energies, has no samples. No rule asks for more.
    """
    reasons = np.zeros(spectra.shape[1], np.uint8)
    for start in range(0, reasons.size, SLAB):
        part = slice(start, start + SLAB)
        values = spectra[:, part].astype(np.float64)
        some = np.isfinite(values).all(axis=0) & (np.ptp(values, axis=0) > 0)
        found = np.full(some.size, NO_SAMPLES, np.uint8)
        found[some] = 0 if rule is None else _reasons(values[:, some], rule)
        reasons[part] = found
    return reasons


def _reasons(values: FloatArray, rule: VoidRule) -> NDArray[np.uint8]:
    found = np.zeros(values.shape[1], np.uint8)
    if rule.intensity:
        found[_is_noise(values, rule.noise)] = NOISE
    elif rule.before is not None and rule.after is not None:
        step, sigma = edge_step(values, rule.before, rule.after, rule.noise)
        found[step < rule.least_step * sigma] = EDGE_STEP
    if rule.least_sum is not None:
        found[values.sum(axis=0) < rule.least_sum] = SUM
    return found


def edge_step(
    values: FloatArray, before: BoolArray, after: BoolArray, noise: Noise
) -> tuple[FloatArray, FloatArray]:
    """Return the edge step (n,) of spectra (E, n), mean after less mean before the edge, and its noise."""
    low, high = values[before].mean(axis=0), values[after].mean(axis=0)
    weight = after / after.sum() - before / before.sum()
    levels = np.where(before, low[:, None], high[:, None])
    # a product of matrices rounds by the number of pixels, and tiles must not decide
    variance = np.sum(noise.sigma_at(levels, 0.0, 1.0) ** 2 * weight**2, axis=1)
    return high - low, np.sqrt(variance * _shared(weight, noise.energy))


def _shared(weight: FloatArray, correlation: FloatArray) -> float:
    """Return the variance of a weighted sum of samples over what it is where their noise is independent."""
    lags = range(1, min(correlation.size, weight.size))
    mixed = sum(2.0 * correlation[lag] * float(weight[lag:] @ weight[:-lag]) for lag in lags)
    return max(1.0 + mixed / float(weight @ weight), 1e-6)


def _is_noise(values: FloatArray, noise: Noise) -> BoolArray:
    """Return which spectra (E, n) scatter about their mean no more than noise does, to the tail TAIL."""
    count = values.shape[0]
    mean = values.mean(axis=0)
    variance = np.maximum(
        noise.sigma_at(np.broadcast_to(mean[:, None], (mean.size, count)), 0.0, 1.0) ** 2, 1e-300
    )
    chi_square = np.sum((values - mean).T ** 2 / variance, axis=1)
    later = noise.energy[1:count]
    shares = 1.0 - np.arange(1, later.size + 1) / count
    expected = count - 1.0 - 2.0 * float(shares @ later)
    spread = 2.0 * (count - 1.0) * (1.0 + 2.0 * float(shares @ later**2)) + noise.excess(mean, count)
    return np.asarray(chi_square <= _upper_tail(expected, spread))


def _upper_tail(mean: float, variance: FloatArray) -> FloatArray:
    """Return what a scaled chi-square of this mean and variance exceeds with the probability TAIL.

    Wilson & Hilferty (1931): its cube root is nearly normal.
    """
    freedom = 2.0 * mean**2 / variance
    spread = 2.0 / (9.0 * freedom)
    return np.asarray(mean * (1.0 - spread - float(ndtri(TAIL)) * np.sqrt(spread)) ** 3)
