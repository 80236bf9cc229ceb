"""How far to trust a site matrix: spacing, cover, denseness and intrinsic dimension (METHOD 3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.sites.distance import as_matrix, nearest_error, scale, z_limit
from gigaxas.sites.table import Mixtures, SiteTable
from gigaxas.spectra.noise import Noise
from gigaxas.spectra.standardisation import standardise

NEIGHBOURS = 10
SHARE = 0.1
QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class SiteAudit:
    """What a user should know of a site matrix; every error is Eq. 1 of [I]."""

    spacing_error: FloatArray
    """(m,) of each site with its nearest site; above `limit` the two are closer than asked."""
    candidate_error: FloatArray
    """(n,) of each candidate with its nearest site; below `limit` it is not covered. Empty where
    candidates are not known."""
    uncovered: dict[int, float]
    """Share of random mixtures that no site covers, by their number of standards."""
    dimension: int
    """Of the standards, by `intrinsic_dimension`; 0 for too few."""
    coordinates: FloatArray
    """(m, 2) standardised sites on their first two principal components."""
    limit: float
    """The discrimination error asked for."""
    mixtures: int
    """Random mixtures of each number of standards."""
    neighbours: int
    """Neighbourhood of the dimension."""
    share: float
    """Share of the largest eigenvalue that counts for the dimension."""


def audit_sites(
    table: SiteTable,
    candidates: Mixtures | None,
    noise: Noise,
    *,
    limit: float = 1e-4,
    seed: int = 0,
    mixtures: int = 10_000,
    components: Sequence[int] = (3, 4, 5),
) -> SiteAudit:
    """Return the audit of sites reduced from the candidates of `build_candidates` (the standards first).

    Without candidates (sites from elsewhere) spacing and coordinates are all there is to tell. Denseness
    is tried with `mixtures` random mixtures for each number of components that the standards
    allow. The same seed gives the same audit. Raises InputError for a limit outside (0, 0.5).
    """
    z_limit(limit, "limit")
    sites = scale(table.spectra, noise)
    spacing, _ = nearest_error(sites, sites, exclude=np.arange(table.spectra.shape[0]))
    coordinates = first_components(table.spectra)
    if candidates is None:
        return SiteAudit(spacing, np.empty(0), {}, 0, coordinates, limit, mixtures, NEIGHBOURS, SHARE)
    candidate_error, _ = nearest_error(scale(candidates.spectra, noise), sites)
    standards = candidates.spectra[: candidates.weights.shape[1]]
    generator = np.random.default_rng(seed)
    uncovered = {}
    for number in components:
        if number <= standards.shape[0]:
            trial = random_mixtures(standards, mixtures, number, generator)
            error, _ = nearest_error(scale(trial, noise), sites)
            uncovered[number] = float(np.mean(error < limit))
    dimension = _dimension_of(standards)
    return SiteAudit(
        spacing, candidate_error, uncovered, dimension, coordinates, limit, mixtures, NEIGHBOURS, SHARE
    )


def random_mixtures(
    standards: FloatArray, count: int, components: int, generator: np.random.Generator
) -> FloatArray:
    """Return mixtures (count, E), each of `components` different standards with weights U(0,1)/sum."""
    picks = np.argsort(generator.random((count, standards.shape[0])), axis=1)[:, :components]
    shares = generator.random((count, components))
    shares /= shares.sum(axis=1, keepdims=True)
    spectra = np.zeros((count, standards.shape[1]))
    for k in range(components):
        spectra += shares[:, k, None] * standards[picks[:, k]]
    return spectra


def intrinsic_dimension(spectra: FloatArray, neighbours: int = NEIGHBOURS, share: float = SHARE) -> int:
    """Return the intrinsic dimension of spectra (n, E) after Fukunaga & Olsen (1971).

    Around each standardised spectrum, the eigenvalues of the covariance of it and its nearest that are above
    a share of the largest are counted. Copies of a spectrum count as one.

    Args:
        spectra: (n, E) in any one unit.
        neighbours: Nearest spectra that make a neighbourhood; all where there are fewer.
        share: Part of the largest eigenvalue that another must have to be counted, between 0 and 1.

    Returns:
        The (lower) median count.

    Raises:
        InputError: Fewer than three different spectra, no neighbours, or a share outside (0, 1).
    """
    if neighbours < 2 or not 0.0 < share < 1.0:
        raise InputError(
            f"intrinsic dimension: {neighbours} neighbours and an eigenvalue share of {share}; give at least "
            "2 neighbours and a share between 0 and 1"
        )
    t = np.unique(standardise(as_matrix(spectra)), axis=0)
    if t.shape[0] < 3:
        raise InputError(f"intrinsic dimension: {t.shape[0]} different spectra, at least 3 are needed")
    counts = [_local_dimension(t, i, neighbours, share) for i in range(t.shape[0])]
    return int(np.sort(counts)[(len(counts) - 1) // 2])


def first_components(spectra: FloatArray, count: int = 2) -> FloatArray:
    """Return the coordinates (n, count) of standardised spectra (n, E) on their first principal components.

    A component points to where its largest loading is positive; components that do not exist are zero.
    """
    t = standardise(as_matrix(spectra))
    _, _, axes = np.linalg.svd(t - t.mean(axis=0), full_matrices=False)
    axes = axes[:count]
    largest = axes[np.arange(axes.shape[0]), np.abs(axes).argmax(axis=1)]
    coordinates = np.zeros((t.shape[0], count))
    coordinates[:, : axes.shape[0]] = (t - t.mean(axis=0)) @ (axes * np.sign(largest)[:, None]).T
    return coordinates


def quantiles(errors: FloatArray, at: Sequence[float] = QUANTILES) -> dict[float, float]:
    """Return the quantiles of errors (n,), by default lowest, 5, 25, 50, 75, 95 % and highest."""
    return {float(q): float(v) for q, v in zip(at, np.quantile(errors, at), strict=True)}


def _dimension_of(standards: FloatArray) -> int:
    """Return the intrinsic dimension, 0 for fewer than three different standards."""
    different = np.unique(standardise(standards), axis=0).shape[0]
    return intrinsic_dimension(standards) if different > 2 else 0


def _local_dimension(t: FloatArray, i: int, neighbours: int, share: float) -> int:
    near: IntArray = np.argsort(((t - t[i]) ** 2).sum(axis=1), kind="stable")[: neighbours + 1]
    local = t[near] - t[near].mean(axis=0)
    eigenvalues = np.linalg.svd(local, compute_uv=False) ** 2
    return int(np.count_nonzero(eigenvalues > share * eigenvalues[0]))
