"""Clean-up and fill of a label map, for NumPy arrays and, chunk by chunk, for Dask arrays."""

from collections.abc import Callable
from typing import Any

import dask.array as da
from dask.delayed import delayed

from gigaxas.errors import InputError
from gigaxas.spatial.clean_up import CleanUp, check_clean_up, check_labels
from gigaxas.spatial.fill import fill_edges, fill_map, fill_tile, merge_fill
from gigaxas.spatial.regions import clean_up_map, keep_regions, merge_regions, region_edges, tile_regions
from gigaxas.tiles import Grid, Tile, tile_grid


def clean_up(labels: Any, k_size: int = 5, p_num: int = 23, fill_void: bool = False) -> Any:
    """Return the kept map of a label map: METHOD 5, the published clean-up, order-free.

    Args:
        labels: (y, x) NumPy or Dask array of uint16 or uint32, 0 meaning no label.
        k_size: Side of the window, in pixels; odd.
        p_num: Equal labels in a window that make a core.
        fill_void: Whether a pixel without a label may be a core.

    Returns:
        (y, x), 0 where a label was removed; of a Dask array a lazy one with the same chunks and, for any
        chunks, the same bits.

    Raises:
        InputError: k_size and p_num outside METHOD 5's gate, or labels of another shape or type.
    """
    settings = CleanUp(k_size, p_num, fill_void)
    if not isinstance(labels, da.Array):
        return clean_up_map(labels, settings)
    check_clean_up(settings, labels.shape)
    check_labels(labels)
    grid = _grid(labels)

    def regions_of(tile: Tile) -> Any:
        window = labels[tile.padded(settings.radius, labels.shape)]
        return delayed(tile_regions)(window, tile, labels.shape, settings)

    found = _each(grid, regions_of)
    edges = [[delayed(region_edges)(tile[0], tile[1]) for tile in row] for row in found]
    keep = delayed(merge_regions)(edges)
    blocks = _each(
        grid,
        lambda tile: delayed(keep_regions)(
            found[tile.row][tile.column][0], found[tile.row][tile.column][1], keep[tile.row][tile.column]
        ),
    )
    return _assemble(grid, blocks, labels.dtype)


def fill(kept: Any, void: Any = None) -> Any:
    """Return the filled map of a kept map: METHOD 6, the nearest label in chessboard distance.

    Args:
        kept: (y, x) NumPy or Dask array of uint16 or uint32, 0 where nothing was kept.
        void: (y, x), true where a pixel stays 0; left out, nowhere.

    Returns:
        (y, x), the lowest label where several are equally near; of a Dask array a lazy one with the same
        chunks and, for any chunks, the same bits.

    Raises:
        InputError: Maps of another shape or type.
    """
    if not isinstance(kept, da.Array):
        return fill_map(kept, void)
    check_labels(kept)
    if void is not None and void.shape != kept.shape:
        raise InputError(f"void has the shape {void.shape}, the map {kept.shape}; expected the same")
    grid = _grid(kept)
    rings = _each(grid, lambda tile: delayed(fill_edges)(kept[tile.region]))
    merged = delayed(merge_fill)(rings)

    def filled(tile: Tile) -> Any:
        here = None if void is None else void[tile.region]
        return delayed(fill_tile)(kept[tile.region], merged[tile.row][tile.column], here)

    return _assemble(grid, _each(grid, filled), kept.dtype)


def _grid(image: Any) -> Grid:
    return tile_grid(*image.chunks)


def _each(grid: Grid, make: Callable[[Tile], Any]) -> list[list[Any]]:
    return [[make(tile) for tile in row] for row in grid]


def _assemble(grid: Grid, blocks: list[list[Any]], dtype: Any) -> Any:
    return da.block(
        [
            [da.from_delayed(block, tile.shape, dtype) for block, tile in zip(line, row, strict=True)]
            for line, row in zip(blocks, grid, strict=True)
        ]
    )
