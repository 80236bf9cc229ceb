"""Specks in one block of pixels: looked for on a few axes, and what stands out judged by all energies."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import Float32Array, FloatArray, IntArray, LabelArray
from gigaxas.specks.coordinates import coordinates_of
from gigaxas.specks.judgement import NEAR, Clusters, Looked, chi_square_of, judge, what_is_near
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


class Block(NamedTuple):
    """A block of pixels (h, w), from the corner of a cell on."""

    samples: NDArray[Any]
    """(E, h, w) as they are stored."""
    points: Float32Array
    """(r, h, w) coordinates on the axes of the search."""
    label: LabelArray
    """(h, w) final labels; 0 where a pixel has no signal."""
    kept: LabelArray
    """(h, w) labels after the clean-up."""

    @classmethod
    def of(cls, samples: NDArray[Any], maps: LabelMaps, search: SpeckSearch) -> "Block":
        """Return a block of samples (E, h, w) with its labels (h, w)."""
        return cls(samples, coordinates_of(samples, maps.label > 0, search.axes), *maps)

    def rows(self, first: int, end: int) -> "Block":
        """Return the part from one row to another."""
        here = slice(first, end)
        return Block(self.samples[:, here], self.points[:, here], self.label[here], self.kept[here])


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


def look(block: Block, search: SpeckSearch) -> tuple[Looked, Float32Array]:
    """Return all that is found out of a block, and the residuals (r, h + 3, w + 3) of its pixels."""
    around = surroundings_of(block.points, LabelMaps(block.label, block.kept), search.clusters.points)
    residuals = residuals_of(block.points, around)
    usual = float(search.axes.any(axis=0).sum() - 1)
    scale = local_scale(residuals.square, around, usual)
    return Looked(block.samples, block.points, around, scale), residuals.values


def sample_squares(block: Block, search: SpeckSearch) -> list[FloatArray]:
    """Return chi-squares of windows inside the phases of one area, some of each of 16 shapes."""
    looked, residuals = look(block, search)
    height, width = block.label.shape
    squares = window_squares(residuals, Box(0, height, 0, width))
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
    block: Block,
    place: Box,
    box: Box,
    plane: Plane,
    search: SpeckSearch,
    law: NullLaw,
    probability: float,
) -> Found:
    """Return the specks of a box of an image of shape `plane`, the first pixel of each in the box.

    The block is that of the pixels at `place` (`block_of`). Noise alone makes a window pass with this
    probability.
    """
    looked, residuals = look(block, search)
    wanted = box.seen_from(place.y0, place.x0)
    height, width = block.label.shape
    squares = window_squares(residuals, wanted.widened(REACH, (height, width)))
    peaks = strongest(standing_out(squares, looked.around, looked.scale, law.limits(probability)))
    beyond, windows = count_beyond(squares, looked.around, looked.scale, law.limits(BEYOND), wanted, peaks)
    allowed = Box(EDGE, plane[0] - EDGE, EDGE, plane[1] - EDGE).seen_from(place.y0, place.x0)
    rows, hits, explained = [], 0, 0
    for k in range(peaks.y.size):
        y, x, shape = int(peaks.y[k]), int(peaks.x[k]), int(peaks.shape[k])
        high, wide = int(HEIGHTS[shape]), int(WIDTHS[shape])
        if not (wanted.y0 <= y < wanted.y1 and wanted.x0 <= x < wanted.x1):
            continue
        if y < allowed.y0 or x < allowed.x0 or y + high > allowed.y1 or x + wide > allowed.x1:
            continue
        region = _region(peaks, k)
        stronger = [] if peaks.first[k] else [_region(peaks, one) for one in _first_near(peaks, k)]
        near = what_is_near(looked, region, search.clusters, stronger)
        if law.tail(chi_square_of(looked, region, near), shape) > np.log(EXPLAINED):
            explained += 1
            continue
        found = judge(looked, region, near, search.axes, search.clusters)
        log_p = law.tail(found.chi_square, shape)
        if log_p > np.log(probability if found.hits else EXPLAINED):
            hits += found.hits > 0
            explained += found.hits == 0
            continue
        noise = law.freedom[shape] * law.scale[shape]
        label = int(looked.around.labels[looked.around.own[region]].min())
        distance = 0.5 * np.sqrt(max(found.chi_square - noise, 0.0) / (high * wide))
        share = law.scale[shape] / (high * wide)
        where = (y + place.y0, x + place.x0, high, wide, label, distance, log_p)
        spectra = (found.spectrum, found.sigma * np.sqrt(share), found.point, found.host)
        rows.append((*where, *spectra, share * found.scale, found.hits))
    return Found(_table(rows, search.axes.shape), hits, explained, windows, beyond)


def _region(peaks: Peaks, k: int) -> Region:
    """Return the slices (y, x) that cut a peak out of its block."""
    y, x, shape = int(peaks.y[k]), int(peaks.x[k]), peaks.shape[k]
    return slice(y, y + int(HEIGHTS[shape])), slice(x, x + int(WIDTHS[shape]))


def _first_near(peaks: Peaks, k: int) -> list[int]:
    """Return which of the strongest windows are within NEAR pixels of one that is not among them."""
    near = peaks.first.copy()
    for start, length in ((peaks.y, HEIGHTS[peaks.shape]), (peaks.x, WIDTHS[peaks.shape])):
        stop = start + length
        near &= np.maximum(start, start[k]) - np.minimum(stop, stop[k]) < NEAR
    return np.flatnonzero(near).tolist()


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
