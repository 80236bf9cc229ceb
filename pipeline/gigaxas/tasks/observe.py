"""What one part of the cube shows of its noise and of the phases in it."""

from gigaxas.observed import (
    GrainSums,
    NoiseLevel,
    WindowGroups,
    WindowSample,
    grain_sums,
    observe_block,
    sample_windows,
)
from gigaxas.stores.cube import CubeInfo
from gigaxas.tasks.pixels import read_in_turn, read_pixels
from gigaxas.tiles import Tile, chunk_rows


def sample_tile(tile: Tile, *, info: CubeInfo, k_size: int) -> WindowSample:
    """Return what the windows of one sample area show of the noise."""
    return sample_windows(read_pixels(info, tile), k_size, info.invalid)


def grains_tile(tile: Tile, *, info: CubeInfo, level: NoiseLevel) -> GrainSums:
    """Return what varies inside the grains of one area."""
    return grain_sums(read_pixels(info, tile), (tile.y0, tile.x0), info.plane, level, info.invalid)


def observe_tile(tile: Tile, *, info: CubeInfo, level: NoiseLevel) -> WindowGroups:
    """Gather the uniform windows of one block into groups; a row of chunks is held at a time."""
    rows = chunk_rows(tile, info.chunk[0])
    parts = (samples for _, samples, _ in read_in_turn(info, rows))
    return observe_block(parts, (tile.y0, tile.x0), level, info.invalid)
