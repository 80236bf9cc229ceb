"""Labels by the definition, among the few sites that a screening left: of one pixel, or of eight at once."""

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.nearest.simd import BATCH
from gigaxas.simd import centre_batch, dot_batch, lane_dot

FEW = 16  # different candidates of a batch up to which its pixels are correlated together


class SiteRows(NamedTuple):
    """What the definition needs of the sites."""

    spectra: FloatArray
    """(m, padded E), centred, length one, zero beyond E."""
    tolerance: float
    """Difference up to which two correlations count as equal."""


class Labels(NamedTuple):
    """The result, best site first; ranks is 1, or 2 with the runner-up."""

    sites: IntArray
    """(ranks, n) site numbers from 1; 0 where there is none."""
    correlations: FloatArray
    """(ranks, n); 0 where there is no site."""


class Candidates(NamedTuple):
    """The sites that may win for each pixel of a batch."""

    sites: IntArray
    """(8, m) site indices, the first `found` of them valid."""
    upper: np.ndarray
    """(8, m) float32, the upper bounds of their scores."""
    found: IntArray
    """(8,) how many there are."""


class Rows(NamedTuple):
    """Scratch memory of the float64 arithmetic."""

    row: FloatArray
    """(1, padded E), one centred pixel."""
    batch: FloatArray
    """(E, 8), eight centred pixels."""
    dots: FloatArray
    """(1 + FEW, 8), their squared lengths, then their products with the sites of `union`."""
    union: IntArray
    """(FEW,) the different candidates of a batch."""
    r: FloatArray
    """(m,) correlations of one pixel with its candidates."""


def make_labels(ranks: int, pixels: int) -> Labels:
    """Return the labels of pixels that are all void."""
    return Labels(np.zeros((ranks, pixels), np.int64), np.zeros((ranks, pixels)))


def make_candidates(sites: int) -> Candidates:
    """Return memory for the candidates of a batch among so many sites."""
    return Candidates(
        np.zeros((BATCH, sites), np.int64),
        np.zeros((BATCH, sites), np.float32),
        np.zeros(BATCH, np.int64),
    )


def make_rows(energies: int, sites: FloatArray) -> Rows:
    """Return scratch memory for pixels of so many energies and sites (m, padded E)."""
    return Rows(
        row=np.zeros((1, sites.shape[1])),
        batch=np.zeros((energies, BATCH)),
        dots=np.zeros((FEW + 1, BATCH)),
        union=np.zeros(FEW, np.int64),
        r=np.zeros(len(sites)),
    )


@njit(nogil=True, cache=True)
def assign_label(
    row: FloatArray,
    length: float,
    sites: SiteRows,
    candidates: IntArray,
    r: FloatArray,
    labels: Labels,
    pixel: int,
) -> None:
    """Write the labels of one pixel from its centred row (1, padded E), of this length.

    The winners and all their ties must be among the site indices `candidates`; r is scratch.
    """
    for j in range(candidates.size):
        r[j] = lane_dot(row, 0, sites.spectra, candidates[j]) / length
    choose_best(candidates, r, sites.tolerance, labels, pixel)


@njit(nogil=True, cache=True)
def choose_best(candidates: IntArray, r: FloatArray, tolerance: float, labels: Labels, pixel: int) -> None:
    """Write the best of the sites `candidates` by their correlations r, the lowest index on a tie."""
    numbers, correlations = labels
    winner = -1
    for rank in range(numbers.shape[0]):
        best = -2.0
        for j in range(candidates.size):
            if candidates[j] != winner:
                best = max(best, r[j])
        chosen, value = -1, 0.0
        for j in range(candidates.size):
            k = candidates[j]
            if k != winner and r[j] >= best - tolerance and (chosen < 0 or k < chosen):
                chosen, value = k, r[j]
        winner = chosen
        numbers[rank, pixel], correlations[rank, pixel] = chosen + 1, value


@njit(nogil=True, cache=True)
def unite(candidates: Candidates, union: IntArray) -> int:
    """Set union (FEW,) to the different candidates of a batch; return how many, 0 if too many."""
    sites, _, found = candidates
    count = 0
    for q in range(BATCH):
        for j in range(found[q]):
            at = 0
            while at < count and union[at] != sites[q, j]:
                at += 1
            if at == union.size:
                return 0
            union[at] = sites[q, j]
            count = max(count, at + 1)
    return count


@njit(nogil=True, cache=True)
def assign_batch(
    samples: np.ndarray,
    sums: FloatArray,
    p: int,
    sites: SiteRows,
    candidates: Candidates,
    count: int,
    rows: Rows,
    labels: Labels,
    pixel: int,
) -> None:
    """Do as `assign_label` for samples[:, p : p + 8], which are `pixel` and the next seven of the block.

    sums[p : p + 8] are theirs; `rows.union` holds the `count` different candidates of these pixels.
    """
    _, batch, dots, union, r = rows
    if count == 1:
        union[1] = union[0]
    centre_batch(samples, p, sums, sites.spectra, union, batch, dots)
    for j in range(2, count):
        dot_batch(batch, sites.spectra, union[j], dots, j + 1)
    for q in range(BATCH):
        length = math.sqrt(dots[0, q])
        if length > 0.0 and candidates.found[q] > 0:
            own = candidates.sites[q, : candidates.found[q]]
            for j in range(own.size):
                at = 0
                while union[at] != own[j]:
                    at += 1
                r[j] = dots[at + 1, q] / length
            choose_best(own, r, sites.tolerance, labels, pixel + q)
