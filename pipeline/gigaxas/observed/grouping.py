"""Uniform windows of one block of the image join groups of one composition, row by row of a panel.

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
from gigaxas.observed.pixels import mark_of, whole_unit
from gigaxas.observed.simd import WIDTH, square_distances, sum_marked
from gigaxas.observed.window_groups import WindowGroups
from gigaxas.observed.windows import Panel, WindowSums, add_row, panels_of
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
"""Rows of pixels that all panels take in before the next ones."""
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
    centre: Float32Array
    """(E,) the centre of a group."""
    sums: FloatArray
    """(E,) sums over windows that join a group."""
    distance: Float32Array
    """(n,) squared distance from a group's centre."""
    noise: FloatArray
    """(n,) variance of a single pixel of each window."""
    joins: Float32Array
    """(n,) 1 for a window that joins the group at hand."""
    waits: BoolArray
    """(n,) True for a uniform window that is in no group yet."""


def observe_block(
    parts: Iterable[NDArray[Any]], origin: tuple[int, int], level: NoiseLevel, invalid: int | None = None
) -> WindowGroups:
    """Gather the uniform windows of a block of the image into groups, strip by strip and panel by panel.

    `parts` (E, h, w) are its pixels from top to bottom, in as many parts as it pleases, with the k_size - 1
    rows and columns that follow it; `origin` is its first pixel (y, x). A window is uniform that passes the
    limits of `level`.
    """
    energies, count, done = level.profile.size, 0, 0
    groups, limits, mark = _accumulators(CAPACITY, energies), window_limits(level), mark_of(invalid)
    panels: list[Panel] = []
    for part, start, stop in _strips(parts):
        panels = panels or panels_of(energies, part.shape[2], part.dtype, level.k_size, level.p_num)
        for panel in panels:
            y = start
            while y < stop:
                groups = _with_capacity(groups, count + panel.row.pixels.size)
                rows, above = (y, stop), done - start
                y, count = _gather_rows(panel, part, rows, above, mark, limits, origin, groups, count)
        done += stop - start
    return _grown(groups, count, energies)


def window_limits(level: NoiseLevel) -> Limits:
    """Return what uniform windows must not exceed."""
    pixels, unit = level.k_size**2, whole_unit(level.k_size)
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


def _strips(parts: Iterable[NDArray[Any]]) -> Iterator[tuple[NDArray[Any], int, int]]:
    """Yield strips of STRIP_ROWS rows, the last of what is left, whatever the parts' heights.

    A strip is a contiguous array and its first row in there and the one after its last. A part may be
    overwritten once the next is asked for.
    """
    left = None
    for part in parts:
        start = 0
        if left is not None:
            start = min(STRIP_ROWS - left.shape[1], part.shape[1])
            left = np.concatenate((left, part[:, :start]), axis=1)
            if left.shape[1] == STRIP_ROWS:
                yield left, 0, STRIP_ROWS
                left = None
        end = part.shape[1] - (part.shape[1] - start) % STRIP_ROWS
        whole = np.ascontiguousarray(part) if end > start else part
        for y in range(start, end, STRIP_ROWS):
            yield whole, y, y + STRIP_ROWS
        if end < part.shape[1]:
            left = part[:, end:].copy()
    if left is not None:
        yield left, 0, left.shape[1]


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
    panel: Panel,
    image: NDArray[Any],
    rows: tuple[int, int],
    above: int,
    invalid: float,
    limits: Limits,
    origin: tuple[int, int],
    groups: Accumulators,
    count: int,
) -> tuple[int, int]:
    """Let uniform windows that end in rows (first, after the last) of an image (E, h, w) join groups.

    It goes on while there is memory. So many rows of the block, which starts at `origin` (y, x), are `above`
    the image. Returns the first row left and how many groups there are.
    """
    y, stop = rows
    n = panel.row.pixels.size
    energies = groups.total.shape[1]
    scratch = GroupingScratch(
        np.empty((2, energies)),
        np.empty(energies, np.float32),
        np.empty(energies),
        np.empty(n, np.float32),
        np.empty(n),
        np.empty(n, np.float32),
        np.empty(n, np.bool_),
    )
    while y < stop and count + n <= groups.windows.size:
        if add_row(panel, image, y, above + y, invalid):
            place = (origin[0] + above + y - panel.k_size + 1, origin[1] + panel.left)
            count = _gather_row(panel.row, limits, place, groups, count, scratch)
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
    waits, joins, noise, pixels = scratch.waits, scratch.joins, scratch.noise, row.pixels
    _find_uniform(row, limits, waits)
    _pixel_noise(row.scatter, pixels, limits.scatter * limits.unit**2, noise)
    for x in range(waits.size):
        if not waits[x]:
            continue
        _mean_spectrum(row, x, limits.unit, scratch.spectra)
        group = _nearest_group(scratch.spectra, noise[x], pixels[x], limits, groups, count)
        joins[:] = np.float32(0.0)
        joins[x] = np.float32(1.0)
        if group == count:
            count += 1
            groups.first[group, 0], groups.first[group, 1] = origin[0], origin[1] + x
        elif pixels[x] == limits.whole:
            _find_alike(row, x, groups, group, limits, scratch)
        _join(row, x, limits.unit, scratch, groups, group)
        for i in range(x, waits.size):
            waits[i] = waits[i] and joins[i] == 0.0
        _update_centre(groups, group, count, limits, scratch.spectra)
    return count


def uniform_windows(row: WindowSums, limits: Limits) -> BoolArray:
    """Return which windows (n,) of a row pass the limits."""
    passed = np.empty(row.pixels.size, np.bool_)
    _find_uniform(row, limits, passed)
    return passed


@njit(nogil=True, cache=True)
def _find_uniform(row: WindowSums, limits: Limits, uniform: BoolArray) -> None:
    """Tell which windows (n,) of a row pass the limits."""
    pixels, scatter, smooth = row.pixels, row.scatter, row.smooth
    contrast, coherence = row.contrast, row.coherence
    for x in range(uniform.size):
        uniform[x] = (
            pixels[x] >= limits.fewest
            and 0.0 < scatter[x] <= limits.variance * (pixels[x] - 1.0)
            and contrast[x] <= limits.contrast * smooth[x]
            and coherence[x] <= limits.coherence * scatter[x]
        )


@njit(nogil=True, cache=True)
def _pixel_noise(scatter: FloatArray, pixels: FloatArray, unit: float, noise: FloatArray) -> None:
    """Set the variance of a single pixel of each window (n,), over the square of a unit of the scatter."""
    for x in range(noise.size):
        noise[x] = scatter[x] / (max(pixels[x] - 1.0, 1.0) * unit)


@njit(nogil=True, cache=True)
def _mean_spectrum(row: WindowSums, x: int, unit: float, spectra: FloatArray) -> None:
    """Write the mean standardised spectrum of window x into spectra[0]; what pads it is zero."""
    total, scale = row.total, 1.0 / (row.pixels[x] * unit)
    spectra[:] = 0.0
    for e in range(total.shape[0]):
        spectra[0, e] = total[e, x] * scale


@njit(nogil=True, cache=True)
def _nearest_group(
    spectra: FloatArray, noise: float, pixels: float, limits: Limits, groups: Accumulators, count: int
) -> int:
    """Return the group nearest to spectra[0], or `count` where none is within the radius.

    Distances are squared and freed of what the noise of both means adds.
    """
    best, nearest, centre, centred = np.inf, count, groups.centre, groups.centred
    for group in range(count):
        for e in range(spectra.shape[1]):
            spectra[1, e] = spectra[0, e] - centre[group, e]
        shared = _shared_noise(limits, pixels, centred[group])
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
    distance, waits, pixels, centre = scratch.distance, scratch.waits, row.pixels, scratch.centre
    noise, joins, total, centres = scratch.noise, scratch.joins, row.total, groups.centre
    for e in range(centre.size):
        centre[e] = centres[group, e]
    factor = 1.0 / (limits.whole * limits.unit)
    for x in range(start - start % WIDTH, waits.size, WIDTH):
        waiting = False
        for i in range(x, x + WIDTH):
            waiting |= waits[i]
        if waiting:
            square_distances(total, x, centre, factor, distance)
    shared = _shared_noise(limits, limits.whole, groups.centred[group])
    radius = shared + (1.0 if groups.isolated[group] else SURE) * _reach(limits, shared)
    for x in range(start, waits.size):
        if waits[x] and pixels[x] == limits.whole and distance[x] <= radius * noise[x]:
            joins[x] = np.float32(1.0)


@njit(nogil=True, cache=True)
def _join(
    row: WindowSums, start: int, unit: float, scratch: GroupingScratch, groups: Accumulators, group: int
) -> None:
    """Add the windows marked, from `start` on, to a group; all have as many valid pixels as the first."""
    pixels, end, joins, noise = row.pixels[start], start, scratch.joins, scratch.noise
    mean, length, sums, total = row.mean, row.length, scratch.sums, groups.total
    windows, noise_sum, mean_sum, length_sum = 0, 0.0, 0.0, 0.0
    for x in range(start, joins.size):
        if joins[x] > 0.0:
            end = x + 1
            windows += 1
            noise_sum += noise[x]
            mean_sum += mean[x] / pixels
            length_sum += length[x] / pixels
    groups.windows[group] += windows
    groups.noise[group] += noise_sum
    groups.mean[group] += mean_sum
    groups.length[group] += length_sum
    sum_marked(row.total, start - start % WIDTH, -(-end // WIDTH) * WIDTH, joins, sums)
    for e in range(row.total.shape[0]):
        total[group, e] += sums[e] / (pixels * unit)


@njit(nogil=True, cache=True)
def _update_centre(groups: Accumulators, group: int, count: int, limits: Limits, spectra: FloatArray) -> None:
    """Take a group's mean as its centre when its windows have doubled, and see whether another is near."""
    windows = groups.windows[group]
    if windows < 2 * groups.centred[group]:
        return
    total, centre, centred = groups.total, groups.centre, groups.centred
    centred[group] = windows
    for e in range(total.shape[1]):
        centre[group, e] = total[group, e] / windows
    noise = groups.noise[group] / windows
    near = NEAR * _reach(limits, limits.spread / limits.whole) * noise
    for other in range(count):
        if other == group:
            continue
        for e in range(spectra.shape[1]):
            spectra[1, e] = centre[group, e] - centre[other, e]
        shared = 1.0 / centred[group] + 1.0 / centred[other]
        added = limits.spread * noise / limits.whole * shared
        if lane_dot(spectra, 1, spectra, 1) - added < near:
            groups.isolated[group] = False
            groups.isolated[other] = False
