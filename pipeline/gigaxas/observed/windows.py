"""The sums of every K x K window over its standardised pixels: mean, scatter, contrast and coherence.

Pixels are standardised (mean 0, length 1) and rounded to whole numbers, so that every sum is exact and no
tiling changes a bit. What the sums about the mean tell:
- scatter: the squares, which camera noise predicts; smooth: the same of sums over three energies;
- contrast: the squares of the first moments along y and x of these sums over three energies. An edge or a
  gradient that crosses the window makes them larger than the smooth scatter allows, whatever the noise;
- coherence: the products of deviations two and three energies apart. Noise is drawn anew at every energy (and
  interpolation mixes neighbours only), the difference of two phases is not: this one finds any mixture.

The loops are short and over few arrays: the compiler makes vectors of these, not of one long loop.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, Float32Array, FloatArray

UNIT = 8192.0
"""Length of a standardised spectrum as whole numbers; their rounding is 1 % of the noise or less."""
LARGEST_WHOLE = 2.0**24
"""Whole numbers up to this are exact in float32."""
_ROUND = 1.5 * 2.0**52  # added and taken away again, it leaves the nearest whole number


class Pixels(NamedTuple):
    """Standardised pixels (h, w) of a strip of the image, and the products that windows sum."""

    samples: Float32Array
    """(E, h, w) standardised spectra times `unit`, whole numbers; 0 for a void pixel."""
    square: FloatArray
    """(h, w) sum over the energies of the squares of the samples."""
    smooth: FloatArray
    """(h, w) sum of the squares of the sums over three neighbouring energies."""
    product: FloatArray
    """(h, w) sum of the products of samples two and three energies apart."""
    mean: FloatArray
    """(h, w) mean that standardisation subtracted, in the image's own unit."""
    length: FloatArray
    """(h, w) length that standardisation divided by, in the image's own unit."""
    valid: BoolArray
    """(h, w) False for a void pixel."""
    unit: float
    """Length of a standardised spectrum."""


class WindowSums(NamedTuple):
    """Sums over the n windows of one row; a window is named by its first pixel."""

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


class Strip(NamedTuple):
    """A strip of pixels and what its windows need as they move down it, row by row."""

    pixels: Pixels
    """The pixels of the strip."""
    columns: Float32Array
    """(E, w) sums of the samples over the k_size rows of the current windows."""
    moments: Float32Array
    """(E, w) first moments along y of these rows about their middle."""
    row: WindowSums
    """The windows of the current row."""
    k_size: int
    """Side of a window."""
    fewest: int
    """Fewest valid pixels of a window whose contrast is summed where others are void."""
    rows: int
    """Number of rows of windows in the strip."""


def whole_unit(k_size: int) -> float:
    """Return the unit in which sums and first moments over a window of k_size x k_size stay exact."""
    half = k_size // 2
    return min(UNIT, LARGEST_WHOLE / (k_size * max(k_size, half * (half + 1))))


def standardise_pixels(image: NDArray[Any], k_size: int, invalid: int | None = None) -> Pixels:
    """Standardise an image (E, h, w) of real numbers; a constant pixel or one with a bad sample is void."""
    energies, height, width = image.shape
    square, smooth, product, mean, length = np.zeros((5, height, width))
    pixels = Pixels(
        samples=np.empty((energies, height, width), np.float32),
        square=square,
        smooth=smooth,
        product=product,
        mean=mean,
        length=length,
        valid=np.zeros((height, width), np.bool_),
        unit=whole_unit(k_size),
    )
    _standardise(image, np.nan if invalid is None else float(invalid), pixels)
    return pixels


def strip_of(pixels: Pixels, k_size: int, fewest: int) -> Strip:
    """Return a strip whose windows stand above its first row; `rows` of them start in the pixels.

    The contrast of windows with fewer than `fewest` valid pixels, slow to sum, is left as it comes.
    """
    energies, height, width = pixels.samples.shape
    count = width - k_size + 1
    row = WindowSums(np.empty((energies, count), np.float32), *np.empty((7, count)))
    columns, moments = np.zeros((2, energies, width), np.float32)
    return Strip(pixels, columns, moments, row, k_size, fewest, height - k_size + 1)


@njit(nogil=True, cache=True)
def move_to(strip: Strip, y: int) -> None:
    """Fill `strip.row` with the windows that start in row y; rows come one after the other."""
    _slide_down(strip, y)
    _sum_row(strip, y)


@njit(nogil=True, cache=True)
def _standardise(image: Any, invalid: float, pixels: Pixels) -> None:
    """Fill all maps of `pixels` from an image (E, h, w), row by row; a pixel's sums run in energy order."""
    for y in range(image.shape[1]):
        _measure(image, y, invalid, pixels.mean[y], pixels.length[y], pixels.valid[y])
        _round(image, y, pixels.unit, pixels.mean[y], pixels.length[y], pixels.samples)
    for y in range(image.shape[1]):
        _add_products(pixels.samples, y, pixels.square[y], pixels.smooth[y], pixels.product[y])


@njit(nogil=True, cache=True)
def _measure(
    image: Any, y: int, invalid: float, mean: FloatArray, length: FloatArray, valid: BoolArray
) -> None:
    """Fill mean, length (|spectrum - mean|) and valid (w,) of row y of an image (E, h, w)."""
    energies, _, width = image.shape
    marked = np.zeros(width)
    for e in range(energies):
        source = image[e, y]
        for x in range(width):
            value = np.float64(source[x])
            mean[x] += value
            marked[x] += 1.0 if value == invalid else 0.0
    for x in range(width):
        # a sample that is not finite has made the sum so, too
        valid[x] = marked[x] == 0.0 and abs(mean[x]) < np.inf
        mean[x] = mean[x] / energies if valid[x] else 0.0
    for e in range(energies):
        source = image[e, y]
        for x in range(width):
            difference = np.float64(source[x]) - mean[x]
            length[x] += difference * difference
    for x in range(width):
        valid[x] = valid[x] and 0.0 < length[x] < np.inf
        length[x] = np.sqrt(length[x]) if valid[x] else 0.0


@njit(nogil=True, cache=True)
def _round(
    image: Any, y: int, unit: float, mean: FloatArray, length: FloatArray, samples: Float32Array
) -> None:
    """Round row y of an image (E, h, w) to samples."""
    energies, _, width = image.shape
    factor = np.zeros(width)
    for x in range(width):
        factor[x] = unit / length[x] if length[x] > 0.0 else 0.0
    for e in range(energies):
        source, target = image[e, y], samples[e, y]
        for x in range(width):
            value = (np.float64(source[x]) - mean[x]) * factor[x]
            target[x] = np.float32((value + _ROUND) - _ROUND)
    for x in range(width):
        if factor[x] == 0.0:
            samples[:, y, x] = 0.0


@njit(nogil=True, cache=True)
def _add_products(
    samples: Float32Array, y: int, square: FloatArray, smooth: FloatArray, product: FloatArray
) -> None:
    """Add what row y of samples (E, h, w) gives to sums (w,).

    These are squares, squares of the sums over three neighbours, and products two and three energies apart.
    """
    last = samples.shape[0] - 1
    for e in range(last + 1):
        here = samples[e, y]
        for x in range(here.size):
            square[x] += np.float64(here[x]) * np.float64(here[x])
    for e in range(last + 1):
        before, here, after = samples[max(e - 1, 0), y], samples[e, y], samples[min(e + 1, last), y]
        one, two = np.float32(e > 0), np.float32(e < last)
        for x in range(here.size):
            value = np.float64(one * before[x] + here[x] + two * after[x])
            smooth[x] += value * value
    for e in range(last - 1):
        here, second, third = samples[e, y], samples[e + 2, y], samples[min(e + 3, last), y]
        three = np.float32(e < last - 2)
        for x in range(here.size):
            product[x] += np.float64(here[x]) * np.float64(second[x] + three * third[x])


@njit(nogil=True, cache=True)
def _slide_down(strip: Strip, y: int) -> None:
    """Move the column sums and moments (E, w) of the strip down until they start at row y.

    Before row 0 both are zero; rows come in order. Whole numbers: no rounding, so no memory of the way.
    """
    samples, k_size = strip.pixels.samples, strip.k_size
    half = np.float32(k_size // 2)
    entering = y + k_size - 1
    for e in range(samples.shape[0]):
        column, moment, new = strip.columns[e], strip.moments[e], samples[e, entering]
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
def _sum_row(strip: Strip, y: int) -> None:
    """Fill `strip.row` with the windows of row y, from the column sums and moments that start there."""
    pixels, row, k_size = strip.pixels, strip.row, strip.k_size
    energies, count = row.total.shape
    _sum_pixels(y, k_size, pixels.square, row.scatter)
    _sum_pixels(y, k_size, pixels.smooth, row.smooth)
    _sum_pixels(y, k_size, pixels.product, row.coherence)
    _sum_pixels(y, k_size, pixels.mean, row.mean)
    _sum_pixels(y, k_size, pixels.length, row.length)
    _sum_pixels(y, k_size, pixels.valid, row.pixels)
    across, down = np.zeros((3, count), np.float32), np.zeros((3, count), np.float32)
    row.contrast[:] = 0.0
    for e in range(energies):
        now = e % 3
        _sum_columns(strip.columns[e], strip.moments[e], k_size, row.total[e], across[now], down[now])
        if e > 0:
            _add_smoothed(across, down, row.contrast)
    across[energies % 3] = 0.0
    down[energies % 3] = 0.0
    _add_smoothed(across, down, row.contrast)
    _subtract_means(row)
    for x in range(count):
        if strip.fewest <= row.pixels[x] < k_size * k_size:
            row.contrast[x] = _contrast_with_holes(pixels.samples, pixels.valid, y, x, k_size)


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
def _subtract_means(row: WindowSums) -> None:
    """Turn sums of squares and products into those about the mean."""
    energies, count = row.total.shape
    squares, smooths, products = np.zeros(count), np.zeros(count), np.zeros(count)
    _add_products(row.total.reshape(energies, 1, count), 0, squares, smooths, products)
    for x in range(count):
        pixels = max(row.pixels[x], 1.0)
        row.scatter[x] -= squares[x] / pixels
        row.smooth[x] -= smooths[x] / pixels
        row.coherence[x] -= products[x] / pixels


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
