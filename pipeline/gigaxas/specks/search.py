"""Specks in one block of pixels: looked for on a few axes, and what stands out judged by all energies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import Float32Array, FloatArray, IntArray
from gigaxas.specks.coordinates import coordinates_of
from gigaxas.specks.judgement import NEAR, Clusters, Looked, judge
from gigaxas.specks.peaks import REACH, Peaks, count_beyond, standing_out, strongest
from gigaxas.specks.residuals import residuals_of
from gigaxas.specks.significance import NullLaw, local_scale
from gigaxas.specks.surroundings import CELL, RADIUS, LabelMaps, surroundings_of
from gigaxas.specks.windows import HEIGHTS, PIXELS, WIDTHS, window_squares
from gigaxas.tiles import Box, Plane, Region

EDGE = 3
"""Pixels along the edge of the image in which no speck is looked for: the tip of a larger grain that the edge
cuts looks like one."""
MARGIN = -(-(REACH + 4 * CELL + RADIUS) // CELL) * CELL
"""Pixels around a block that decide what is found in it: windows that compete with its own, the cells that
tell their noise, and the surroundings of these."""
SAMPLED = 4096
"""Windows of each shape that a sample area tells of at most."""
EXPLAINED = 1e-4
"""Probability from which on what all labels near leave of a window is noise."""
BEYOND = 1e-3
"""Probability at which the windows of the image are held against the law of noise."""


@dataclass(frozen=True, eq=False)
class SpeckSearch:
    """What is settled before specks are looked for."""

    axes: NDArray[np.float32]
    """(E, r) for samples as they are stored."""
    clusters: Clusters
    """What the labels stand for."""


class Specks(NamedTuple):
    """A table of specks, one a row."""

    y: IntArray
    """(n,) first row."""
    x: IntArray
    """(n,) first column."""
    height: IntArray
    """(n,) rows."""
    width: IntArray
    """(n,) columns."""
    label: IntArray
    """(n,) label that the map shows there."""
    distance: FloatArray
    """(n,) how far a pixel lies from the mixture of what is near, in METHOD 2's z."""
    log_p: FloatArray
    """(n,) natural logarithm of the probability that noise makes such a window."""
    spectrum: FloatArray
    """(n, E) mean spectra, as stored."""
    error: FloatArray
    """(n, E) their standard errors."""
    point: FloatArray
    """(n, r) coordinates of the spectra."""
    host: FloatArray
    """(n, r) coordinates of the mixture of what is near."""
    variance: FloatArray
    """(n,) noise of the coordinates, as the variance on one axis."""
    hits: IntArray
    """(n,) samples left out."""


class Found(NamedTuple):
    """What was found in one block."""

    specks: Specks
    """The specks."""
    hits: int
    """Windows that were none but for a few samples that stand alone: cosmic rays and the like."""
    explained: int
    """Windows that a mixture of what is near explains."""
    windows: int
    """Square windows away from specks that were looked at."""
    beyond: int
    """Those of them that are beyond what noise alone passes with a probability of BEYOND."""


def block_of(box: Box, plane: Plane) -> Box:
    """Return the pixels of an image of shape `plane` that decide what is found in a box."""
    wide = box.widened(MARGIN, plane)
    return wide._replace(y0=wide.y0 // CELL * CELL, x0=wide.x0 // CELL * CELL)


def look(samples: NDArray[Any], maps: LabelMaps, search: SpeckSearch) -> tuple[Looked, Float32Array]:
    """Look at a block of samples (E, h, w) with its labels (h, w), from the corner of a cell on.

    Returns all that is found out of it, and the chi-square (16, h, w) of every window.
    """
    points = coordinates_of(samples, maps.label > 0, search.axes)
    around = surroundings_of(points, maps, search.clusters.points)
    residuals = residuals_of(points, around)
    usual = float(search.axes.any(axis=0).sum() - 1)
    scale = local_scale(residuals.square, around, usual)
    return Looked(samples, points, around, scale), window_squares(residuals.values)


def sample_squares(samples: NDArray[Any], maps: LabelMaps, search: SpeckSearch) -> list[FloatArray]:
    """Return chi-squares of windows inside the phases of one area, some of each of 16 shapes."""
    looked, squares = look(samples, maps, search)
    height, width = maps.label.shape
    own, pixels = looked.around.own, looked.around.pixels
    cells = np.arange(height)[:, None] // CELL * -(-width // CELL) + np.arange(width) // CELL
    found = []
    for shape, (high, wide) in enumerate(zip(HEIGHTS, WIDTHS, strict=True)):
        inside = np.ones((height - high + 1, width - wide + 1), np.bool_)
        for i in range(high):
            for j in range(wide):
                inside &= looked.around.inside[i : i + inside.shape[0], j : j + inside.shape[1]]
        y, x = np.nonzero(inside)
        step = max(-(-y.size // SAMPLED), 1)
        y, x = y[::step], x[::step]
        share = looked.scale[cells[y, x]] * (1.0 - PIXELS[shape] / pixels[own[y, x]])
        found.append(np.asarray(squares[shape, y, x] / share, np.float64))
    return found


def find_specks(
    samples: NDArray[Any],
    maps: LabelMaps,
    block: Box,
    box: Box,
    plane: Plane,
    search: SpeckSearch,
    law: NullLaw,
    probability: float,
) -> Found:
    """Return the specks of a box of an image of shape `plane`, the first pixel of each in the box.

    samples (E, h, w) and maps (h, w) are those of its block (`block_of`). Noise alone makes a window pass
    with this probability.
    """
    looked, squares = look(samples, maps, search)
    limits = law.limits(probability)
    out = standing_out(squares, looked.around, looked.scale, limits)
    peaks = strongest(out)
    wanted = box.seen_from(block.y0, block.x0)
    allowed = Box(EDGE, plane[0] - EDGE, EDGE, plane[1] - EDGE).seen_from(block.y0, block.x0)
    rows, hits, explained = [], 0, 0
    first = [_region(peaks, k) for k in np.flatnonzero(peaks.first).tolist()]
    for k in range(peaks.y.size):
        y, x, shape = int(peaks.y[k]), int(peaks.x[k]), int(peaks.shape[k])
        high, wide = int(HEIGHTS[shape]), int(WIDTHS[shape])
        if not (wanted.y0 <= y < wanted.y1 and wanted.x0 <= x < wanted.x1):
            continue
        if y < allowed.y0 or x < allowed.x0 or y + high > allowed.y1 or x + wide > allowed.x1:
            continue
        region = _region(peaks, k)
        stronger = [] if peaks.first[k] else [one for one in first if _is_near(one, region)]
        found = judge(looked, region, search.axes, search.clusters, stronger)
        log_p = float(law.tail(np.array(found.chi_square), shape))
        if log_p > np.log(probability if found.hits else EXPLAINED):
            hits += found.hits > 0
            explained += found.hits == 0
            continue
        noise = law.freedom[shape] * law.scale[shape]
        label = int(looked.around.labels[looked.around.own[region]].min())
        distance = 0.5 * np.sqrt(max(found.chi_square - noise, 0.0) / (high * wide))
        share = law.scale[shape] / (high * wide)
        place = (y + block.y0, x + block.x0, high, wide, label, distance, log_p)
        spectra = (found.spectrum, found.sigma * np.sqrt(share), found.point, found.host)
        rows.append((*place, *spectra, share * found.scale, found.hits))
    beyond, windows = count_beyond(squares, looked.around, looked.scale, law.limits(BEYOND), wanted, peaks)
    return Found(_table(rows, search.axes.shape), hits, explained, windows, beyond)


def _region(peaks: Peaks, k: int) -> Region:
    """Return the slices (y, x) that cut a peak out of its block."""
    y, x, shape = int(peaks.y[k]), int(peaks.x[k]), peaks.shape[k]
    return slice(y, y + int(HEIGHTS[shape])), slice(x, x + int(WIDTHS[shape]))


def _is_near(one: Region, other: Region) -> bool:
    """Return whether windows are within NEAR pixels of each other."""
    gaps = (max(a.start, b.start) - min(a.stop, b.stop) for a, b in zip(one, other, strict=True))
    return max(gaps) < NEAR


def join_found(parts: Sequence[Found]) -> Found:
    """Join what was found in parts of an image."""
    tables = (part.specks for part in parts)
    columns: list[Any] = [np.concatenate(column) for column in zip(*tables, strict=True)]
    counts = np.sum([part[1:] for part in parts], axis=0).tolist()
    return Found(Specks(*columns), *counts)


def _table(rows: list[tuple[Any, ...]], shape: tuple[int, int]) -> Specks:
    energies, axes = shape
    kinds: list[tuple[Any, tuple[int, ...]]] = [(np.int64, ())] * 5 + [(np.float64, ())] * 2
    kinds += (
        [(np.float64, (energies,))] * 2 + [(np.float64, (axes,))] * 2 + [(np.float64, ()), (np.int64, ())]
    )
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(kinds)
    return Specks(
        *(
            np.array(column, kind).reshape(len(rows), *size)
            for column, (kind, size) in zip(columns, kinds, strict=True)
        )
    )
