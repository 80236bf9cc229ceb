"""What a run is going to take: pixels, tiles, bytes, memory and time, told before it starts."""

from dataclasses import dataclass

from pipeline.config import Config
from pipeline.stores.cube import INVALID, CubeInfo
from pipeline.tiles import Grid, regular_grid, tile_shape

# Bytes a pixel takes in the maps of the result, compression left aside.
RESULT_BYTES = 2 + 2 + 2 + 1 + 4
# A process with the packages loaded, and how often a block is held at once (raw, float32, work space).
PROCESS_BYTES = 280 * 2**20
BLOCK_COPIES = 6
# Side, in pixels, of the tiles of the clean-up and the fill, which read labels only.
SPATIAL_SIDE = 1024
# Million samples (pixels x energies) a second and core, rounded down from measurements.
SIMULATE_RATE = 22.0
ASSIGN_RATE = 60.0
SPATIAL_RATE = 600.0
# Seconds for starting workers, loading compiled kernels, figures and tables.
OVERHEAD_SECONDS = 12.0


@dataclass(frozen=True)
class Plan:
    """The size of a run. `grid` are the tiles of the cube, `spatial` those of the clean-up and the fill."""

    shape: tuple[int, int, int]
    tile: tuple[int, int]
    grid: Grid
    spatial: Grid
    bytes_read: int
    bytes_written: int
    memory: int
    seconds: float

    @property
    def plane(self) -> tuple[int, int]:
        """Rows and columns, in pixels."""
        return self.shape[1], self.shape[2]

    @property
    def pixels(self) -> int:
        """Pixels of the image."""
        return self.shape[1] * self.shape[2]

    @property
    def tiles(self) -> int:
        """Tiles of the cube."""
        return len(self.grid) * len(self.grid[0])


def make_plan(config: Config, workers: int, info: CubeInfo | None = None) -> Plan:
    """Plan a run over a cube: the one described by `info`, or else the one to be simulated."""
    if info is not None:
        shape, chunk, sample = info.shape, info.chunk, info.dtype.itemsize
    else:
        assert config.simulate is not None
        wanted = config.simulate
        shape, sample = (wanted.energies, *wanted.shape), INVALID.bit_length() // 8
        chunk = (wanted.chunk, wanted.chunk)
    spectrum = shape[0] * sample
    tile = (config.compute.tile,) * 2 if config.compute.tile else tile_shape(chunk, spectrum)
    pixels = shape[1] * shape[2]
    simulated = info is None
    block = tile[0] * tile[1] * spectrum
    return Plan(
        shape=shape,
        tile=tile,
        grid=regular_grid(shape[1:], tile),
        spatial=regular_grid(shape[1:], spatial_tile(tile)),
        bytes_read=2 * pixels * spectrum,
        bytes_written=pixels * (RESULT_BYTES + simulated * spectrum),
        memory=(workers + 1) * PROCESS_BYTES + workers * BLOCK_COPIES * block,
        seconds=OVERHEAD_SECONDS + _seconds(pixels * shape[0], simulated) / workers,
    )


def spatial_tile(tile: tuple[int, int]) -> tuple[int, int]:
    """Return the tile of the clean-up: whole tiles of the cube, about SPATIAL_SIDE pixels a side."""
    return (tile[0] * max(1, SPATIAL_SIDE // tile[0]), tile[1] * max(1, SPATIAL_SIDE // tile[1]))


def _seconds(samples: int, simulated: bool) -> float:
    rate = 1 / ASSIGN_RATE + 1 / SPATIAL_RATE + simulated / SIMULATE_RATE
    return samples * rate / 1e6
