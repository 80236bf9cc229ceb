"""Repeated frames of one field: the scatter of every pixel, freed from changes of the beam between frames.

A frame is the mean of the frames times a factor that varies slowly over the field. The factor is a product of
Legendre polynomials along y and x, fitted by least squares with the weights of counting noise, 1 / mean: then
its normal equations hold sums of counts only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial.legendre import legvander
from numpy.typing import NDArray
from scipy.ndimage import median

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.errors import InputError

FEWEST_FRAMES = 2
LARGEST_DEGREE = 12
"""Degree of the factor in each direction: features of a sixth of the field and larger are the beam's."""
PIXELS_A_DEGREE = 16
"""Pixels of a side that a degree needs, so that noise is not taken for the beam."""
SPIKE = 8.0
"""Times the usual rise of a pixel's largest count over its others from which a cosmic ray has hit it."""
SPIKE_GROUPS = 64
"""Groups of nearly equal brightness in which the usual rise is found."""
SPIKE_PIXELS = 100
"""Pixels that each of them must hold, or spikes are not looked for."""
_SMALLEST_EIGENVALUE = 1e-9
"""Share of the largest below which a polynomial is not told by the light, as where half the field is dark."""


@dataclass(frozen=True, eq=False)
class Scatter:
    """How the counts of n pixels scatter over repeated frames, and where the recorded counts end."""

    mean: FloatArray
    """Mean count (n,) of each pixel."""
    squares: FloatArray
    """Sum (n,) of the squared deviations from the mean times the beam's factor."""
    freedom: FloatArray
    """Degrees of freedom (n,): squares / freedom is the variance of a count."""
    floor: float
    """Count at which the recorded counts are cut off below; -inf where they are not."""
    ceiling: float
    """Count at which they saturate; inf where they do not."""
    frames: int
    """How many frames there are."""


def measure_scatter(frames: Iterable[NDArray[Any]]) -> Scatter:
    """Return the scatter of the pixels over frames (h, w), which are gone through twice.

    Pixels that saturate, are hit by a cosmic ray or are not finite in any frame, or see no light in all, are
    left out. Raises InputError for fewer than two frames, frames of unequal shape, or no pixel that is left.
    """
    seen = _survey(frames)
    mean = np.where(seen.used, seen.mean, 0.0)
    beam = _prepare(mean)
    squares, factors = np.zeros_like(mean), np.zeros_like(mean)
    for frame in frames:
        counts = np.where(seen.used, frame, 0.0)
        factor = _factor(counts, beam)
        squares += (counts - factor * mean) ** 2
        factors += factor**2
    # the mean of frames of unequal brightness takes a little more than one degree from their counting noise
    freedom = (seen.frames - factors / seen.frames) * (1.0 - _leverage(mean, beam))
    used = seen.used & (freedom > 0)
    return Scatter(mean[used], squares[used], freedom[used], seen.floor, seen.ceiling, seen.frames)


class _Survey(NamedTuple):
    """What the first look at the frames tells; the fields of Scatter, and which pixels (h, w) are used."""

    mean: FloatArray
    used: BoolArray
    floor: float
    ceiling: float
    frames: int


def _survey(frames: Iterable[NDArray[Any]]) -> _Survey:
    full, count = np.inf, 0
    for frame in frames:
        counts = np.asarray(frame, dtype=np.float64)
        if not count:
            full = float(np.iinfo(frame.dtype).max) if frame.dtype.kind in "iu" else np.inf
            total, low, high = np.zeros_like(counts), counts.copy(), counts.copy()
        elif counts.shape != total.shape:
            raise InputError(f"calibration: frames of {total.shape} and {counts.shape}; expected one shape")
        total += counts
        np.minimum(low, counts, out=low)
        np.maximum(high, counts, out=high)
        count += 1
    if count < FEWEST_FRAMES:
        raise InputError(f"calibration: {count} frames; give at least {FEWEST_FRAMES} of one unchanged field")
    mean, ceiling = total / count, _ceiling(low, high, full)
    used = (high < ceiling) & (high < np.inf) & (low > -np.inf) & (mean > 0)
    if not used.any():
        raise InputError(
            "calibration: every pixel saturates, sees no light or is not finite; expected repeated frames of "
            "a field with dark and bright parts"
        )
    others = (total[used] - high[used]) / (count - 1)
    # one spike would pass for a beam that changes about it
    used[used] = ~_spikes(others, high[used] - others)
    return _Survey(mean, used, 0.0 if np.nanmin(low) == 0 else -np.inf, ceiling, count)


def _spikes(others: FloatArray, rise: FloatArray) -> BoolArray:
    """Return which pixels (n,) rise once far above the mean of their `others`, next to pixels as bright."""
    if others.size < SPIKE_GROUPS * SPIKE_PIXELS:
        return np.zeros(others.size, dtype=np.bool_)
    group = brightness_groups(others, SPIKE_GROUPS)
    unit = np.sqrt(np.maximum(others, 1.0))
    usual = np.asarray(median(rise / unit, group, np.arange(SPIKE_GROUPS)))[group] * unit
    return np.asarray(rise > SPIKE * np.maximum(usual, 1.0))  # whole counts change by 1 at least


def brightness_groups(mean: FloatArray, count: int) -> NDArray[np.intp]:
    """Return the number (n,) of each pixel's group: `count` groups of as many pixels, from dark to bright."""
    rank = np.empty(mean.size, dtype=np.intp)
    rank[np.argsort(mean, kind="stable")] = np.arange(mean.size)
    return rank * min(count, mean.size) // mean.size


def _ceiling(low: FloatArray, high: FloatArray, full: float) -> float:
    """Return the count at which pixels saturate, which may be less than their type holds (12 of 16 bits)."""
    top = float(np.nanmax(high)) if np.isfinite(high).any() else np.inf
    # noise does not give the largest count of all to one pixel in every frame
    return top if top >= full or bool(np.any(low == top)) else np.inf


class _Beam(NamedTuple):
    """The polynomials along y (h, k) and x (w, l), and the inverse (k l, k l) of their normal matrix."""

    rows: FloatArray
    columns: FloatArray
    inverse: FloatArray


def _prepare(mean: FloatArray) -> _Beam:
    rows, columns = (_polynomials(size) for size in mean.shape)
    down, across = rows.shape[1], columns.shape[1]
    sums = (_pairs(rows).T @ mean @ _pairs(columns)).reshape(down, down, across, across)
    normal = sums.transpose(0, 2, 1, 3).reshape(down * across, down * across)
    inverse = np.linalg.pinv(normal, rcond=_SMALLEST_EIGENVALUE, hermitian=True)
    return _Beam(rows, columns, np.asarray(inverse, dtype=np.float64))


def _factor(counts: FloatArray, beam: _Beam) -> FloatArray:
    """Return the beam's factor (h, w) of a frame's counts (h, w), 0 where a pixel is not used."""
    sums = beam.rows.T @ counts @ beam.columns
    return np.asarray(beam.rows @ (beam.inverse @ sums.ravel()).reshape(sums.shape) @ beam.columns.T)


def _leverage(mean: FloatArray, beam: _Beam) -> FloatArray:
    """Return the degrees of freedom (h, w) that the fit of the factor takes from each pixel of a frame."""
    down, across = beam.rows.shape[1], beam.columns.shape[1]
    inverse = beam.inverse.reshape(down, across, down, across).transpose(0, 2, 1, 3)
    form = inverse.reshape(down * down, across * across)
    return np.asarray(mean * (_pairs(beam.rows) @ form @ _pairs(beam.columns).T))


def _polynomials(size: int) -> FloatArray:
    degree = min(LARGEST_DEGREE, size // PIXELS_A_DEGREE)
    return np.asarray(legvander(np.linspace(-1.0, 1.0, size), degree))


def _pairs(columns: FloatArray) -> FloatArray:
    """Return the products (n, k^2) of every two columns of an array (n, k)."""
    return (columns[:, :, None] * columns[:, None, :]).reshape(len(columns), -1)
