"""The working point that a measured cube tells of itself: means of its maps over the pixels with an edge."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.noise import has_edge
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.io.chunks import has_array, read
from gigaxas.stores.io.groups import attributes_of

COUNTS = "c_ref"


@dataclass(frozen=True)
class WorkingPoint:
    """The working point of a cube, measured over the pixels that have an edge."""

    mean: FloatArray
    """Means (3,) of c_ref, mu_low and mu_high."""
    deviation: FloatArray
    """Their standard deviations (3,) over the pixels."""
    pixels: int
    """Pixels that have an edge."""
    total: int
    """Pixels of the cube."""


def measure_working_point(
    info: CubeInfo, samples: tuple[int, int], c_ref: float | None, a: float, b: float
) -> WorkingPoint:
    """Measure the working point over the pixels whose edge step stands out of its noise.

    The cube's map or attribute `c_ref` gives the reference counts, else `c_ref` does. `samples` are the
    numbers of energies behind mu_low and mu_high, `a` and `b` the camera's constants. Reads a row of chunks
    at a time. Raises InputError where the cube lacks such maps, no counts are known, or no pixel has an edge.
    """
    if len(info.maps) < 2:
        raise InputError(
            f"{info.path}: found no maps mu_low and mu_high, which `noise.working_point: cube` measures; "
            "give c_ref, mu_low and mu_high as numbers"
        )
    counts = _known_counts(info, c_ref)
    total, square, pixels = np.zeros(3), np.zeros(3), 0
    height, width = info.plane
    for top in range(0, height, info.chunk[0]):
        rows = (slice(top, min(top + info.chunk[0], height)), slice(0, width))
        maps = [_counts(info, rows, counts), *(_map(info, name, rows) for name in info.maps)]
        good = has_edge(maps[0], maps[1], maps[2], samples, a, b)
        values = np.stack([m[good] for m in maps])
        total += values.sum(axis=1)
        square += (values**2).sum(axis=1)
        pixels += values.shape[1]
    if not pixels:
        raise InputError(
            f"{info.path}: no pixel has an edge step above its noise and counts above the camera's lowest; "
            "look at mu_low, mu_high and c_ref of this cube"
        )
    mean = total / pixels
    deviation = np.sqrt(np.maximum(square / pixels - mean**2, 0.0))
    return WorkingPoint(mean, deviation, pixels, height * width)


def _known_counts(info: CubeInfo, given: float | None) -> float | None:
    """Return the reference counts of the whole cube, None where it has a map of them."""
    if has_array(info.path, COUNTS):
        return None
    stored = attributes_of(info.path).get(COUNTS, given)
    if stored is None:
        raise InputError(
            f"{info.path}: found neither a map nor an attribute c_ref; give noise.c_ref, the mean reference "
            "count of this measurement"
        )
    return float(stored)


def _counts(info: CubeInfo, rows: tuple[slice, slice], known: float | None) -> NDArray[Any]:
    if known is None:
        return _map(info, COUNTS, rows)
    return np.full((rows[0].stop - rows[0].start, info.plane[1]), known)


def _map(info: CubeInfo, name: str, rows: tuple[slice, slice]) -> FloatArray:
    return np.asarray(read(info.path, name, rows), dtype=np.float64)
