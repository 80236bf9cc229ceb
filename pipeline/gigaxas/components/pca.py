"""The spectrum of a cluster as the published program takes it: the first singular vector of its pixels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray, LabelArray
from gigaxas.errors import InputError

CODE_BITS = 16
"""Floating-point samples are rounded to whole numbers, 2^CODE_BITS of them in the largest mean absorbance."""
MOST_CODE = 1 << 20
PIXELS = 4096
"""Products of so many codes below 2^20 add up below 2^53: float64 adds them without rounding."""


def code_unit(spectra: FloatArray) -> float:
    """Return the step that floating-point samples are rounded to, from mean spectra (n, E); a power of 2."""
    return float(2.0 ** (np.ceil(np.log2(max(np.abs(spectra).max(initial=0.0), 1e-30))) - CODE_BITS))


def gram_sums(
    block: NDArray[Any], kept: LabelArray, labels: IntArray, unit: float, invalid: int | None = None
) -> NDArray[np.int64]:
    """Return, for each label, the sums of products of samples (n, E + 1, E + 1) over its kept pixels.

    A row of ones stands below the samples (E, h, w), so that the last row and column hold plain sums and
    the corner the pixels. All are whole numbers: uint16 samples as they are, others in units of `unit`. So
    they do not depend on tiles or their order. A pixel with a sample that is not valid counts for nothing.
    """
    samples = block.reshape(block.shape[0], -1)
    flat = kept.ravel()
    whole = (
        np.isfinite(samples) if samples.dtype.kind == "f" else samples != (-1 if invalid is None else invalid)
    )
    flat = np.where(whole.all(axis=0), flat, 0)
    sums = np.zeros((len(labels), len(samples) + 1, len(samples) + 1), np.int64)
    for row, label in enumerate(labels):
        pixels = np.flatnonzero(flat == label)
        for start in range(0, pixels.size, PIXELS):
            sums[row] += _products(samples[:, pixels[start : start + PIXELS]], unit)
    return sums


def first_spectra(
    sums: NDArray[np.int64], unit: float, scale: float = 1.0, offset: float = 0.0
) -> FloatArray:
    """Return the first left singular vectors (n, E) of the uncentred pixels, divided by their last element.

    `sums` (n, E + 1, E + 1) are those of `gram_sums`; a sample x stands for the absorbance
    x * scale + offset. Raises InputError where the last element vanishes.
    """
    energies = sums.shape[1] - 1
    change = np.eye(energies + 1)[:energies] * scale * unit
    change[:, energies] = offset
    spectra = np.empty((len(sums), energies))
    for row, products in enumerate(sums):
        gram = change @ products.astype(np.float64) @ change.T
        vector = np.linalg.eigh(gram)[1][:, -1]
        if abs(vector[-1]) < 1e-6:
            raise InputError(
                "the first singular vector of a cluster ends at 0, so that it cannot be divided by its last "
                "element; use phases.spectrum: mean"
            )
        spectra[row] = vector / vector[-1]
    return spectra


def _products(samples: NDArray[Any], unit: float) -> NDArray[np.int64]:
    codes = np.ones((len(samples) + 1, samples.shape[1]))
    codes[:-1] = np.clip(np.rint(samples / unit), -MOST_CODE, MOST_CODE)
    return np.asarray(codes @ codes.T).astype(np.int64)
