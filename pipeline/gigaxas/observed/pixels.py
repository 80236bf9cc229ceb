"""Standardised pixels as whole numbers, and the products of them that windows sum.

Pixels are standardised (mean 0, length 1) and rounded to 16-bit whole numbers, so that every sum is exact and
no tiling changes a bit.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.observed.simd import WIDTH, round_pixels, sum_pixels, whole_lanes

UNIT = 8192.0
"""Length of a standardised spectrum as whole numbers; their rounding is 1 % of the noise or less."""
LARGEST_WHOLE = 2.0**24
"""Whole numbers up to this are exact in float32."""


class Pixels(NamedTuple):
    """Rows of standardised pixels (h, w); w is padded to whole vectors with pixels that are void."""

    samples: NDArray[np.int16]
    """(E, h, w) standardised spectra times `unit`; 0 for a void pixel."""
    square: NDArray[np.int32]
    """(h, w) sum over the energies of the squares of the samples."""
    smooth: NDArray[np.int32]
    """(h, w) sum of the squares of the sums over three neighbouring energies."""
    product: NDArray[np.int32]
    """(h, w) sum of the products of samples two and three energies apart."""
    mean: FloatArray
    """(h, w) mean that standardisation subtracted, in the image's own unit."""
    length: FloatArray
    """(h, w) length that standardisation divided by, in the image's own unit."""
    valid: BoolArray
    """(h, w) False for a void pixel."""
    unit: float
    """Length of a standardised spectrum."""


class Span(NamedTuple):
    """Memory for n pixels side by side while they are standardised."""

    held: NDArray[Any]
    """(E, n) their samples in the image's own unit."""
    sums: FloatArray
    """(3, n) the first sample of each, and the sums of the samples less it and of their squares."""
    scale: FloatArray
    """(2, n) mean, and what the samples about it are multiplied by."""
    marked: BoolArray
    """(n,) True where a sample is marked as invalid."""
    products: NDArray[np.int32]
    """(3, n) sums of squares, of squares of three neighbours, of products further apart."""


def whole_unit(k_size: int) -> float:
    """Return the unit in which sums and first moments over a window of k_size x k_size stay exact."""
    half = k_size // 2
    return min(UNIT, LARGEST_WHOLE / (k_size * max(k_size, half * (half + 1))))


def void_pixels(energies: int, height: int, width: int, k_size: int) -> Pixels:
    """Return memory for so many pixels, all of them void."""
    width = whole_lanes(width)
    square, smooth, product = np.zeros((3, height, width), np.int32)
    mean, length = np.zeros((2, height, width))
    return Pixels(
        samples=np.zeros((energies, height, width), np.int16),
        square=square,
        smooth=smooth,
        product=product,
        mean=mean,
        length=length,
        valid=np.zeros((height, width), np.bool_),
        unit=whole_unit(k_size),
    )


def make_span(energies: int, width: int, dtype: np.dtype[Any]) -> Span:
    """Return memory for so many pixels of so many samples of a type."""
    pitch = whole_lanes(width) + 2 * WIDTH  # spreads the rows over all cache sets
    return Span(
        np.zeros((energies, pitch), dtype),
        np.zeros((3, pitch)),
        np.zeros((2, pitch)),
        np.zeros(pitch, np.bool_),
        np.zeros((3, pitch), np.int32),
    )


def standardise_pixels(image: NDArray[Any], k_size: int, invalid: int | None = None) -> Pixels:
    """Standardise an image (E, h, w) of real numbers; a constant pixel or one with a bad sample is void."""
    energies, height, width = image.shape
    pixels, span = void_pixels(energies, height, width, k_size), make_span(energies, width, image.dtype)
    whole = np.ascontiguousarray(image)
    for y in range(height):
        put_row(whole, y, 0, mark_of(invalid), pixels, y, span)
    return pixels


def mark_of(invalid: int | None) -> float:
    """Return the number that marks an invalid sample, NaN where there is none."""
    return np.nan if invalid is None else float(invalid)


@njit(nogil=True, cache=True)
def put_row(image: Any, y: int, x: int, invalid: float, pixels: Pixels, to: int, span: Span) -> None:
    """Standardise row y of a contiguous image (E, h, w), from x on, into row `to` of pixels.

    Pixels beyond the right edge of the image are void. Sums run in energy order.
    """
    width = pixels.samples.shape[2]
    count = min(width, image.shape[2] - x)
    _take(image, y, x, count, width, span)
    for p in range(0, width, WIDTH):
        sum_pixels(span.held, p, invalid, span.sums, span.marked)
    _measure(span, image.shape[0], pixels, to)
    for p in range(0, width, WIDTH):
        round_pixels(span.held, p, span.scale, pixels.samples, to, p, span.products)
    _copy(span.products, 0, pixels.square, to)
    _copy(span.products, 1, pixels.smooth, to)
    _copy(span.products, 2, pixels.product, to)


@njit(nogil=True, cache=True)
def _copy(source: NDArray[Any], row: int, target: NDArray[Any], to: int) -> None:
    """Copy as much of a row as the target holds to its row `to`."""
    for i in range(target.shape[1]):
        target[to, i] = source[row, i]


@njit(nogil=True, cache=True)
def _take(image: Any, y: int, x: int, count: int, width: int, span: Span) -> None:
    """Copy `count` pixels of row y of an image (E, h, w), from x on, and zeros up to `width`."""
    held, sums = span.held, span.sums
    for e in range(image.shape[0]):
        source, target = image[e, y, x : x + count], held[e, :count]
        for i in range(count):
            target[i] = source[i]
        for i in range(count, width):
            held[e, i] = 0
    for i in range(width):
        sums[0, i] = held[0, i]


@njit(nogil=True, cache=True)
def _measure(span: Span, energies: int, pixels: Pixels, to: int) -> None:
    """Set the mean, length (|spectrum - mean|) and validity of a row of pixels, and their scale."""
    held, sums, scale, marked, unit = span.held, span.sums, span.scale, span.marked, pixels.unit
    means, lengths, validity = pixels.mean, pixels.length, pixels.valid
    for i in range(validity.shape[1]):
        squares = sums[2, i] - sums[1, i] * sums[1, i] / energies
        # a sample that is not finite has made the sums so, too
        valid = not marked[i] and 0.0 < squares < np.inf
        if not valid:
            for e in range(energies):
                held[e, i] = 0
        mean = sums[0, i] + sums[1, i] / energies if valid else 0.0
        length = np.sqrt(squares) if valid else 0.0
        validity[to, i], means[to, i], lengths[to, i] = valid, mean, length
        scale[0, i], scale[1, i] = mean, unit / length if valid else 0.0
