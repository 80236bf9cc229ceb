"""Clusters as a classification leaves them: mean spectra with their noise, some leaking or mixed."""

import numpy as np
from gigaxas.components.evidence import ClusterEvidence, mean_variance
from planted import ENERGY, LIBRARY, NAMES, NOISE, leaking

__all__ = ["LIBRARY", "NAMES", "NOISE", "leaked_rows", "make_clusters"]


def make_clusters(spectra, pixels, steps=None, measured=True, seed=0):
    """Clusters numbered from 1, the means of so many noisy pixels each."""
    rng = np.random.default_rng(seed)
    spectra, pixels = np.asarray(spectra, dtype=float), np.asarray(pixels)
    step = np.full(len(spectra), NOISE.edge_step) if steps is None else np.asarray(steps)
    low = np.full(len(spectra), NOISE.mu_low)
    noise = NOISE.sigma_at(spectra, low[:, None], step[:, None])
    error = noise / np.sqrt(pixels)[:, None]
    return ClusterEvidence(
        ENERGY,
        np.arange(1, len(spectra) + 1),
        pixels,
        rng.normal(spectra, error),
        mean_variance(error, pixels, noise),
        noise,
        low,
        step,
        measured,
    )


def leaked_rows(names, shares):
    """Spectra and edge steps of these phases, each with each of these leaks."""
    return [leaking(name, share) for name in names for share in shares]
