"""The clean-up and the fill of one tile (METHOD 5 and 6), each in a pass before and one after the merge."""

from collections.abc import Sequence

import numpy as np

from gigaxas.arrays import BoolArray, IntArray, LabelArray
from gigaxas.locations import Location
from gigaxas.spatial.clean_up import CleanUp
from gigaxas.spatial.fill import FillEdges, fill_edges, fill_tile, pixel_states
from gigaxas.spatial.regions import RegionEdges, Regions, keep_regions, region_edges, tile_regions
from gigaxas.spectra.void import VOID_REASONS
from gigaxas.stores.result import read_map, write_maps
from gigaxas.tiles import Plane, Tile


def find_tile_regions(tile: Tile, *, result: Location, plane: Plane, clean_up: CleanUp) -> RegionEdges:
    """Find the regions of one tile; return what merging them with its neighbours' needs."""
    effective, regions = _regions(tile, result, plane, clean_up)
    return region_edges(effective, regions)


def keep_tile(tile: Tile, keep: BoolArray, *, result: Location, plane: Plane, clean_up: CleanUp) -> FillEdges:
    """Write the kept labels of one tile; return what filling across its border needs."""
    effective, regions = _regions(tile, result, plane, clean_up)
    kept = keep_regions(effective, regions, keep)
    write_maps(result, tile, kept=kept)
    return fill_edges(kept)


def fill_tile_holes(
    tile: Tile, ring: FillEdges, *, result: Location, plane: Plane, clean_up: CleanUp, sites: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Write the final labels and the states of one tile.

    Returns the pixels of each state, of each label, and of each of VOID_REASONS.
    """
    site = read_map(result, "site", tile.region)
    kept = read_map(result, "kept", tile.region)
    void = None if clean_up.fill_void else site == 0
    states = pixel_states(site, kept, void, tile.interior(clean_up.radius, plane))
    label = fill_tile(kept, ring, void)
    write_maps(result, tile, label=label, state=states)
    reasons = read_map(result, "void_reason", tile.region)
    return (
        np.bincount(states.ravel(), minlength=5),
        np.bincount(label.ravel(), minlength=sites + 1),
        np.bincount(reasons.ravel(), minlength=len(VOID_REASONS)),
    )


def join_counts(
    grid: Sequence[Sequence[tuple[IntArray, IntArray, IntArray]]],
) -> tuple[IntArray, IntArray, IntArray]:
    """Add up the pixels of many tiles."""
    states, labels, void = zip(*(counts for row in grid for counts in row), strict=True)
    return np.sum(states, axis=0), np.sum(labels, axis=0), np.sum(void, axis=0)


def _regions(tile: Tile, result: Location, plane: Plane, clean_up: CleanUp) -> tuple[LabelArray, Regions]:
    window = read_map(result, "site", tile.padded(clean_up.radius, plane))
    return tile_regions(window, tile, plane, clean_up)
