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
class Settled:
    """Kept labels (h, w) that are certain, and the pixels (h, w) still `open`; all others will be removed."""

    kept: LabelArray
    open: BoolArray


def settle(labels: LabelArray, interior: Box, clean_up: CleanUp) -> Settled:
    """Clean up one tile (h, w) as far as it can be done without its surroundings.

    `interior` holds the tile's pixels whose window lies inside the image. A pixel near the tile's border is
    no core of another label, whatever lies beyond, where its window shows more pixels of its own than such a
    core may miss. A region with a core is kept; one without is open where it touches the tile's border or a
    pixel near it whose label is not certain, or holds one that may be a core.
    """
    half = clean_up.radius
    height, width = labels.shape
    inside = Box(half, max(height - half, half), half, max(width - half, half))
    padded = np.pad(labels, half)
    cores = find_cores(padded, inside, clean_up)
    doubtful, hopeful = np.zeros((2, *labels.shape), np.bool_)
    _doubt(padded, interior, inside, clean_up, doubtful, hopeful)
    effective = effective_labels(labels, cores, interior)
    effective[doubtful] = 0
    regions = find_regions(effective, cores)
    unsure = np.zeros(regions.has_core.size, np.bool_)
    unsure[1 : regions.border + 1] = True
    unsure[regions.components[hopeful]] = True
    _touch(doubtful, regions.components, unsure)
    unsure &= ~regions.has_core
    unsure[0] = False
    kept = np.where(regions.has_core[regions.components], effective, effective.dtype.type(0))
    return Settled(kept, doubtful | unsure[regions.components])


@njit(nogil=True, cache=True)
def _doubt(
    padded: LabelArray,
    interior: Box,
    inside: Box,
    clean_up: CleanUp,
    doubtful: BoolArray,
    hopeful: BoolArray,
) -> None:
    """Mark pixels near the border that may be cores: of a label other than their own, or of their own."""
    k_size, p_num, fill_void = clean_up
    half = k_size // 2
    height, width = doubtful.shape
    for y in range(interior[0], interior[1]):
        x = interior[2]
        while x < interior[3]:
            if inside[0] <= y < inside[1] and inside[2] <= x < inside[3]:
                x = inside[3]
                continue
            own = padded[y + half, x + half]
            if own == 0:
                doubtful[y, x] = fill_void
            else:
                shown = 0
                for row in range(y, y + k_size):
                    for column in range(x, x + k_size):
                        shown += padded[row, column] == own
                rows = min(y + half + 1, height) - max(y - half, 0)
                columns = min(x + half + 1, width) - max(x - half, 0)
                hidden = k_size * k_size - rows * columns
                doubtful[y, x] = shown <= k_size * k_size - p_num
                hopeful[y, x] = shown + hidden >= p_num
            x += 1


@njit(nogil=True, cache=True)
def _touch(doubtful: BoolArray, components: NDArray[np.int32], unsure: BoolArray) -> None:
    """Mark the components beside a doubtful pixel."""
    height, width = doubtful.shape
    for y in range(height):
        for x in range(width):
            if doubtful[y, x]:
                for row in range(max(y - 1, 0), min(y + 2, height)):
                    for column in range(max(x - 1, 0), min(x + 2, width)):
                        unsure[components[row, column]] = True
