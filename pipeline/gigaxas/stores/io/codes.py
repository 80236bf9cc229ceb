"""Absorbance as whole numbers of 16 bits: coded, and on request rounded to a share of the noise."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

INVALID = 65535
OFFSET = -2.0
SCALE = 8.0 / (INVALID - 1)
CODED = {
    "long_name": "normalised X-ray absorbance",
    "units": "1",
    "scale_factor": SCALE,
    "add_offset": OFFSET,
    "_FillValue": INVALID,
}


def encode(mu: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Code absorbance (any shape) as uint16; what is not finite or out of range becomes invalid."""
    codes = np.empty(mu.size, dtype=np.uint16)
    _encode(np.ascontiguousarray(mu).reshape(-1), np.float32(OFFSET), np.float32(SCALE), codes)
    return codes.reshape(mu.shape)


@njit(nogil=True, cache=True, error_model="numpy")
def _encode(
    mu: NDArray[np.float32], offset: np.float32, scale: np.float32, codes: NDArray[np.uint16]
) -> None:
    for i in range(mu.size):
        code = np.rint((mu[i] - offset) / scale)
        inside = (code >= 0) & (code < INVALID)
        codes[i] = np.uint16(np.int32(code if inside else np.float32(INVALID)))


def step_within(absorbance: float) -> int:
    """Return the largest power of two that is, as a step of codes, at most this much absorbance; at least 1.

    Multiples of a power of two leave bits empty, which is what a bit-shuffling codec makes small.
    """
    return 1 << max(int(absorbance / SCALE).bit_length() - 1, 0)


def quantise(codes: NDArray[np.uint16], step: int) -> NDArray[np.uint16]:
    """Round codes (any shape) to the nearest multiples of `step`; invalid ones stay invalid."""
    largest = (INVALID - 1) // step
    rounded = np.minimum((codes.astype(np.uint32) + step // 2) // step, largest) * step
    return np.where(codes == INVALID, INVALID, rounded).astype(np.uint16)
