"""Noise measured on an image alone: what is left of its spectra without their structure (MEASURED 2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.noise_correlation import (
    LAGS,
    correlation_in_energy,
    correlation_in_space,
    residual_mixing,
)
from gigaxas.spectra.noise_levels import OUTLIER, fit_levels
from gigaxas.spectra.signal_noise import SignalNoise
from gigaxas.spectra.structure import projector, structure_basis

FEWEST_ENERGIES = 12
"""Energies without which structure and noise cannot be told apart."""
FEWEST_WINDOWS = 20
"""Uniform windows without which no noise is told."""
WINDOW = 5
"""Side of a window, in pixels."""
_INSTEAD = "set noise.sigma, or noise.model to another than measured"
_MOST_SAMPLES = 1_000_000
_ENERGIES_A_LAG = 4
_STANDS_OUT = 4.0
_STRAY_PIXELS = 2
_ROUNDS = 3
_ROUNDING = 1e-6
_NORMAL_MEDIAN = 1.4826  # standard deviation of a normal distribution over its median deviation


@dataclass(frozen=True, eq=False)
class MeasuredNoise:
    """What an image shows of its noise."""

    model: SignalNoise
    """Variance by level of the signal, and both correlations."""
    sigma: float
    """Root of the mean variance of a sample, in the image's unit."""
    error: float
    """Relative standard error of sigma, from the scatter between the windows."""
    areas: int
    """Sample areas used."""
    windows: int
    """Windows of 5 x 5 pixels with nothing in them but structure that the image shares, and noise."""
    pixels: int
    """Pixels of which the noise was measured."""
    energies: int
    """Energies used."""
    structure: int
    """Spectra, besides the mean, that the structure of the image was made of."""


@dataclass(frozen=True, eq=False)
class _Split:
    """Areas of an image, taken apart into structure and what is left."""

    residuals: list[FloatArray]
    """(E, h, w) each: spectra without structure, 0 where absent."""
    levels: list[FloatArray]
    """(E, h, w) each: the structure, with the mean spectrum."""
    present: list[BoolArray]
    """(h, w) each: pixels that were measured."""
    rest: FloatArray
    """(E, E) projection of spectra on residuals."""


def measure_noise(blocks: Sequence[FloatArray], counted_from_zero: bool) -> MeasuredNoise:
    """Measure the noise of an image from sample areas (E, h, w), NaN where absent, on one energy axis.

    An intensity is counted from zero; other levels count from the lowest of the image, so that an added
    constant changes nothing. A pixel that has the same value at all energies is absent.
    Raises InputError for fewer than 12 energies, fewer than 20 uniform windows, or an image without noise.
    """
    split = _split(blocks)
    energies = len(split.rest)
    uniform, energy = split.present, np.ones(1)
    for _ in range(_ROUNDS):
        mixing = residual_mixing(split.rest, energy)
        levels = _samples(split.levels, uniform)
        residuals = _samples(split.residuals, uniform)
        thin = np.s_[:, :: -(-levels.size // _MOST_SAMPLES)]
        model = fit_levels(levels[thin], residuals[thin], mixing, counted_from_zero)
        normal = _normalise(split, model, mixing)
        uniform = _uniform_pixels(normal, split.present)
        deviation = np.sqrt(mixing @ model.variance(levels).mean(axis=1))
        scaled = _samples(normal, uniform) * deviation[:, None]
        covariance = scaled @ scaled.T / scaled.shape[1]
        energy = correlation_in_energy(covariance, split.rest, mixing, min(LAGS, energies // _ENERGIES_A_LAG))
    chi = _uniform_windows(normal, uniform)
    return MeasuredNoise(
        model=replace(model, space=correlation_in_space(normal, uniform), energy=energy),
        sigma=float(np.sqrt(np.mean(model.variance(levels)))),
        error=float(np.std(chi, ddof=1) / (2.0 * np.mean(chi) * np.sqrt(len(chi)))),
        areas=len(blocks),
        windows=len(chi),
        pixels=levels.shape[1],
        energies=energies,
        structure=round(energies - np.trace(split.rest)),
    )


def _split(blocks: Sequence[FloatArray]) -> _Split:
    """Split the spectra of all areas; InputError where energies or pixels are too few."""
    areas = _without_empty_energies(blocks)
    energies = len(areas[0])
    if energies < FEWEST_ENERGIES:
        raise InputError(
            f"noise: found {energies} energies, expected at least {FEWEST_ENERGIES} to tell noise from "
            f"structure; {_INSTEAD}"
        )
    present = [np.isfinite(area).all(axis=0) & (np.ptp(area, axis=0) > 0) for area in areas]
    _check_windows(sum(int(mask.sum()) for mask in present) // WINDOW**2)
    mean = _samples(areas, present).mean(axis=1)[:, None, None]
    centred = [np.where(mask, area - mean, 0.0) for area, mask in zip(areas, present, strict=True)]
    rest = projector(structure_basis(centred))
    residuals = [np.tensordot(rest, area, 1) for area in centred]
    levels = [area - left + mean for area, left in zip(centred, residuals, strict=True)]
    return _Split(residuals, levels, present, rest)


def _without_empty_energies(blocks: Sequence[FloatArray]) -> list[FloatArray]:
    """Return the areas in float64, without the energies at which most of the measured pixels are absent."""
    finite = [np.isfinite(block) for block in blocks]
    share = np.sum([mask.sum(axis=(1, 2)) for mask in finite], axis=0)
    seen = share > sum(int(mask.any(axis=0).sum()) for mask in finite) / 2
    return [np.asarray(block[seen], dtype=np.float64) for block in blocks]


def _normalise(split: _Split, model: SignalNoise, mixing: FloatArray) -> list[FloatArray]:
    """Return the residuals (E, h, w) over their own deviation, clipped."""
    normal = []
    for residual, level in zip(split.residuals, split.levels, strict=True):
        variance = np.tensordot(mixing, model.variance(level), 1)
        deviation = np.sqrt(np.maximum(variance, _ROUNDING * variance.max()))
        normal.append(np.clip(residual / deviation, -OUTLIER, OUTLIER))
    return normal


def _uniform_pixels(normal: Sequence[FloatArray], present: Sequence[BoolArray]) -> list[BoolArray]:
    """Return which pixels (h, w) have residuals no larger than noise, told by those below the median."""
    chi = [np.mean(np.square(area), axis=0) for area in normal]
    seen = np.concatenate([part[mask] for part, mask in zip(chi, present, strict=True)])
    median = float(np.median(seen))
    spread = _NORMAL_MEDIAN * float(np.median(median - seen[seen <= median]))
    limit = median + _STANDS_OUT * spread
    return [mask & (part <= limit) for part, mask in zip(chi, present, strict=True)]


def _uniform_windows(normal: Sequence[FloatArray], uniform: Sequence[BoolArray]) -> FloatArray:
    """Return the mean squares (n,) of whole windows in which no more than two pixels stand out."""
    found = []
    for area, mask in zip(normal, uniform, strict=True):
        chi = np.where(mask, np.mean(np.square(area), axis=0), 0.0)
        count = _window_sums(mask)
        whole = count >= WINDOW**2 - _STRAY_PIXELS
        found.append(_window_sums(chi)[whole] / count[whole])
    windows = np.concatenate(found)
    _check_windows(len(windows))
    return windows


def _window_sums(values: NDArray[Any]) -> FloatArray:
    height, width = (side // WINDOW for side in values.shape)
    whole = values[: height * WINDOW, : width * WINDOW]
    return np.asarray(whole.reshape(height, WINDOW, width, WINDOW).sum(axis=(1, 3)), dtype=np.float64)


def _check_windows(found: int) -> None:
    if found < FEWEST_WINDOWS:
        raise InputError(
            f"noise: found {found} uniform windows of {WINDOW} x {WINDOW} pixels, expected at least "
            f"{FEWEST_WINDOWS}; {_INSTEAD}"
        )


def _samples(areas: Sequence[FloatArray], masks: Sequence[BoolArray]) -> FloatArray:
    """Return the spectra (E, n) of the pixels of all areas that the masks (h, w) hold."""
    return np.concatenate([area[:, mask] for area, mask in zip(areas, masks, strict=True)], axis=1)
