"""Sites made ready for the engines, once, before they are sent to every worker."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.arrays import FloatArray
from pipeline.errors import InputError
from pipeline.nearest.definition import centre, padded_length, rescale
from pipeline.nearest.layout import Layout, lay_out

PRUNED_FROM = 64  # sites


@dataclass(frozen=True)
class Prepared:
    """The site matrix in the forms the engines read; plain arrays, so that it pickles.

    sites: (m, padded E) float64, centred, length one, zero beyond E.
    screen: (E, m) float32, the same for full screening; layout: for the pruned search; the other one is None.
    """

    energies: int
    sites: FloatArray
    screen: NDArray[np.float32] | None
    layout: Layout | None


def prepare(sites: ArrayLike, components: int | None = None) -> Prepared:
    """Prepare (m, E) site spectra, m >= 1, E >= 2, of any positive scale and any offset.

    From PRUNED_FROM sites on the pruned search is used, below full screening. `components`, a multiple of 8 from
    8 to 64, asks for the pruned search on so many axes; labels never depend on it.
    Raises InputError for a matrix of another shape, a value that is not finite or a constant site.
    """
    standard = _standardise(_checked(sites))
    energies = np.asarray(sites).shape[1]
    if components is None and len(standard) < PRUNED_FROM:
        return Prepared(energies, standard, np.ascontiguousarray(standard[:, :energies].T, np.float32), None)
    return Prepared(energies, standard, None, lay_out(standard, energies, components))


def _checked(sites: ArrayLike) -> FloatArray:
    matrix: NDArray[Any] = np.asarray(sites)
    if matrix.ndim != 2 or matrix.shape[0] < 1 or matrix.shape[1] < 2:
        raise InputError(
            f"the site matrix has shape {matrix.shape}; expected (sites, energies) with at least one site "
            "and two energies; give one row for each site spectrum"
        )
    if matrix.dtype.kind not in "iuf":
        raise InputError(f"the site matrix holds {matrix.dtype}; expected real numbers; convert it")
    checked = matrix.astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(checked).all(axis=1))
    if wrong.size:
        raise InputError(
            f"site {wrong[0] + 1} holds a value that is not finite ({wrong.size} such sites in all); "
            "expected finite spectra; repair or leave out these sites"
        )
    return checked


def _standardise(matrix: FloatArray) -> FloatArray:
    energies = matrix.shape[1]
    padded = padded_length(energies)
    standard = np.zeros((matrix.shape[0], padded))
    standard[:, :energies] = matrix
    ones = np.ones((1, padded))
    for k in range(len(standard)):
        rescale(standard, k)
        length = centre(standard, k, energies, ones)
        if length == 0.0:
            raise InputError(
                f"site {k + 1} is constant, so that no correlation with it exists; expected a spectrum that "
                "varies; leave it out"
            )
        standard[k] /= length
    return standard
