"""Spectra on a few axes: how far two of them are apart at the least, for a small part of the work."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray
from gigaxas.simd import lane_dot

AXES = 7
"""Principal axes of a sketch; its last number is the length of what they leave."""
ROUNDS = 8
"""Steps of the orthogonal iteration: the axes need not be exact, only orthonormal."""
SLACK = 1e-6
"""Share of a bound that is given up, far more than rounding."""


class Axes(NamedTuple):
    """Where sketches are taken."""

    origin: FloatArray
    """(E,) mean of the spectra that the axes were made for."""
    directions: FloatArray
    """(AXES, E) orthonormal, or zero where the spectra have no more directions."""


def principal_axes(spectra: FloatArray) -> Axes:
    """Return about the axes along which spectra (k, padded E) spread most, by orthogonal iteration.

    The arithmetic is our own, so that no library of linear algebra has a say in any bit.
    """
    origin = spectra.mean(axis=0)
    away = spectra - origin
    directions = np.zeros((AXES, spectra.shape[1]))
    directions[: len(away)] = away[:AXES]
    for _ in range(ROUNDS):
        directions = _spread_along(away, _orthonormal(directions))
    return Axes(origin, _orthonormal(directions))


def sketch(spectra: FloatArray, axes: Axes) -> FloatArray:
    """Return the sketches (k, AXES + 1) of spectra (k, padded E)."""
    return np.asarray(_sketch(spectra - axes.origin, axes.directions))


@njit(nogil=True, cache=True)
def _spread_along(away: FloatArray, directions: FloatArray) -> FloatArray:
    """Return the covariance of spectra (k, E) times directions (n, E)."""
    out = np.zeros_like(directions)
    for k in range(away.shape[0]):
        for n in range(directions.shape[0]):
            share = lane_dot(away, k, directions, n)
            for e in range(out.shape[1]):
                out[n, e] += share * away[k, e]
    return out


@njit(nogil=True, cache=True)
def _orthonormal(directions: FloatArray) -> FloatArray:
    """Return directions (n, E) made orthonormal in their order; zero where those before leave nothing."""
    out = directions.copy()
    for n in range(out.shape[0]):
        whole = math.sqrt(lane_dot(out, n, out, n))
        for _ in range(2):
            for before in range(n):
                share = lane_dot(out, n, out, before)
                for e in range(out.shape[1]):
                    out[n, e] -= share * out[before, e]
        length = math.sqrt(lane_dot(out, n, out, n))
        out[n] *= 1.0 / length if length > SLACK * whole else 0.0
    return out


@njit(nogil=True, cache=True)
def _sketch(away: FloatArray, directions: FloatArray) -> FloatArray:
    out = np.empty((away.shape[0], AXES + 1))
    rest = np.empty((1, away.shape[1]))
    for k in range(away.shape[0]):
        rest[0] = away[k]
        for n in range(AXES):
            out[k, n] = lane_dot(away, k, directions, n)
            for e in range(rest.shape[1]):
                rest[0, e] -= out[k, n] * directions[n, e]
        out[k, AXES] = math.sqrt(lane_dot(rest, 0, rest, 0))
    return out


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def least_square(left: FloatArray, i: int, right: FloatArray, j: int) -> float:
    """Return what the squared distance of two spectra is at the least, by their sketches (., AXES + 1)."""
    square = 0.0
    for axis in range(AXES + 1):
        away = left[i, axis] - right[j, axis]
        square += away * away
    return square * (1.0 - SLACK) - 1e-24


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def most_square(left: FloatArray, i: int, right: FloatArray, j: int) -> float:
    """Return what the squared distance of two spectra is at the most."""
    square = (left[i, AXES] + right[j, AXES]) ** 2
    for axis in range(AXES):
        away = left[i, axis] - right[j, axis]
        square += away * away
    return square * (1.0 + SLACK) + 1e-24
