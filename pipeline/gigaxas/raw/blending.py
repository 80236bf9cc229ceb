"""Fields that overlap made into one image, and the record of which field a pixel came from."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, Float32Array
from gigaxas.raw.absorbance import Absorbance
from gigaxas.tiles import Box, Plane, Tile

Blend = Literal["feathered", "nearest"]


@dataclass(frozen=True)
class Piece:
    """The part of a field that lies in a tile."""

    field: int
    """Number of the field, from 0."""
    source: Box
    """The part in pixels of the field."""
    target: Box
    """The same part in pixels of the tile."""


@dataclass(eq=False)
class Mosaic:
    """Weighted sums over the fields added so far to one tile of (h, w) pixels."""

    mu: Float32Array
    """Absorbance (E, h, w)."""
    c_ref: Float32Array
    """Mean counts of the open beam (h, w)."""
    total: Float32Array
    """Sum of the weights (h, w)."""
    best: Float32Array
    """The largest weight of a valid pixel (h, w)."""
    source: NDArray[np.uint16]
    """Number, from 1, of the field that has the largest weight (h, w); 0 where none is valid."""

    @property
    def valid(self) -> BoolArray:
        """Pixels (h, w) that some field has a whole spectrum of."""
        return self.source > 0


def pieces(tile: Tile, corners: tuple[tuple[int, int], ...], plane: Plane) -> list[Piece]:
    """Return the parts of the fields at `corners` (whole pixels of the mosaic) that lie in a tile."""
    found = []
    for number, (y, x) in enumerate(corners):
        part = Box(max(tile.y0, y), min(tile.y1, y + plane[0]), max(tile.x0, x), min(tile.x1, x + plane[1]))
        if min(part.shape) > 0:
            found.append(Piece(number, part.seen_from(y, x), part.seen_from(tile.y0, tile.x0)))
    return found


def weights(piece: Piece, plane: Plane) -> Float32Array:
    """Return the weight (h, w) of a field's pixels: their distance from its border, 1 on the border."""
    along = [
        np.minimum(np.arange(part.start, part.stop) + 1, size - np.arange(part.start, part.stop))
        for part, size in zip(piece.source.region, plane, strict=True)
    ]
    return np.minimum.outer(*along).astype(np.float32)


def empty_mosaic(energies: int, shape: Plane) -> Mosaic:
    """Return a mosaic without any field."""
    return Mosaic(
        mu=np.zeros((energies, *shape), dtype=np.float32),
        c_ref=np.zeros(shape, dtype=np.float32),
        total=np.zeros(shape, dtype=np.float32),
        best=np.zeros(shape, dtype=np.float32),
        source=np.zeros(shape, dtype=np.uint16),
    )


def add_piece(mosaic: Mosaic, piece: Piece, measured: Absorbance, weight: Float32Array, blend: Blend) -> None:
    """Add the absorbance of one field's piece to the mosaic, where it is valid.

    `nearest` takes every pixel from the field in which it has the largest weight (h, w), `feathered` the mean
    with these weights; a pixel that is not valid in one field is left to the others.
    """
    target = piece.target.region
    depth = np.where(measured.valid, weight, np.float32(0))
    better = depth > mosaic.best[target]
    share = depth
    if blend == "nearest":
        share = np.where(better, np.float32(1), np.float32(0))
        _clear(mosaic.mu[(slice(None), *target)], better)
        mosaic.c_ref[target][better] = 0
        mosaic.total[target][better] = 0
    _add(mosaic.mu[(slice(None), *target)], measured.mu, share)
    mosaic.c_ref[target] += share * measured.c_ref
    mosaic.total[target] += share
    mosaic.best[target][better] = depth[better]
    mosaic.source[target][better] = piece.field + 1


def normalise_weights(mosaic: Mosaic) -> None:
    """Turn the sums into means, in place; pixels without a valid spectrum hold 0."""
    scale = np.where(mosaic.total > 0, 1 / np.maximum(mosaic.total, np.float32(1e-6)), np.float32(0))
    mosaic.mu *= scale
    mosaic.c_ref *= scale


@njit(nogil=True, cache=True)
def _add(total: Float32Array, mu: Float32Array, share: Float32Array) -> None:
    for i in range(mu.shape[0]):
        for y in range(mu.shape[1]):
            for x in range(mu.shape[2]):
                total[i, y, x] += share[y, x] * mu[i, y, x]


@njit(nogil=True, cache=True)
def _clear(total: Float32Array, where: BoolArray) -> None:
    for i in range(total.shape[0]):
        for y in range(total.shape[1]):
            for x in range(total.shape[2]):
                if where[y, x]:
                    total[i, y, x] = 0
