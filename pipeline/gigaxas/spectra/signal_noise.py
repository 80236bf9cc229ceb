"""Noise told by the signal itself: read noise, counting noise, uncertainty of the gain (MEASURED 2)."""

from dataclasses import dataclass, field

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError

INDEPENDENT_PIXELS = np.ones((1, 1))
INDEPENDENT_ENERGIES = np.ones(1)


@dataclass(frozen=True, eq=False)
class SignalNoise:
    """Variance = read^2 + gain (s - origin) + flat^2 (s - origin)^2 of a sample s, in the cube's own unit.

    Signals below the origin count as at it. Raises InputError for numbers that no noise can have.
    """

    read: FloatArray
    """Standard deviation without signal: one number (), or one for each energy (E,)."""
    gain: float = 0.0
    """Variance a unit of signal: 1 for counted events."""
    flat: float = 0.0
    """Standard deviation as a share of the signal."""
    origin: float = 0.0
    """Signal at which counting begins: 0 for an intensity, the lowest level of an absorbance."""
    space: FloatArray = field(default_factory=INDEPENDENT_PIXELS.copy)
    """Correlation (2 r + 1, 2 r + 1) of the noise of a pixel with its neighbours'; 1 in the middle."""
    energy: FloatArray = field(default_factory=INDEPENDENT_ENERGIES.copy)
    """Correlation (lags,) of the noise with that at the next energies; 1 first."""

    def __post_init__(self) -> None:
        read = np.asarray(self.read, dtype=np.float64)
        numbers = np.array([self.gain, self.flat, self.origin])
        if not (np.all(np.isfinite(read)) and np.all(np.isfinite(numbers))):
            raise InputError(f"noise: read {self.read}, gain {self.gain}, flat {self.flat}; expected numbers")
        if np.any(read < 0) or self.gain < 0 or self.flat < 0 or (not read.any() and not numbers[:2].any()):
            raise InputError(
                f"noise: read {self.read}, gain {self.gain:g}, flat {self.flat:g}; expected none below 0 and "
                "one of them above"
            )

    def variance(self, signal: FloatArray) -> FloatArray:
        """Return the variance (..., E) of samples (..., E)."""
        above = np.maximum(np.asarray(signal, dtype=np.float64) - self.origin, 0.0)
        return np.asarray(np.square(self.read) + self.gain * above + np.square(self.flat * above))

    def sigma(self, spectra: FloatArray) -> FloatArray:
        """Return the standard deviation (..., E) of spectra (..., E) in the cube's own unit.

        Raises InputError for a sample that is not finite.
        """
        spectra = np.asarray(spectra, dtype=np.float64)
        bad = np.count_nonzero(~np.isfinite(spectra))
        if bad:
            raise InputError(f"noise: {bad} of {spectra.size} samples are not finite; mask them first")
        return np.asarray(np.sqrt(self.variance(spectra)))
