"""The sites as coordinates on a few axes, packed in blocks of near neighbours, with error bounds.

Notation of docs/explanation/exactness.md: D_j is site j less the mean site, tau_j its coordinates on the
axes B (float32, used exactly as rounded), and D_j = B tau_j + rho_j, rho_j the residual. The bounds come from
these very numbers.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.nearest.definition import tie_tolerance
from gigaxas.nearest.simd import FACTORS, WIDTH
from gigaxas.nearest.whole import ABSENT, LEAD, Units, whole_sites

AXES = (8, 64)  # fewest and most axes
CLOSE = (
    0.01  # axes are enough when the residual of half of the sites is no more than this share of their length
)
SAMPLE = 4096  # sites that decide on the axes; any axes give exact results
ROWS = 4096  # sites handled at a time
ROUNDOFF = 2.0**-24  # of float32
WIDER = 1.0 + 1e-6  # covers the rounding of a bound to float32

FloatArray32 = NDArray[np.float32]


class Layout(NamedTuple):
    """The m sites as the pruned search reads them: k blocks of 16 sites, r axes."""

    axes: FloatArray32
    """(E, r)."""
    lead: NDArray[np.int32]
    """(k, 6, 16) for the first screening, in whole numbers: error, then, two int16 in each int32, 8
    coordinates, length on the others, residual length."""
    coordinates: FloatArray32
    """(k, r, 16), for the second screening."""
    margins: FloatArray32
    """(k, 2, 16): residual length, error."""
    order: IntArray
    """(k, 16) site indices, -1 for none."""
    centres: NDArray[np.int32]
    """(c, 4, 16) mean leading factors of the blocks, sixteen blocks at a time, for the first guess."""
    squares_error: float
    """By how much |p - BP|^2 may exceed 1 - |P|^2."""
    units: Units
    """Those of `lead`."""


class _Bounds(NamedTuple):
    """What the bounds are made of, besides the coordinates."""

    residual: FloatArray
    """(m,) lengths of the sites beside the axes."""
    error: FloatArray
    """(m,) of the scores."""
    squares: float
    """Of 1 - |P|^2 as a bound on |p - BP|^2."""
    longest: float
    """Bound on |P|."""


def lay_out(standard: FloatArray, energies: int, components: int | None) -> tuple[Layout, float]:
    """Lay out standardised sites (m, padded E) on so many axes, or as many as they need.

    Returns also the residual of the median site, as a share of its length.
    """
    mean = standard[:, :energies].mean(axis=0)
    axes = _principal_axes(standard[:: -(-len(standard) // SAMPLE), :energies], mean, components)
    exact = axes.astype(np.float64)
    parts = [
        _coordinates(standard[k : k + ROWS, :energies] - mean, exact) for k in range(0, len(standard), ROWS)
    ]
    tau, residual, leak = (np.concatenate(column) for column in zip(*parts, strict=True))
    lengths = np.linalg.norm(tau.astype(np.float64), axis=1)
    error, squares_error, longest = _errors(exact, lengths, leak)
    share = float(np.median(residual) / max(np.median(lengths), 1e-12))
    bounds = _Bounds(residual * WIDER + 1e-12, error * WIDER, squares_error, longest)
    return _pack(axes, tau, bounds), share


def _errors(axes: FloatArray, lengths: FloatArray, leak: FloatArray) -> tuple[FloatArray, float, float]:
    """Return the error (m,) of the scores, that of 1 - |P|^2 as a bound on |p - BP|^2, and a bound on |P|.

    axes (E, r); lengths and leak (m,), |tau_j| and |B' rho_j|. docs/explanation/exactness.md, "Rounding".
    """
    energies, count = axes.shape
    stretch = float(np.linalg.norm(axes.T @ axes, 2))
    inputs = (6.0 + math.sqrt(energies)) * math.sqrt(stretch) + float(np.linalg.norm(axes.sum(axis=0)))
    projection = (_summing(energies) * float(np.linalg.norm(axes)) + inputs * ROUNDOFF) * 1.001
    longest = math.sqrt(stretch) + projection
    rounding = (projection + _summing(count + 8) * longest) * lengths
    squares_error = 2.1 * (projection + _summing(count + 8)) * longest
    squares_error += max(stretch - 1.0, 0.0) * longest**2 + 1e-12
    return leak * longest + rounding + 2.0 * tie_tolerance(energies) + 1e-12, squares_error, longest


def _summing(terms: int) -> float:
    """Bound on the relative error of a float32 sum of products, in any order, fused or not."""
    return (terms + 2) * ROUNDOFF / (1.0 - (terms + 2) * ROUNDOFF)


def _principal_axes(sample: FloatArray, mean: FloatArray, components: int | None) -> FloatArray32:
    """Return the axes (E, r): the mean site, then the principal axes of the sites at right angles to it."""
    energies = mean.size
    length = float(np.linalg.norm(mean))
    first = mean / length if length > 1e-6 else np.zeros(energies)
    spread = sample - mean
    spread = spread - np.outer(spread @ first, first)
    count = min(AXES[1], energies) if components is None else min(components, energies)
    _, vectors = scipy.linalg.eigh(spread.T @ spread, subset_by_index=[energies - count, energies - 1])
    every = np.column_stack([first, vectors[:, ::-1]])[:, :count]
    if components is None:
        count = _axes_needed(spread, every)
    axes = np.zeros((energies, max(AXES[0], -(-count // 8) * 8)), np.float32)
    axes[:, : min(count, every.shape[1])] = every[:, :count]
    return axes


def _axes_needed(spread: FloatArray, every: FloatArray) -> int:
    """Return the fewest axes, in eights, that leave half of the sites no more than CLOSE of their length."""
    squares = np.sum(spread**2, axis=1)
    for count in range(AXES[0], min(AXES[1], every.shape[1]), 8):
        inside = np.sum((spread @ every[:, :count]) ** 2, axis=1)
        if np.median(squares - inside) <= CLOSE**2 * np.median(squares):
            return count
    return every.shape[1]


def _coordinates(spread: FloatArray, axes: FloatArray) -> tuple[FloatArray32, FloatArray, FloatArray]:
    """Return float32 coordinates (n, r), the residual's length, and the length of its leak onto the axes."""
    tau = (spread @ axes).astype(np.float32)
    rest = spread - tau.astype(np.float64) @ axes.T
    return tau, np.linalg.norm(rest, axis=1), np.linalg.norm(rest @ axes, axis=1)


def _pack(axes: FloatArray32, tau: FloatArray32, bounds: _Bounds) -> Layout:
    order = _blocks(tau)
    chosen, empty = np.maximum(order, 0), order < 0
    sites = np.where(empty[..., None], 0.0, tau[chosen]).astype(np.float32).transpose(0, 2, 1)
    factors, errors, units = _whole(tau, bounds)
    error = np.where(empty, np.inf, bounds.error[chosen])
    return Layout(
        axes,
        _pack_lead(factors, errors, order),
        np.ascontiguousarray(sites),
        np.stack([bounds.residual[chosen], error], axis=1).astype(np.float32),
        order,
        _centres(factors, order),
        bounds.squares,
        units,
    )


def _whole(tau: FloatArray32, bounds: _Bounds) -> tuple[NDArray[np.int16], NDArray[np.int32], Units]:
    """Return the factors (m, 10) and errors (m,) of the sites for the first screening, and their units."""
    exact = tau.astype(np.float64)
    middle = np.linalg.norm(exact[:, LEAD:], axis=1) * (1.0 + 1e-5)
    longest = math.sqrt(max(bounds.longest, 1.0) ** 2 + bounds.squares)
    return whole_sites(np.column_stack([exact[:, :LEAD], middle, bounds.residual]), bounds.error, longest)


def _pack_lead(factors: NDArray[np.int16], errors: NDArray[np.int32], order: IntArray) -> NDArray[np.int32]:
    chosen, empty = np.maximum(order, 0), order < 0
    lead = np.zeros((len(order), 1 + FACTORS // 2, WIDTH), np.int32)
    lead[:, 0] = np.where(empty, ABSENT, errors[chosen])
    pairs = np.where(empty[..., None], np.int16(0), factors[chosen]).view(np.int32)
    lead[:, 1:] = pairs.transpose(0, 2, 1)
    return lead


def _centres(factors: NDArray[np.int16], order: IntArray) -> NDArray[np.int32]:
    """Pack the mean lead factors of the blocks (k, 16) sixteen at a time; the last one is repeated."""
    means = [factors[members[members >= 0], :LEAD].mean(axis=0) for members in order]
    repeated = np.pad(np.rint(means).astype(np.int16), ((0, -len(means) % WIDTH), (0, 0)), mode="edge")
    return np.ascontiguousarray(repeated.view(np.int32).reshape(-1, WIDTH, LEAD // 2).transpose(0, 2, 1))


def _blocks(tau: FloatArray32) -> IntArray:
    """Return site indices (k, 16) in blocks of near neighbours, halved along the longest axis until small."""
    blocks: list[IntArray] = []
    pending = [np.arange(len(tau))]
    while pending:
        members = pending.pop()
        if len(members) <= WIDTH:
            blocks.append(np.pad(np.sort(members), (0, WIDTH - len(members)), constant_values=-1))
            continue
        spread = tau[members] - tau[members].mean(axis=0)
        along = spread @ np.linalg.eigh(spread.T @ spread)[1][:, -1]
        members = members[np.argsort(along, kind="stable")]
        half = (-(-len(members) // WIDTH) + 1) // 2 * WIDTH
        pending += [members[half:], members[:half]]
    return np.array(blocks)
