"""Uniform windows join grains, row by row.

A row is worked off from its first window that waits: its nearest grain is looked for, or started, and every
other waiting window of the row that lies within reach of that grain joins in the same pass. Where another
grain is so near that such a window could belong to either, only those nearest to the centre join; the others
are looked at one by one.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import BoolArray, FloatArray, IntArray
from gigaxas.nearest.definition import padded_length
from gigaxas.observed.level import ROOM, Level, contrast_unit
from gigaxas.observed.pixels import Float32Array
from gigaxas.observed.window_groups import Grains
from gigaxas.observed.windows import Row, Strip, move_to
from gigaxas.simd import lane_dot

REACH = 2.0
"""A window joins a grain whose mean is within so many standard deviations of single-pixel noise."""
SURE = 0.5
"""Share of the squared reach within which a window joins a grain that has near neighbours."""
NEAR = 2.25
"""Times the squared reach within which another centre is such a neighbour."""


class Limits(NamedTuple):
    """What a window must not exceed, in units of the samples, and how near it must be to a grain."""

    contrast: float
    coherence: float
    variance: float
    fewest: float
    reach: float
    spread: float
    whole: float
    unit: float


class Heap(NamedTuple):
    """Grains while they grow (room, ...).

    total sums of the mean spectra, centre their mean as of the last power of two of windows, settled how many
    that was; alone says that no other centre came near; the rest as in `Grains`.
    """

    total: FloatArray
    centre: FloatArray
    windows: IntArray
    settled: IntArray
    alone: BoolArray
    noise: FloatArray
    mean: FloatArray
    length: FloatArray
    first: IntArray


class Work(NamedTuple):
    """Room for one row: two spectra, and distance, noise, whether it joins and still waits of each window."""

    room: FloatArray
    distance: Float32Array
    noise: FloatArray
    joins: FloatArray
    waits: BoolArray


def window_limits(level: Level, unit: float) -> Limits:
    """Return what windows whose samples have this unit must not exceed."""
    pixels = level.k_size**2
    return Limits(
        contrast=level.contrast_limit * contrast_unit(level.k_size) / (pixels - 1),
        coherence=level.coherence_limit,
        variance=ROOM * level.variance * unit**2,
        fewest=level.p_num,
        reach=REACH**2 / level.freedom,
        spread=level.spread,
        whole=pixels,
        unit=unit,
    )


def new_heap(rows: int, energies: int) -> Heap:
    """Return room for so many grains."""
    padded = padded_length(energies)
    total, centre = np.zeros((2, rows, padded))
    windows, settled = np.zeros((2, rows), np.int64)
    noise, mean, length = np.zeros((3, rows))
    first = np.zeros((rows, 2), np.int64)
    return Heap(total, centre, windows, settled, np.ones(rows, np.bool_), noise, mean, length, first)


def with_room(heap: Heap, rows: int) -> Heap:
    """Return the heap, with room for at least so many grains."""
    there = heap.windows.size
    if there >= rows:
        return heap
    more = new_heap(max(rows, 2 * there) - there, heap.total.shape[1])
    return Heap(*(np.concatenate(parts) for parts in zip(heap, more, strict=True)))


def heap_grains(heap: Heap, count: int, energies: int) -> Grains:
    """Return the first `count` grains."""
    return Grains(
        total=heap.total[:count, :energies].copy(),
        windows=heap.windows[:count].copy(),
        noise=heap.noise[:count].copy(),
        mean=heap.mean[:count].copy(),
        length=heap.length[:count].copy(),
        first=heap.first[:count].copy(),
    )


@njit(nogil=True, cache=True)
def gather_rows(
    strip: Strip, y: int, limits: Limits, place: tuple[int, int], heap: Heap, count: int
) -> tuple[int, int]:
    """Let the uniform windows of a strip, from row y on, join grains, as long as the heap has room for a row.

    The strip starts at `place` (y, x). Returns the first row left and how many grains there are.
    """
    n = strip.row.pixels.size
    work = Work(
        np.empty((2, heap.total.shape[1])),
        np.empty(n, np.float32),
        np.empty(n),
        np.empty(n),
        np.empty(n, np.bool_),
    )
    while y < strip.rows and count + n <= heap.windows.size:
        move_to(strip, y)
        count = _gather_row(strip.row, limits, work, (place[0] + y, place[1]), heap, count)
        y += 1
    return y, count


@njit(nogil=True, cache=True)
def _gather_row(row: Row, limits: Limits, work: Work, place: tuple[int, int], heap: Heap, count: int) -> int:
    """Let the uniform windows of a row that starts at `place` join grains; return how many there are."""
    waits, joins, noise = work.waits, work.joins, work.noise
    n = waits.size
    for x in range(n):
        waits[x] = _is_uniform(row, x, limits)
        noise[x] = row.scatter[x] / (max(row.pixels[x] - 1.0, 1.0) * limits.unit * limits.unit)
    for x in range(n):
        if not waits[x]:
            continue
        _mean_spectrum(row, x, limits.unit, work.room)
        grain = _nearest_grain(work.room, noise[x], row.pixels[x], limits, heap, count)
        joins[:] = 0.0
        joins[x] = 1.0
        if grain == count:
            count += 1
            heap.first[grain, 0], heap.first[grain, 1] = place[0], place[1] + x
        elif row.pixels[x] == limits.whole:
            _find_like(row, x, heap, grain, limits, work)
        _join(row, x, limits.unit, work, heap, grain)
        for i in range(x, n):
            waits[i] = waits[i] and joins[i] == 0.0
        _settle(heap, grain, count, limits, work.room)
    return count


@njit(nogil=True, cache=True)
def _is_uniform(row: Row, x: int, limits: Limits) -> bool:
    pixels, scatter = row.pixels[x], row.scatter[x]
    return (
        pixels >= limits.fewest
        and 0.0 < scatter <= limits.variance * (pixels - 1.0)
        and row.contrast[x] <= limits.contrast * row.smooth[x]
        and row.coherence[x] <= limits.coherence * scatter
    )


@njit(nogil=True, cache=True)
def _mean_spectrum(row: Row, x: int, unit: float, room: FloatArray) -> None:
    """Write the mean standardised spectrum of window x into room[0]; what pads it is zero."""
    room[:] = 0.0
    for e in range(row.total.shape[0]):
        room[0, e] = row.total[e, x] / (row.pixels[x] * unit)


@njit(nogil=True, cache=True)
def _nearest_grain(
    room: FloatArray, noise: float, pixels: float, limits: Limits, heap: Heap, count: int
) -> int:
    """Return the grain nearest to the spectrum room[0], or `count` where none is within reach.

    Distances are squared and freed of what the noise of both means adds.
    """
    best, nearest = limits.reach * noise, count
    for grain in range(count):
        for e in range(room.shape[1]):
            room[1, e] = room[0, e] - heap.centre[grain, e]
        shared = limits.spread * noise / pixels * (1.0 + 1.0 / heap.settled[grain])
        square = lane_dot(room, 1, room, 1) - shared
        if square < best:
            best, nearest = square, grain
    return nearest


@njit(nogil=True, cache=True)
def _find_like(row: Row, start: int, heap: Heap, grain: int, limits: Limits, work: Work) -> None:
    """Mark with 1 the waiting whole windows of the row, from `start` on, that belong to a grain for sure."""
    distance, waits, pixels = work.distance[start:], work.waits[start:], row.pixels[start:]
    noise, joins = work.noise[start:], work.joins[start:]
    distance[:] = 0.0
    factor = np.float32(1.0 / (limits.whole * limits.unit))
    for e in range(row.total.shape[0]):
        line, centre = row.total[e, start:], np.float32(heap.centre[grain, e])
        for x in range(distance.size):
            away = line[x] * factor - centre
            distance[x] += away * away
    reach = limits.reach if heap.alone[grain] else SURE * limits.reach
    reach += limits.spread / limits.whole * (1.0 + 1.0 / heap.settled[grain])
    for x in range(distance.size):
        if waits[x] and pixels[x] == limits.whole and distance[x] <= reach * noise[x]:
            joins[x] = 1.0


@njit(nogil=True, cache=True)
def _join(row: Row, start: int, unit: float, work: Work, heap: Heap, grain: int) -> None:
    """Add the windows marked, from `start` on, to a grain; all have as many valid pixels as the first."""
    pixels, end = row.pixels[start], start
    for x in range(start, work.joins.size):
        if work.joins[x] > 0.0:
            end = x + 1
            heap.windows[grain] += 1
            heap.noise[grain] += work.noise[x]
            heap.mean[grain] += row.mean[x] / pixels
            heap.length[grain] += row.length[x] / pixels
    joins = work.joins[start:end]
    for e in range(row.total.shape[0]):
        heap.total[grain, e] += _marked_sum(row.total[e, start:end], joins) / (pixels * unit)


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def _marked_sum(line: Float32Array, joins: FloatArray) -> float:
    """Sum marked values; they are whole numbers, so that their order cannot matter."""
    total = 0.0
    for x in range(line.size):
        total += joins[x] * line[x]
    return total


@njit(nogil=True, cache=True)
def _settle(heap: Heap, grain: int, count: int, limits: Limits, room: FloatArray) -> None:
    """Draw a grain's centre anew when its windows have doubled, and see whether another centre is near."""
    windows = heap.windows[grain]
    if windows < 2 * heap.settled[grain]:
        return
    heap.settled[grain] = windows
    for e in range(heap.total.shape[1]):
        heap.centre[grain, e] = heap.total[grain, e] / windows
    near = NEAR * limits.reach * heap.noise[grain] / windows
    for other in range(count):
        if other == grain:
            continue
        for e in range(room.shape[1]):
            room[1, e] = heap.centre[grain, e] - heap.centre[other, e]
        shared = 1.0 / heap.settled[grain] + 1.0 / heap.settled[other]
        added = limits.spread * heap.noise[grain] / windows / limits.whole * shared
        if lane_dot(room, 1, room, 1) - added < near:
            heap.alone[grain] = False
            heap.alone[other] = False
