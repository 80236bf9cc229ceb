"""Clusters of a label map: how many pixels each label has, and its mean spectrum with standard error."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays import FloatArray, IntArray, LabelArray


@dataclass(frozen=True)
class Sums:
    """Sums over the kept pixels of each label: labels (n,), pixels (n,), first and second power (n, E).

    For uint16 samples the sums are exact integers, so that they do not depend on tiles or their order.
    """

    labels: IntArray
    pixels: IntArray
    first: NDArray[Any]
    second: NDArray[Any]


@dataclass(frozen=True)
class ClusterSpectra:
    """Labels (n,) in rising order, kept pixels (n,), mean spectra (n, E) and their standard errors (n, E)."""

    labels: IntArray
    pixels: IntArray
    mean: FloatArray
    standard_error: FloatArray


def sum_spectra(block: NDArray[Any], kept: LabelArray, invalid: int | None = None) -> Sums:
    """Sum the spectra of a block (E, h, w) over the pixels (h, w) of each kept label; 0 is no label.

    A pixel with a sample that is not finite or equals `invalid` counts for nothing.
    """
    samples = block.reshape(block.shape[0], -1)
    flat = kept.ravel()
    bad = ~np.isfinite(samples) if samples.dtype.kind == "f" else samples == invalid
    if bad.any():
        flat = np.where(bad.any(axis=0), 0, flat)
        samples = np.where(bad, 0, samples).astype(samples.dtype)
    labels, slots = np.unique(flat, return_inverse=True)
    kind = np.int64 if samples.dtype.kind == "u" else np.float64
    first, second = _scatter(samples, slots, len(labels), kind(0))
    pixels = np.bincount(slots, minlength=len(labels))
    real = labels > 0
    return Sums(labels[real].astype(np.int64), pixels[real], first.T[real], second.T[real])


def merge_sums(parts: Iterable[Sums], count: int) -> Sums:
    """Add the sums of many tiles, in the order given, into one table over the labels 1 to `count`."""
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


def cluster_spectra(sums: Sums, scale: float = 1.0, offset: float = 0.0) -> ClusterSpectra:
    """Turn sums of samples into mean spectra (float64) and standard errors, METHOD 8.

    A sample x stands for the absorbance x * scale + offset. The standard error of a single pixel is not
    known from one pixel and is NaN.
    """
    n = sums.pixels[:, None].astype(np.float64)
    mean = sums.first / n
    spread = _spread(sums)
    with np.errstate(invalid="ignore"):
        error = np.where(n > 1, np.sqrt(spread / np.maximum(n - 1, 1) / n), np.nan)
    return ClusterSpectra(sums.labels, sums.pixels, mean * scale + offset, error * abs(scale))


def _spread(sums: Sums) -> FloatArray:
    """Sum of squared differences from the mean; integers are subtracted before anything is rounded."""
    if sums.first.dtype.kind == "i":
        first = sums.first.astype(object)
        exact = sums.second.astype(object) * sums.pixels[:, None].astype(object) - first * first
        return (exact / sums.pixels[:, None]).astype(np.float64)
    return np.maximum(sums.second - sums.first**2 / sums.pixels[:, None], 0.0)


@njit(nogil=True, cache=True)
def _scatter(samples: Any, slots: Any, count: int, zero: Any) -> Any:
    energies, pixels = samples.shape
    first = np.full((energies, count), zero)
    second = np.full((energies, count), zero)
    for e in range(energies):
        row, squares = first[e], second[e]
        for p in range(pixels):
            value = zero + samples[e, p]
            row[slots[p]] += value
            squares[slots[p]] += value * value
    return first, second
