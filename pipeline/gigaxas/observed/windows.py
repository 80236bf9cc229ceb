"""What every K x K window says of itself: its mean, its scatter, and whether a second phase is in it.

Sums over a window's standardised pixels tell a uniform window from one that holds two phases:
- scatter: the squares about the mean, which camera noise predicts; and the same of sums over three energies,
  smooth;
- contrast: the squares of the first moments along y and x of these sums over three energies. An edge or a
  gradient that crosses the window makes them larger than the smooth scatter allows, whatever the noise;
- coherence: the products of deviations two and three energies apart. Noise is drawn anew at every energy (and
  interpolation mixes neighbours only), the difference of two phases is not: this one finds any mixture.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.observed.pixels import Float32Array, Pixels, add_products


class Row(NamedTuple):
    """Sums over the n windows of one row; a window is named by its first pixel.

    total (E, n) sums of the samples; scatter, smooth, contrast and coherence (n,) in units of their squares;
    pixels (n,) how many pixels of a window are valid, mean and length (n,) sums of what standardisation took
    from these.
    """

    total: Float32Array
    scatter: FloatArray
    smooth: FloatArray
    contrast: FloatArray
    coherence: FloatArray
    pixels: FloatArray
    mean: FloatArray
    length: FloatArray


class Strip(NamedTuple):
    """A strip of pixels and what its windows need as they move down it, row by row."""

    samples: Float32Array
    square: FloatArray
    smooth: FloatArray
    product: FloatArray
    mean: FloatArray
    length: FloatArray
    valid: BoolArray
    columns: Float32Array
    moments: Float32Array
    row: Row
    k_size: int
    fewest: int
    rows: int


def strip_of(pixels: Pixels, k_size: int, fewest: int) -> Strip:
    """Return a strip whose windows stand above its first row; `rows` of them start in the pixels.

    The contrast of windows with fewer than `fewest` valid pixels, slow to sum, is left as it comes.
    """
    energies, height, width = pixels.samples.shape
    count = width - k_size + 1
    row = Row(np.empty((energies, count), np.float32), *np.empty((7, count)))
    columns, moments = np.zeros((2, energies, width), np.float32)
    return Strip(pixels.samples, *pixels.maps, columns, moments, row, k_size, fewest, height - k_size + 1)


@njit(nogil=True, cache=True)
def move_to(strip: Strip, y: int) -> None:
    """Fill `strip.row` with the windows that start in row y; rows come one after the other."""
    slide_down(strip.samples, y, strip.k_size, strip.columns, strip.moments)
    sum_row(
        strip.samples,
        y,
        strip.k_size,
        strip.fewest,
        strip.columns,
        strip.moments,
        strip.square,
        strip.smooth,
        strip.product,
        strip.mean,
        strip.length,
        strip.valid,
        strip.row,
    )


@njit(nogil=True, cache=True)
def slide_down(
    samples: Float32Array, y: int, k_size: int, columns: Float32Array, moments: Float32Array
) -> None:
    """Move the column sums and first moments (E, w) of k_size rows down until they start at row y.

    Before row 0 both are zero; rows come in order. Whole numbers: no rounding, so no memory of the way.
    """
    half = np.float32(k_size // 2)
    entering = y + k_size - 1
    for e in range(samples.shape[0]):
        column, moment, new = columns[e], moments[e], samples[e, entering]
        if y > 0:
            old = samples[e, y - 1]
            for x in range(column.size):
                moment[x] += (half + np.float32(1.0)) * old[x] - column[x] + half * new[x]
            for x in range(column.size):
                column[x] += new[x] - old[x]
            continue
        for i in range(k_size):
            line, lever = samples[e, i], np.float32(i) - half
            for x in range(column.size):
                moment[x] += lever * line[x]
            for x in range(column.size):
                column[x] += line[x]


@njit(nogil=True, cache=True)
def sum_row(
    samples: Float32Array,
    y: int,
    k_size: int,
    fewest: int,
    columns: Float32Array,
    moments: Float32Array,
    square: FloatArray,
    smooth: FloatArray,
    product: FloatArray,
    mean: FloatArray,
    length: FloatArray,
    valid: BoolArray,
    row: Row,
) -> None:
    """Fill `row` with the windows of row y, from the column sums and moments (E, w) that start there."""
    energies, count = row.total.shape
    _sum_pixels(y, k_size, square, row.scatter)
    _sum_pixels(y, k_size, smooth, row.smooth)
    _sum_pixels(y, k_size, product, row.coherence)
    _sum_pixels(y, k_size, mean, row.mean)
    _sum_pixels(y, k_size, length, row.length)
    _sum_pixels(y, k_size, valid, row.pixels)
    across, down = np.zeros((3, count), np.float32), np.zeros((3, count), np.float32)
    row.contrast[:] = 0.0
    for e in range(energies):
        now = e % 3
        _sum_columns(columns[e], moments[e], k_size, row.total[e], across[now], down[now])
        if e > 0:
            _add_smoothed(across, down, row.contrast)
    across[energies % 3] = 0.0
    down[energies % 3] = 0.0
    _add_smoothed(across, down, row.contrast)
    _take_means_away(row)
    for x in range(count):
        if fewest <= row.pixels[x] < k_size * k_size:
            row.contrast[x] = _contrast_with_holes(samples, valid, y, x, k_size)


@njit(nogil=True, cache=True)
def _sum_pixels(y: int, k_size: int, values: Any, sums: FloatArray) -> None:
    """Sum a map (h, w) over each window (n,) of row y."""
    sums[:] = 0.0
    for i in range(y, y + k_size):
        for j in range(k_size):
            line = values[i, j : j + sums.size]
            for x in range(sums.size):
                sums[x] += line[x]


@njit(nogil=True, cache=True)
def _contrast_with_holes(samples: Float32Array, valid: BoolArray, y: int, x: int, k_size: int) -> float:
    """Return the contrast of a window with void pixels, as large as it would be without them."""
    half = k_size // 2
    pixels, y_sum, x_sum, yy, xx, full = 0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(k_size):
        for j in range(k_size):
            full += (i - half) ** 2
            if valid[y + i, x + j]:
                pixels += 1
                y_sum, x_sum = y_sum + i, x_sum + j
                yy, xx = yy + i * i, xx + j * j
    y_mean, x_mean = y_sum / pixels, x_sum / pixels
    down_scale = full / max(yy - pixels * y_mean**2, 1.0)
    across_scale = full / max(xx - pixels * x_mean**2, 1.0)
    contrast = 0.0
    down, across = np.zeros(3), np.zeros(3)
    for e in range(samples.shape[0] + 1):
        now = e % 3
        down[now], across[now] = 0.0, 0.0
        if e < samples.shape[0]:
            for i in range(k_size):
                for j in range(k_size):
                    if valid[y + i, x + j]:
                        down[now] += (i - y_mean) * samples[e, y + i, x + j]
                        across[now] += (j - x_mean) * samples[e, y + i, x + j]
        if e > 0:
            contrast += down_scale * down.sum() ** 2 + across_scale * across.sum() ** 2
    return contrast


@njit(nogil=True, cache=True)
def _sum_columns(
    column: Float32Array,
    moment: Float32Array,
    k_size: int,
    total: Float32Array,
    across: Float32Array,
    down: Float32Array,
) -> None:
    """Sum k_size columns (w,) to windows (n,): their total and their first moments across and down."""
    half, count = k_size // 2, total.size
    middle, slope = column[half : half + count], moment[half : half + count]
    for x in range(count):
        total[x] = middle[x]
    for x in range(count):
        down[x] = slope[x]
    across[:] = 0.0
    for j in range(1, half + 1):
        lever = np.float32(j)
        left, right = column[half - j : half - j + count], column[half + j : half + j + count]
        for x in range(count):
            total[x] += left[x] + right[x]
        for x in range(count):
            across[x] += lever * (right[x] - left[x])
        left, right = moment[half - j : half - j + count], moment[half + j : half + j + count]
        for x in range(count):
            down[x] += left[x] + right[x]


@njit(nogil=True, cache=True)
def _add_smoothed(across: Float32Array, down: Float32Array, contrast: FloatArray) -> None:
    """Add the squares of the moments (3, n), summed over three energies, to the contrast (n,)."""
    for x in range(contrast.size):
        one = np.float64(across[0, x] + across[1, x] + across[2, x])
        contrast[x] += one * one
    for x in range(contrast.size):
        two = np.float64(down[0, x] + down[1, x] + down[2, x])
        contrast[x] += two * two


@njit(nogil=True, cache=True)
def _take_means_away(row: Row) -> None:
    """Turn sums of squares and products into those about the mean."""
    energies, count = row.total.shape
    squares, smooths, products = np.zeros(count), np.zeros(count), np.zeros(count)
    add_products(row.total.reshape(energies, 1, count), 0, squares, smooths, products)
    for x in range(count):
        pixels = max(row.pixels[x], 1.0)
        row.scatter[x] -= squares[x] / pixels
        row.smooth[x] -= smooths[x] / pixels
        row.coherence[x] -= products[x] / pixels
