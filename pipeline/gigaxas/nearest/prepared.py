"""Sites made ready for the engines, once, before they are sent to every worker."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.nearest.definition import centre, padded_length, rescale
from gigaxas.nearest.layout import AXES, FloatArray32, Layout, lay_out

HELD = 0.1  # axes hold the sites whose median residual is at most this share of the length


@dataclass(frozen=True)
class Prepared:
    """The site matrix in the forms the engines read; plain arrays, so that it pickles."""

    energies: int
    """E, the samples of a site."""
    sites: FloatArray
    """(m, padded E), centred, length one, zero beyond E."""
    layout: Layout | None
    """The sites on a few axes, for the pruned search; None where no few axes hold them."""
    screen: FloatArray32
    """(E, m) for full screening where there is no layout, else empty."""


def prepare(sites: ArrayLike, components: int | None = None) -> Prepared:
    """Prepare (m, E) site spectra, m >= 1, E >= 2, of any positive scale and any offset.

    The rule: pruned search, at any size, where at most 64 axes hold the sites; full screening elsewhere.
    `components`, a multiple of 8 from 8 to 64, asks for the pruned search on so many axes; labels do not
    depend on it. Raises InputError for a matrix of another shape, a value that is not finite, a constant site
    or other components.
    """
    if components is not None and components not in range(AXES[0], AXES[1] + 1, 8):
        raise InputError(
            f"components is {components}; expected a multiple of 8 from {AXES[0]} to {AXES[1]}, or None"
        )
    standard = _standardise(_checked(sites))
    energies = np.asarray(sites).shape[1]
    layout, share = lay_out(standard, energies, components)
    if components is None and share > HELD:
        return Prepared(energies, standard, None, np.ascontiguousarray(standard[:, :energies].T, np.float32))
    return Prepared(energies, standard, layout, np.empty((0, 0), np.float32))


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
    for k in range(len(standard)):
        rescale(standard, k)
        length = centre(standard, k, energies)
        if length == 0.0:
            raise InputError(
                f"site {k + 1} is constant, so that no correlation with it exists; expected a spectrum that "
                "varies; leave it out"
            )
        standard[k] /= length
    return standard
