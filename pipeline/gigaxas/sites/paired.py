"""Eq. 1 of [I] between spectra and their counterparts, a pair a row."""

import numpy as np
from scipy.special import ndtr

from gigaxas.arrays import FloatArray
from gigaxas.sites.distance import check_same_energies
from gigaxas.spectra.standardisation import standardise


def paired_error(
    left: FloatArray, right: FloatArray, left_sigma: FloatArray, right_sigma: FloatArray
) -> FloatArray:
    """Return s_error (n,), [I] Eq. 1, of row i of `left` with row i of `right`, both (n, E).

    The sigmas (n, E) are the noise of either, in its own units; two identical spectra give 0.5. Memory: a few
    copies of the input. InputError for a flat or non-finite spectrum or different numbers of energies.
    """
    check_same_energies(left, right)
    gaps = standardise(left) - standardise(right)
    # 1 - r of standardised spectra is half their squared distance, without the cancellation.
    half = 0.5 * (gaps**2).sum(axis=1)
    errors = []
    for spectra, sigma in ((left, left_sigma), (right, right_sigma)):
        length = np.linalg.norm(spectra - spectra.mean(axis=1, keepdims=True), axis=1, keepdims=True)
        spread = np.sqrt(((gaps * sigma / length) ** 2).sum(axis=1))
        z = np.divide(half, spread, out=np.zeros_like(half), where=spread > 0)
        errors.append(ndtr(-np.where((spread == 0) & (half > 0), np.inf, z)))
    return np.asarray(0.5 * (errors[0] + errors[1]))
