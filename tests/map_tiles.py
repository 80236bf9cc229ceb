"""The kernels of clean-up and fill composed over a grid of tiles in plain loops, as tasks would be."""

from itertools import pairwise

import numpy as np
from gigaxas.spatial.clean_up import effective_labels, find_cores
from gigaxas.spatial.fill import fill_edges, fill_tile, merge_fill, pixel_states
from gigaxas.spatial.regions import find_regions, keep_regions, merge_regions, region_edges
from gigaxas.tiles import tile_grid

OUTSIDE = 1  # what a tile finds outside the image: a label that occurs, so that using it would show


def each_tile(function, *grids):
    """Apply a function to the tiles of grids of equal shape."""
    return [[function(*items) for items in zip(*rows, strict=True)] for rows in zip(*grids, strict=True)]


def clean_up_by_tiles(labels, heights, widths, clean_up):
    """Kept map of `labels`, computed tile by tile."""
    half, grid = clean_up.radius, tile_grid(heights, widths)
    surroundings = np.pad(labels, half, constant_values=OUTSIDE)

    def cores_of(tile):
        padded = surroundings[tile.y0 : tile.y1 + 2 * half, tile.x0 : tile.x1 + 2 * half]
        return find_cores(padded, tile.interior(half, labels.shape), clean_up)

    def effective_of(tile, cores):
        return effective_labels(labels[tile.region], cores, tile.interior(half, labels.shape))

    cores = each_tile(cores_of, grid)
    effective = each_tile(effective_of, grid, cores)
    regions = each_tile(find_regions, effective, cores)
    keep = merge_regions(each_tile(region_edges, effective, regions))
    return np.block(each_tile(keep_regions, effective, regions, keep))


def fill_by_tiles(kept, void, heights, widths):
    """Final map of `kept`, computed tile by tile."""
    grid = tile_grid(heights, widths)
    tiles = each_tile(lambda tile: kept[tile.region], grid)
    voids = each_tile(lambda tile: None if void is None else void[tile.region], grid)
    return np.block(each_tile(fill_tile, tiles, merge_fill(each_tile(fill_edges, tiles)), voids))


def states_by_tiles(site, kept, void, heights, widths, k_size):
    """State map, computed tile by tile."""

    def states_of(tile):
        mask = None if void is None else void[tile.region]
        interior = tile.interior(k_size // 2, site.shape)
        return pixel_states(site[tile.region], kept[tile.region], mask, interior)

    return np.block(each_tile(states_of, tile_grid(heights, widths)))


def merge_in_blocks(grid, levels, join, merge):
    """What merging says to every tile, by way of blocks, blocks of these, and so on: `levels`."""
    if not levels:
        return merge(grid)
    blocks = in_blocks(grid, *levels[0])
    answers = merge_in_blocks(each_tile(join, blocks), levels[1:], join, merge)
    rows = [zip(*row, strict=True) for row in each_tile(merge, blocks, answers)]
    return [[item for part in lines for item in part] for row in rows for lines in row]


def in_blocks(grid, heights, widths):
    """A grid of grids, so many tiles high and wide."""
    y, x = np.cumsum([0, *heights]).tolist(), np.cumsum([0, *widths]).tolist()
    return [[[row[x0:x1] for row in grid[y0:y1]] for x0, x1 in pairwise(x)] for y0, y1 in pairwise(y)]
