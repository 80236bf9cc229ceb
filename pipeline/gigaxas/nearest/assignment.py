"""Labels for one block of pixels: the entrance to the engines."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gigaxas.arrays import LabelArray, label_dtype
from gigaxas.errors import InputError
from gigaxas.nearest.full import full
from gigaxas.nearest.prepared import Prepared, prepare
from gigaxas.nearest.pruned import pruned

SAMPLE_TYPES = (np.dtype(np.uint16), np.dtype(np.float32), np.dtype(np.float64))


@dataclass(frozen=True)
class Assignment:
    """The nearest site of every pixel of a block, in the shape of its pixels."""

    labels: LabelArray
    """Site numbers from 1; 0 where a pixel is void."""
    correlation: NDArray[np.float32]
    """Pearson correlation with the nearest site; 0 where void."""
    runner_up: LabelArray | None = None
    """Site numbers of the second nearest, where asked for; 0 where there is none."""
    runner_up_correlation: NDArray[np.float32] | None = None
    """Its correlation; 0 where there is none."""


def assign_block(
    block: np.ndarray, prepared: Prepared, invalid: int | None = None, *, want_runner_up: bool = False
) -> Assignment:
    """Assign the pixels of an energy-first block (E, ...) to their nearest sites, exactly.

    block: uint16 codes, float32 or float64; a scale or offset need not be undone. A pixel with a sample
    equal to `invalid` or not finite, or the same sample at all energies, is void: label 0, correlation 0. The
    runner-up is what the label would be without the site that won (0 where there is but one site).
    Raises InputError where the block's type or number of energies does not fit.
    """
    if block.dtype not in SAMPLE_TYPES:
        raise InputError(f"the block holds {block.dtype}; expected uint16, float32 or float64; convert it")
    if block.ndim < 1 or block.shape[0] != prepared.energies:
        raise InputError(
            f"the block has shape {block.shape}; expected {prepared.energies} energies first, as the sites "
            "have; bring both on one energy grid"
        )
    shape = block.shape[1:]
    pixels = np.ascontiguousarray(block.reshape(prepared.energies, -1))
    ranks = 2 if want_runner_up else 1
    if prepared.layout is not None:
        found = pruned(pixels, prepared, prepared.layout, invalid, ranks)
    else:
        found = full(pixels, prepared, prepared.screen, invalid, ranks)
    ranked = found.sites.astype(label_dtype(len(prepared.sites))).reshape(ranks, *shape)
    values = found.correlations.astype(np.float32).reshape(ranks, *shape)
    if want_runner_up:
        return Assignment(ranked[0], values[0], ranked[1], values[1])
    return Assignment(ranked[0], values[0])


def assign(spectra: ArrayLike, sites: ArrayLike) -> LabelArray:
    """Return the nearest site of each spectrum: the one of the largest Pearson correlation ([I], METHOD 4).

    Args:
        spectra: (..., E) in any unit, as gain and offset drop out.
        sites: (m, E) spectra of the sites, on the same energies.

    Returns:
        Labels (...), 1..m, the lowest site number on a tie; 0 where a spectrum is constant or not finite.

    Raises:
        InputError: Shapes that do not fit, no sites, or a site that is constant or not finite.
    """
    prepared = prepare(sites)
    matrix = np.asarray(spectra)
    if matrix.dtype.kind not in "iuf":
        raise InputError(f"the spectra hold {matrix.dtype}, expected real numbers; convert them to float64")
    if matrix.ndim < 1 or matrix.shape[-1] != prepared.energies:
        raise InputError(
            f"the spectra have shape {matrix.shape}; expected {prepared.energies} energies last, as the "
            "sites have; bring both on one energy grid"
        )
    samples = matrix if matrix.dtype in SAMPLE_TYPES else matrix.astype(np.float64)
    return assign_block(np.moveaxis(samples, -1, 0), prepared).labels
