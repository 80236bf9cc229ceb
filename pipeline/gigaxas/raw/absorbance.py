"""Counts with and without the specimen -> absorbance mu = ln(c_ref / c_trans) ([I] Eq. 2, METHOD 1)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, Float32Array, FloatArray, IntArray

BLOCK = 4096
"""Pixels that are held in the cache while all energies are gone through."""
REASONS = ("saturated", "not positive", "below the noise floor")
"""Why a sample is lost, in the order in which the reasons are asked for."""


class Counts(NamedTuple):
    """Counts of the same pixels with and without the specimen, and without light."""

    transmitted: NDArray[Any]
    """Counts behind the specimen, (E, ...)."""
    reference: NDArray[Any]
    """Counts of the open beam, (E, ...)."""
    dark: Float32Array
    """Mean counts without light, (...)."""
    reference_dark: Float32Array
    """Mean counts without light in those of the open beam, (...)."""


class CountLimits(NamedTuple):
    """Which counts can be used."""

    saturation: float
    """Counts as recorded of this size and above are saturated."""
    reference_saturation: float
    """Counts of the open beam as recorded of this size and above are saturated."""
    lowest: float
    """Counts less the dark image below this have no noise by the camera's model."""


@dataclass(frozen=True)
class Absorbance:
    """Absorbance of a block of pixels."""

    mu: Float32Array
    """Absorbance (E, h, w); finite but without a meaning where the pixel is not valid."""
    c_ref: Float32Array
    """Mean count of the open beam (h, w) in the exposure of the sample."""
    valid: BoolArray
    """Pixels (h, w) of which every sample is usable."""


def absorbance(counts: Counts, limits: CountLimits) -> Absorbance:
    """Return the absorbance of counts (E, h, w) less what is counted without light (h, w)."""
    energies, height, width = counts.transmitted.shape
    mu = np.empty((energies, height * width), dtype=np.float32)
    c_ref = np.zeros(height * width, dtype=np.float32)
    bad = np.zeros(height * width, dtype=np.bool_)
    _ratio(_flat(counts), _as_float32(limits), mu, c_ref, bad)
    np.log(mu, out=mu)
    c_ref /= np.float32(energies)
    plane = (height, width)
    return Absorbance(mu.reshape(energies, *plane), c_ref.reshape(plane), ~bad.reshape(plane))


def mean_of_frames(frames: Iterable[NDArray[Any]], saturation: float) -> Float32Array:
    """Return the mean count (E, h, w) of frames (E, h, w); infinite where one of them is saturated."""
    number, total = 0, np.zeros(1)
    for frame in frames:
        number += 1
        total = total + np.where(frame >= saturation, np.inf, frame)
    return np.asarray(total / number, dtype=np.float32)


def set_exposure(block: Absorbance, ratio: FloatArray) -> Absorbance:
    """Return absorbance of counts a second: `ratio` (E,) is the exposure of the sample over that of I0."""
    mu = block.mu + np.log(ratio).astype(np.float32)[:, None, None]
    return Absorbance(mu, block.c_ref * np.float32(ratio.mean()), block.valid)


def count_invalid(counts: Counts, limits: CountLimits, valid: BoolArray) -> IntArray:
    """Return how many samples of the pixels that are not valid (h, w) are lost for each of REASONS.

    A sample counts once, for the first reason that applies.
    """
    invalid = np.zeros(len(REASONS), dtype=np.int64)
    if not valid.all():
        _count(_flat(counts), _as_float32(limits), ~valid.reshape(-1), invalid)
    return invalid


def _flat(counts: Counts) -> Counts:
    energies = len(counts.transmitted)
    return Counts(
        counts.transmitted.reshape(energies, -1),
        counts.reference.reshape(energies, -1),
        counts.dark.reshape(-1),
        counts.reference_dark.reshape(-1),
    )


def _as_float32(limits: CountLimits) -> CountLimits:
    """Return the limits as the kernels compare with them: a count of zero is never usable."""
    lowest = max(limits.lowest, float(np.finfo(np.float32).tiny))
    kept: Any = map(np.float32, (limits.saturation, limits.reference_saturation, lowest))
    return CountLimits(*kept)


@njit(nogil=True, cache=True, error_model="numpy")
def _ratio(
    counts: Counts, limits: CountLimits, mu: Float32Array, c_ref: Float32Array, bad: BoolArray
) -> None:
    """Write c_ref / c_trans into mu (E, n), add up c_ref (n,) and mark pixels that have a bad sample."""
    for start in range(0, mu.shape[1], BLOCK):
        part = slice(start, min(start + BLOCK, mu.shape[1]))
        for i in range(mu.shape[0]):
            row = Counts(
                counts.transmitted[i, part],
                counts.reference[i, part],
                counts.dark[part],
                counts.reference_dark[part],
            )
            _ratio_row(row, limits, mu[i, part], c_ref[part], bad[part])


@njit(nogil=True, cache=True, error_model="numpy")
def _ratio_row(
    counts: Counts, limits: CountLimits, mu: Float32Array, c_ref: Float32Array, bad: BoolArray
) -> None:
    transmitted, reference, dark, reference_dark = counts
    saturation, reference_saturation, lowest = limits
    one = np.float32(1.0)
    for j in range(mu.size):
        t, r = np.float32(transmitted[j]), np.float32(reference[j])
        saturated = (t >= saturation) | (r >= reference_saturation)
        t -= dark[j]
        r -= reference_dark[j]
        good = (t >= lowest) & (r >= lowest) & (not saturated)
        bad[j] |= not good
        t = t if good else one
        r = r if good else one
        c_ref[j] += r
        mu[j] = r / t


@njit(nogil=True, cache=True)
def _count(counts: Counts, limits: CountLimits, bad: BoolArray, invalid: IntArray) -> None:
    """Count the bad samples of the bad pixels by reason."""
    transmitted, reference, dark, reference_dark = counts
    for j in range(bad.size):
        if not bad[j]:
            continue
        for i in range(transmitted.shape[0]):
            t, r = np.float32(transmitted[i, j]), np.float32(reference[i, j])
            if t >= limits.saturation or r >= limits.reference_saturation:
                invalid[0] += 1
            elif not (t - dark[j] > 0 and r - reference_dark[j] > 0):
                invalid[1] += 1
            elif not (t - dark[j] >= limits.lowest and r - reference_dark[j] >= limits.lowest):
                invalid[2] += 1
