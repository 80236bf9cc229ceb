"""Noise measured on an image alone: what is left of its spectra without their structure (MEASURED 2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.noise_correlation import (
    correlation_in_energy,
    correlation_in_space,
    residual_mixing,
)
from gigaxas.spectra.noise_levels import OUTLIER, fit_levels
from gigaxas.spectra.signal_noise import SignalNoise
from gigaxas.spectra.structure import projector, structure_basis

FEWEST_ENERGIES = 10
"""Energies without which structure and noise cannot be told apart."""
FEWEST_SMOOTHED = 20
"""The same where data were smoothed along energy."""
FEWEST_WINDOWS = 20
"""Uniform windows without which no noise is told."""
WINDOW = 5
"""Side of a window, in pixels."""
_INSTEAD = "set noise.sigma, or noise.model to another than measured"
_MOST_SAMPLES = 2_000_000  # of which the model is fitted: more would not make it more exact
_FADED = 0.25
_STANDS_OUT = 4.0  # standard deviations of the mean square of a pixel
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
    maps: list[FloatArray]
    """(k, h, w) each: how much of each structural spectrum a pixel holds."""
    present: list[BoolArray]
    """(h, w) each: pixels that were measured."""
    mean: FloatArray
    """(E,) mean spectrum."""
    basis: FloatArray
    """(E, k) structural spectra."""

    def levels(self, maps: FloatArray) -> FloatArray:
        """Return the signal (E, ...) of pixels whose maps are (k, ...)."""
        return np.tensordot(np.column_stack([self.mean, self.basis]), np.insert(maps, 0, 1.0, axis=0), 1)


def measure_noise(blocks: Sequence[FloatArray], counted_from_zero: bool) -> MeasuredNoise:
    """Measure the noise of an image from sample areas of it, in its own unit.

    A pixel that has the same value at all energies is absent, and an energy at which all pixels have the same
    value is left out.

    Args:
        blocks: Areas (E, h, w) on one energy axis, NaN where a sample is absent.
        counted_from_zero: True for an intensity; the levels of others count from the lowest of the image, so
            that an added constant changes nothing.

    Returns:
        `sigma` of a sample, its relative standard `error`, and `model`, which is the variance by level and
        the correlations with neighbouring pixels and energies.

    Raises:
        InputError: Fewer than 10 energies (20 where they were smoothed), fewer than 20 uniform windows, noise
            correlated over more than a few energies, or an image without noise.
    """
    split = _split(blocks)
    rest = projector(split.basis)
    model, variance = _fit(split, rest, counted_from_zero)
    normal = [
        _normalise(left, split.levels(maps), model, rest)
        for left, maps in zip(split.residuals, split.maps, strict=True)
    ]
    uniform = _uniform_pixels(normal, split.present)
    windows = _uniform_windows(normal, uniform)
    return MeasuredNoise(
        model=replace(model, space=correlation_in_space(normal, uniform)).rounded(),
        sigma=float(np.sqrt(variance)),
        error=float(np.std(windows, ddof=1) / (2.0 * np.mean(windows) * np.sqrt(len(windows)))),
        areas=len(blocks),
        windows=len(windows),
        pixels=sum(int(mask.sum()) for mask in uniform),
        energies=len(rest),
        structure=split.basis.shape[1],
    )


def _split(blocks: Sequence[FloatArray]) -> _Split:
    """Split the spectra of all areas; InputError where energies or pixels are too few."""
    areas = _telling_energies(blocks)
    energies = len(areas[0])
    if energies < FEWEST_ENERGIES:
        raise InputError(
            f"noise: found {energies} energies, expected at least {FEWEST_ENERGIES} to tell noise from "
            f"structure; {_INSTEAD}"
        )
    present = [np.isfinite(area).all(axis=0) & (np.ptp(area, axis=0) > 0) for area in areas]
    _check_windows(sum(int(mask.sum()) for mask in present) // WINDOW**2)
    mean = np.concatenate(_spectra(areas, present), axis=1).mean(axis=1)
    centred = [
        np.where(mask, area - mean[:, None, None], 0.0) for area, mask in zip(areas, present, strict=True)
    ]
    basis = structure_basis(centred)
    maps = [np.tensordot(basis.T, area, 1) for area in centred]
    residuals = [area - np.tensordot(basis, part, 1) for area, part in zip(centred, maps, strict=True)]
    return _Split(residuals, maps, present, mean, basis)


def _telling_energies(blocks: Sequence[FloatArray]) -> list[FloatArray]:
    """Return the areas in float64 at the energies where most pixels are present, and not all are the same."""
    finite = [np.isfinite(block) for block in blocks]
    share = np.sum([mask.sum(axis=(1, 2)) for mask in finite], axis=0)
    seen = share > sum(int(mask.any(axis=0).sum()) for mask in finite) / 2
    lowest, largest = (
        pick.reduce([pick.reduce(block, axis=(1, 2)) for block in blocks]) for pick in (np.fmin, np.fmax)
    )
    telling = seen & (lowest < largest)
    return [np.asarray(block[telling], dtype=np.float64) for block in blocks]


def _fit(split: _Split, rest: FloatArray, counted_from_zero: bool) -> tuple[SignalNoise, float]:
    """Return the model without its correlation in space, and the mean variance.

    Pixels whose residuals are more than noise are left out.
    Raises InputError where the noise is correlated farther than its correlation can be measured.
    """
    residuals = _thinned(split.residuals, split.present, len(rest))
    levels = split.levels(_thinned(split.maps, split.present, len(rest)))
    energy, uniform = np.ones(1), np.ones(residuals.shape[1], dtype=np.bool_)
    for _ in range(_ROUNDS):
        mixing = residual_mixing(rest, energy)
        model = fit_levels(levels[:, uniform], residuals[:, uniform], mixing, counted_from_zero)
        model = replace(model, energy=energy)
        normal = _normalise(residuals, levels, model, rest)
        chi = _mean_square(normal)
        uniform = chi <= _largest(chi)
        variance = model.variance(levels[:, uniform]).mean(axis=1)
        scaled = normal[:, uniform] * np.sqrt(mixing @ variance)[:, None]
        energy = correlation_in_energy(scaled @ scaled.T / scaled.shape[1], rest, mixing)
        _check_correlation(energy, len(rest))
    return replace(model, energy=energy), float(variance.mean())


def _check_correlation(energy: FloatArray, energies: int) -> None:
    """Raise InputError where noise is correlated over more energies than their number can show."""
    if energies < FEWEST_SMOOTHED and abs(energy[1]) > _FADED:
        raise InputError(
            f"noise: found neighbouring energies correlated by {energy[1]:.2f}, as after smoothing, and "
            f"{energies} energies, expected at least {FEWEST_SMOOTHED} to measure such noise; {_INSTEAD}"
        )
    if abs(energy[-1]) > _FADED:
        raise InputError(
            f"noise: found a correlation of {energy[-1]:.2f} over {len(energy) - 1} energies, expected it to "
            f"fade within them (the data were smoothed along energy); {_INSTEAD}"
        )


def _normalise(residuals: FloatArray, levels: FloatArray, model: SignalNoise, rest: FloatArray) -> FloatArray:
    """Return residuals (E, ...) over their own deviation, clipped."""
    mixing = residual_mixing(rest, model.energy)
    variance = np.tensordot(mixing, model.variance(levels), 1)
    deviation = np.sqrt(np.maximum(variance, _ROUNDING * variance.max()))
    return np.asarray(np.clip(residuals / deviation, -OUTLIER, OUTLIER))


def _mean_square(normal: FloatArray) -> FloatArray:
    """Return the mean square (...) of normalised residuals (E, ...) over the energies."""
    return np.asarray(np.mean(np.square(normal), axis=0))


def _largest(chi: FloatArray) -> float:
    """Return the largest mean square of a pixel of mere noise; those below the median tell the spread."""
    median = float(np.median(chi))
    spread = _NORMAL_MEDIAN * float(np.median(median - chi[chi <= median]))
    return median + _STANDS_OUT * spread


def _uniform_pixels(normal: Sequence[FloatArray], present: Sequence[BoolArray]) -> list[BoolArray]:
    """Return which pixels (h, w) of all areas hold noise and structure that the image shares, no more."""
    chi = [_mean_square(area) for area in normal]
    limit = _largest(np.concatenate([part[mask] for part, mask in zip(chi, present, strict=True)]))
    return [mask & (part <= limit) for part, mask in zip(chi, present, strict=True)]


def _uniform_windows(normal: Sequence[FloatArray], uniform: Sequence[BoolArray]) -> FloatArray:
    """Return the mean squares (n,) of whole windows in which no more than two pixels stand out."""
    found = []
    for area, mask in zip(normal, uniform, strict=True):
        chi = np.where(mask, _mean_square(area), 0.0)
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


def _spectra(areas: Sequence[FloatArray], masks: Sequence[BoolArray]) -> list[FloatArray]:
    """Return the spectra (E, n) of the pixels of each area that the masks (h, w) hold."""
    return [area[:, mask] for area, mask in zip(areas, masks, strict=True)]


def _thinned(areas: Sequence[FloatArray], masks: Sequence[BoolArray], energies: int) -> FloatArray:
    """Return the values (k, n) of evenly spaced pixels, enough to fit a model of so many energies."""
    step = -(-energies * sum(int(mask.sum()) for mask in masks) // _MOST_SAMPLES)
    return np.concatenate([part[:, ::step] for part in _spectra(areas, masks)], axis=1)
