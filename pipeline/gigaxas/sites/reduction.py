"""From many candidates to sites at the discrimination limit: average linkage as published, or a net."""

from typing import Literal

import numpy as np

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError
from gigaxas.sites.distance import as_matrix, scale, site_distance, z_limit
from gigaxas.sites.linkage import average_groups
from gigaxas.sites.spacing import first_come
from gigaxas.spectra.noise import Noise

Method = Literal["average", "net"]


def reduce_sites(
    candidates: FloatArray, noise: Noise, limit: float = 1e-4, method: Method = "average"
) -> FloatArray:
    """Reduce candidates to sites ([I], METHOD 3).

    Args:
        candidates: Normalised spectra (n, E).
        noise: Of a sample.
        limit: Error at which two spectra count as one site, between 0 and 0.5; distances are mean z.
        method: `average`: average linkage cut at the limit; a site is the mean of its group. `net`: a
            candidate is kept, in the order given, when no kept one is within the limit: every two sites are
            at least the limit apart, every candidate lies within it of a site.

    Returns:
        Sites (m, E), numbered by their lowest candidate.

    Raises:
        InputError: A limit outside (0, 0.5), an unknown method, spectra that are flat, not finite or too dark
            for the camera, or more candidates than the distance matrix of `average` has memory for.
    """
    candidates = as_matrix(candidates)
    return group_means(candidates, group_candidates(candidates, noise, limit, method))


def group_candidates(
    candidates: FloatArray, noise: Noise, limit: float = 1e-4, method: Method = "average"
) -> IntArray:
    """Return the 0-based site (n,) each candidate (n, E) is averaged into; -1 where in none (`net`)."""
    threshold = z_limit(limit, "limit")
    if method == "average":
        return average_groups(site_distance(candidates, noise), threshold)
    if method == "net":
        kept = first_come(scale(candidates, noise), threshold)
        groups = np.full(candidates.shape[0], -1, dtype=np.int64)
        groups[kept] = np.arange(kept.size)
        return groups
    raise InputError(
        f"unknown reduction {method!r}: give 'average' (published) or 'net' (guaranteed spacing)"
    )


def group_means(rows: FloatArray, groups: IntArray) -> FloatArray:
    """Return the mean (m, k) of the rows (n, k) of each group, summed in candidate order; -1 is left out."""
    member = groups >= 0
    totals = np.zeros((int(groups.max()) + 1, rows.shape[1]))
    np.add.at(totals, groups[member], rows[member])
    return np.asarray(totals / np.bincount(groups[member])[:, None])
