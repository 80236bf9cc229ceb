"""Fields that overlap made into one image, and the record of which field a pixel came from."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray
from gigaxas.raw.absorbance import Float32Array
from gigaxas.tiles import Tile

Blend = Literal["feathered", "nearest"]


@dataclass(frozen=True)
class Piece:
    """The part of a field that lies in a tile: rows and columns of the field, and of the tile."""

    field: int
    inside: tuple[slice, slice]
    target: tuple[slice, slice]


@dataclass(eq=False)
class Mosaic:
    """Sums over the fields seen so far of one tile: absorbance (E, h, w), counts (h, w), and weights.

    `best` (h, w) is the largest weight of a valid pixel so far, `source` the number of its field from 1.
    """

    mu: Float32Array
    c_ref: Float32Array
    total: Float32Array
    best: Float32Array
    source: NDArray[np.uint16]

    @property
    def valid(self) -> BoolArray:
        """Pixels (h, w) that some field has a whole spectrum of."""
        return self.source > 0


def pieces(tile: Tile, corners: tuple[tuple[int, int], ...], plane: tuple[int, int]) -> list[Piece]:
    """Return the parts of the fields at `corners` (whole pixels of the mosaic) that lie in a tile."""
    found = []
    for number, (y, x) in enumerate(corners):
        y0, y1 = max(tile.y0, y), min(tile.y1, y + plane[0])
        x0, x1 = max(tile.x0, x), min(tile.x1, x + plane[1])
        if y0 < y1 and x0 < x1:
            inside = slice(y0 - y, y1 - y), slice(x0 - x, x1 - x)
            target = slice(y0 - tile.y0, y1 - tile.y0), slice(x0 - tile.x0, x1 - tile.x0)
            found.append(Piece(number, inside, target))
    return found


def weights(piece: Piece, plane: tuple[int, int]) -> Float32Array:
    """Return the weight (h, w) of a field's pixels: their distance from its border, 1 on the border."""
    along = [
        np.minimum(np.arange(part.start, part.stop) + 1, size - np.arange(part.start, part.stop))
        for part, size in zip(piece.inside, plane, strict=True)
    ]
    return np.minimum.outer(*along).astype(np.float32)


def empty_mosaic(energies: int, shape: tuple[int, int]) -> Mosaic:
    """Return a mosaic without any field."""
    return Mosaic(
        mu=np.zeros((energies, *shape), dtype=np.float32),
        c_ref=np.zeros(shape, dtype=np.float32),
        total=np.zeros(shape, dtype=np.float32),
        best=np.zeros(shape, dtype=np.float32),
        source=np.zeros(shape, dtype=np.uint16),
    )


def add_piece(
    mosaic: Mosaic,
    piece: Piece,
    mu: Float32Array,
    c_ref: Float32Array,
    valid: BoolArray,
    weight: Float32Array,
    blend: Blend,
) -> None:
    """Add the absorbance mu (E, h, w) of one field's piece to the mosaic, where it is valid (h, w).

    `nearest` takes every pixel from the field in which it lies deepest, `feathered` the mean weighted by
    that depth; a pixel that is not valid in one field is left to the others.
    """
    target = piece.target
    share = np.where(valid, weight, np.float32(0))
    better = share > mosaic.best[target]
    if blend == "nearest":
        share = np.where(better, np.float32(1), np.float32(0))
        _forget(mosaic.mu[(slice(None), *target)], better)
        mosaic.c_ref[target][better] = 0
        mosaic.total[target][better] = 0
    _add(mosaic.mu[(slice(None), *target)], mu, share)
    mosaic.c_ref[target] += share * c_ref
    mosaic.total[target] += share
    mosaic.best[target][better] = np.where(valid, weight, np.float32(0))[better]
    mosaic.source[target][better] = piece.field + 1


def settle(mosaic: Mosaic) -> None:
    """Turn the sums into means; pixels without a valid spectrum hold 0."""
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
def _forget(total: Float32Array, where: BoolArray) -> None:
    for i in range(total.shape[0]):
        for y in range(total.shape[1]):
            for x in range(total.shape[2]):
                if where[y, x]:
                    total[i, y, x] = 0
