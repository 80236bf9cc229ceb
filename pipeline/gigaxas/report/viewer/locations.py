"""Where each cluster lies: the box round all of it, and the places of one that is scattered."""

import json

import numpy as np

from gigaxas.arrays import IntArray

MOST_PLACES = 60
Box = tuple[int, int, int, int]


def join_boxes(rows: IntArray, side: int) -> dict[int, list[Box]]:
    """Return the boxes (x0, y0, x1, y1) of each label: first the one round all, then its places.

    `rows` are (label, y0, x0, y1, x1, pixels), one a cell of `side` pixels; boxes in touching cells are one
    place. Of many places those with most pixels are named.
    """
    places = {}
    order = np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))
    starts = np.flatnonzero(np.diff(rows[order, 0], prepend=-1))
    for part in np.split(rows[order], starts[1:]):
        if len(part):
            groups = sorted(_joined(part, side), key=lambda group: -int(group[:, 5].sum()))
            places[int(part[0, 0])] = [_round(part), *(_round(group) for group in groups[:MOST_PLACES])]
    return places


def places_script(places: dict[int, list[Box]]) -> bytes:
    """Return the script that hands the places to the page."""
    return f"gx.places={json.dumps(places, separators=(',', ':'))}\n".encode()


def _round(rows: IntArray) -> Box:
    return (int(rows[:, 2].min()), int(rows[:, 1].min()), int(rows[:, 4].max()), int(rows[:, 3].max()))


def _joined(rows: IntArray, side: int) -> list[IntArray]:
    """Split the rows of one label into groups of touching cells, corners included."""
    left = {(int(row[1]) // side, int(row[2]) // side): number for number, row in enumerate(rows)}
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
