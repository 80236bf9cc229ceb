"""One parcel of the image: its uniform windows, gathered into grains of one composition."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.observed.grouping import gather_rows, heap_grains, new_heap, window_limits, with_room
from gigaxas.observed.level import LOWEST_SIGNAL, Level, contrast_unit
from gigaxas.observed.pixels import standardise_pixels
from gigaxas.observed.window_groups import Grains
from gigaxas.observed.windows import move_to, strip_of

STRIP = 64
"""Rows of windows that are worked off together."""
ROOM = 64


def observe_parcel(
    blocks: Iterable[NDArray[Any]], origin: tuple[int, int], level: Level, invalid: int | None = None
) -> Grains:
    """Gather the uniform windows of a parcel into grains, row by row.

    `blocks` (E, h, w) are its pixels from top to bottom, in as many parts as it pleases, with the k_size - 1
    rows and columns that follow it; `origin` is its first pixel (y, x). A window is uniform that passes the
    limits of `level`.
    """
    energies, count, top = level.profile.size, 0, origin[0]
    heap = new_heap(ROOM, energies)
    for strip in _strips(blocks, level.k_size):
        pixels = standardise_pixels(strip, level.k_size, invalid)
        windows, y = strip_of(pixels, level.k_size, level.p_num), 0
        limits = window_limits(level, pixels.unit)
        while y < windows.rows:
            heap = with_room(heap, count + windows.row.pixels.size)
            y, count = gather_rows(windows, y, limits, (top, origin[1]), heap, count)
        top += windows.rows
    return heap_grains(heap, count, energies)


def _strips(blocks: Iterable[NDArray[Any]], k_size: int) -> Iterator[NDArray[Any]]:
    """Yield strips that overlap by k_size - 1 rows, so that every window lies in just one."""
    held: NDArray[Any] | None = None
    for block in blocks:
        rows = block if held is None else np.concatenate([held, block], axis=1)
        for start in range(0, rows.shape[1] - k_size + 1, STRIP):
            yield np.ascontiguousarray(rows[:, start : start + STRIP + k_size - 1])
        held = rows[:, max(rows.shape[1] - k_size + 1, 0) :]


def probe_windows(
    block: NDArray[Any], k_size: int, invalid: int | None = None
) -> tuple[FloatArray, FloatArray]:
    """Return of every whole window of a block (E, h, w): noise variance, contrast and coherence (n, 3).

    With them comes the sum of their mean spectra and their number (E + 1,), in the samples' own unit.
    Contrast is in units of what independent noise would show, coherence over the scatter.
    """
    pixels = standardise_pixels(block, k_size, invalid)
    found, spectrum = [], np.zeros(block.shape[0] + 1)
    whole = k_size * k_size
    usual = contrast_unit(k_size) / (whole - 1)
    strip = strip_of(pixels, k_size, whole)
    row = strip.row
    for y in range(strip.rows):
        move_to(strip, y)
        full = (row.pixels == whole) & (row.scatter > 0) & (row.smooth > 0)
        scatter = row.scatter[full]
        variance = scatter / (whole - 1) / pixels.unit**2
        ratios = row.contrast[full] / row.smooth[full] / usual, row.coherence[full] / scatter
        found.append(np.stack([variance, *ratios], axis=1))
        telling = np.flatnonzero(full)[variance < 1.0 - LOWEST_SIGNAL]
        shape = row.total[:, telling].astype(np.float64) / (whole * pixels.unit)
        spectrum[:-1] += (shape * (row.length[telling] / whole) + row.mean[telling] / whole).sum(axis=1)
        spectrum[-1] += telling.size
    return np.concatenate(found) if found else np.empty((0, 3)), spectrum
