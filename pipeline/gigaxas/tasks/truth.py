"""What one tile of a simulated run tells of how right its labels are."""

import numpy as np

from gigaxas.arrays import IntArray
from gigaxas.locations import Location
from gigaxas.stores.result import read_map
from gigaxas.stores.truth import UNSEEN, read_tile
from gigaxas.tiles import Tile


def count_tile(
    tile: Tile, *, labels: tuple[Location, str], truth: Location, phases: int, count: int
) -> IntArray:
    """Return the pixels (phases + 1, count) of one tile by true phase (the last row: no iron) and by label.

    `labels` names the store and the map of the labels, which run from 0 to count - 1.
    """
    phase, _ = read_tile(truth, tile)
    label = read_map(*labels, tile.region)
    row = np.minimum(phase, phases).astype(np.int64)
    cells = (row * count + label)[phase != UNSEEN]
    return np.bincount(cells, minlength=(phases + 1) * count).reshape(-1, count)
