"""Uniform windows of one block of the image join groups of one composition, row by row.

A row is worked off from its first window that waits: its nearest group is looked for, or started, and every
other waiting window of the row within the radius of that group joins in the same pass. Where another group is
so near that such a window could belong to either, only those nearest to the centre join; the others are
looked at one by one.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, Float32Array, FloatArray, IntArray
from gigaxas.nearest.definition import padded_length
from gigaxas.observed.noise_level import NoiseLevel, contrast_unit
from gigaxas.observed.window_groups import WindowGroups
from gigaxas.observed.windows import Strip, WindowSums, move_to, standardise_pixels, strip_of
from gigaxas.simd import lane_dot

MOST_NOISE = 6.0
"""Times its usual variance that a uniform window's noise may have: thickness and light vary by a
factor of two, and more."""
JOIN_RADIUS = 2.0
"""A window joins a group whose mean is within so many standard deviations of single-pixel noise."""
SURE = 0.5
"""Share of the squared radius within which a window joins a group that has near neighbours."""
NEAR = 2.25
"""Times the squared radius within which another centre is such a neighbour."""
STRIP_ROWS = 64
"""Rows of windows that are worked off together."""
CAPACITY = 64
"""Groups that there is memory for at first."""


class Limits(NamedTuple):
    """What a uniform window must not exceed, in units of the samples, and how near it must be to a group."""

    contrast: float
    """Largest contrast over smooth."""
    coherence: float
    """Largest coherence over scatter."""
    variance: float
    """Largest scatter for each pixel but one."""
    fewest: float
    """Fewest valid pixels."""
    radius: float
    """Squared distance, over the noise variance of a pixel, within which a window joins a group."""
    tail: float
    """Times its usual square that the noise of a window's mean exceeds as seldom as the error asks."""
    spread: float
    """Times the variance of independent noise that a window's mean has."""
    scatter: float
    """Squares about a window's mean, over the variance of a pixel and the pixels but one."""
    whole: float
    """Pixels of a window."""
    unit: float
    """Length of a standardised spectrum in the samples."""


class Accumulators(NamedTuple):
    """Groups while they grow; there is memory for n of them, E is padded to whole vectors."""

    total: FloatArray
    """(n, E) sums of the windows' mean spectra."""
    centre: FloatArray
    """(n, E) mean spectrum as of the last power of two of windows."""
    windows: IntArray
    """(n,) number of windows."""
    centred: IntArray
    """(n,) number of windows that `centre` is the mean of."""
    isolated: BoolArray
    """(n,) True as long as no other centre came near."""
    noise: FloatArray
    """(n,) sums of the windows' variance of a single pixel."""
    mean: FloatArray
    """(n,) sums of the windows' mean that standardisation subtracted."""
    length: FloatArray
    """(n,) sums of the windows' length that standardisation divided by."""
    first: IntArray
    """(n, 2) place (y, x) of the first window."""


class GroupingScratch(NamedTuple):
    """Arrays for one row of n windows."""

    spectra: FloatArray
    """(2, E) a window's mean spectrum, and its difference from a centre."""
    distance: Float32Array
    """(n,) squared distance from a group's centre."""
    noise: FloatArray
    """(n,) variance of a single pixel of each window."""
    joins: FloatArray
    """(n,) 1 for a window that joins the group at hand."""
    waits: BoolArray
    """(n,) True for a uniform window that is in no group yet."""


def observe_block(
    parts: Iterable[NDArray[Any]], origin: tuple[int, int], level: NoiseLevel, invalid: int | None = None
) -> WindowGroups:
    """Gather the uniform windows of a block of the image into groups, row by row.

    `parts` (E, h, w) are its pixels from top to bottom, in as many parts as it pleases, with the k_size - 1
    rows and columns that follow it; `origin` is its first pixel (y, x). A window is uniform that passes the
    limits of `level`.
    """
    energies, count, top = level.profile.size, 0, origin[0]
    groups = _accumulators(CAPACITY, energies)
    for samples in _strips(parts, level.k_size):
        pixels = standardise_pixels(samples, level.k_size, invalid)
        strip, y = strip_of(pixels, level.k_size, level.p_num), 0
        limits = window_limits(level, pixels.unit)
        while y < strip.rows:
            groups = _with_capacity(groups, count + strip.row.pixels.size)
            y, count = _gather_rows(strip, y, limits, (top, origin[1]), groups, count)
        top += strip.rows
    return _grown(groups, count, energies)


def window_limits(level: NoiseLevel, unit: float) -> Limits:
    """Return what uniform windows, whose samples have this unit, must not exceed."""
    pixels = level.k_size**2
    return Limits(
        contrast=level.contrast_limit * contrast_unit(level.k_size) / (pixels - 1),
        coherence=level.coherence_limit,
        variance=MOST_NOISE * level.variance * level.scatter * unit**2,
        fewest=level.p_num,
        radius=JOIN_RADIUS**2 / level.freedom,
        tail=level.tail(1),
        spread=level.spread,
        scatter=level.scatter,
        whole=pixels,
        unit=unit,
    )


def _strips(parts: Iterable[NDArray[Any]], k_size: int) -> Iterator[NDArray[Any]]:
    """Yield strips that overlap by k_size - 1 rows, so that every window lies in just one."""
    held: NDArray[Any] | None = None
    for part in parts:
        rows = part if held is None else np.concatenate([held, part], axis=1)
        for start in range(0, rows.shape[1] - k_size + 1, STRIP_ROWS):
            yield np.ascontiguousarray(rows[:, start : start + STRIP_ROWS + k_size - 1])
        held = rows[:, max(rows.shape[1] - k_size + 1, 0) :]


def _accumulators(capacity: int, energies: int) -> Accumulators:
    """Return empty accumulators for so many groups."""
    total, centre = np.zeros((2, capacity, padded_length(energies)))
    windows, centred = np.zeros((2, capacity), np.int64)
    noise, mean, length = np.zeros((3, capacity))
    return Accumulators(
        total,
        centre,
        windows,
        centred,
        isolated=np.ones(capacity, np.bool_),
        noise=noise,
        mean=mean,
        length=length,
        first=np.zeros((capacity, 2), np.int64),
    )


def _with_capacity(groups: Accumulators, least: int) -> Accumulators:
    """Return the accumulators with memory for at least so many groups."""
    capacity = groups.windows.size
    if capacity >= least:
        return groups
    more = _accumulators(max(least, 2 * capacity) - capacity, groups.total.shape[1])
    return Accumulators(*(np.concatenate(parts) for parts in zip(groups, more, strict=True)))


def _grown(groups: Accumulators, count: int, energies: int) -> WindowGroups:
    """Return the first `count` groups."""
    return WindowGroups(
        total=groups.total[:count, :energies].copy(),
        windows=groups.windows[:count].copy(),
        noise=groups.noise[:count].copy(),
        mean=groups.mean[:count].copy(),
        length=groups.length[:count].copy(),
        first=groups.first[:count].copy(),
    )


@njit(nogil=True, cache=True)
def _gather_rows(
    strip: Strip, y: int, limits: Limits, origin: tuple[int, int], groups: Accumulators, count: int
) -> tuple[int, int]:
    """Let the uniform windows of a strip, from row y on, join groups while there is memory for a row.

    The strip starts at `origin` (y, x). Returns the first row left and how many groups there are.
    """
    n = strip.row.pixels.size
    scratch = GroupingScratch(
        np.empty((2, groups.total.shape[1])),
        np.empty(n, np.float32),
        np.empty(n),
        np.empty(n),
        np.empty(n, np.bool_),
    )
    while y < strip.rows and count + n <= groups.windows.size:
        move_to(strip, y)
        count = _gather_row(strip.row, limits, (origin[0] + y, origin[1]), groups, count, scratch)
        y += 1
    return y, count


@njit(nogil=True, cache=True)
def _gather_row(
    row: WindowSums,
    limits: Limits,
    origin: tuple[int, int],
    groups: Accumulators,
    count: int,
    scratch: GroupingScratch,
) -> int:
    """Let the uniform windows of a row that starts at `origin` join groups; return how many there are."""
    waits, joins, noise = scratch.waits, scratch.joins, scratch.noise
    n = waits.size
    for x in range(n):
        waits[x] = _is_uniform(row, x, limits)
        noise[x] = row.scatter[x] / (max(row.pixels[x] - 1.0, 1.0) * limits.scatter * limits.unit**2)
    for x in range(n):
        if not waits[x]:
            continue
        _mean_spectrum(row, x, limits.unit, scratch.spectra)
        group = _nearest_group(scratch.spectra, noise[x], row.pixels[x], limits, groups, count)
        joins[:] = 0.0
        joins[x] = 1.0
        if group == count:
            count += 1
            groups.first[group, 0], groups.first[group, 1] = origin[0], origin[1] + x
        elif row.pixels[x] == limits.whole:
            _find_alike(row, x, groups, group, limits, scratch)
        _join(row, x, limits.unit, scratch, groups, group)
        for i in range(x, n):
            waits[i] = waits[i] and joins[i] == 0.0
        _update_centre(groups, group, count, limits, scratch.spectra)
    return count


@njit(nogil=True, cache=True)
def uniform_windows(row: WindowSums, limits: Limits) -> BoolArray:
    """Return which windows (n,) of a row pass the limits."""
    passed = np.empty(row.pixels.size, np.bool_)
    for x in range(passed.size):
        passed[x] = _is_uniform(row, x, limits)
    return passed


@njit(nogil=True, cache=True)
def _is_uniform(row: WindowSums, x: int, limits: Limits) -> bool:
    pixels, scatter = row.pixels[x], row.scatter[x]
    return (
        pixels >= limits.fewest
        and 0.0 < scatter <= limits.variance * (pixels - 1.0)
        and row.contrast[x] <= limits.contrast * row.smooth[x]
        and row.coherence[x] <= limits.coherence * scatter
    )


@njit(nogil=True, cache=True)
def _mean_spectrum(row: WindowSums, x: int, unit: float, spectra: FloatArray) -> None:
    """Write the mean standardised spectrum of window x into spectra[0]; what pads it is zero."""
    spectra[:] = 0.0
    for e in range(row.total.shape[0]):
        spectra[0, e] = row.total[e, x] / (row.pixels[x] * unit)


@njit(nogil=True, cache=True)
def _nearest_group(
    spectra: FloatArray, noise: float, pixels: float, limits: Limits, groups: Accumulators, count: int
) -> int:
    """Return the group nearest to spectra[0], or `count` where none is within the radius.

    Distances are squared and freed of what the noise of both means adds.
    """
    best, nearest = np.inf, count
    for group in range(count):
        for e in range(spectra.shape[1]):
            spectra[1, e] = spectra[0, e] - groups.centre[group, e]
        shared = _shared_noise(limits, pixels, groups.centred[group])
        square = lane_dot(spectra, 1, spectra, 1) - shared * noise
        if square < best and square < _reach(limits, shared) * noise:
            best, nearest = square, group
    return nearest


@njit(nogil=True, cache=True)
def _shared_noise(limits: Limits, pixels: float, centred: int) -> float:
    """Return the squared distance, over a pixel's variance, that noise puts between a window and a centre."""
    return limits.spread / pixels * (1.0 + 1.0 / centred)


@njit(nogil=True, cache=True)
def _reach(limits: Limits, shared: float) -> float:
    """Return the squared distance beside that of noise within which two means may be one composition.

    It is the larger of what a pixel could tell and what the noise of the means explains.
    """
    return max(limits.radius, (limits.tail - 1.0) * shared)


@njit(nogil=True, cache=True)
def _find_alike(
    row: WindowSums, start: int, groups: Accumulators, group: int, limits: Limits, scratch: GroupingScratch
) -> None:
    """Mark with 1 the waiting whole windows of the row, from `start` on, that belong to a group for sure."""
    distance, waits, pixels = scratch.distance[start:], scratch.waits[start:], row.pixels[start:]
    noise, joins = scratch.noise[start:], scratch.joins[start:]
    distance[:] = 0.0
    factor = np.float32(1.0 / (limits.whole * limits.unit))
    for e in range(row.total.shape[0]):
        line, centre = row.total[e, start:], np.float32(groups.centre[group, e])
        for x in range(distance.size):
            away = line[x] * factor - centre
            distance[x] += away * away
    shared = _shared_noise(limits, limits.whole, groups.centred[group])
    radius = shared + (1.0 if groups.isolated[group] else SURE) * _reach(limits, shared)
    for x in range(distance.size):
        if waits[x] and pixels[x] == limits.whole and distance[x] <= radius * noise[x]:
            joins[x] = 1.0


@njit(nogil=True, cache=True)
def _join(
    row: WindowSums, start: int, unit: float, scratch: GroupingScratch, groups: Accumulators, group: int
) -> None:
    """Add the windows marked, from `start` on, to a group; all have as many valid pixels as the first."""
    pixels, end = row.pixels[start], start
    for x in range(start, scratch.joins.size):
        if scratch.joins[x] > 0.0:
            end = x + 1
            groups.windows[group] += 1
            groups.noise[group] += scratch.noise[x]
            groups.mean[group] += row.mean[x] / pixels
            groups.length[group] += row.length[x] / pixels
    joins = scratch.joins[start:end]
    for e in range(row.total.shape[0]):
        groups.total[group, e] += _marked_sum(row.total[e, start:end], joins) / (pixels * unit)


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def _marked_sum(line: Float32Array, joins: FloatArray) -> float:
    """Sum marked values; they are whole numbers, so that their order cannot matter."""
    total = 0.0
    for x in range(line.size):
        total += joins[x] * line[x]
    return total


@njit(nogil=True, cache=True)
def _update_centre(groups: Accumulators, group: int, count: int, limits: Limits, spectra: FloatArray) -> None:
    """Take a group's mean as its centre when its windows have doubled, and see whether another is near."""
    windows = groups.windows[group]
    if windows < 2 * groups.centred[group]:
        return
    groups.centred[group] = windows
    for e in range(groups.total.shape[1]):
        groups.centre[group, e] = groups.total[group, e] / windows
    noise = groups.noise[group] / windows
    near = NEAR * _reach(limits, limits.spread / limits.whole) * noise
    for other in range(count):
        if other == group:
            continue
        for e in range(spectra.shape[1]):
            spectra[1, e] = groups.centre[group, e] - groups.centre[other, e]
        shared = 1.0 / groups.centred[group] + 1.0 / groups.centred[other]
        added = limits.spread * noise / limits.whole * shared
        if lane_dot(spectra, 1, spectra, 1) - added < near:
            groups.isolated[group] = False
            groups.isolated[other] = False
