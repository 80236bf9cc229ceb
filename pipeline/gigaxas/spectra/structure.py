"""Spectral structure of an image, told from its noise: spectra whose maps agree with themselves moved aside.

Pixels far enough apart share the specimen, not the noise. The covariance of spectra LAG pixels apart holds
structure alone, as in maximum autocorrelation factors (Switzer & Green 1984). Structure makes it symmetric;
what differs with the direction is the chance agreement of noise.
"""

from collections.abc import Sequence

import numpy as np

from gigaxas.arrays import FloatArray

LAG = 6
"""Pixels beyond which noise is independent, whatever blurred it."""
LEAST_CONTRAST = 1.3
"""Times the chance agreement that a spectrum's own must be."""
LARGEST_SHARE = 3
"""One in so many dimensions may be structure; the others are left to show the noise."""


def structure_basis(areas: Sequence[FloatArray]) -> FloatArray:
    """Return orthonormal spectra (E, k) that span the structure of areas (E, h, w); k may be 0.

    The areas are freed from their mean spectrum; absent pixels are 0.
    """
    energies = len(areas[0])
    lagged = np.sum([_lagged_covariance(area) for area in areas], axis=0)
    even, odd = (lagged + lagged.T) / 2.0, (lagged - lagged.T) / 2.0
    basis = np.empty((energies, 0))
    while basis.shape[1] < energies // LARGEST_SHARE:
        rest = projector(basis)
        values, vectors = np.linalg.eigh(rest @ even @ rest)
        strongest = int(np.argmax(np.abs(values)))
        if abs(values[strongest]) <= LEAST_CONTRAST * np.linalg.norm(rest @ odd @ rest, 2):
            break
        basis = np.linalg.qr(np.column_stack([basis, vectors[:, strongest]]))[0]
    return basis


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


def _flat(area: FloatArray, part: tuple[slice, slice]) -> FloatArray:
    return area[:, part[0], part[1]].reshape(len(area), -1)
