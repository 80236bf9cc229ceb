"""A field of one spectrum with noise that neighbouring pixels and energies share."""

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.spectra.noise import Noise


def noisy_field(
    spectrum: FloatArray, noise: Noise, side: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return an image (E, side, side) of one spectrum (E,), its noise correlated as the noise says."""
    shared = correlated_normal((spectrum.size, side, side), noise.space, noise.energy, rng)
    sigma = noise.sigma(spectrum)[:, None, None]
    return (spectrum[:, None, None] + sigma * shared).astype(np.float32)


def correlated_normal(
    shape: tuple[int, int, int], space: FloatArray, energy: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return normal numbers (E, h, w) of variance 1 with these correlations, in a periodic box.

    Each axis is filtered by the root of its power spectrum, the Fourier transform of the correlation.
    """
    white = rng.standard_normal(shape)
    if space.size > 1:
        power = _power(_wrapped(space, shape[1:]))
        white = np.fft.ifft2(np.fft.fft2(white, axes=(1, 2)) * np.sqrt(power), axes=(1, 2)).real
    if energy.size > 1:
        lags = np.concatenate([energy[:0:-1], energy])
        power = _power(_wrapped(lags, (2 * shape[0],)))
        twice = np.concatenate([white, white[::-1]])
        white = np.fft.ifft(np.fft.fft(twice, axis=0) * np.sqrt(power)[:, None, None], axis=0).real[
            : shape[0]
        ]
    return np.asarray(white / white.std())


def _wrapped(correlation: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Put a correlation about its middle at the origin of a periodic box."""
    box = np.zeros(shape)
    box[tuple(slice(0, size) for size in correlation.shape)] = correlation
    return np.roll(box, [-(size // 2) for size in correlation.shape], axis=tuple(range(box.ndim)))


def _power(correlation: FloatArray) -> FloatArray:
    return np.maximum(np.fft.fftn(correlation).real, 0.0)
