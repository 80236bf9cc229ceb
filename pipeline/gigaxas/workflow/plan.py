"""What a run is going to take: pixels, tiles, bytes, memory and time, told before it starts."""

from dataclasses import dataclass, replace

from gigaxas.config.schema import Config
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.io.codes import INVALID
from gigaxas.tiles import Grid, regular_grid, tile_shape

# Bytes a pixel takes in the maps of the result before compression.
RESULT_BYTES = 2 + 2 + 2 + 1 + 4
# A process with the packages loaded, and how often a block is held at once (raw, float32, work space).
PROCESS_BYTES = 280 * 2**20
BLOCK_COPIES = 4
# Side, in pixels, of the tiles of the clean-up and the fill, which read labels only; smaller images, of fewer
# than so many tiles, are cut finer, so that all cores have work.
SPATIAL_SIDE = 2048
SPATIAL_TILES = 16
# Million samples (pixels x energies) a second and core, rounded down from measurements.
SIMULATE_RATE = 22.0
INGEST_RATE = 60.0
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


@dataclass(frozen=True)
class Outline:
    """A cube that is still to be made: shape (E, y, x), chunk (y, x), bytes a sample.

    `raw_bytes` are read to make it and `block_bytes` held for every chunk of it; `written` are the bytes
    written before it (simulated raw fields); `rate` is in million samples a second and core.
    """

    shape: tuple[int, int, int]
    chunk: tuple[int, int]
    sample: int
    rate: float
    raw_bytes: int = 0
    block_bytes: int = 0
    written: int = 0


def simulated_outline(config: Config) -> Outline:
    """Return the outline of a simulated cube, or of one that simulated raw fields will be made into."""
    wanted = config.simulate
    assert wanted is not None
    shape, sample = (wanted.energies, *wanted.shape), INVALID.bit_length() // 8
    outline = Outline(shape, (wanted.chunk, wanted.chunk), sample, SIMULATE_RATE)
    if wanted.raw is None or config.ingest is None:
        return outline
    # counts with and without the specimen, written once and read once, with the overlaps
    rows, columns = wanted.raw.fields
    overlap = wanted.raw.overlap
    pixels = (shape[1] + (rows - 1) * overlap) * (shape[2] + (columns - 1) * overlap)
    counts = pixels * shape[0] * 2 * sample
    chunk = (config.ingest.chunk, config.ingest.chunk)
    rate = 1 / (1 / SIMULATE_RATE + 1 / INGEST_RATE)
    return replace(outline, chunk=chunk, rate=rate, raw_bytes=counts, written=counts)


def make_plan(config: Config, workers: int, info: CubeInfo | None, outline: Outline | None = None) -> Plan:
    """Plan a run over a cube: the one described by `info`, or else the one still to be made."""
    if info is not None:
        shape, chunk, sample = info.shape, info.chunk, info.dtype.itemsize
    else:
        assert outline is not None
        shape, chunk, sample = outline.shape, outline.chunk, outline.sample
    making = outline if info is None else None
    spectrum = shape[0] * sample
    tile = (config.compute.tile,) * 2 if config.compute.tile else tile_shape(chunk, spectrum)
    pixels = shape[1] * shape[2]
    # no sums of floating-point samples are kept: their cube is read again for the clusters
    reads = 1 if sample == INVALID.bit_length() // 8 else 2
    block = BLOCK_COPIES * tile[0] * tile[1] * spectrum
    written = making.written + pixels * spectrum if making else 0
    return Plan(
        shape=shape,
        tile=tile,
        grid=regular_grid(shape[1:], tile),
        spatial=regular_grid(shape[1:], spatial_tile(tile, pixels)),
        bytes_read=reads * pixels * spectrum + (making.raw_bytes if making else 0),
        bytes_written=pixels * RESULT_BYTES + written,
        memory=(workers + 1) * PROCESS_BYTES + workers * max(block, making.block_bytes if making else 0),
        seconds=OVERHEAD_SECONDS + _seconds(pixels * shape[0], making.rate if making else None) / workers,
    )


def spatial_tile(tile: tuple[int, int], pixels: int) -> tuple[int, int]:
    """Return the tile of the clean-up: whole tiles of the cube, about SPATIAL_SIDE or half of it a side."""
    side = SPATIAL_SIDE if pixels >= SPATIAL_TILES * SPATIAL_SIDE**2 else SPATIAL_SIDE // 2
    return (tile[0] * max(1, side // tile[0]), tile[1] * max(1, side // tile[1]))


def _seconds(samples: int, making: float | None) -> float:
    rate = 1 / ASSIGN_RATE + 1 / SPATIAL_RATE + (1 / making if making else 0)
    return samples * rate / 1e6
