"""Counts with and without the specimen -> absorbance mu = ln(c_ref / c_trans) ([I] Eq. 2, METHOD 1)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, IntArray

Float32Array = NDArray[np.float32]
BLOCK = 4096
REASONS = ("saturated", "not positive", "below the noise floor")


@dataclass(frozen=True)
class Limits:
    """Counts that cannot be used: `saturation` and above as recorded, below `floor` after the dark image."""

    saturation: float
    floor: float


@dataclass(frozen=True)
class Absorbance:
    """Absorbance mu (E, h, w) of a block, the mean count c_ref (h, w) of the open beam, and the valid pixels.

    A pixel is valid (h, w) when every sample of it is; others hold finite numbers without a meaning.
    """

    mu: Float32Array
    c_ref: Float32Array
    valid: BoolArray


def absorbance(
    transmitted: NDArray[Any], reference: NDArray[Any], dark: Float32Array | None, limits: Limits
) -> Absorbance:
    """Return the absorbance of counts (E, h, w) less the mean dark image (h, w)."""
    energies, height, width = transmitted.shape
    mu = np.empty((energies, height * width), dtype=np.float32)
    c_ref = np.zeros(height * width, dtype=np.float32)
    bad = np.zeros(height * width, dtype=np.bool_)
    _ratio(*_flat(transmitted, reference, dark), *_bounds(limits), mu, c_ref, bad)
    np.log(mu, out=mu)
    c_ref /= np.float32(energies)
    plane = (height, width)
    return Absorbance(mu.reshape(energies, *plane), c_ref.reshape(plane), ~bad.reshape(plane))


def count_invalid(
    transmitted: NDArray[Any],
    reference: NDArray[Any],
    dark: Float32Array | None,
    limits: Limits,
    valid: BoolArray,
) -> IntArray:
    """Return how many samples of the pixels that are not valid (h, w) are lost for each of REASONS.

    A sample counts once, for the first reason that applies.
    """
    invalid = np.zeros(len(REASONS), dtype=np.int64)
    if not valid.all():
        _count(*_flat(transmitted, reference, dark), *_bounds(limits), ~valid.reshape(-1), invalid)
    return invalid


def _flat(
    transmitted: NDArray[Any], reference: NDArray[Any], dark: Float32Array | None
) -> tuple[NDArray[Any], NDArray[Any], Float32Array]:
    energies, height, width = transmitted.shape
    none = np.zeros(height * width, dtype=np.float32) if dark is None else dark.reshape(-1)
    return transmitted.reshape(energies, -1), reference.reshape(energies, -1), none


def _bounds(limits: Limits) -> tuple[np.float32, np.float32]:
    return np.float32(limits.saturation), np.float32(max(limits.floor, float(np.finfo(np.float32).tiny)))


@njit(nogil=True, cache=True, error_model="numpy")
def _ratio(
    transmitted: NDArray[Any],
    reference: NDArray[Any],
    dark: Float32Array,
    saturation: np.float32,
    floor: np.float32,
    mu: Float32Array,
    c_ref: Float32Array,
    bad: BoolArray,
) -> None:
    """Write c_ref / c_trans into mu (E, n), add up c_ref (n,) and mark pixels that have a bad sample."""
    for start in range(0, mu.shape[1], BLOCK):
        part = slice(start, min(start + BLOCK, mu.shape[1]))
        for i in range(mu.shape[0]):
            counts = transmitted[i, part], reference[i, part], dark[part]
            _ratio_row(*counts, saturation, floor, mu[i, part], c_ref[part], bad[part])


@njit(nogil=True, cache=True, error_model="numpy")
def _ratio_row(
    transmitted: NDArray[Any],
    reference: NDArray[Any],
    dark: Float32Array,
    saturation: np.float32,
    floor: np.float32,
    mu: Float32Array,
    c_ref: Float32Array,
    bad: BoolArray,
) -> None:
    one = np.float32(1.0)
    for j in range(mu.size):
        t, r = np.float32(transmitted[j]), np.float32(reference[j])
        saturated = (t >= saturation) | (r >= saturation)
        t -= dark[j]
        r -= dark[j]
        good = (t >= floor) & (r >= floor) & (not saturated)
        bad[j] |= not good
        t = t if good else one
        r = r if good else one
        c_ref[j] += r
        mu[j] = r / t


@njit(nogil=True, cache=True)
def _count(
    transmitted: NDArray[Any],
    reference: NDArray[Any],
    dark: Float32Array,
    saturation: np.float32,
    floor: np.float32,
    bad: BoolArray,
    invalid: IntArray,
) -> None:
    """Count the bad samples of the bad pixels by reason."""
    for j in range(bad.size):
        if not bad[j]:
            continue
        for i in range(transmitted.shape[0]):
            t, r = np.float32(transmitted[i, j]), np.float32(reference[i, j])
            if t >= saturation or r >= saturation:
                invalid[0] += 1
            elif not (t - dark[j] > 0 and r - dark[j] > 0):
                invalid[1] += 1
            elif not (t - dark[j] >= floor and r - dark[j] >= floor):
                invalid[2] += 1
