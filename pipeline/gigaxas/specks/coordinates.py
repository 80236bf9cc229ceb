"""Where pixels lie on the axes of `axes.py`: their spectra less their means, over the noise."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray
from gigaxas.nearest.simd import HALVES, WIDTH, project
from gigaxas.simd import LANES

TOGETHER = HALVES * WIDTH


def coordinates_of(
    samples: NDArray[Any], present: BoolArray, axes: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return coordinates (r, h, w) on axes (E, r); 0 where a pixel is not `present`.

    samples (E, h, w) are as they are stored; a pixel gets the same bits whatever stands beside it.
    """
    out = np.empty((axes.shape[1], *present.shape), np.float32)
    write_coordinates(samples, present, axes, out, 0)
    return out


@njit(nogil=True, cache=True)
def write_coordinates(samples: Any, present: BoolArray, axes: Any, out: Any, first: int) -> None:
    """Write what `coordinates_of` returns into `out`, from row `first` on.

    There may be more rows of samples than of pixels.
    """
    energies = samples.shape[0]
    height, width = present.shape
    held = np.zeros((energies, TOGETHER), np.float32)
    mean = np.zeros(TOGETHER, np.float32)
    found = np.zeros((axes.shape[1], TOGETHER), np.float32)
    for y in range(first, height):
        for start in range(0, width, TOGETHER):
            count = min(TOGETHER, width - start)
            here = present[y, start : start + count]
            if not here.any():
                out[:, y, start : start + count] = np.float32(0.0)
                continue
            mean[:] = np.float32(0.0)
            for e in range(energies):
                row, into, total = samples[e, y, start : start + count], held[e, :count], mean[:count]
                for p in range(count):
                    into[p] = row[p]
                    total[p] += into[p]
            for p in range(count):
                mean[p] /= np.float32(energies)
            for axis in range(0, axes.shape[1], LANES):
                project(held, mean, axes, found, 0, axis)
            for axis in range(axes.shape[1]):
                row, into = found[axis, :count], out[axis, y, start : start + count]
                for p in range(count):
                    into[p] = row[p] if here[p] else np.float32(0.0)
