"""The phases of a result as rows: label, name, size and colour."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from gigaxas.arrays import LabelArray
from gigaxas.errors import InputError
from gigaxas.report.layers import thinning
from gigaxas.report.palette import cluster_colours


class Phase(NamedTuple):
    """A cluster of a result."""

    label: int
    """Its number in the map `label`."""
    name: str
    """What it is called; "cluster 3" where the result has no names."""
    pixels: int
    """Pixels with this label."""
    share: float
    """Its part of all labelled pixels, 0 to 1."""
    colour: str
    """Its colour as '#rrggbb'."""


def phases(result: xr.Dataset) -> list[Phase]:
    """Return the clusters, most pixels first, the lower label first where equal."""
    labels, pixels = result.cluster.values, result.pixels.values
    order = np.lexsort([labels, -pixels.astype(np.int64)])
    names = result.name.values if "name" in result.variables else [f"cluster {n}" for n in labels.tolist()]
    whole = max(int(pixels.sum()), 1)
    colours = cluster_colours(len(order))
    return [
        Phase(int(labels[i]), str(names[i]), int(pixels[i]), float(pixels[i] / whole), colour)
        for i, colour in zip(order.tolist(), colours, strict=True)
    ]


def chosen_phases(result: xr.Dataset, labels: Sequence[int] | None) -> list[Phase]:
    """Return the phases of these labels, or all; InputError for a label that there is not."""
    found = phases(result)
    if labels is None:
        return found
    by_label = {phase.label: phase for phase in found}
    if missing := [str(label) for label in labels if label not in by_label]:
        known = ", ".join(map(str, sorted(by_label)))
        raise InputError(f"labels: {', '.join(missing)} not found; expected some of {known}")
    return [by_label[label] for label in labels]


def thinned_labels(result: xr.Dataset, longest: int) -> LabelArray:
    """Return the label map (h, w), every so many pixels, no side longer than `longest`."""
    step = thinning(result.label.shape, longest)
    labels: LabelArray = result.label[::step, ::step].values
    return labels


def pixel_size(result: xr.Dataset) -> tuple[float, float]:
    """Return the sides (y, x) of a pixel in um; 1 where a map is a single line."""
    steps = [np.diff(result[axis].values[:2]) for axis in ("y", "x")]
    high, wide = (float(step[0]) if step.size else 1.0 for step in steps)
    return high, wide
