"""The sums of every K x K window over its standardised pixels: mean, scatter, contrast and coherence.

Samples are whole numbers, so that every sum is exact and no tiling changes a bit. What the sums about the
mean tell:
- scatter: the squares, which camera noise predicts; smooth: the same of sums over three energies;
- contrast: the squares of the first moments along y and x of these sums over three energies. An edge or a
  gradient that crosses the window makes them larger than the smooth scatter allows, whatever the noise;
- coherence: the products of deviations two and three energies apart. Noise is drawn anew at every energy (and
  interpolation mixes neighbours only), the difference of two phases is not: this one finds any mixture.

Windows are summed in panels so narrow that what a panel keeps from row to row stays in the processor's cache.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import Float32Array, FloatArray
from gigaxas.observed.pixels import Pixels, Span, make_span, put_row, void_pixels
from gigaxas.observed.simd import WIDTH, slide_columns, sum_windows, whole_lanes

COLUMNS = 8 * WIDTH
"""Columns of pixels whose windows are summed together, or more where windows are large."""


class WindowSums(NamedTuple):
    """Sums over the n windows of one row; a window is named by its first pixel.

    There are as many as make whole vectors: those beyond the last hold no pixel.
    """

    total: Float32Array
    """(E, n) sums of the samples."""
    scatter: FloatArray
    """(n,) squares about the window's mean, in units of the samples' squares."""
    smooth: FloatArray
    """(n,) squares about the mean of the sums over three energies."""
    contrast: FloatArray
    """(n,) squares of the first moments along y and x of the sums over three energies."""
    coherence: FloatArray
    """(n,) products of deviations two and three energies apart."""
    pixels: FloatArray
    """(n,) number of valid pixels."""
    mean: FloatArray
    """(n,) sums of `Pixels.mean` over the valid pixels."""
    length: FloatArray
    """(n,) sums of `Pixels.length` over the valid pixels."""


class Panel(NamedTuple):
    """Windows side by side and what they need as they move down the image, row by row."""

    left: int
    """The first column of the image that they lie on."""
    windows: int
    """Number of windows in a row."""
    pixels: Pixels
    """The last k_size + 1 rows, row y in place y mod (k_size + 1)."""
    span: Span
    """Memory for standardising a row."""
    columns: Float32Array
    """(E, w) sums of the samples over the k_size rows of the current windows."""
    moments: Float32Array
    """(E, w) first moments along y of these rows about their middle."""
    row: WindowSums
    """The windows of the current row."""
    sums: FloatArray
    """(4, n) squares, smoothed squares and products of their totals, and their contrast."""
    k_size: int
    """Side of a window."""
    fewest: int
    """Fewest valid pixels of a window whose contrast is summed where others are void."""


def panels_of(energies: int, width: int, dtype: np.dtype[Any], k_size: int, fewest: int) -> list[Panel]:
    """Return panels at the top of an image of so many energies and columns, with every window in just one.

    The contrast of windows with fewer than `fewest` valid pixels, slow to sum, is left as it comes.
    """
    most = most_columns(k_size)
    span, step, panels = make_span(energies, most, dtype), most - k_size + 1, []
    for left in range(0, width - k_size + 1, step):
        count = min(step, width - k_size + 1 - left)
        side, padded = whole_lanes(count + k_size - 1), whole_lanes(count)
        row = WindowSums(np.zeros((energies, padded), np.float32), *np.zeros((7, padded)))
        columns, moments = np.zeros((2, energies, side + 2 * WIDTH), np.float32)
        pixels, sums = void_pixels(energies, k_size + 1, side, k_size), np.zeros((4, padded))
        panels.append(Panel(left, count, pixels, span, columns, moments, row, sums, k_size, fewest))
    return panels


def most_columns(k_size: int) -> int:
    """Return how many columns of pixels a panel has at the most."""
    return max(COLUMNS, whole_lanes(2 * k_size))


@njit(nogil=True, cache=True)
def add_row(panel: Panel, image: Any, y: int, number: int, invalid: float) -> bool:
    """Let row y of a contiguous image (E, h, w) follow `number` rows; return whether windows end with it.

    These are in `panel.row` then. Rows come one after the other.
    """
    pixels, k_size = panel.pixels, panel.k_size
    slots = k_size + 1
    put_row(image, y, panel.left, invalid, pixels, number % slots, panel.span)
    if number < k_size:
        _add_to_first(panel, number)
    else:
        old = (number - k_size) % slots
        slide_columns(panel.columns, panel.moments, pixels.samples, old, number % slots, k_size)
    if number < k_size - 1:
        return False
    _sum_row(panel, number - k_size + 1)
    return True


@njit(nogil=True, cache=True)
def _add_to_first(panel: Panel, number: int) -> None:
    """Add one of the first k_size rows to the sums and moments of the first windows."""
    columns, moments, samples = panel.columns, panel.moments, panel.pixels.samples
    lever = np.float32(number - panel.k_size // 2)
    for e in range(samples.shape[0]):
        for x in range(samples.shape[2]):
            value = np.float32(samples[e, number, x])
            columns[e, x] = value if number == 0 else columns[e, x] + value
            moments[e, x] = lever * value if number == 0 else moments[e, x] + lever * value


@njit(nogil=True, cache=True)
def _sum_row(panel: Panel, y: int) -> None:
    """Fill `panel.row` with the windows of row y, from the column sums and moments that start there."""
    pixels, row, k_size, count = panel.pixels, panel.row, panel.k_size, panel.windows
    for x in range(0, count, WIDTH):
        sum_windows(panel.columns, panel.moments, x, k_size // 2, row.total, panel.sums)
    line = np.empty(count + k_size - 1)
    _sum_map(panel, y, pixels.square, line, row.scatter)
    _sum_map(panel, y, pixels.smooth, line, row.smooth)
    _sum_map(panel, y, pixels.product, line, row.coherence)
    _sum_map(panel, y, pixels.mean, line, row.mean)
    _sum_map(panel, y, pixels.length, line, row.length)
    _sum_map(panel, y, pixels.valid, line, row.pixels)
    for x in range(count):
        counted = max(row.pixels[x], 1.0)
        row.scatter[x] -= panel.sums[0, x] / counted
        row.smooth[x] -= panel.sums[1, x] / counted
        row.coherence[x] -= panel.sums[2, x] / counted
        row.contrast[x] = panel.sums[3, x]
    for x in range(count):
        if panel.fewest <= row.pixels[x] < k_size * k_size:
            row.contrast[x] = _contrast_with_holes(panel, y, x)


@njit(nogil=True, cache=True)
def _sum_map(panel: Panel, y: int, values: Any, line: FloatArray, sums: FloatArray) -> None:
    """Sum a map of the pixels over each window (n,) of row y, down its columns (w,) first."""
    line[:] = 0.0
    for i in range(y, y + panel.k_size):
        row = values[i % (panel.k_size + 1), : line.size]
        for x in range(line.size):
            line[x] += np.float64(row[x])
    total = sums[: panel.windows]
    total[:] = 0.0
    for j in range(panel.k_size):
        shifted = line[j : j + panel.windows]
        for x in range(total.size):
            total[x] += shifted[x]


@njit(nogil=True, cache=True)
def _contrast_with_holes(panel: Panel, y: int, x: int) -> float:
    """Return the contrast of a window with void pixels, as large as it would be without them.

    Void pixels are zeros: the moments about the middle of the window are moved to that of the valid ones.
    """
    columns, moments, total, k_size = panel.columns, panel.moments, panel.row.total, panel.k_size
    valid, half = panel.pixels.valid, panel.k_size // 2
    pixels, y_sum, x_sum, yy, xx, full = 0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(k_size):
        for j in range(k_size):
            full += (i - half) ** 2
            if valid[(y + i) % (k_size + 1), x + j]:
                pixels += 1
                y_sum, x_sum = y_sum + i - half, x_sum + j - half
                yy, xx = yy + (i - half) ** 2, xx + (j - half) ** 2
    y_mean, x_mean = y_sum / pixels, x_sum / pixels
    down_scale = full / max(yy - pixels * y_mean**2, 1.0)
    across_scale = full / max(xx - pixels * x_mean**2, 1.0)
    contrast = down_one = down_two = across_one = across_two = 0.0
    for e in range(total.shape[0] + 1):
        down = across = 0.0
        if e < total.shape[0]:
            whole = np.float64(total[e, x])
            down, across = -y_mean * whole, -x_mean * whole
            for j in range(k_size):
                down += moments[e, x + j]
                across += (j - half) * columns[e, x + j]
        if e > 0:
            contrast += down_scale * (down + down_one + down_two) ** 2
            contrast += across_scale * (across + across_one + across_two) ** 2
        down_one, down_two, across_one, across_two = down, down_one, across, across_one
    return contrast
