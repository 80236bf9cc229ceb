"""Standardised spectra: their Euclidean distance orders pairs as Pearson's correlation does."""

import numpy as np
from numpy.typing import ArrayLike

from gigaxas.arrays import BoolArray, FloatArray
from gigaxas.errors import InputError

FLAT = 4 * float(np.finfo(np.float64).eps)
"""Share of the largest value below which a difference is rounding."""


def standardise(spectra: ArrayLike) -> FloatArray:
    """Return t = (s - mean(s)) / |s - mean(s)| of spectra (..., E), as float64 of the same shape ([I] Eq. 5).

    InputError: a spectrum that holds a non-finite sample or is constant, since it has no standardised form.
    """
    values = np.asarray(spectra, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] < 2:
        raise InputError(f"found spectra of shape {values.shape}; expected (..., E) with at least 2 energies")
    if not values.size:
        return values.copy()
    finite = np.isfinite(values).all(axis=-1)
    if not finite.all():
        raise InputError(f"{_which(~finite)} not finite; expected finite samples; leave such spectra out")
    centred = values - values.mean(axis=-1, keepdims=True)
    # Dividing by the largest deviation first keeps squares of very small and very large spectra in range.
    span = np.abs(centred).max(axis=-1, keepdims=True)
    flat = (span <= FLAT * np.abs(values).max(axis=-1, keepdims=True))[..., 0]
    if flat.any():
        raise InputError(
            f"{_which(flat)} constant; a spectrum without structure cannot be compared; leave it out"
        )
    scaled: FloatArray = centred / span
    return scaled / np.linalg.norm(scaled, axis=-1, keepdims=True)


def _which(bad: BoolArray | np.bool_) -> str:
    count, first = int(bad.sum()), int(np.argmax(bad)) + 1
    return (
        f"spectrum {first} of {bad.size} is"
        if count == 1
        else f"{count} of {bad.size} spectra (first: {first}) are"
    )
