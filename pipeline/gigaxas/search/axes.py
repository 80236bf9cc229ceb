"""Principal axes of a library: coordinates whose distance never exceeds that of the spectra themselves."""

from dataclasses import dataclass

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.search.definition import ADDITIONS, EPS, MULTIPLICATIONS

OVERSAMPLE, ROUNDS = 8, 3


@dataclass(frozen=True, eq=False)
class Axes:
    """Coordinates y = x @ weights - offset: |y(a) - y(b)| <= |a - b| but for rounding."""

    weights: FloatArray
    """(E, r)."""
    offset: FloatArray
    """(r,)."""
    coordinates: FloatArray
    """(n, r), of the entries."""
    longest: float
    """Length of the longest entry."""
    slack: float
    """What rounding can add to a distance of coordinates, per length of the spectra."""

    def transform(self, queries: FloatArray) -> tuple[FloatArray]:
        """Return the coordinates (q, r) of queries (q, E), alone in a tuple, as `run_queries` takes them."""
        return (np.ascontiguousarray(queries @ self.weights - self.offset),)


def fit_axes(library: FloatArray, components: int, smooth: int = 1) -> Axes:
    """Find the leading axes of a library (n, E), smoothed by a running average over `smooth` samples.

    The average is part of the weights, so it costs a query nothing. It never makes a spectrum longer, so the
    bound holds for the spectra as they are.
    """
    energies = library.shape[1]
    axes = principal_axes(running_average(library, smooth), components)
    weights = np.ascontiguousarray(running_average(axes.T, smooth).T)
    mean = library.mean(axis=0)
    offset = mean @ weights
    return Axes(
        weights,
        offset,
        library @ weights - offset,
        longest_of(library),
        slack_of(energies, components),
    )


def longest_of(library: FloatArray) -> float:
    """Return the length of the longest entry (n, E)."""
    return float(np.sqrt(np.einsum("ne,ne->n", library, library).max()))


def slack_of(samples: int, components: int) -> float:
    """Return how much rounding can add to a distance of coordinates, per length of the spectra."""
    return 16 * EPS * (samples + 8) * (components + 1) ** 0.5


def principal_axes(spectra: FloatArray, components: int) -> FloatArray:
    """Return orthonormal axes (E, r) of spectra (n, E) in order of variance, by subspace iteration.

    Axes that are not quite principal make a search a little slower, never wrong; the seed makes them
    repeatable.
    """
    centred = spectra - spectra.mean(axis=0)
    peak = np.abs(centred).max()
    if peak > 0:
        centred /= peak
    width = min(components + OVERSAMPLE, *centred.shape)
    basis = np.random.default_rng(0).normal(size=(centred.shape[1], width))
    for _ in range(ROUNDS):
        basis = np.linalg.qr(centred.T @ (centred @ np.linalg.qr(basis)[0]))[0]
    _, _, turn = np.linalg.svd(centred @ basis, full_matrices=False)
    return np.ascontiguousarray((basis @ turn.T)[:, :components])


def running_average(spectra: FloatArray, width: int) -> FloatArray:
    """Return spectra (..., E) averaged over `width` samples, taken as zero beyond their ends."""
    if width == 1:
        return spectra
    half = width // 2
    padded = np.pad(spectra, ((0, 0), (half, half)))
    return np.lib.stride_tricks.sliding_window_view(padded, width, axis=1).mean(axis=-1)


def checked_components(components: int | None, default: int, library: FloatArray) -> int:
    """Return how many axes to use; InputError when there are not as many to be had."""
    most = min(library.shape)
    if components is None:
        return min(default, most)
    if not 1 <= components <= most:
        raise InputError(
            f"components = {components}; expected 1 to {most}: no more than the {library.shape[0]} entries "
            f"and the {library.shape[1]} samples"
        )
    return components


def checked_smooth(width: int | None, default: int, library: FloatArray) -> int:
    """Return the width of a running average; InputError unless it is odd and fits into the spectra."""
    samples = library.shape[1]
    if width is None:
        return default if default <= samples else 1
    if width < 1 or width % 2 == 0 or width > samples:
        raise InputError(f"smooth = {width}; expected an odd number of samples from 1 to {samples}")
    return width


@njit(nogil=True, cache=True)
def count_transform(samples: int, components: int, counts: IntArray) -> None:
    """Count the matrix product of one query and its offset."""
    counts[MULTIPLICATIONS] += samples * components
    counts[ADDITIONS] += (samples + 1) * components
