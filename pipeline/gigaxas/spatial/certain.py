"""What one tile alone tells of the clean-up: pixels kept whatever its neighbours hold (METHOD 5)."""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, LabelArray
from gigaxas.spatial.clean_up import CleanUp, effective_labels, find_cores
from gigaxas.spatial.regions import find_regions
from gigaxas.tiles import Box


@dataclass(frozen=True)
class Certain:
    """What is certain of the clean-up of a tile."""

    kept: LabelArray
    """Labels (h, w) of the pixels that will be kept, else 0."""
    deferred: BoolArray
    """Pixels (h, w) that depend on other tiles; those neither kept nor deferred will be removed."""


def certain_from_tile(labels: LabelArray, interior: Box, clean_up: CleanUp) -> Certain:
    """Clean up one tile (h, w) as far as it can be done without its surroundings.

    `interior` holds the tile's pixels whose window lies inside the image. A pixel near the tile's border is
    no core of another label, whatever lies beyond, where its window shows more pixels of its own than such a
    core may miss. A region with a core is kept; one without is deferred where it touches the tile's border or
    a pixel near it whose label is not certain, or holds one that may be a core.
    """
    radius = clean_up.radius
    height, width = labels.shape
    whole = Box(radius, max(height - radius, radius), radius, max(width - radius, radius))
    padded = np.pad(labels, radius)
    cores = find_cores(padded, whole, clean_up)
    unsure_label, maybe_core = np.zeros((2, *labels.shape), np.bool_)
    _judge_border(padded, interior, whole, clean_up, unsure_label, maybe_core)
    effective = effective_labels(labels, cores, interior)
    effective[unsure_label] = 0
    regions = find_regions(effective, cores)
    deferred = np.zeros(regions.has_core.size, np.bool_)
    deferred[1 : regions.border + 1] = True
    deferred[regions.components[maybe_core]] = True
    _mark_beside(unsure_label, regions.components, deferred)
    deferred &= ~regions.has_core
    deferred[0] = False
    kept = np.where(regions.has_core[regions.components], effective, effective.dtype.type(0))
    return Certain(kept, unsure_label | deferred[regions.components])


@njit(nogil=True, cache=True)
def _judge_border(
    padded: LabelArray,
    interior: Box,
    whole: Box,
    clean_up: CleanUp,
    unsure_label: BoolArray,
    maybe_core: BoolArray,
) -> None:
    """Mark, of the pixels whose window the tile shows in part, those that may be cores.

    `unsure_label` are those that may be cores of another label than their own, `maybe_core` those that may be
    cores of their own; `whole` holds the pixels whose window the tile shows all of.
    """
    k_size, p_num, fill_void = clean_up
    half = k_size // 2
    height, width = unsure_label.shape
    for y in range(interior.y0, interior.y1):
        x = interior.x0
        while x < interior.x1:
            if whole.y0 <= y < whole.y1 and whole.x0 <= x < whole.x1:
                x = whole.x1
                continue
            own = padded[y + half, x + half]
            if own == 0:
                unsure_label[y, x] = fill_void
            else:
                shown = 0
                for row in range(y, y + k_size):
                    for column in range(x, x + k_size):
                        shown += padded[row, column] == own
                rows = min(y + half + 1, height) - max(y - half, 0)
                columns = min(x + half + 1, width) - max(x - half, 0)
                hidden = k_size * k_size - rows * columns
                unsure_label[y, x] = shown <= k_size * k_size - p_num
                maybe_core[y, x] = shown + hidden >= p_num
            x += 1


@njit(nogil=True, cache=True)
def _mark_beside(unsure_label: BoolArray, components: NDArray[np.int32], marked: BoolArray) -> None:
    """Mark the components that hold a neighbour of a pixel whose label is not certain."""
    height, width = unsure_label.shape
    for y in range(height):
        for x in range(width):
            if unsure_label[y, x]:
                for row in range(max(y - 1, 0), min(y + 2, height)):
                    for column in range(max(x - 1, 0), min(x + 2, width)):
                        marked[components[row, column]] = True
