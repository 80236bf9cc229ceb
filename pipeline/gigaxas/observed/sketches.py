"""Spectra on a few axes: how far two of them are apart at the least, for a small part of the work."""

from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray

AXES = 7
"""Principal axes of a sketch; its last number is the length of what they leave."""
SLACK = 1e-6
"""Share of a bound that is given up, far more than rounding."""


class Axes(NamedTuple):
    """Where sketches are taken."""

    origin: FloatArray
    """(E,) mean of the spectra that the axes were made for."""
    directions: FloatArray
    """(AXES, E) orthonormal, or zero where the spectra have no more directions."""


def principal_axes(spectra: FloatArray) -> Axes:
    """Return the axes along which spectra (k, E) spread most."""
    origin = spectra.mean(axis=0)
    away = spectra - origin
    directions = np.linalg.eigh(away.T @ away)[1][:, ::-1][:, :AXES].T
    return Axes(origin, np.pad(directions, ((0, AXES - len(directions)), (0, 0))))


def sketch(spectra: FloatArray, axes: Axes) -> FloatArray:
    """Return the sketches (k, AXES + 1) of spectra (k, E)."""
    away = spectra - axes.origin
    places = away @ axes.directions.T
    rest = np.linalg.norm(away - places @ axes.directions, axis=1)
    return np.concatenate([places, rest[:, None]], axis=1)


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
