"""What a run is going to take: pixels, tiles, bytes, memory and time, told before it starts."""

from dataclasses import dataclass, replace

import numpy as np

from gigaxas.config.schema import Config
from gigaxas.raw.readers.acquisition import Acquisition
from gigaxas.raw.readers.stack import StackSource
from gigaxas.spatial.cell_sums import LEAST_SIDE
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.io.codes import INVALID
from gigaxas.tiles import Grid, regular_grid, tile_shape

# Bytes a pixel takes in the maps of the result (site, kept, label, state, correlation), without compression.
MAP_BYTES = 2 + 2 + 2 + 1 + 4
# A process with the packages loaded, and how often a block is held at once (raw, float32, work space).
PROCESS_BYTES = 280 * 2**20
BLOCK_COPIES = 4
# Blocks of float32 that ingesting one tile holds at once, besides the counts.
INGEST_BLOCKS = 4
CODE_BYTES = INVALID.bit_length() // 8
"""Bytes of a sample that is stored as a whole number."""
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
    """The size of a run."""

    shape: tuple[int, int, int]
    """Energies, rows and columns of the cube."""
    tile: tuple[int, int]
    """Rows and columns of a tile of the cube, in pixels."""
    grid: Grid
    """The tiles of the cube."""
    spatial: Grid
    """The tiles of the clean-up and the fill."""
    spectrum_bytes: int
    """Of one pixel of the cube."""
    bytes_read: int
    """By all stages."""
    bytes_written: int
    """At most, without compression."""
    memory: int
    """Bytes of all processes together."""
    seconds: float
    """About; from measured rates."""

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
    """A cube that is still to be made."""

    shape: tuple[int, int, int]
    """Energies, rows and columns."""
    chunk: tuple[int, int]
    """Rows and columns of a chunk, in pixels."""
    sample: int
    """Bytes of a sample."""
    rate: float
    """Million samples a second and core that are made."""
    raw_bytes: int = 0
    """Read to make it."""
    block_bytes: int = 0
    """Held in memory for every chunk of it that is made."""
    written: int = 0
    """Written before it: simulated raw fields."""


def simulated_outline(config: Config) -> Outline:
    """Return the outline of a simulated cube, or of one that simulated raw fields will be made into."""
    wanted = config.simulate
    assert wanted is not None
    shape, sample = (wanted.energies, *wanted.shape), CODE_BYTES
    outline = Outline(shape, (wanted.chunk, wanted.chunk), sample, SIMULATE_RATE)
    if wanted.raw is None or config.ingest is None:
        return outline
    # counts with and without the specimen, written once and read once, with the overlaps
    rows, columns = wanted.raw.fields
    overlap = wanted.raw.overlap
    pixels = (shape[1] + (rows - 1) * overlap) * (shape[2] + (columns - 1) * overlap)
    counts = pixels * shape[0] * 2 * sample * wanted.raw.scans
    chunk = (config.ingest.chunk, config.ingest.chunk)
    rate = 1 / (1 / SIMULATE_RATE + 1 / INGEST_RATE)
    return replace(outline, chunk=chunk, rate=rate, raw_bytes=counts, written=counts)


def acquired_outline(source: Acquisition, chunk: int) -> Outline:
    """Return the outline of the cube that raw fields are going to be, placed by their stage positions."""
    corners = np.rint(source.stage_px - source.stage_px.min(axis=0)).astype(int)
    height, width = corners.max(axis=0) + source.plane
    energies = len(source.energy)
    pixels = len(source.fields) * source.plane[0] * source.plane[1]
    return Outline(
        shape=(energies, int(height), int(width)),
        chunk=(chunk, chunk),
        sample=CODE_BYTES,
        rate=INGEST_RATE,
        raw_bytes=pixels * source.bytes_per_pixel,
        block_bytes=_ingest_bytes(source.bytes_per_pixel, energies, chunk),
    )


def stack_outline(source: StackSource, chunk: int) -> Outline:
    """Return the outline of the cube that a stack of images is going to be."""
    return Outline(
        shape=(len(source.energy), *source.stack.plane),
        chunk=(chunk, chunk),
        sample=source.sample.itemsize,
        rate=INGEST_RATE,
        raw_bytes=source.stack.plane[0] * source.stack.plane[1] * source.bytes_per_pixel,
        block_bytes=0
        if source.is_plain
        else _ingest_bytes(source.bytes_per_pixel, len(source.energy), chunk),
    )


def _ingest_bytes(read: int, energies: int, chunk: int) -> int:
    """Return the bytes held while a chunk is made of counts, `read` bytes of them a pixel."""
    return chunk**2 * (read + INGEST_BLOCKS * 4 * energies)


def make_plan(
    workers: int, info: CubeInfo | None, outline: Outline | None = None, tile: int | None = None
) -> Plan:
    """Plan a run over a cube: the one described by `info`, or else the one of `outline`, still to be made.

    `tile` is the side of the tiles in pixels; left out, it follows from the chunks.
    """
    making = outline if info is None else None
    if making:
        shape, chunk, sample = making.shape, making.chunk, making.sample
    else:
        assert info is not None
        shape, chunk, sample = info.shape, info.chunk, info.dtype.itemsize
    spectrum = shape[0] * sample
    cut = (tile, tile) if tile else tile_shape(chunk, spectrum)
    pixels = shape[1] * shape[2]
    # no sums of floating-point samples are kept: their cube is read again for the clusters
    reads = 1 if sample == CODE_BYTES else 2
    block = BLOCK_COPIES * cut[0] * cut[1] * spectrum
    written = making.written + pixels * spectrum if making else 0
    return Plan(
        shape=shape,
        tile=cut,
        grid=regular_grid(shape[1:], cut),
        spatial=regular_grid(shape[1:], spatial_tile(cut, pixels)),
        spectrum_bytes=spectrum,
        bytes_read=reads * pixels * spectrum + (making.raw_bytes if making else 0),
        bytes_written=pixels * MAP_BYTES + cell_bytes(shape[0], pixels) + written,
        memory=(workers + 1) * PROCESS_BYTES + workers * max(block, making.block_bytes if making else 0),
        seconds=OVERHEAD_SECONDS + _seconds(pixels * shape[0], making.rate if making else None) / workers,
    )


def cell_bytes(energies: int, pixels: int) -> int:
    """Return the bytes, at the most, of the mean spectra of the cells of an image."""
    return energies * np.dtype(np.float32).itemsize * pixels // LEAST_SIDE**2


def spatial_tile(tile: tuple[int, int], pixels: int) -> tuple[int, int]:
    """Return the tile of the clean-up: whole tiles of the cube, about SPATIAL_SIDE or half of it a side."""
    side = SPATIAL_SIDE if pixels >= SPATIAL_TILES * SPATIAL_SIDE**2 else SPATIAL_SIDE // 2
    return (tile[0] * max(1, side // tile[0]), tile[1] * max(1, side // tile[1]))


def _seconds(samples: int, making: float | None) -> float:
    rate = 1 / ASSIGN_RATE + 1 / SPATIAL_RATE + (1 / making if making else 0)
    return samples * rate / 1e6
