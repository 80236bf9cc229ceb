"""The shift of energy over the field: fitted on the edges of many blocks of pixels, and taken out again.

In a full-field instrument the Bragg angle varies over the image, so that a pixel at (y, x) sees the energy
E + s(y, x) where the file says E. s is a polynomial of degree 1 or 2 that is zero at the middle of the field.
"""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from gigaxas.arrays import Float32Array, FloatArray
from gigaxas.errors import InputError
from gigaxas.raw.robust_fit import robust_fit
from gigaxas.spectra.spectrum import EnergyRange
from gigaxas.tiles import Plane

HALF = 0.5
"""Share of the edge step at which an edge is said to lie."""
POINTS_AN_INTERVAL = 16
"""Points of the spline between two energies where the half rise is looked for."""
SHAPE_RANGE = (-25.0, 60.0)
"""eV about the edge in which a spectrum's shape tells what it is made of."""
MOST_SHAPES = 16
"""Components of the shapes that are fitted along with the shift, where the blocks allow it."""
MOST_MULTIPLIED = 5
"""The first components, of which the products are fitted too."""
BLOCKS_A_SHAPE = 20
"""Blocks that each of these terms needs."""
BLOCKS_A_TERM = 4
"""Blocks that each term of the polynomial, and the constant, needs."""
RUN = 128
"""Neighbouring pixels that are interpolated at once where they lie between the same two energies."""


class Blocks(NamedTuple):
    """Blocks of pixels spread over a field."""

    spectra: FloatArray
    """Their normalised mean spectra (n, E)."""
    positions: FloatArray
    """Their centres (n, 2) in the field, y and x, in pixels."""


@dataclass(frozen=True)
class ShiftMap:
    """s(y, x) in eV as a polynomial in v = y/height - 1/2 and u = x/width - 1/2, zero at the middle."""

    plane: Plane
    """Rows and columns of the field."""
    terms: tuple[float, ...]
    """Coefficients (k,) of v, u and, for degree 2, v^2, v u, u^2, in eV."""
    error: float
    """The largest standard error of s over the field in eV, from the scatter of the blocks."""
    blocks: int
    """How many blocks were used."""

    def at(self, ys: NDArray[Any], xs: NDArray[Any]) -> FloatArray:
        """Return s (h, w) in eV for rows ys (h,) and columns xs (w,) of the field."""
        v, u = np.meshgrid(_scaled(ys, self.plane[0]), _scaled(xs, self.plane[1]), indexing="ij")
        degree = 1 if len(self.terms) == 2 else 2
        return np.asarray(_basis(v, u, degree) @ np.array(self.terms))

    @property
    def largest(self) -> float:
        """The largest |s| over the field, in eV."""
        height, width = self.plane
        grid = self.at(np.linspace(0, height, 33) - 0.5, np.linspace(0, width, 33) - 0.5)
        return float(np.abs(grid).max())


def edge_position(spectra: FloatArray, energy: FloatArray, within: EnergyRange) -> FloatArray:
    """Return the energy (n,) in eV at which normalised spectra (n, E) first rise through one half.

    Looked for on a cubic spline in the range `within`; NaN where a spectrum does not rise through it.
    InputError: no energies in that range.
    """
    inside = np.flatnonzero((energy >= within[0]) & (energy <= within[1]))
    if inside.size < 2:
        raise InputError(
            f"ingest.fields.energy_shift: {inside.size} images between {within[0]:g} and {within[1]:g} eV, "
            "where the edge is looked for; expected many; measure there, or leave energy_shift out"
        )
    first, last = inside[[0, -1]]
    fine = np.interp(
        np.arange(first * POINTS_AN_INTERVAL, last * POINTS_AN_INTERVAL + 1) / POINTS_AN_INTERVAL,
        np.arange(len(energy)),
        energy,
    )
    values = CubicSpline(energy, spectra, axis=1)(fine)
    up = (values[:, :-1] < HALF) & (values[:, 1:] >= HALF)
    at = up.argmax(axis=1)
    rows = np.arange(len(spectra))
    below, above = values[rows, at], values[rows, at + 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = fine[at] + (HALF - below) / (above - below) * (fine[at + 1] - fine[at])
    return np.where(up.any(axis=1), found, np.nan)


def fit_shift(
    blocks: Blocks, energy: FloatArray, within: EnergyRange, plane: Plane, degree: Literal[1, 2]
) -> ShiftMap:
    """Fit the shift over a field of `plane` pixels to the edges of blocks, looked for `within` a range of eV.

    Edges move with composition too. What a block is made of shows in the shape of its spectrum about its own
    edge, which no shift changes: the first components of these shapes are fitted along with the polynomial
    and thereby taken out of it. Large residuals count less (Huber). Raises InputError below 4 blocks a term.
    """
    position = edge_position(blocks.spectra, energy, within)
    use = np.isfinite(position)
    v, u = (_scaled(blocks.positions[use, axis], plane[axis]) for axis in (0, 1))
    basis = _basis(v, u, degree)
    count, terms = basis.shape
    if count < BLOCKS_A_TERM * (terms + 1):
        raise InputError(
            f"ingest.fields.energy_shift: {count} of {len(use)} blocks of pixels show an edge, expected "
            f"at least {BLOCKS_A_TERM * (terms + 1)}; measure a foil, or leave energy_shift out"
        )
    shapes = _shapes(blocks.spectra[use], position[use], energy)
    design = np.column_stack([basis, shapes, np.ones(count)])
    found, covariance = robust_fit(design, position[use])
    ends = np.array([(v, u) for v in (-0.5, 0.0, 0.5) for u in (-0.5, 0.0, 0.5)])
    corners = _basis(ends[:, 0], ends[:, 1], degree)
    error = np.sqrt(np.einsum("ij,jk,ik->i", corners, covariance[:terms, :terms], corners).max())
    # an edge found at a lower energy as the file counts it is a pixel that sees a higher one
    return ShiftMap(plane, tuple(float(-term) for term in found[:terms]), float(error), count)


def apply_shift(mu: Float32Array, shift: FloatArray, energy: FloatArray) -> Float32Array:
    """Return the spectra mu (E, h, w), measured at energy + shift (h, w), on the energies (E,) themselves.

    Cubic interpolation over four neighbours, whose slopes are those of parabolas (Catmull-Rom where the
    energies are evenly spaced); beyond the ends the last values are held.
    """
    energies = mu.shape[0]
    out = np.empty_like(mu)
    moved = np.ascontiguousarray(shift, dtype=np.float32).reshape(-1)
    _interpolate(mu.reshape(energies, -1), moved, energy, _slopes(energy), out.reshape(energies, -1))
    return out


def _scaled(values: NDArray[np.generic], size: int) -> FloatArray:
    return (np.asarray(values, dtype=np.float64) + 0.5) / size - 0.5


def _basis(v: FloatArray, u: FloatArray, degree: int) -> FloatArray:
    terms = [v, u] if degree == 1 else [v, u, v * v, v * u, u * u]
    return np.stack(terms, axis=-1)


def _shapes(spectra: FloatArray, position: FloatArray, energy: FloatArray) -> FloatArray:
    """Return (n, k) scores of the aligned spectra's first components, and products of the first few.

    As many as the number of blocks allows: half the height of a mixture is not linear in its parts.
    """
    low = max(SHAPE_RANGE[0], float(energy[0] - position.min()))
    high = min(SHAPE_RANGE[1], float(energy[-1] - position.max()))
    away = np.arange(low, high, float(np.median(np.diff(energy))))
    splines = CubicSpline(energy, spectra, axis=1)
    aligned = np.array([splines(at + away)[i] for i, at in enumerate(position)])
    aligned -= aligned.mean(axis=0)
    left, scale, _ = np.linalg.svd(aligned, full_matrices=False)
    count = len(spectra)
    most = count // BLOCKS_A_SHAPE
    shapes = min(MOST_SHAPES, most)
    scores = left[:, :shapes] * scale[:shapes]
    multiplied = max(
        (n for n in range(min(MOST_MULTIPLIED, shapes) + 1) if shapes + n * (n + 1) // 2 <= most), default=0
    )
    one, other = np.triu_indices(multiplied)
    return np.column_stack([scores, left[:, one] * left[:, other] * count])


def _slopes(energy: FloatArray) -> Float32Array:
    """Return (E - 1, 4): what the differences around an interval count in the slopes at its two ends."""
    width = np.diff(energy)
    weights = np.tile([0.0, 1.0, 1.0, 0.0], (len(width), 1))
    both = width[:-1] + width[1:]
    weights[1:, 0], weights[1:, 1] = width[1:] ** 2 / (width[:-1] * both), width[:-1] / both
    weights[:-1, 2], weights[:-1, 3] = width[1:] / both, width[:-1] ** 2 / (width[1:] * both)
    return weights.astype(np.float32)


class Interval(NamedTuple):
    """Four neighbouring energies of a run of pixels, and where between the middle two a value is wanted."""

    before: Float32Array
    """Samples (n,) at the energy before the interval, or at its lower end where there is none."""
    low: Float32Array
    """Samples (n,) at the lower end of the interval."""
    high: Float32Array
    """Samples (n,) at the upper end of the interval."""
    after: Float32Array
    """Samples (n,) at the energy after the interval, or at its upper end where there is none."""
    slopes: Float32Array
    """Weights (4,) of the three differences in the slopes at the two ends, as `_slopes` gives them."""
    at: np.float32
    """How far from the lower to the upper end the wanted energy lies without a shift."""
    per_ev: np.float32
    """One over the width of the interval in eV."""


@njit(nogil=True, cache=True)
def _interpolate(
    mu: Float32Array, shift: Float32Array, energy: FloatArray, slopes: Float32Array, out: Float32Array
) -> None:
    """Write mu (E, n) at energy - shift of every pixel into out.

    Neighbours lie between the same two energies nearly always: whole runs of them are written at once.
    """
    last = mu.shape[0] - 1
    for start in range(0, mu.shape[1], RUN):
        stop = min(start + RUN, mu.shape[1])
        least, most = shift[start:stop].min(), shift[start:stop].max()
        for i in range(mu.shape[0]):
            same = _below(energy, i, energy[i] - most) == _below(energy, i, energy[i] - least)
            first = start
            while first < stop:
                k = _below(energy, i, energy[i] - shift[first])
                end = stop if same else first + 1
                while end < stop and _below(energy, i, energy[i] - shift[end]) == k:
                    end += 1
                part = slice(first, end)
                width = energy[k + 1] - energy[k]
                interval = Interval(
                    mu[max(k - 1, 0), part],
                    mu[k, part],
                    mu[k + 1, part],
                    mu[min(k + 2, last), part],
                    slopes[k],
                    np.float32((energy[i] - energy[k]) / width),
                    np.float32(1 / width),
                )
                _cubic(interval, shift[part], out[i, part])
                first = end


@njit(nogil=True, cache=True)
def _below(energy: FloatArray, guess: int, at: float) -> int:
    """Return the interval of the energies that holds `at`, the first or last one beyond the ends."""
    k = min(guess, energy.size - 2)
    while k > 0 and energy[k] > at:
        k -= 1
    while k < energy.size - 2 and energy[k + 1] <= at:
        k += 1
    return k


@njit(nogil=True, cache=True)
def _cubic(interval: Interval, shift: Float32Array, out: Float32Array) -> None:
    """Write the cubic through four neighbours, at - shift * per_ev of the way from low to high, into out."""
    before, low, high, after, slopes, at, per_ev = interval
    zero, one, two, three = np.float32(0), np.float32(1), np.float32(2), np.float32(3)
    a, b, c, d = slopes[0], slopes[1], slopes[2], slopes[3]
    for j in range(out.size):
        t = at - shift[j] * per_ev
        t = zero if t < zero else (one if t > one else t)
        rise = high[j] - low[j]
        first = a * (low[j] - before[j]) + b * rise
        second = c * rise + d * (after[j] - high[j])
        bend = three * rise - two * first - second + t * (first + second - two * rise)
        out[j] = low[j] + t * (first + t * bend)
