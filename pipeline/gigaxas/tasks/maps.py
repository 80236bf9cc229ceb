"""What one tile goes through at each stage: read, compute, write a whole chunk, return a small summary."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, FloatArray, IntArray, LabelArray
from gigaxas.locations import Location
from gigaxas.nearest import Assignment, Prepared, assign_block
from gigaxas.nearest.approximate import assign_approximately, count_right
from gigaxas.nearest.certainty import Certainty, certainty_maps
from gigaxas.observed import NoiseLevel, WindowGroups, WindowSample, observe_block, sample_windows
from gigaxas.simulate import EdgeWindows, simulate_block
from gigaxas.spatial.certain import certain_from_tile
from gigaxas.spatial.clean_up import CleanUp
from gigaxas.spatial.cluster_sums import Sums, merge_sums, sum_spectra
from gigaxas.spatial.fill import FillEdges, fill_edges, fill_tile, pixel_states
from gigaxas.spatial.regions import RegionEdges, Regions, keep_regions, region_edges, tile_regions
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores import cube, truth
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.deferred import Deferred, join_deferred, read_deferred, write_deferred
from gigaxas.stores.result import read_map, write_maps
from gigaxas.tiles import Tile, blocks_of, chunk_rows, parts_of

Plane = tuple[int, int]

SAMPLE = 4000
"""Pixels of a tile on which the approximate engine is compared with the exact one."""


def simulate_tile(
    tile: Tile,
    *,
    store: Location,
    truth_store: Location,
    spectra: FloatArray,
    noise: NoiseModel,
    windows: EdgeWindows,
    seed: int,
) -> None:
    """Measure one tile of the scene: counts, camera noise, absorbance."""
    phase, thickness = truth.read_tile(truth_store, tile)
    rng = np.random.default_rng([seed, tile.y0, tile.x0])
    block = simulate_block(phase, thickness, spectra, noise, rng, windows)
    cube.write_tile(store, tile, block.mu, mu_low=block.mu_low, mu_high=block.mu_high)


def sample_tile(tile: Tile, *, info: CubeInfo, k_size: int) -> WindowSample:
    """Return what the windows of one sample area show of the noise."""
    return sample_windows(cube.read_tile(info, tile), k_size, info.invalid)


def observe_tile(tile: Tile, *, info: CubeInfo, level: NoiseLevel) -> WindowGroups:
    """Gather the uniform windows of one block into groups; a row of chunks is held at a time."""
    parts = (cube.read_tile(info, part) for part in chunk_rows(tile, info.chunk[0]))
    return observe_block(parts, (tile.y0, tile.x0), level, info.invalid)


def assign_tile(
    tile: Tile,
    *,
    info: CubeInfo,
    result: Location,
    sites: Prepared,
    certainty: Certainty | None = None,
    expected: CleanUp | None = None,
) -> None:
    """Give every pixel of one tile its nearest site, and say how sure that is.

    With the clean-up that is `expected` to follow, what the clusters will need of the cube is kept for them.
    """
    ranked = certainty is not None and certainty.gain is not None

    def find(part: Tile, block: NDArray[Any]) -> Assignment:
        return assign_block(block, sites, invalid=info.invalid, want_runner_up=ranked)

    _assign(tile, find, info, result, len(sites.sites), certainty, expected)


def assign_tile_approximately(
    tile: Tile,
    *,
    info: CubeInfo,
    result: Location,
    sites: Prepared,
    index: Any,
    certainty: Certainty | None = None,
    expected: CleanUp | None = None,
) -> tuple[int, int]:
    """Do as `assign_tile`, by a neighbour graph; return the right labels of a sample and the pixels in it."""
    counts = []

    def find(part: Tile, block: NDArray[Any]) -> Assignment:
        found = assign_approximately(block, sites, index, info.invalid)
        seed = part.y0 * info.plane[1] + part.x0
        counts.append(count_right(block, found.labels, sites, info.invalid, SAMPLE, seed))
        return found

    _assign(tile, find, info, result, len(sites.sites), certainty, expected)
    return sum(right for right, _ in counts), sum(compared for _, compared in counts)


def compare_tile(tile: Tile, *, info: CubeInfo, result: Location, sites: Prepared) -> tuple[int, int]:
    """Count the labels that rounding the samples has changed in one tile, and the pixels compared.

    Those are the pixels that a quantised cube holds as they were, too, unless both have no signal.
    """
    samples, rows = cube.read_lossless(info, tile)
    labels = read_map(result, "site", tile.region)[rows]
    exact = assign_block(samples, sites, invalid=info.invalid).labels
    return int(np.count_nonzero(exact != labels)), int(np.count_nonzero((exact > 0) | (labels > 0)))


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
) -> tuple[IntArray, IntArray]:
    """Write the final labels and the states of one tile; return the pixels of each state and each label."""
    site = read_map(result, "site", tile.region)
    kept = read_map(result, "kept", tile.region)
    void = None if clean_up.fill_void else site == 0
    states = pixel_states(site, kept, void, tile.interior(clean_up.radius, plane))
    label = fill_tile(kept, ring, void)
    write_maps(result, tile, label=label, state=states)
    return np.bincount(states.ravel(), minlength=5), np.bincount(label.ravel(), minlength=sites + 1)


def sum_tile(tile: Tile, *, info: CubeInfo, result: Location, step: Plane, sites: int) -> Sums:
    """Sum the spectra of one tile over its kept labels.

    What the assignment has summed and deferred of its tiles (of `step` pixels) is used; where it left
    nothing, the cube is read again.
    """
    kept = read_map(result, "kept", tile.region)
    sums = []
    for part in parts_of(tile, step):
        labels = kept[part.within(tile)]
        deferred = read_deferred(result, part)
        if deferred is None:
            sums.append(sum_spectra(cube.read_tile(info, part), labels, info.invalid))
        else:
            found = labels.ravel()[deferred.pixels]
            sums += [deferred.sums, sum_spectra(deferred.samples, found, info.invalid)]
    return merge_sums(sums, sites)


def _regions(tile: Tile, result: Location, plane: Plane, clean_up: CleanUp) -> tuple[LabelArray, Regions]:
    window = read_map(result, "site", tile.padded(clean_up.radius, plane))
    return tile_regions(window, tile, plane, clean_up)


def _assign(
    tile: Tile,
    find: Callable[[Tile, NDArray[Any]], Assignment],
    info: CubeInfo,
    result: Location,
    sites: int,
    certainty: Certainty | None,
    expected: CleanUp | None,
) -> None:
    """Assign a tile block by block, so that one block is held at a time, and write its maps whole."""
    maps: dict[str, NDArray[Any]] = {}
    deferred = []
    for part in blocks_of(tile, info.chunk, info.bytes_per_pixel):
        block = cube.read_tile(info, part)
        found = find(part, block)
        values = {"site": found.labels, "correlation": found.correlation}
        if certainty is not None:
            values |= certainty_maps(block, found, certainty, info.scale, info.offset)
        for name, value in values.items():
            maps.setdefault(name, np.empty(tile.shape, value.dtype))[part.within(tile)] = value
        if expected is not None:
            deferred.append(_defer(part, tile, block, found.labels, info, expected))
    if expected is not None:
        write_deferred(result, tile, join_deferred(deferred, sites))
    write_maps(result, tile, **maps)


def _defer(
    part: Tile, tile: Tile, block: NDArray[Any], labels: LabelArray, info: CubeInfo, expected: CleanUp
) -> Deferred:
    """Sum what is certain to be kept of a part of a tile, and take the spectra of what is not decided."""
    certain = certain_from_tile(labels, part.interior(expected.radius, info.plane), expected)
    y, x = np.nonzero(certain.deferred)
    pixels = (y + part.y0 - tile.y0) * tile.shape[1] + x + part.x0 - tile.x0
    # only a void pixel has an invalid sample, and none of these is kept but with fill_void
    invalid = info.invalid if expected.fill_void else None
    return Deferred(sum_spectra(block, certain.kept, invalid), pixels, block[:, y, x])
