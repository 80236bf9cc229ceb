"""Coordinates of many spectra in the frame of a few components: what the fits of `nnls` work on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError

INDEPENDENT = 1e-10  # below this share of its length outside the others, a component's weight has no value
BLOCK = 512
ROWS = 4


@dataclass(frozen=True)
class Frame:
    """An orthonormal frame of some components."""

    axes: FloatArray
    """The K axes of the frame (E, K)."""
    components: FloatArray
    """Coordinates of the n components (K, n)."""


def make_frame(components: FloatArray) -> Frame:
    """Return the frame of components (E, n). Raises InputError where they do not stand apart."""
    energies, count = components.shape
    if not 0 < count <= energies:
        raise InputError(
            f"found {count} components over {energies} energies, expected 1 to {energies}; merge some of them"
        )
    if not np.all(np.isfinite(components)):
        raise InputError("a component is not finite, expected a whole spectrum; leave it out")
    axes, coordinates = np.linalg.qr(components)
    lengths = np.linalg.norm(coordinates, axis=0)
    if np.any(np.abs(np.diag(coordinates)) <= INDEPENDENT * lengths):
        raise InputError(
            "a component is a combination of the others to the last digits, so that its weight has no value; "
            "leave it out"
        )
    return Frame(np.ascontiguousarray(axes), np.ascontiguousarray(coordinates))


def project(
    frame: Frame, samples: NDArray[Any], scale: float = 1.0, offset: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Return the coordinates (K, n) of samples (E, n) in a frame, and their squared lengths (n,).

    A sample x stands for the absorbance x * scale + offset. What a spectrum gets does not depend on those
    beside it, to the last bit.
    """
    energies, count = frame.axes.shape
    axes = np.zeros((-(-energies // ROWS) * ROWS, count))
    axes[:energies] = frame.axes
    coordinates = np.empty((count, samples.shape[1]))
    total = np.empty(samples.shape[1])
    _project(axes, np.ascontiguousarray(samples), scale, offset, coordinates, total)
    return coordinates, total


# Every loop over pixels has the same, constant length: there is no rest that could be rounded differently.
@njit(nogil=True, cache=True, fastmath={"contract"})
def _project(
    axes: FloatArray, samples: Any, scale: float, offset: float, coordinates: FloatArray, total: FloatArray
) -> None:
    energies, pixels = samples.shape
    count = axes.shape[1]
    rest = np.zeros(BLOCK, samples.dtype)
    values = np.zeros((ROWS, BLOCK))
    sums = np.empty((count + 1, BLOCK))
    for start in range(0, pixels, BLOCK):
        width = min(BLOCK, pixels - start)
        sums[:] = 0.0
        for top in range(0, energies, ROWS):
            for i in range(ROWS):
                if top + i >= energies:
                    values[i] = 0.0
                elif width == BLOCK:
                    _scale(samples[top + i, start : start + BLOCK], scale, offset, values[i])
                else:
                    rest[:width] = samples[top + i, start : start + width]
                    _scale(rest, scale, offset, values[i])
            for k in range(count):
                _add(values, axes[top, k], axes[top + 1, k], axes[top + 2, k], axes[top + 3, k], sums[k])
            _add_squares(values, sums[count])
        total[start : start + width] = sums[count, :width]
        for k in range(count):
            coordinates[k, start : start + width] = sums[k, :width]


@njit(nogil=True, cache=True, fastmath={"contract"})
def _scale(raw: Any, scale: float, offset: float, values: FloatArray) -> None:
    for p in range(BLOCK):
        values[p] = raw[p] * scale + offset


@njit(nogil=True, cache=True, fastmath={"contract"})
def _add(values: FloatArray, a: float, b: float, c: float, d: float, sums: FloatArray) -> None:
    first, second, third, fourth = values[0], values[1], values[2], values[3]
    for p in range(BLOCK):
        sums[p] += (a * first[p] + b * second[p]) + (c * third[p] + d * fourth[p])


@njit(nogil=True, cache=True, fastmath={"contract"})
def _add_squares(values: FloatArray, sums: FloatArray) -> None:
    first, second, third, fourth = values[0], values[1], values[2], values[3]
    for p in range(BLOCK):
        sums[p] += (first[p] * first[p] + second[p] * second[p]) + (
            third[p] * third[p] + fourth[p] * fourth[p]
        )
