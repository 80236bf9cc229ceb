"""Distance between spectra in units of their noise: z and Eq. 1 of [I], in blocks (METHOD 2)."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.sites import pairs
from gigaxas.spectra.noise import Noise, smooth_share
from gigaxas.spectra.standardisation import standardise

MEMORY_LIMIT = 3 * 2**30


@dataclass(frozen=True)
class Scaled:
    """Standardised spectra with the variance of their noise."""

    t: FloatArray
    """(n, E) standardised spectra."""
    v: FloatArray
    """(n, E) variance that noise gives them, (sigma / n1)^2, and more where energies share their noise."""


def scale(spectra: FloatArray, noise: Noise) -> Scaled:
    """Return what z needs of normalised spectra (n, E).

    Raises InputError for a flat or non-finite spectrum and for one with a count below the camera's lowest.
    """
    spectra = as_matrix(spectra)
    t = standardise(spectra)
    centred = spectra - spectra.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    variance = (noise.sigma(spectra) / length) ** 2 * smooth_share(noise.energy)
    return Scaled(np.ascontiguousarray(t), variance)


def site_distance(spectra: FloatArray, noise: Noise) -> FloatArray:
    """Return how far spectra are apart in units of noise: (z12 + z21) / 2 of [I] Eq. 5.

    Args:
        spectra: Normalised spectra (n, E).
        noise: Of a sample.

    Returns:
        Mean z (n, n), symmetric, zero on the diagonal and between identical spectra.

    Raises:
        InputError: A spectrum that is flat, not finite or too dark for the camera, or more of them than the
            matrix has memory for.
    """
    return _square(spectra, noise, use_error=False)


def site_error(spectra: FloatArray, noise: Noise) -> FloatArray:
    """Return the probability that noise makes a spectrum nearer another, s_error of [I] Eq. 1.

    Args:
        spectra: Normalised spectra (n, E).
        noise: Of a sample.

    Returns:
        s_error (n, n), symmetric, 0.5 on the diagonal.

    Raises:
        InputError: A spectrum that is flat, not finite or too dark for the camera, or more of them than the
            matrix has memory for.
    """
    return _square(spectra, noise, use_error=True)


def cross_distance(left: FloatArray, right: FloatArray, noise: Noise) -> tuple[FloatArray, FloatArray]:
    """Return z12 and z21 (n, m) of normalised spectra (n, E) and (m, E): noise on the left, on the right."""
    rows, columns = scale(left, noise), scale(right, noise)
    check_same_energies(rows.t, columns.t)
    z12 = np.empty((rows.t.shape[0], columns.t.shape[0]))
    z21 = np.empty_like(z12)
    pairs.fill_both(rows.t, rows.v, pairs.pack(columns.t), pairs.pack(columns.v), z12, z21)
    return z12, z21


def nearest_error(
    spectra: Scaled, sites: Scaled, exclude: IntArray | None = None
) -> tuple[FloatArray, IntArray]:
    """Return the largest Eq. 1 of each spectrum to any site, and that site's 0-based index, both (n,).

    `exclude` (n,) names one site for each spectrum to be left out (itself, say). Where no site is left, the
    error is 0 and the index -1. Memory: the two inputs and a copy of the sites.
    """
    check_same_energies(spectra.t, sites.t)
    n = spectra.t.shape[0]
    skip = np.full(n, -1, dtype=np.int64) if exclude is None else exclude
    error, where = np.empty(n), np.empty(n, dtype=np.int64)
    pairs.largest_error(spectra.t, spectra.v, sites.t, sites.v, skip, error, where)
    return error, where


def z_limit(probability: float, name: str) -> float:
    """Return the z whose error is `probability`: Phi(-z) = probability. InputError outside (0, 0.5)."""
    if not (math.isfinite(probability) and 0.0 < probability < 0.5):
        raise InputError(
            f"{name} = {probability} is not a usable error probability: give a number above 0 and below 0.5, "
            "0.01 to accept candidates and 0.0001 to reduce them in the published method"
        )
    return float(-ndtri(probability))


def as_matrix(spectra: FloatArray) -> FloatArray:
    """Return spectra as a float64 matrix (n, E); InputError for another shape or an empty matrix."""
    matrix = np.ascontiguousarray(spectra, dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[0] < 1 or matrix.shape[1] < 2:
        raise InputError(f"spectra of shape {np.shape(spectra)}; expected (n, E) with n >= 1 and E >= 2")
    return matrix


def check_same_energies(left: FloatArray, right: FloatArray) -> None:
    """Raise InputError when two sets of spectra have different numbers of energies."""
    if left.shape[-1] != right.shape[-1]:
        raise InputError(
            f"spectra with {left.shape[-1]} and {right.shape[-1]} energies cannot be compared: "
            "resample both on one energy grid"
        )


def check_square_memory(n: int) -> None:
    """Raise InputError when an (n, n) float64 matrix would pass MEMORY_LIMIT bytes."""
    if n * n * 8 > MEMORY_LIMIT:
        most = math.isqrt(MEMORY_LIMIT // 8)
        raise InputError(
            f"{n} spectra need a distance matrix of {n * n * 8 / 2**30:.1f} GiB, more than the "
            f"{MEMORY_LIMIT / 2**30:.0f} GiB allowed (up to {most} spectra): use the reduction 'net', which "
            "needs no matrix, or fewer trials"
        )


def _square(spectra: FloatArray, noise: Noise, use_error: bool) -> FloatArray:
    scaled = scale(spectra, noise)
    n = scaled.t.shape[0]
    check_square_memory(n)
    out = np.empty((n, n))
    pairs.fill_square(scaled.t, scaled.v, use_error, out)
    return out
