"""Clusters of a label map: how many pixels each label has, and its mean spectrum with standard error."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, FloatArray, IntArray, LabelArray
from gigaxas.exact import FIRST_BITS, SECOND_BITS, exact_sums


@dataclass(frozen=True)
class Sums:
    """Sums over the kept pixels of each label.

    Sums are exact integers, so that they depend neither on tiles nor on their order: int64 for uint16
    samples, Python integers in the units of `exact_sums` for floating-point ones.
    """

    labels: IntArray
    """Labels (n,) in rising order."""
    pixels: IntArray
    """Kept pixels of each label (n,)."""
    first: NDArray[Any]
    """Sums of the samples (n, E)."""
    second: NDArray[Any]
    """Sums of their squares (n, E)."""


@dataclass(frozen=True)
class ClusterSpectra:
    """The mean spectrum of each label."""

    labels: IntArray
    """Labels (n,) in rising order."""
    pixels: IntArray
    """Kept pixels of each label (n,)."""
    mean: FloatArray
    """Mean spectra (n, E), as absorbance."""
    standard_error: FloatArray
    """Standard errors of the means (n, E); NaN for a single pixel."""


def sum_spectra(block: NDArray[Any], kept: LabelArray, invalid: int | None = None) -> Sums:
    """Sum the spectra of a block (E, ...) over the pixels (...) of each kept label; 0 is no label.

    A pixel with a sample that is not finite or equals `invalid` counts for nothing.
    """
    samples = block.reshape(block.shape[0], -1)
    whole = samples.dtype.kind != "f"
    bad = _holding(samples, invalid) if whole else ~np.isfinite(samples)
    flat = np.where(bad if whole else bad.any(axis=0), 0, kept.ravel())
    pixels = np.bincount(flat, minlength=1)
    pixels[0] = 0
    labels = np.flatnonzero(pixels)
    slots = np.zeros(pixels.size, np.int64)
    slots[labels] = np.arange(1, labels.size + 1)
    count = labels.size + 1
    if whole:
        first, second = _sum_runs(samples, slots[flat], count)
    else:
        first, second = exact_sums(np.where(bad, 0, samples).astype(samples.dtype), slots[flat], count)
    return Sums(labels, pixels[labels], first[1:], second[1:])


def merge_sums(parts: Iterable[Sums], count: int) -> Sums:
    """Add the sums of many tiles, in any order, into one table over the labels 1 to `count`."""
    total: Sums | None = None
    for part in parts:
        if total is None:
            energies = part.first.shape[1]
            total = Sums(
                np.arange(1, count + 1),
                np.zeros(count, np.int64),
                np.zeros((count, energies), part.first.dtype),
                np.zeros((count, energies), part.second.dtype),
            )
        rows = part.labels - 1
        total.pixels[rows] += part.pixels
        total.first[rows] += part.first
        total.second[rows] += part.second
    if total is None:
        raise ValueError("found no tile, expected at least one")
    there = total.pixels > 0
    return Sums(total.labels[there], total.pixels[there], total.first[there], total.second[there])


def join_sums(grid: Sequence[Sequence[Sums]]) -> Sums:
    """Return the sums of one large tile that tiles make."""
    parts = [part for row in grid for part in row]
    return merge_sums(parts, max((int(part.labels.max(initial=0)) for part in parts), default=0))


def cluster_spectra(sums: Sums, scale: float = 1.0, offset: float = 0.0) -> ClusterSpectra:
    """Turn sums of samples into mean spectra (float64) and standard errors, METHOD 8.

    A sample x stands for the absorbance x * scale + offset. The standard error of a single pixel is not
    known from one pixel and is NaN.
    """
    n = sums.pixels[:, None].astype(np.float64)
    exact = sums.first.dtype == object
    mean = _divide(sums.first, sums.pixels, FIRST_BITS if exact else 0)
    spread = _spread(sums)
    with np.errstate(invalid="ignore"):
        error = np.where(n > 1, np.sqrt(spread / np.maximum(n - 1, 1) / n), np.nan)
    return ClusterSpectra(sums.labels, sums.pixels, mean * scale + offset, error * abs(scale))


def _spread(sums: Sums) -> FloatArray:
    """Sum of squared differences from the mean; integers are subtracted before anything is rounded."""
    exact = sums.first.dtype == object
    bits = 2 * FIRST_BITS if exact else 0
    first = sums.first.astype(object)
    squares = sums.second.astype(object) * (1 << (bits - SECOND_BITS if exact else 0))
    # the square of a float64 sample is rounded, so that equal samples may leave a difference below 0
    differences = np.maximum(squares * sums.pixels[:, None].astype(object) - first * first, 0)
    return _divide(differences, sums.pixels, bits)


def _divide(values: NDArray[Any], pixels: IntArray, bits: int) -> FloatArray:
    """Divide integers (n, E) by pixels (n,) times 2^bits, rounding once."""
    return (values.astype(object) / (pixels[:, None].astype(object) << bits)).astype(np.float64)


def _holding(samples: NDArray[Any], invalid: int | None) -> BoolArray:
    """Return which pixels of (E, n) hold the invalid sample."""
    bad = np.zeros(samples.shape[1], np.bool_)
    if invalid is not None:
        _mark(samples, samples.dtype.type(invalid), bad)
    return bad


@njit(nogil=True, cache=True)
def _mark(samples: Any, invalid: Any, bad: BoolArray) -> None:
    for e in range(samples.shape[0]):
        row = samples[e]
        for p in range(row.size):
            bad[p] |= row[p] == invalid


@njit(nogil=True, cache=True)
def _sum_runs(samples: Any, slots: IntArray, count: int) -> tuple[IntArray, IntArray]:
    """Sum unsigned samples (E, n) and their squares over slots (n,), run by run; slot 0 is left out."""
    starts, ends = np.empty((2, slots.size + 1), np.int64)
    runs = 0
    for p in range(slots.size):
        if slots[p] != 0 and (p == 0 or slots[p] != slots[p - 1]):
            starts[runs] = p
            runs += 1
        if slots[p] != 0:
            ends[runs - 1] = p + 1
    first = np.zeros((count, samples.shape[0]), np.int64)
    second = np.zeros((count, samples.shape[0]), np.int64)
    for e in range(samples.shape[0]):
        row = samples[e]
        for i in range(runs):
            total, squares = np.uint64(0), np.uint64(0)
            run = row[starts[i] : ends[i]]
            for p in range(run.size):
                value = np.uint64(run[p])
                total += value
                squares += value * value
            first[slots[starts[i]], e] += np.int64(total)
            second[slots[starts[i]], e] += np.int64(squares)
    return first, second
