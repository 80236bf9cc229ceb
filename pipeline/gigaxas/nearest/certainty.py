"""How sure the label of a single pixel is: its residual chi-square, and the probability of the runner-up."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import expit

from gigaxas.arrays import FloatArray, LabelArray
from gigaxas.nearest import Assignment
from gigaxas.sites import cross_distance
from gigaxas.spectra import standardise
from gigaxas.spectra.noise import Noise

MAPS = {
    "chi_square": "chi-square of a pixel against its site per degree of freedom, by the noise; near 1",
    "runner_up": "probability that the pixel belongs to the next best site, by the noise of both",
}


class SitesInNoise(NamedTuple):
    """Sites with their noise, as the kernel takes them; see Certainty."""

    spectra: FloatArray
    """(m, E) spectra in the cube's unit."""
    weight: FloatArray
    """(m, E) 1 / sigma^2 of a typical pixel."""
    levels: FloatArray
    """(4, E), or (4, 0) where these weights hold for every pixel."""


@dataclass(frozen=True)
class Certainty:
    """What the maps asked for need of m sites; None where the map is not asked for."""

    spectra: FloatArray | None
    """(m, E) normalised absorbance, for `chi_square`."""
    weight: FloatArray | None
    """(m, E) 1 / sigma^2 at the working point, for `chi_square`."""
    levels: FloatArray
    """(4, E) read^2, gain, flat^2 and origin of noise that a pixel's own signal tells; else (4, 0)."""
    gain: FloatArray | None
    """(m, m) log odds of the nearest over the runner-up per difference of correlation, for `runner_up`."""


def prepare_certainty(spectra: FloatArray, noise: Noise, maps: Sequence[str]) -> Certainty | None:
    """Return what these maps need of site spectra (m, E), None for no map; InputError as `noise.sigma`."""
    if not maps:
        return None
    wanted = "chi_square" in maps
    return Certainty(
        np.ascontiguousarray(spectra, dtype=np.float64) if wanted else None,
        1.0 / noise.sigma(spectra) ** 2 if wanted else None,
        noise.levels(spectra.shape[1]),
        _gain(spectra, noise) if "runner_up" in maps else None,
    )


def certainty_maps(
    block: NDArray[Any],
    found: Assignment,
    certainty: Certainty,
    scale: float = 1.0,
    offset: float = 0.0,
) -> dict[str, NDArray[np.float32]]:
    """Return the maps (h, w) of a block (E, h, w) whose samples x stand for x * scale + offset.

    A pixel without label has NaN in both. Chi-square leaves gain and offset of the pixel free, as the
    correlation does.
    """
    maps = {}
    if certainty.spectra is not None and certainty.weight is not None:
        pixels = np.ascontiguousarray(block.reshape(block.shape[0], -1))
        out = np.full(pixels.shape[1], np.nan, np.float32)
        sites = SitesInNoise(certainty.spectra, certainty.weight, certainty.levels)
        _chi_square(pixels, found.labels.ravel(), scale, offset, sites, out)
        maps["chi_square"] = out.reshape(block.shape[1:])
    if certainty.gain is not None:
        maps["runner_up"] = _runner_up(found, certainty.gain)
    return maps


def _gain(spectra: FloatArray, noise: Noise) -> FloatArray:
    """Return 2 z^2 / (1 - r) of every pair: log odds are this times the difference of the correlations."""
    z, _ = cross_distance(spectra, spectra, noise)
    t = standardise(spectra)
    apart = 1.0 - t @ t.T
    np.fill_diagonal(apart, 1.0)
    return np.asarray(2.0 * z**2 / np.maximum(apart, 1e-12))


def _runner_up(found: Assignment, gain: FloatArray) -> NDArray[np.float32]:
    assert found.runner_up is not None
    assert found.runner_up_correlation is not None
    first, second = found.labels.astype(np.int64), found.runner_up.astype(np.int64)
    best = found.correlation.astype(np.float64)
    # the noise lengthens a pixel, which makes all its correlations smaller by the same factor, about r
    behind = (best - found.runner_up_correlation) / np.maximum(best, 1e-6)
    odds = gain[np.maximum(first - 1, 0), np.maximum(second - 1, 0)] * behind
    probability = np.where(second == 0, 0.0, expit(-odds))
    return np.where(first == 0, np.nan, probability).astype(np.float32)


@njit(nogil=True, cache=True)
def _chi_square(
    pixels: Any,
    labels: LabelArray,
    scale: float,
    offset: float,
    sites: SitesInNoise,
    out: NDArray[np.float32],
) -> None:
    """Fill out (n,) with the weighted squares that the best gain and offset leave, over E - 2."""
    energies = pixels.shape[0]
    pixel, weight = np.empty(energies), np.empty(energies)
    for p in range(pixels.shape[1]):
        if labels[p] == 0:
            continue
        site = sites.spectra[labels[p] - 1]
        weight[:] = sites.weight[labels[p] - 1]
        for e in range(energies):
            pixel[e] = pixels[e, p] * scale + offset
        chi_square, gain, level = _fit(pixel, site, weight)
        if sites.levels.shape[1]:
            _weigh(gain, level, site, sites.levels, weight)
            chi_square, _, _ = _fit(pixel, site, weight)
        out[p] = chi_square / max(energies - 2, 1)


@njit(nogil=True, cache=True)
def _fit(pixel: FloatArray, site: FloatArray, weight: FloatArray) -> tuple[float, float, float]:
    """Return the weighted squares that the best gain and offset of a site leave, and these two."""
    total, x_sum, s_sum = 0.0, 0.0, 0.0
    for e in range(pixel.size):
        total += weight[e]
        x_sum += weight[e] * pixel[e]
        s_sum += weight[e] * site[e]
    x_mean, s_mean = x_sum / total, s_sum / total
    xx, xs, ss = 0.0, 0.0, 0.0
    for e in range(pixel.size):
        x, s = pixel[e] - x_mean, site[e] - s_mean
        xx += weight[e] * x * x
        xs += weight[e] * x * s
        ss += weight[e] * s * s
    gain = xs / ss
    return xx - xs * xs / ss, gain, x_mean - gain * s_mean


@njit(nogil=True, cache=True)
def _weigh(gain: float, level: float, site: FloatArray, levels: FloatArray, weight: FloatArray) -> None:
    """Fill weight (E,) with 1 / variance at the pixel's own signal, its site times gain plus level."""
    for e in range(site.size):
        above = max(gain * site[e] + level - levels[3, e], 0.0)
        variance = levels[0, e] + levels[1, e] * above + levels[2, e] * above * above
        if variance > 0.0:
            weight[e] = 1.0 / variance
