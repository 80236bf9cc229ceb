"""Camera counts of a block of pixels, as the instrument records them, and their normalised absorbance."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from gigaxas.arrays import BoolArray, Float32Array, FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.noise import SIGNIFICANT_STEP, NoiseModel, count_variance, log_variance

RESIN = 255
"""Phase number of a pixel that holds no iron."""
SATURATED = 65535.0
"""Counts of this size and above are invalid."""
SMALLEST = float(np.finfo(np.float64).tiny)
"""The smallest count that has a logarithm."""
PRE_EDGE_EV = (7009.2, 7080.0)
"""The pre-edge region of a simulated cube."""
POST_EDGE_EV = (7200.0, 7321.2)
"""The post-edge region of a simulated cube."""


class EdgeWindows(NamedTuple):
    """The pre- and post-edge regions on one energy axis."""

    pre: slice
    """Indices of the pre-edge region."""
    post: slice
    """Indices of the post-edge region."""
    energies: int
    """Energies of the whole axis."""


@dataclass(frozen=True)
class SimulatedBlock:
    """What one block of the camera gives."""

    mu: Float32Array
    """Normalised absorbance (E, h, w), NaN for a void pixel and for an invalid sample."""
    mu_low: Float32Array
    """Mean absorbance (h, w) of the pre-edge region."""
    mu_high: Float32Array
    """Mean absorbance (h, w) of the post-edge region."""
    valid: BoolArray
    """Pixels (h, w) with a whole spectrum."""


class Contents(NamedTuple):
    """What n pixels hold."""

    rows: NDArray[np.intp]
    """Row (n,) of each pixel's phase."""
    thickness: Float32Array
    """Thickness (n,) relative to the working point."""


class Camera(NamedTuple):
    """A camera at its working point; sigma(N) = sqrt(a N - b) for N counts (METHOD 1)."""

    a: float
    """Variance a count."""
    b: float
    """What is taken off the variance."""
    c_ref: float
    """Mean counts of the open beam."""
    mu_low: float
    """Absorbance before the edge."""


def edge_windows(
    energy: ArrayLike,
    pre: tuple[float, float] = PRE_EDGE_EV,
    post: tuple[float, float] = POST_EDGE_EV,
) -> EdgeWindows:
    """Find the pre- and post-edge regions (eV, both ends included) on a rising energy axis (E,) in eV.

    Raises InputError when the axis does not rise or has no point in a region.
    """
    axis = np.asarray(energy, dtype=np.float64)
    if axis.ndim != 1 or axis.size < 2 or not np.all(np.diff(axis) > 0):
        raise InputError(
            "The energy axis does not rise from point to point; give energies in eV in rising order."
        )
    ranges = []
    for region, (low, high) in (("pre-edge", pre), ("post-edge", post)):
        first, last = np.searchsorted(axis, (low - 1e-6, high + 1e-6))
        if first == last:
            raise InputError(
                f"No energy lies in the {region} region {low} to {high} eV (the axis runs from {axis[0]} to "
                f"{axis[-1]} eV); give energies in eV that cover it."
            )
        ranges.append(slice(int(first), int(last)))
    return EdgeWindows(ranges[0], ranges[1], axis.size)


DEFAULT_WINDOWS = edge_windows(np.linspace(7009.2, 7321.2, 178))


def simulate_block(
    phase: NDArray[np.uint8],
    thickness: NDArray[np.floating[Any]],
    spectra: FloatArray,
    noise: NoiseModel,
    rng: np.random.Generator,
    windows: EdgeWindows = DEFAULT_WINDOWS,
) -> SimulatedBlock:
    """Measure a block: reference and transmitted counts, absorbance ([I] Eq. 2), normalisation.

    phase (h, w) numbers the rows of spectra (n, E), normalised absorbance with mean 0 over windows.pre and
    mean 1 over windows.post; 255 is resin. thickness (h, w) scales the edge step mu_high - mu_low of `noise`.
    Counts carry a Gaussian noise of sigma = sqrt(a N - b), drawn for reference and transmission apart; they
    are whole numbers; those of 0, below b/a and at saturation are invalid samples. A pixel whose edge step is
    below 5 sigma of its own noise is void. The same state of `rng` gives the same block. Raises InputError
    when shapes, phase numbers or spectra do not fit.
    """
    _check_block(phase, thickness, spectra, windows)
    height, width = phase.shape
    energies = spectra.shape[1]
    camera = Camera(float(noise.a), float(noise.b), float(noise.c_ref), float(noise.mu_low))
    absorbance = np.vstack([spectra, np.zeros((1, energies))]) * (noise.mu_high - noise.mu_low)
    rows = np.where(phase == RESIN, spectra.shape[0], phase).astype(np.intp).ravel()
    thick = np.ascontiguousarray(thickness, dtype=np.float32).ravel()
    mu = np.empty((energies, rows.size), dtype=np.float32)
    draws = np.empty((2, rows.size), dtype=np.float32)
    for i in range(energies):
        rng.standard_normal(dtype=np.float32, out=draws)
        _expose(absorbance[:, i].copy(), Contents(rows, thick), draws, camera, mu[i])
    mu_low, low_variance = _region_mean(mu[windows.pre], camera)
    mu_high, high_variance = _region_mean(mu[windows.post], camera)
    significant = mu_high - mu_low >= SIGNIFICANT_STEP * np.sqrt(low_variance + high_variance)
    valid = _normalise(mu, mu_low, mu_high, significant)
    shape = (height, width)
    return SimulatedBlock(
        mu.reshape(energies, *shape), mu_low.reshape(shape), mu_high.reshape(shape), valid.reshape(shape)
    )


@njit(nogil=True, cache=True)
def _expose(
    absorbance: FloatArray, pixels: Contents, draws: Float32Array, camera: Camera, mu: Float32Array
) -> None:
    """Write the absorbance observed at one energy into mu (n,), NaN where a count is invalid.

    `absorbance` is that of every phase at this energy, `draws` (2, n) are normal numbers.
    """
    a, b, c_ref, mu_low = camera
    lowest = max(b / a, SMALLEST)
    sigma_ref = np.sqrt(count_variance(c_ref, a, b))
    for j in range(mu.size):
        mu[j] = np.nan
        expected = c_ref * np.exp(-(absorbance[pixels.rows[j]] * pixels.thickness[j] + mu_low))
        if expected < lowest:
            continue
        reference = np.rint(c_ref + sigma_ref * draws[0, j])
        transmitted = np.rint(expected + np.sqrt(count_variance(expected, a, b)) * draws[1, j])
        if lowest <= reference < SATURATED and lowest <= transmitted < SATURATED:
            mu[j] = np.log(reference / transmitted)


@njit(nogil=True, cache=True)
def _region_mean(mu: Float32Array, camera: Camera) -> tuple[Float32Array, Float32Array]:
    """Average mu (E, n) over its valid samples: the mean (n,) and the variance camera noise gives it."""
    a, b, c_ref, _ = camera
    total, variance, count = np.zeros(mu.shape[1]), np.zeros(mu.shape[1]), np.zeros(mu.shape[1])
    from_reference = log_variance(c_ref, a, b)
    for i in range(mu.shape[0]):
        for j in range(mu.shape[1]):
            if not np.isnan(mu[i, j]):
                c_trans = c_ref * np.exp(-mu[i, j])
                total[j] += mu[i, j]
                variance[j] += from_reference + log_variance(c_trans, a, b)
                count[j] += 1
    mean = np.full(total.size, np.nan, dtype=np.float32)
    mean_variance = np.full(total.size, np.nan, dtype=np.float32)
    for j in range(total.size):
        if count[j] > 0:
            mean[j] = total[j] / count[j]
            mean_variance[j] = variance[j] / count[j] ** 2
    return mean, mean_variance


@njit(nogil=True, cache=True)
def _normalise(
    mu: Float32Array, mu_low: Float32Array, mu_high: Float32Array, significant: BoolArray
) -> BoolArray:
    """Turn mu (E, n) into (mu - mu_low)/(mu_high - mu_low) in place, NaN without a significant edge step.

    Returns (n,): True where the whole spectrum is valid.
    """
    valid = significant.copy()
    for i in range(mu.shape[0]):
        for j in range(mu.shape[1]):
            if significant[j]:
                mu[i, j] = (mu[i, j] - mu_low[j]) / (mu_high[j] - mu_low[j])
                valid[j] &= not np.isnan(mu[i, j])
            else:
                mu[i, j] = np.nan
    return valid


def _check_block(
    phase: NDArray[np.uint8],
    thickness: NDArray[np.floating[Any]],
    spectra: FloatArray,
    windows: EdgeWindows,
) -> None:
    """Raise InputError for a block that cannot be measured."""
    if phase.ndim != 2 or phase.shape != thickness.shape:
        raise InputError(
            f"The phase map has shape {phase.shape} and the thickness map {thickness.shape}; "
            "give two maps (h, w)."
        )
    if not np.all((thickness >= 0) & (thickness < np.inf)):
        raise InputError("A thickness is negative, NaN or infinite; give 0 or more, 1 at the working point.")
    if spectra.ndim != 2 or spectra.shape[1] != windows.energies:
        raise InputError(
            f"The spectra have shape {spectra.shape}, expected (phases, {windows.energies} energies); "
            "make the pre- and post-edge windows from the same energy axis."
        )
    if not np.all(np.isfinite(spectra)):
        raise InputError("A spectrum holds NaN or infinite values; give finite normalised absorbance.")
    known = phase[phase != RESIN]
    if known.size and known.max() >= len(spectra):
        raise InputError(
            f"Phase number {known.max()} has no spectrum ({len(spectra)} were given); numbers start at 0, "
            f"and {RESIN} means resin."
        )
