"""The neighbours of every entry of a library in order of distance, as many as memory is given for."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.search.definition import EPS

TABLE_BYTES = 64 * 2**20
ROWS = 512


class Neighbours(NamedTuple):
    """For each of n entries its nearest others, the nearest first.

    A search that comes to the end of a row of fewer than n - 1 goes through the library instead.
    """

    entries: NDArray[np.unsignedinteger[Any]]
    """(n, T) uint16 or uint32."""
    distances: NDArray[np.float32]
    """(n, T), rising along a row and never above the true distance."""


def checked_neighbours(table: Neighbours | None, library: FloatArray) -> Neighbours:
    """Return the table, made anew for None; InputError unless it has a row for every entry (n, E)."""
    if table is None:
        return find_neighbours(library)
    if len(table.entries) != len(library):
        raise InputError(
            f"neighbour table of {len(table.entries)} entries; expected {len(library)}, those of the "
            "library; make it again"
        )
    return table


def find_neighbours(library: FloatArray, length: int | None = None) -> Neighbours:
    """Find the `length` nearest others of every entry (n, E), by default as many as fit into 64 MiB.

    InputError for a length beyond n - 1.
    """
    count = len(library)
    kind: type[Any] = np.uint16 if count <= 2**16 else np.uint32
    most = count - 1
    if length is None:
        length = min(most, max(1, TABLE_BYTES // (count * (np.dtype(kind).itemsize + 4))))
    elif not 0 <= length <= most:
        raise InputError(f"length = {length} of a neighbour table; expected up to {most}, the other entries")
    index, distance = np.empty((count, length), kind), np.empty((count, length), np.float32)
    centred = library - library.mean(axis=0)
    squares = (centred**2).sum(axis=1)
    for start in range(0, count if length else 0, ROWS):
        rows = slice(start, min(start + ROWS, count))
        index[rows], distance[rows] = _nearest_rows(centred, squares, rows, length)
    return Neighbours(index, distance)


def _nearest_rows(
    centred: FloatArray, squares: FloatArray, rows: slice, length: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    # The product's rounding is taken off, so that what is stored never exceeds the true distance.
    both = squares[rows, None] + squares
    found = both - 2.0 * (centred[rows] @ centred.T) - 8 * EPS * (centred.shape[1] + 8) * both
    np.maximum(found, 0.0, out=found)
    found[np.arange(len(found)), np.arange(rows.start, rows.stop)] = np.inf
    chosen = np.sort(np.argpartition(found, length - 1, axis=1)[:, :length], axis=1)
    near = np.take_along_axis(found, chosen, axis=1)
    order = np.argsort(near, axis=1, kind="stable")
    distance = np.sqrt(np.take_along_axis(near, order, axis=1))
    below = np.nextafter(distance.astype(np.float32), np.float32(0))
    return np.take_along_axis(chosen, order, axis=1), below
