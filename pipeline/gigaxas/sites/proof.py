"""Eq. 1 put to the proof: spectra with noise drawn on their counts, assigned, and the mistakes counted."""

from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.sites.distance import as_matrix, site_error
from gigaxas.spectra.noise import Noise
from gigaxas.spectra.standardisation import standardise


@dataclass(frozen=True)
class Proof:
    """Measured against expected error rates of pairs of spectra."""

    pairs: IntArray
    """(p, 2) indices of the spectra of each pair."""
    measured: FloatArray
    """(p,) share of noisy spectra that were taken for the other one."""
    expected: FloatArray
    """(p,) Eq. 1 of [I]."""
    deviation: FloatArray
    """(p,) one standard deviation of the measured share, were the expected one true."""
    draws: int
    """Noisy spectra of each member of a pair."""

    @property
    def pulls(self) -> FloatArray:
        """How far (p,) each measured rate lies from the expected one, in standard deviations."""
        return (self.measured - self.expected) / self.deviation


def prove_error(
    spectra: FloatArray,
    noise: Noise,
    *,
    pairs: int = 50,
    draws: int = 10_000,
    lowest: float = 1e-3,
    seed: int = 0,
) -> Proof:
    """Return how often noisy spectra of a pair are nearer to the other one, beside Eq. 1.

    From normalised spectra (n, E) at most `pairs` pairs are drawn whose Eq. 1 is at least `lowest` (rarer
    mistakes need more draws); of each member `draws` spectra are made. Raises InputError when there is no
    such pair, or when the noise carries a count below the camera's lowest.
    """
    spectra = as_matrix(spectra)
    errors = site_error(spectra, noise)
    generator = np.random.default_rng(seed)
    chosen = _sample_pairs(errors, pairs, lowest, generator)
    expected = errors[chosen[:, 0], chosen[:, 1]]
    both_ways = [
        [_mistakes(spectra[own], spectra[other], noise, draws, generator) for own, other in ((i, j), (j, i))]
        for i, j in chosen
    ]
    deviation = np.sqrt(expected * (1.0 - expected) / (2 * draws))
    return Proof(chosen, np.mean(both_ways, axis=1), expected, deviation, draws)


def _mistakes(
    spectrum: FloatArray, other: FloatArray, noise: Noise, draws: int, generator: np.random.Generator
) -> float:
    """Return the share of noisy copies of a spectrum (E,) that correlate better with the other one."""
    noisy = standardise(noise.draw(np.broadcast_to(spectrum, (draws, spectrum.size)), generator))
    own, wrong = standardise(np.stack([spectrum, other]))
    return float(np.mean(noisy @ wrong > noisy @ own))


def _sample_pairs(errors: FloatArray, count: int, lowest: float, generator: np.random.Generator) -> IntArray:
    """Return at most `count` pairs (p, 2), evenly spread over the ranks of errors from `lowest` to 0.5."""
    first, second = np.triu_indices(errors.shape[0], k=1)
    error = errors[first, second]
    usable = np.flatnonzero((error >= lowest) & (error < 0.5))
    if usable.size == 0:
        raise InputError(
            f"no pair of {errors.shape[0]} spectra has an error from {lowest:g} to 0.5: "
            "give candidates instead of sites, or a lower limit and more draws"
        )
    shuffled = generator.permutation(usable)
    ranked = shuffled[np.argsort(error[shuffled], kind="stable")]
    steps = np.linspace(0, ranked.size - 1, min(count, ranked.size))
    chosen = ranked[steps.round().astype(np.int64)]
    return np.stack([first[chosen], second[chosen]], axis=1)
