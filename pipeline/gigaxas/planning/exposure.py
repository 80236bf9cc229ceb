"""How surely pairs of spectra are told apart at an exposure, and the exposure that an error asks for.

Counts grow with the exposure, so that the variance of absorbance has a part that falls as the exposure and,
of the camera's B, a part that falls as its square (METHOD 1). Exposures are told as multiples of that of the
working point.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import ndtr

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.spectra.noise import FEWEST_COUNTS, NoiseModel, absorbance_variance
from gigaxas.spectra.standardisation import standardise

STEPS = 80
"""Halvings of a range of exposures; more than the digits of a float hold."""
MOST_EXPOSURE = 1e30


@dataclass(frozen=True)
class Planned:
    """Spectra to be measured; at the exposure x a sample has the variance first / x + second / x^2."""

    spectra: FloatArray
    """(n, E) normalised absorbance."""
    first: FloatArray
    """(n, E) variance of counting."""
    second: FloatArray
    """(n, E) variance of the camera's B, negative where B is positive."""
    least: float
    """The exposure at which the darkest sample has FEWEST_COUNTS times the camera's lowest count, or 0."""

    def variance(self, exposure: FloatArray | float) -> FloatArray:
        """Return the variance (n, E) at one exposure, or at one for each energy (E,)."""
        return np.asarray(self.first / exposure + self.second / exposure**2)

    def at(self, energies: IntArray) -> Self:
        """Return the spectra at these energies alone."""
        spectra, first, second = (part[:, energies] for part in (self.spectra, self.first, self.second))
        return type(self)(spectra, first, second, self.least)


@dataclass(frozen=True)
class PairTerms:
    """What z of pairs is made of at any exposure u: half / sqrt(first / u + second / u^2)."""

    half: FloatArray
    """(P,) 1 - r, half the squared distance of the standardised spectra."""
    first: FloatArray
    """(P, 2) variance of counting, with the noise of the first spectrum and of the second."""
    second: FloatArray
    """(P, 2) variance of the camera's B."""
    least: float
    """As of `Planned`, for the energy that is exposed least."""


def planned(spectra: FloatArray, noise: NoiseModel) -> Planned:
    """Return normalised spectra (n, E) with the parts of their noise. InputError: a count too low."""
    noise.sigma(spectra)  # refuses what the camera has no noise for
    counts = noise.counts(spectra)
    c_ref = np.asarray(noise.c_ref)
    first = absorbance_variance(c_ref, counts, noise.a, 0.0) / noise.edge_step**2
    second = absorbance_variance(c_ref, counts, 0.0, noise.b) / noise.edge_step**2
    darkest = min(noise.c_ref, float(counts.min()))
    return Planned(np.asarray(spectra), first, second, FEWEST_COUNTS * noise.lowest_count / darkest)


def pair_terms(spectra: Planned, pairs: IntArray, exposure: FloatArray | float = 1.0) -> PairTerms:
    """Return what z (METHOD 2) of pairs (P, 2) of rows is made of.

    `exposure` is that of every energy, or of each (E,); z at another exposure multiplies all of them.
    InputError: a spectrum that is flat at these energies.
    """
    t = standardise(spectra.spectra)
    centred = spectra.spectra - spectra.spectra.mean(axis=1, keepdims=True)
    power = (centred**2).sum(axis=1, keepdims=True)
    gaps = (t[pairs[:, 0]] - t[pairs[:, 1]]) ** 2
    first, second = (
        np.stack([(gaps * (part / power)[pairs[:, side]]).sum(axis=1) for side in (0, 1)], axis=1)
        for part in (spectra.first / exposure, spectra.second / np.square(exposure))
    )
    return PairTerms(0.5 * gaps.sum(axis=1), first, second, spectra.least / float(np.min(exposure)))


def pair_z(terms: PairTerms, exposure: FloatArray | float = 1.0) -> FloatArray:
    """Return z12 and z21 (P, 2) of pairs ([I] Eq. 5) at an exposure, one for all or each (P,)."""
    u = np.broadcast_to(np.asarray(exposure, dtype=np.float64), terms.half.shape)[:, None]
    spread = np.sqrt(terms.first / u + terms.second / u**2)
    return np.divide(terms.half[:, None], spread, out=np.zeros_like(spread), where=spread > 0)


def pair_error(terms: PairTerms, exposure: FloatArray | float = 1.0) -> FloatArray:
    """Return s_error (P,) of pairs, [I] Eq. 1, at an exposure, one for all or each (P,)."""
    return np.asarray(ndtr(-pair_z(terms, exposure)).mean(axis=1))


def exposure_needed(terms: PairTerms, error: float) -> FloatArray:
    """Return the exposure (P,) from which on pairs have no larger s_error; inf where no exposure is enough.

    It is never less than `least`, below which the camera's model has no value.
    """
    low = np.full(terms.half.shape, np.log(max(terms.least, 1 / MOST_EXPOSURE)))
    high = np.full(terms.half.shape, np.log(MOST_EXPOSURE))
    never = pair_error(terms, MOST_EXPOSURE) > error
    enough = pair_error(terms, np.exp(low)) <= error
    for _ in range(STEPS):
        middle = 0.5 * (low + high)
        is_enough = pair_error(terms, np.exp(middle)) <= error
        high, low = np.where(is_enough, middle, high), np.where(is_enough, low, middle)
    needed = np.where(enough, max(terms.least, 1 / MOST_EXPOSURE), np.exp(high))
    return np.where(never, np.inf, needed)
