"""Candidates for sites: mixtures of standards, grown where the noise still tells them apart (METHOD 3)."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.sites.distance import as_matrix, check_same_energies
from gigaxas.sites.spacing import Criterion, SpacingFilter
from gigaxas.spectra.noise import Noise

Draw = Literal["standards", "candidates"]


@dataclass(frozen=True)
class Growth:
    """Mixtures that were accepted.

    Picks count from 0 in the standards or, when the draw was from the candidates, in the array of candidates
    with the accepted mixtures behind them.
    """

    spectra: FloatArray
    """(g, E) accepted mixtures."""
    picks: IntArray
    """(g, components) what each is made of."""
    shares: FloatArray
    """(g, components) and how much of it."""


def mix_pairs(standards: FloatArray) -> FloatArray:
    """Return all one-to-one mixtures of standards ([I], METHOD 3).

    Args:
        standards: Normalised spectra (n, E).

    Returns:
        (n (n + 1) / 2, E) in the order (0,0), (0,1), ... (0,n-1), (1,1), ...; a standard with itself is the
        standard.

    Raises:
        InputError: Spectra of another shape, or not finite.
    """
    standards = as_matrix(standards)
    first, second = np.triu_indices(standards.shape[0])
    return np.asarray(0.5 * (standards[first] + standards[second]))


def grow_candidates(
    candidates: FloatArray,
    standards: FloatArray,
    noise: Noise,
    trials: int = 10_000,
    accept: float = 0.01,
    draw: Draw = "standards",
    seed: int = 0,
    components: int = 3,
    criterion: Criterion = "z",
) -> FloatArray:
    """Add random mixtures that are far enough from every candidate so far ([I], METHOD 3).

    Args:
        candidates: Normalised spectra (n, E).
        standards: Normalised spectra (s, E) of the references.
        noise: Of a sample.
        trials: Mixtures that are drawn, with weights U(0,1)/sum.
        accept: Error below which a mixture counts as another spectrum, between 0 and 0.5.
        draw: Whether a mixture is one of different `standards` (as the paper says) or, with replacement, of
            the growing array of candidates (as its program does).
        seed: The same gives the same candidates.
        components: Spectra in a mixture.
        criterion: Whether mean z has to be above the z of `accept`, or Eq. 1 below `accept` ("error").

    Returns:
        The candidates with the accepted mixtures behind them, (n + g, E).

    Raises:
        InputError: `accept` outside (0, 0.5), fewer standards than components, or bad spectra.
    """
    candidates = as_matrix(candidates)
    grown = grow(candidates, standards, noise, trials, accept, draw, seed, components, criterion)
    return np.concatenate([candidates, grown.spectra])


def grow(
    candidates: FloatArray,
    standards: FloatArray,
    noise: Noise,
    trials: int = 10_000,
    accept: float = 0.01,
    draw: Draw = "standards",
    seed: int = 0,
    components: int = 3,
    criterion: Criterion = "z",
) -> Growth:
    """Return the accepted mixtures of `grow_candidates` alone, with what each is made of."""
    candidates, standards = as_matrix(candidates), as_matrix(standards)
    check_same_energies(candidates, standards)
    again = draw == "candidates"
    check_draw(standards.shape[0], trials, draw, components)
    found = SpacingFilter(candidates, noise, trials, accept, criterion)
    generator = np.random.default_rng(seed)
    picks, shares = [], []
    for _ in range(trials):
        pool = found.spectra[: found.count] if again else standards
        pick, share = draw_mixture(generator, pool.shape[0], components, replace=again)
        if found.admit(mix(pool, pick, share)):
            picks.append(pick)
            shares.append(share)
    return Growth(
        found.spectra[candidates.shape[0] : found.count].copy(),
        np.array(picks, dtype=np.int64).reshape(-1, components),
        np.array(shares, dtype=np.float64).reshape(-1, components),
    )


def draw_mixture(
    generator: np.random.Generator, pool: int, components: int, replace: bool
) -> tuple[IntArray, FloatArray]:
    """Return indices below `pool` and weights U(0,1)/sum of one mixture, both (components,)."""
    picks = generator.choice(pool, size=components, replace=replace)
    shares = generator.random(components)
    return picks, shares / shares.sum()


def mix(pool: FloatArray, picks: IntArray, shares: FloatArray) -> FloatArray:
    """Return the mixture (k,) of rows of `pool` (n, k), summed in the order of `picks`."""
    return np.asarray((shares[:, None] * pool[picks]).sum(axis=0))


def check_draw(standards: int, trials: int, draw: str, components: int) -> None:
    """Raise InputError for an unknown draw, or for fewer standards than a mixture takes."""
    if draw not in ("standards", "candidates"):
        raise InputError(f"unknown draw {draw!r}: give 'standards' (the paper) or 'candidates' (its program)")
    if trials < 0 or components < 2:
        raise InputError(f"{trials} trials of {components} components; give 0 or more trials of at least 2")
    if draw == "standards" and trials > 0 and standards < components:
        raise InputError(
            f"{components} different standards are needed for a mixture, {standards} given: "
            "set fewer components, 0 trials, or add standards"
        )
