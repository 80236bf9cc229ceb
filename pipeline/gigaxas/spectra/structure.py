"""Spectral structure of an image, told from its noise.

Pixels far enough apart share the specimen, not the noise: the covariance of spectra LAG pixels apart holds
structure alone, as in maximum autocorrelation factors (Switzer & Green 1984). Structure makes it symmetric;
what differs with the direction is the chance agreement of noise. Grains smaller than that are found by the
variance along their spectra, larger than noise of any correlation in energy has.
"""

from collections.abc import Sequence

import numpy as np
from scipy.sparse.linalg import svds

from gigaxas.arrays import FloatArray
from gigaxas.spectra.noise_correlation import (
    correlated,
    correlation_in_energy,
    residual_mixing,
    sample_variance,
)

LAG = 6
"""Pixels beyond which noise is independent, whatever blurred it."""
LEAST_CONTRAST = 3.0
"""Times the chance agreement that a spectrum's own must be."""
LEAST_EXCESS = 2.0
"""Times the noise's variance that the variance along a spectrum must be."""
LARGEST_SHARE = 3
"""One in so many dimensions may be structure; the others are left to show the noise."""
SMALL = 300
"""Energies below which all singular values are found as fast as the largest."""
_TILE = 8


def structure_basis(areas: Sequence[FloatArray]) -> FloatArray:
    """Return orthonormal spectra (E, k) that span the structure of areas (E, h, w); k may be 0.

    The areas are freed from their mean spectrum; absent pixels are 0.
    """
    return _with_small_grains(_shared_far_apart(areas), areas)


def _shared_far_apart(areas: Sequence[FloatArray]) -> FloatArray:
    """Return the basis (E, k) of what pixels LAG apart have in common beyond chance."""
    lagged = np.sum([_lagged_covariance(area) for area in areas], axis=0)
    values, vectors = np.linalg.eigh((lagged + lagged.T) / 2.0)
    order = np.argsort(-np.abs(values))
    values, vectors = values[order], vectors[:, order]
    chance = vectors.T @ ((lagged - lagged.T) / 2.0) @ vectors
    found = 0
    # what is left after each vector keeps its other eigenvectors
    while found < len(lagged) // LARGEST_SHARE:
        if abs(values[found]) <= LEAST_CONTRAST * _largest(chance[found:, found:]):
            break
        found += 1
    return np.ascontiguousarray(vectors[:, :found])


def _with_small_grains(basis: FloatArray, areas: Sequence[FloatArray]) -> FloatArray:
    """Return the basis (E, k) with the spectra along which pixels vary more than noise does.

    They are sought in one half of the pixels and judged in the other, where noise has not shaped them.
    """
    sought, judged = (_half_covariance(areas, half) for half in (0, 1))
    apart = 1.0 + np.trace(sought)  # sets what the basis holds below all else, to be left out
    vectors = np.linalg.eigh(_freed(sought, basis) - apart * basis @ basis.T)[1][:, basis.shape[1] :]
    judged_along = np.sum(vectors * (judged @ vectors), axis=0)
    energy = np.ones(1)
    while basis.shape[1] < len(basis) // LARGEST_SHARE:
        left, rest = _freed((sought + judged) / 2.0, basis), projector(basis)
        mixing = residual_mixing(rest, energy)
        energy = correlation_in_energy(left, rest, mixing)
        noise = vectors * np.sqrt(sample_variance(left, mixing))[:, None]
        excess = judged_along - LEAST_EXCESS * np.sum(noise * correlated(noise.T, energy).T, axis=0)
        strongest = int(np.argmax(excess))
        if excess[strongest] <= 0.0:
            break
        basis = _with(basis, vectors[:, strongest])
        vectors = np.delete(vectors, strongest, axis=1)
        judged_along = np.delete(judged_along, strongest)
    return basis


def _freed(covariance: FloatArray, basis: FloatArray) -> FloatArray:
    """Return a covariance (E, E) of what spectra hold beside an orthonormal basis (E, k)."""
    part = basis @ (basis.T @ covariance)
    return np.asarray(covariance - part - part.T + (part @ basis) @ basis.T)


def _largest(matrix: FloatArray) -> float:
    """Return the largest singular value of a matrix (n, n)."""
    if len(matrix) < SMALL:
        return float(np.linalg.norm(matrix, 2))
    return float(svds(matrix, k=1, return_singular_vectors=False, rng=np.random.default_rng(0))[0])


def projector(basis: FloatArray) -> FloatArray:
    """Return the matrix (E, E) that takes from a spectrum its part along an orthonormal basis (E, k)."""
    return np.asarray(np.eye(len(basis)) - basis @ basis.T)


def _lagged_covariance(area: FloatArray) -> FloatArray:
    """Return the sum (E, E) over pairs of pixels LAG apart along y, x and both diagonals."""
    ahead, behind, whole = slice(LAG, None), slice(None, -LAG), slice(None)
    pairs = (
        ((whole, ahead), (whole, behind)),
        ((ahead, whole), (behind, whole)),
        ((ahead, ahead), (behind, behind)),
        ((ahead, behind), (behind, ahead)),
    )
    return np.asarray(np.sum([_flat(area, one) @ _flat(area, other).T for one, other in pairs], axis=0))


def _half_covariance(areas: Sequence[FloatArray], half: int) -> FloatArray:
    """Return the mean product (E, E) of the spectra in every other tile."""
    total, count = np.zeros((len(areas[0]),) * 2), 0
    for area in areas:
        y, x = np.indices(area.shape[1:]) // _TILE
        spectra = area[:, (y + x) % 2 == half]
        total += spectra @ spectra.T
        count += int(np.count_nonzero(spectra.any(axis=0)))
    return total / max(count, 1)


def _with(basis: FloatArray, vector: FloatArray) -> FloatArray:
    return np.linalg.qr(np.column_stack([basis, vector]))[0]


def _flat(area: FloatArray, part: tuple[slice, slice]) -> FloatArray:
    return area[:, part[0], part[1]].reshape(len(area), -1)
