"""The variance of noise at every level of the signal, from the residuals of spectra."""

from itertools import combinations

import numpy as np
from scipy.optimize import nnls

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.spectra.signal_noise import SignalNoise

OUTLIER = 5.0
"""Standard deviations beyond which a sample is no noise (a cosmic ray, a dead pixel)."""
_BINS = 24
_FEWEST_SAMPLES = 20
_WORTH = 0.02
_ROUNDING = 1e-6  # share of the range of the signal
_REWEIGHTINGS = 10
_LEAST_LEVEL = 0.01  # of the largest variance: bins of less count less, their signal is not known as exactly


def fit_levels(
    levels: FloatArray, residuals: FloatArray, mixing: FloatArray, counted_from_zero: bool
) -> SignalNoise:
    """Fit variance = read^2 + gain s + flat^2 s^2 to residuals (E, n) of samples of the signals s (E, n).

    A residual's variance is `mixing` (E, E) times that of the samples of its pixel. A term that explains less
    than 2 % of the variance is left out. Signals count from 0, or from the lowest of them.
    Raises InputError where the residuals are no more than rounding.
    """
    parts = _by_signal(levels)
    origin = 0.0 if counted_from_zero else float(levels.ravel()[parts[0]].mean())
    signal = levels - origin
    largest = float(np.abs(signal).max()) or 1.0
    terms = [mixing @ (signal / largest) ** power for power in (0, 1, 2)]
    design = np.array([[term.ravel()[part].mean() for term in terms] for part in parts])
    squares = np.square(residuals).ravel()
    measured = np.array([clipped_mean(squares[part]) for part in parts])
    if np.sqrt(measured.max(initial=0.0)) <= _ROUNDING * np.ptp(levels):
        raise InputError(
            "noise: found none in the image, expected more than rounding; set noise.sigma, or noise.model to "
            "another than measured"
        )
    read, gain, flat = _fewest_terms(design, measured) / largest ** np.arange(3)
    return SignalNoise(np.sqrt(read), gain=float(gain), flat=float(np.sqrt(flat)), origin=origin)


def _by_signal(levels: FloatArray) -> list[IntArray]:
    """Return the samples of each bin of equal numbers, from the lowest signal up."""
    edges = np.quantile(levels, np.linspace(0.0, 1.0, _BINS + 1)[1:-1])
    bins = np.searchsorted(edges, levels).ravel()
    parts = [np.flatnonzero(bins == i) for i in range(_BINS)]
    return [part for part in parts if part.size >= _FEWEST_SAMPLES]


def clipped_mean(squares: FloatArray) -> float:
    """Return the mean of squares (n,) without those of outliers."""
    mean = float(squares.mean())
    while True:
        kept = float(squares[squares <= OUTLIER**2 * mean].mean())
        if kept >= 0.999 * mean:
            return kept
        mean = kept


def _fewest_terms(design: FloatArray, measured: FloatArray) -> FloatArray:
    """Return the factors (3,) of the fewest terms that fit about as well as all of them."""
    fits = []
    for count in (1, 2, 3):
        tried = [_fit_terms(design, measured, chosen) for chosen in combinations(range(3), count)]
        fits.append(min(tried, key=lambda fit: fit[0]))
    return next(factors for misfit, factors in fits if misfit <= fits[-1][0] + _WORTH)


def _fit_terms(design: FloatArray, measured: FloatArray, chosen: tuple[int, ...]) -> tuple[float, FloatArray]:
    """Return the relative misfit and the factors (3,) of non-negative least squares of the chosen terms."""
    factors, fitted = np.zeros(3), measured
    for _ in range(_REWEIGHTINGS):
        weight = 1.0 / np.maximum(fitted, _LEAST_LEVEL * measured.max())
        factors[list(chosen)] = nnls(design[:, chosen] * weight[:, None], measured * weight)[0]
        fitted = design @ factors
    return float(np.sqrt(np.mean(np.square((measured - fitted) * weight)))), factors
