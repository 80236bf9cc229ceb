"""What one tile goes through on the way from clusters to components."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import IntArray
from gigaxas.components.borders import find_borders
from gigaxas.components.composition import CompositionPlan, compose, wanted_pixels
from gigaxas.components.pca import gram_sums
from gigaxas.locations import Location
from gigaxas.observed import count_in_cells
from gigaxas.spatial.cluster_sums import Sums, join_sums, sum_spectra
from gigaxas.spatial.extents import TileExtents, find_extents, join_extents
from gigaxas.spectra.noise import Noise
from gigaxas.stores.composition import write_composition
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.io.chunks import read
from gigaxas.stores.result import read_map
from gigaxas.tasks.pixels import read_pixels
from gigaxas.tiles import Tile


def measure_tile(tile: Tile, *, info: CubeInfo, result: Location) -> tuple[TileExtents, Sums | None]:
    """Measure the regions of one tile, and sum its absorbance about the edge where the cube tells it."""
    label = read_map(result, "label", tile.region)
    extents = find_extents(label, tile.y0, tile.x0, info.plane[1])
    if not info.maps:
        return extents, None
    return extents, sum_spectra(_edge(info, tile), read_map(result, "kept", tile.region))


def join_measured(
    grid: Sequence[Sequence[tuple[TileExtents, Sums | None]]],
) -> tuple[TileExtents, Sums | None]:
    """Return what one large tile that tiles make would have measured."""
    sums = [[one for _, one in row if one is not None] for row in grid]
    extents = join_extents([[one for one, _ in row] for row in grid])
    return extents, join_sums(sums) if any(sums) else None


def cells_tile(tile: Tile, *, info: CubeInfo, result: Location, labels: IntArray) -> IntArray:
    """Count the kept pixels of each cluster, in the order of `labels` (n,), in the cells of the image."""
    kept = read_map(result, "kept", tile.region)
    return count_in_cells(kept, labels, (tile.y0, tile.x0), info.plane)


def gram_tile(
    tile: Tile, *, info: CubeInfo, result: Location, labels: IntArray, unit: float
) -> tuple[IntArray, NDArray[np.int64]]:
    """Sum the products of samples of one tile; return the rows of the labels found, and their sums."""
    kept = read_map(result, "kept", tile.region)
    rows = np.flatnonzero(np.isin(labels, kept))
    return rows, gram_sums(read_pixels(info, tile), kept, labels[rows], unit, info.invalid)


def compose_tile(
    tile: Tile,
    *,
    info: CubeInfo,
    result: Location,
    store: Location,
    plan: CompositionPlan,
    noise: Noise,
    radius: int,
) -> tuple[Sums, IntArray, int]:
    """Write the composition of one tile; what is within `radius` of a filled pixel tells what it is of.

    Returns exact sums of the ratios over its labelled pixels, the pixels of each main component in the order
    of `plan`, and how many pixels were fitted.
    """
    label = read_map(result, "label", tile.region)
    wide = tile.box.widened(radius, info.plane)
    first = tile.y0 - wide.y0, tile.x0 - wide.x0
    borders = find_borders(label, plan.beside[read_map(result, "kept", wide.region)], first, radius)
    needed = bool(wanted_pixels(label, plan, borders).any())
    edge_noise = None
    if needed and info.maps:
        low, high = _edge(info, tile)
        edge_noise = noise.edge_sigma(low, np.where(high > low, high - low, np.nan))
    found = compose(
        label,
        read_pixels(info, tile) if needed else None,
        plan,
        info.scale,
        info.offset,
        info.invalid,
        edge_noise,
        borders,
    )
    write_composition(
        store, tile, ratio=found.ratio, ratio_sigma=found.sigma, residual=found.residual, main=found.main
    )
    main = np.array([np.count_nonzero(found.main == number) for number in plan.components])
    fitted = int(np.isfinite(found.residual).sum())
    return sum_spectra(found.ratio, (label > 0).astype(np.uint8)), main, fitted


def _edge(info: CubeInfo, tile: Tile) -> NDArray[Any]:
    """Read the mean absorbance before and after the edge (2, h, w)."""
    return np.stack([read(info.path, name, tile.region) for name in info.maps])
