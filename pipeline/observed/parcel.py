"""One parcel of the image: its uniform windows, gathered into grains of one composition."""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pipeline.arrays import FloatArray, IntArray
from pipeline.nearest.definition import padded_length
from pipeline.nearest.lanes import lane_dot
from pipeline.observed.grains import Grains
from pipeline.observed.level import LOWEST_SIGNAL, ROOM, Level, contrast_unit
from pipeline.observed.pixels import standardise_pixels
from pipeline.observed.windows import Row, rows_of

STRIP = 64
REACH = 2.0
"""A window joins a grain whose mean is within so many standard deviations of single-pixel noise."""
ABREAST = 16


class Limits(NamedTuple):
    """What a window must not exceed, in units of the samples, and how near it must be to a grain."""

    contrast: float
    coherence: float
    variance: float
    fewest: float
    reach: float
    spread: float


class Heap(NamedTuple):
    """Grains while they grow (room, ...): sums, means as of the last power of two, and counts."""

    total: FloatArray
    centre: FloatArray
    windows: IntArray
    settled: IntArray
    noise: FloatArray
    mean: FloatArray
    length: FloatArray
    first: IntArray


def observe_parcel(
    block: NDArray[Any], origin: tuple[int, int], level: Level, invalid: int | None = None
) -> Grains:
    """Gather the uniform windows of a block (E, h, w) into grains, in the order of the pixels.

    The block holds a parcel with the k_size - 1 rows and columns that follow it; `origin` is its first pixel
    (y, x). A window is uniform that passes the limits of `level`.
    """
    k = level.k_size
    energies, height, width = block.shape
    heap, count = _room(64, energies), 0
    for top in range(0, height - k + 1, STRIP):
        pixels = standardise_pixels(block[:, top : top + STRIP + k - 1], k, invalid)
        limits = _limits(level, pixels.unit)
        for y, row in rows_of(pixels, k):
            heap = _with_room(heap, count + width)
            place = np.array([origin[0] + top + y, origin[1]])
            count = _gather(row, limits, pixels.unit, place, heap, count)
    return _grains(heap, count, energies)


def probe_windows(
    block: NDArray[Any], k_size: int, invalid: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return of every whole window of a block (E, h, w): noise variance, contrast and coherence over scatter.

    With them (n, 3) comes the sum of their mean spectra and their number (E + 1,), in the samples' own unit.
    Contrast is in units of what independent noise would show.
    """
    pixels = standardise_pixels(block, k_size, invalid)
    found, spectrum = [], np.zeros(block.shape[0] + 1)
    whole = k_size * k_size
    usual = contrast_unit(block.shape[0], k_size) / (whole - 1)
    for _, row in rows_of(pixels, k_size):
        full = (row.pixels == whole) & (row.scatter > 0)
        scatter = row.scatter[full]
        variance = scatter / (whole - 1) / pixels.unit**2
        ratios = row.contrast[full] / scatter / usual, row.coherence[full] / scatter
        found.append(np.stack([variance, *ratios], axis=1))
        telling = np.flatnonzero(full)[variance < 1.0 - LOWEST_SIGNAL]
        shape = row.total[:, telling].astype(np.float64) / (whole * pixels.unit)
        spectrum[:-1] += (shape * (row.length[telling] / whole) + row.mean[telling] / whole).sum(axis=1)
        spectrum[-1] += telling.size
    return np.concatenate(found) if found else np.empty((0, 3)), spectrum


def _limits(level: Level, unit: float) -> Limits:
    pixels = level.k_size**2
    return Limits(
        contrast=level.contrast_limit * contrast_unit(level.profile.size, level.k_size) / (pixels - 1),
        coherence=level.coherence_limit,
        variance=ROOM * level.variance * unit**2,
        fewest=level.p_num,
        reach=REACH**2 / level.freedom,
        spread=level.spread,
    )


@njit(nogil=True, cache=True)
def _gather(row: Row, limits: Limits, unit: float, place: IntArray, heap: Heap, count: int) -> int:
    """Let every uniform window of a row join its nearest grain, or start one; return how many there are."""
    energies, n = row.total.shape
    spectra = np.zeros((ABREAST, heap.total.shape[1]))
    away = np.zeros((1, heap.total.shape[1]))
    last = 0
    for start in range(0, n, ABREAST):
        end = min(start + ABREAST, n)
        for e in range(energies):
            line = row.total[e]
            for x in range(start, end):
                spectra[x - start, e] = line[x]
        for x in range(start, end):
            if not _is_uniform(row, x, limits):
                continue
            spectrum = spectra[x - start]
            factor = 1.0 / (row.pixels[x] * unit)
            for e in range(energies):
                spectrum[e] *= factor
            noise = row.scatter[x] / ((row.pixels[x] - 1.0) * unit * unit)
            last = _nearest_grain(spectrum, noise, row.pixels[x], limits, heap, count, last, away)
            if last == count:
                count += 1
                heap.first[last, 0], heap.first[last, 1] = place[0], place[1] + x
            heap.noise[last] += noise
            heap.mean[last] += row.mean[x] / row.pixels[x]
            heap.length[last] += row.length[x] / row.pixels[x]
            _join(spectrum, heap, last)
    return count


@njit(nogil=True, cache=True)
def _is_uniform(row: Row, x: int, limits: Limits) -> bool:
    pixels, scatter = row.pixels[x], row.scatter[x]
    return (
        pixels >= limits.fewest
        and 0.0 < scatter <= limits.variance * (pixels - 1.0)
        and row.contrast[x] <= limits.contrast * scatter
        and row.coherence[x] <= limits.coherence * scatter
    )


@njit(nogil=True, cache=True)
def _nearest_grain(
    spectrum: FloatArray,
    noise: float,
    pixels: float,
    limits: Limits,
    heap: Heap,
    count: int,
    last: int,
    away: FloatArray,
) -> int:
    """Return the grain nearest to a window's mean, `count` for a new one; `last` is looked at first.

    Distances are squared and freed of what the noise of both means adds.
    """
    best, nearest = limits.reach * noise, count
    for step in range(-1, count):
        grain = last if step < 0 else step
        if grain >= count or step == last:
            continue
        centre, difference = heap.centre[grain], away[0]
        for e in range(spectrum.size):
            difference[e] = spectrum[e] - centre[e]
        shared = limits.spread * noise / pixels * (1.0 + 1.0 / heap.settled[grain])
        distance = lane_dot(away, 0, away, 0) - shared
        if distance < best:
            best, nearest = distance, grain
        if step < 0 and distance < 0.25 * limits.reach * noise:
            break
    return nearest


@njit(nogil=True, cache=True)
def _join(spectrum: FloatArray, heap: Heap, grain: int) -> None:
    """Add a window's mean to a grain; whenever its count is a power of two, its centre is drawn anew."""
    total = heap.total[grain]
    for e in range(spectrum.size):
        total[e] += spectrum[e]
    heap.windows[grain] += 1
    windows = heap.windows[grain]
    if windows & (windows - 1) == 0:
        heap.settled[grain] = windows
        centre = heap.centre[grain]
        for e in range(spectrum.size):
            centre[e] = total[e] / windows


def _room(rows: int, energies: int) -> Heap:
    padded = padded_length(energies)
    total, centre = np.zeros((2, rows, padded))
    windows, settled = np.zeros((2, rows), np.int64)
    noise, mean, length = np.zeros((3, rows))
    return Heap(total, centre, windows, settled, noise, mean, length, np.zeros((rows, 2), np.int64))


def _with_room(heap: Heap, rows: int) -> Heap:
    """Return the heap, with room for at least so many grains."""
    there = heap.windows.size
    if there >= rows:
        return heap
    more = max(rows, 2 * there) - there
    return Heap(*(np.concatenate([part, np.zeros((more, *part.shape[1:]), part.dtype)]) for part in heap))


def _grains(heap: Heap, count: int, energies: int) -> Grains:
    return Grains(
        total=heap.total[:count, :energies].copy(),
        windows=heap.windows[:count].copy(),
        noise=heap.noise[:count].copy(),
        mean=heap.mean[:count].copy(),
        length=heap.length[:count].copy(),
        first=heap.first[:count].copy(),
    )
