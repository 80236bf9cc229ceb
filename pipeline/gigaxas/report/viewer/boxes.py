"""Where each cluster lies: the box round all of it, and the boxes of the parts of one that is scattered."""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from gigaxas.arrays import IntArray
from gigaxas.tiles import Box

MOST_PARTS = 60
"""Parts of one cluster that are told apart; of more, those with most pixels."""


def label_boxes(rows: IntArray, side: int) -> dict[int, list[Box]]:
    """Return the boxes of each label in pixels of the map: first the one round all, then those of its parts.

    `rows` are (label, y0, y1, x0, x1, pixels), one a cell of `side` pixels; what lies in touching cells,
    corners included, is one part.
    """
    boxes = {}
    order = np.lexsort((rows[:, 3], rows[:, 1], rows[:, 0]))
    starts = np.flatnonzero(np.diff(rows[order, 0], prepend=-1))
    for own in np.split(rows[order], starts[1:]):
        if len(own):
            parts = sorted(_touching(own, side), key=lambda part: -int(part[:, 5].sum()))
            boxes[int(own[0, 0])] = [_around(own), *(_around(part) for part in parts[:MOST_PARTS])]
    return boxes


def boxes_script(boxes: Mapping[int, Sequence[Box]]) -> bytes:
    """Return the script that hands the boxes to the page, each as [x0, y0, x1, y1]."""
    corners = {label: [(box.x0, box.y0, box.x1, box.y1) for box in own] for label, own in boxes.items()}
    return f"gx.boxes={json.dumps(corners, separators=(',', ':'))}\n".encode()


def _around(rows: IntArray) -> Box:
    _, y0, y1, x0, x1, _ = rows.T
    return Box(int(y0.min()), int(y1.max()), int(x0.min()), int(x1.max()))


def _touching(rows: IntArray, side: int) -> list[IntArray]:
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
