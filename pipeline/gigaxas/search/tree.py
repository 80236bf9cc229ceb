"""A k-d tree over coordinates (n, r): split along the widest axis down to leaves of at most 16 entries."""

from typing import NamedTuple

import numpy as np
from numba import njit

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.search.definition import ADDITIONS, MULTIPLICATIONS, insert
from gigaxas.search.simd import LEAF, add_squares
from gigaxas.simd import lowest_bit

STEP = 6  # axes of a leaf between two looks at its sums
RESTORE = -1
STACK = 128  # two for each level, and more levels than any memory holds entries for


class Tree(NamedTuple):
    """Nodes in heap order: node i leads to 2 i + 1, below its value, and to 2 i + 2."""

    axis: IntArray
    """(nodes,) the axis that a node splits."""
    value: FloatArray
    """(nodes,) where it splits it."""
    members: IntArray
    """(leaves, 16) the entries of a leaf, -1 for none."""
    leaves: FloatArray
    """(leaves, r, 16) their coordinates, infinite for none: one axis of a leaf is one vector."""


class Walk(NamedTuple):
    """The memory of a walk through a tree."""

    cells: IntArray
    """(s, 2) a stack, from row 1 on, of nodes yet to see and the axis to each; its height in [0, 0]."""
    gaps: FloatArray
    """(s, 2) the distance of a node's cell along that axis, and its squared distance."""
    inside: FloatArray
    """(r,) how far off the query is along every axis of the cell it is in."""
    sums: FloatArray
    """(16,) squared distances in the last leaf."""


def build_tree(coordinates: FloatArray) -> Tree:
    """Build the tree of coordinates (n, r), in as few leaves as hold them."""
    inner = -(-len(coordinates) // LEAF) - 1
    below = np.ones(2 * inner + 1, np.int64)
    for node in reversed(range(inner)):
        below[node] = below[2 * node + 1] + below[2 * node + 2]
    axis, value = np.zeros(inner, np.int64), np.zeros(inner)
    parts = [np.arange(len(coordinates))]
    for node in range(inner):
        members = parts[node]
        inside = coordinates[members]
        axis[node] = np.argmax(np.ptp(inside, axis=0))
        along = inside[:, axis[node]]
        order, cut = np.argsort(along, kind="stable"), len(members) * below[2 * node + 1] // below[node]
        value[node] = 0.5 * (along[order[cut - 1]] + along[order[cut]])
        parts += [members[order[:cut]], members[order[cut:]]]
    members = np.full((inner + 1, LEAF), -1, np.int64)
    leaves = np.full((inner + 1, coordinates.shape[1], LEAF), np.inf)
    for leaf, part in enumerate(parts[inner:]):
        members[leaf, : len(part)] = part
        leaves[leaf, :, : len(part)] = coordinates[part].T
    return Tree(axis, value, members, leaves)


@njit(nogil=True, cache=True)
def new_walk(components: int) -> Walk:
    """Return memory for walks through a tree of so many axes."""
    return Walk(np.zeros((STACK, 2), np.int64), np.zeros((STACK, 2)), np.zeros(components), np.zeros(LEAF))


@njit(nogil=True, cache=True)
def restart(walk: Walk) -> None:
    """Put a walk back to the root."""
    cells, gaps, inside, _ = walk
    cells[0, 0], cells[1, 0], gaps[1, 1] = 1, 0, 0.0
    inside[:] = 0.0


@njit(nogil=True, cache=True)
def next_leaf(y: FloatArray, limit: float, tree: Tree, walk: Walk, counts: IntArray) -> int:
    """Return the next leaf whose cell is within a squared distance of `limit` of y (r,); -1 after the last.

    Near cells come first. The distance of a cell follows from its parent's by the one axis that changed.
    """
    axis, value, _, _ = tree
    cells, gaps, inside, _ = walk
    top, looks = cells[0, 0], 0
    while top > 0:
        node, along = cells[top, 0], cells[top, 1]
        offset, square = gaps[top, 0], gaps[top, 1]
        if node == RESTORE:
            inside[along] = offset
            top -= 1
            continue
        looks += 1
        if square > limit:
            top -= 1
            continue
        steps = 0
        if node == 0:
            top -= 1
        else:
            cells[top, 0], gaps[top, 0] = RESTORE, inside[along]
            inside[along] = offset
        while node < axis.size:
            along = axis[node]
            gap = y[along] - value[node]
            top += 1
            cells[top, 0], cells[top, 1] = 2 * node + 2 if gap < 0.0 else 2 * node + 1, along
            gaps[top, 0], gaps[top, 1] = gap, square - inside[along] * inside[along] + gap * gap
            node = 2 * node + 1 if gap < 0.0 else 2 * node + 2
            steps += 1
        cells[0, 0] = top
        counts[MULTIPLICATIONS] += 2 * steps
        counts[ADDITIONS] += 5 * steps + looks
        return node - axis.size
    cells[0, 0] = 0
    counts[ADDITIONS] += looks
    return -1


@njit(nogil=True, cache=True)
def search_leaf(
    y: FloatArray, leaf: int, limit: float, leaves: FloatArray, sums: FloatArray, counts: IntArray
) -> int:
    """Put the squared distances of a leaf's entries to y into `sums` (16,); say which are in `limit`.

    Bit e of the answer stands for entry e. Left early, with parts of the sums, once all exceed the limit.
    """
    sums[:] = 0.0
    done, looks, near = 0, 0, 1
    while near and done < y.size:
        stop = min(done + STEP, y.size)
        near = add_squares(y, done, stop, leaves, leaf, limit, sums)
        done = stop
        looks += 1
    counts[MULTIPLICATIONS] += LEAF * done
    counts[ADDITIONS] += LEAF * (2 * done + looks)
    return near


@njit(nogil=True, cache=True)
def nearest_entries(
    y: FloatArray, most: int, tree: Tree, walk: Walk, indices: IntArray, squares: FloatArray, counts: IntArray
) -> None:
    """Find the entries (k,) of the coordinates nearest to y (r,), nearest first, and their squared distances.

    After `most` leaves, and as many more as hold k entries, the nearest so far are taken.
    """
    members, leaves, sums = tree.members, tree.leaves, walk.sums
    restart(walk)
    squares[:] = np.inf
    while most > 0 or squares[-1] == np.inf:
        leaf = next_leaf(y, squares[-1], tree, walk, counts)
        if leaf < 0:
            return
        most -= 1
        near = search_leaf(y, leaf, squares[-1], leaves, sums, counts)
        while near:
            e = lowest_bit(near)
            near &= near - 1
            if members[leaf, e] < 0:
                continue
            if sums[e] > squares[-1]:
                counts[ADDITIONS] += 1
            else:
                insert(members[leaf, e], sums[e], indices, squares, counts)
