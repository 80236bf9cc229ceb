"""Tiles of the image plane: pure arithmetic of what one task reads and writes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import NamedTuple

Plane = tuple[int, int]
"""Rows and columns of an image or a part of one, in pixels."""
Region = tuple[slice, slice]
"""The slices (y, x) that cut a part out of an image."""


class Box(NamedTuple):
    """Rows y0 to y1 and columns x0 to x1, in pixels, the ends not included."""

    y0: int
    """First row."""
    y1: int
    """Row after the last."""
    x0: int
    """First column."""
    x1: int
    """Column after the last."""

    @property
    def shape(self) -> Plane:
        """Rows and columns, in pixels."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def region(self) -> Region:
        """The slices (y, x) that cut this box out of the image."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def widened(self, margin: int, plane: Plane) -> "Box":
        """Return the box with a margin on every side, cut at the edge of the image."""
        return Box(
            max(self.y0 - margin, 0),
            min(self.y1 + margin, plane[0]),
            max(self.x0 - margin, 0),
            min(self.x1 + margin, plane[1]),
        )

    def overlaps(self, other: "Box") -> bool:
        """Return whether the boxes have a pixel in common."""
        rows = self.y0 < other.y1 and other.y0 < self.y1
        return rows and self.x0 < other.x1 and other.x0 < self.x1

    def seen_from(self, y: int, x: int) -> "Box":
        """Return the box in coordinates whose origin is the pixel (y, x)."""
        return Box(self.y0 - y, self.y1 - y, self.x0 - x, self.x1 - x)


@dataclass(frozen=True)
class Tile:
    """A rectangle of the image: rows y0 to y1, columns x0 to x1, at (row, column) of its grid."""

    row: int
    """Row in the grid of tiles."""
    column: int
    """Column in the grid of tiles."""
    y0: int
    """First row, in pixels."""
    y1: int
    """Row after the last."""
    x0: int
    """First column."""
    x1: int
    """Column after the last."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, in pixels."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def box(self) -> Box:
        """The pixels of this tile."""
        return Box(self.y0, self.y1, self.x0, self.x1)

    @property
    def region(self) -> tuple[slice, slice]:
        """The slices (y, x) that cut this tile out of the image."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def within(self, other: "Tile") -> tuple[slice, slice]:
        """Return the slices (y, x) that cut this tile out of another one that holds it."""
        return slice(self.y0 - other.y0, self.y1 - other.y0), slice(self.x0 - other.x0, self.x1 - other.x0)

    def padded(self, halo: int, shape: tuple[int, int]) -> tuple[slice, slice]:
        """Return the slices (y, x) of the tile with a halo, cut at the edge of the image."""
        return (
            slice(max(self.y0 - halo, 0), min(self.y1 + halo, shape[0])),
            slice(max(self.x0 - halo, 0), min(self.x1 + halo, shape[1])),
        )

    def padding(self, halo: int, shape: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return the (before, after) pixels of the halo, per axis, that lie outside the image."""
        ys, xs = self.padded(halo, shape)
        return (
            (ys.start - self.y0 + halo, self.y1 + halo - ys.stop),
            (xs.start - self.x0 + halo, self.x1 + halo - xs.stop),
        )

    def interior(self, radius: int, shape: tuple[int, int]) -> Box:
        """Return what lies `radius` inside the image, in the tile's own pixels."""
        height, width = self.shape
        y0 = min(max(radius - self.y0, 0), height)
        x0 = min(max(radius - self.x0, 0), width)
        y1 = max(min(shape[0] - radius - self.y0, height), y0)
        x1 = max(min(shape[1] - radius - self.x0, width), x0)
        return Box(y0, y1, x0, x1)


Grid = list[list[Tile]]


def tile_grid(heights: Sequence[int], widths: Sequence[int]) -> Grid:
    """Lay tiles of the given row heights and column widths (pixels) over the image."""
    ys = list(pairwise(accumulate(heights, initial=0)))
    xs = list(pairwise(accumulate(widths, initial=0)))
    return [[Tile(i, j, *y, *x) for j, x in enumerate(xs)] for i, y in enumerate(ys)]


def regular_grid(shape: tuple[int, int], tile: tuple[int, int]) -> Grid:
    """Lay equal tiles over an image of `shape`; the last row and column take what is left."""
    return tile_grid(cut(shape[0], tile[0]), cut(shape[1], tile[1]))


def coarser_grid(grid: Grid, side: int) -> Grid:
    """Join side x side tiles into one each; the last row and column take what is left."""
    heights, widths = [row[0].shape[0] for row in grid], [tile.shape[1] for tile in grid[0]]
    ys, xs = range(0, len(heights), side), range(0, len(widths), side)
    return tile_grid([sum(heights[y : y + side]) for y in ys], [sum(widths[x : x + side]) for x in xs])


def cut(length: int, step: int) -> list[int]:
    """Cut a length into steps: cut(5, 2) is [2, 2, 1]."""
    return [min(step, length - start) for start in range(0, length, step)]


def spread_grid(shape: Plane, side: int, most: int) -> Grid:
    """Return at most `most` x `most` squares of this side, evenly spread over an image of `shape`."""
    ys, xs = (_starts(length, side, most) for length in shape)
    height, width = min(side, shape[0]), min(side, shape[1])
    return [[Tile(i, j, y, y + height, x, x + width) for j, x in enumerate(xs)] for i, y in enumerate(ys)]


def _starts(length: int, side: int, most: int) -> list[int]:
    """Return the first pixels of squares along one axis: even steps from 0, rounded to even at the half."""
    count = max(1, min(most, length // side))
    last = max(0, length - side)
    return [round(k * last / (count - 1)) for k in range(count)] if count > 1 else [last // 2]


def flat(grid: Grid) -> list[Tile]:
    """Return the tiles of a grid in reading order."""
    return [tile for row in grid for tile in row]


def chunk_rows(tile: Tile, height: int) -> list[Tile]:
    """Cut a tile where chunks of this height end, from top to bottom."""
    ends = [*range((tile.y0 // height + 1) * height, tile.y1, height), tile.y1]
    return [Tile(i, 0, y0, y1, tile.x0, tile.x1) for i, (y0, y1) in enumerate(pairwise([tile.y0, *ends]))]


def blocks_of(tile: Tile, chunk: tuple[int, int], bytes_per_pixel: int) -> list[Tile]:
    """Cut a tile into what is held at a time: whole chunks of about BLOCK_BYTES, or else all of it."""
    step = tile_shape(chunk, bytes_per_pixel, BLOCK_BYTES)
    starts = (tile.y0 % step[0], tile.x0 % step[1])
    return parts_of(tile, step) if starts == (0, 0) else [tile]


def parts_of(tile: Tile, step: tuple[int, int]) -> list[Tile]:
    """Cut a tile of whole steps into the tiles of the regular grid of that step, numbered as there."""
    return [
        Tile(y // step[0], x // step[1], y, min(y + step[0], tile.y1), x, min(x + step[1], tile.x1))
        for y in range(tile.y0, tile.y1, step[0])
        for x in range(tile.x0, tile.x1, step[1])
    ]


TILE_BYTES = 96 * 2**20
BLOCK_BYTES = 32 * 2**20


def tile_shape(chunk: tuple[int, int], bytes_per_pixel: int, target: int = TILE_BYTES) -> tuple[int, int]:
    """Return the tile (pixels) for a cube of this chunk: whole chunks, about `target` bytes at the most.

    Chunks under the target are joined, evenly in both directions; a chunk of more than four blocks is
    halved along its longer side (its parts are then decoded more than once, which is slow but right).
    """
    height, width = chunk
    while 4 * height * width * bytes_per_pixel <= target:
        height, width = 2 * height, 2 * width
    while height * width * bytes_per_pixel > 4 * BLOCK_BYTES and max(height, width) > 1:
        height, width = (-(-height // 2), width) if height >= width else (height, -(-width // 2))
    return height, width
