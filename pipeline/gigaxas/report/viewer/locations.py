"""Where each cluster lies: the box round all of it, and boxes round the parts of one that is scattered."""

import json

import numpy as np

from gigaxas.arrays import IntArray
from gigaxas.tiles import Box

MOST_PARTS = 60
"""Boxes of the parts of one label that the page is given."""


def join_boxes(rows: IntArray, side: int) -> dict[int, list[Box]]:
    """Return the boxes of each label: first the one round all, then those round its parts.

    `rows` are (label, y0, y1, x0, x1, pixels), one a cell of `side` pixels; what lies in touching cells is
    one part. Of many parts those with most pixels are given.
    """
    boxes = {}
    order = np.lexsort((rows[:, 3], rows[:, 1], rows[:, 0]))
    starts = np.flatnonzero(np.diff(rows[order, 0], prepend=-1))
    for part in np.split(rows[order], starts[1:]):
        if len(part):
            groups = sorted(_joined(part, side), key=lambda group: -int(group[:, 5].sum()))
            boxes[int(part[0, 0])] = [_round(part), *(_round(group) for group in groups[:MOST_PARTS])]
    return boxes


def boxes_script(boxes: dict[int, list[Box]]) -> bytes:
    """Return the script that hands the boxes to the page, as lists x0, y0, x1, y1."""
    corners = {label: [(b.x0, b.y0, b.x1, b.y1) for b in found] for label, found in boxes.items()}
    return f"gx.places={json.dumps(corners, separators=(',', ':'))}\n".encode()


def _round(rows: IntArray) -> Box:
    """Return the box round the boxes of some rows."""
    _, y0, y1, x0, x1, _ = rows.T
    return Box(int(y0.min()), int(y1.max()), int(x0.min()), int(x1.max()))


def _joined(rows: IntArray, side: int) -> list[IntArray]:
    """Split the rows of one label into groups of touching cells, corners included."""
    left = {(int(row[1]) // side, int(row[3]) // side): number for number, row in enumerate(rows)}
    groups = []
    while left:
        queue, group = [next(iter(left))], []
        while queue:
            y, x = queue.pop()
            if (number := left.pop((y, x), None)) is not None:
                group.append(number)
                queue += [(y + v, x + u) for v in (-1, 0, 1) for u in (-1, 0, 1)]
        groups.append(rows[group])
    return groups
