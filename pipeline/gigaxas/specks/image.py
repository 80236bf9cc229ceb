"""Specks of a whole image: what has to be settled first, and what is made of the parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.specks.axes import speck_axes
from gigaxas.specks.judgement import Clusters
from gigaxas.specks.kinds import Kinds, kinds_of
from gigaxas.specks.search import (
    BEYOND,
    MARGIN,
    Block,
    Found,
    Specks,
    SpeckSearch,
    block_of,
    find_specks,
    join_found,
    sample_squares,
)
from gigaxas.specks.significance import NullLaw, fit_law
from gigaxas.specks.surroundings import LabelMaps
from gigaxas.specks.windows import PIXELS
from gigaxas.tiles import Box, Grid, Plane, Tile, flat, regular_grid, spread_grid

AREA_SIDE, MOST_AREAS = 128, 4
"""Side, in pixels, of the areas that tell of the noise, and most of them along y and along x."""
MOST_PARTS = 3
"""Parts of a large image that do so instead, along y and along x."""
PART_SIDE = 256
"""Side, in pixels, of the parts of an image that are looked at one after the other."""


def settle_search(
    spectra: FloatArray, known: FloatArray, sigma: FloatArray, correlation: FloatArray
) -> SpeckSearch:
    """Settle on what axes specks are looked for, in the unit of samples as they are stored.

    spectra (m + 1, E) are the mean spectra of the clusters, from label 0, NaN where a label has none; known
    (n, E) further ones that an image may hold; sigma (m + 1, E) the noise of a pixel of each cluster;
    `correlation` (lags,) that of the noise with the next energies.
    """
    there = ~np.isnan(spectra[:, 0])
    typical = np.sqrt(np.mean(sigma[there] ** 2, axis=0))
    axes = speck_axes(np.concatenate([spectra[there], known]), typical, correlation)
    points = (spectra - spectra.mean(axis=1, keepdims=True)) @ axes
    return SpeckSearch(axes, Clusters(spectra, points, sigma))


def law_of(samples: Sequence[Sequence[FloatArray]], search: SpeckSearch) -> NullLaw:
    """Return the law of noise alone by the windows of sample areas (`sample_squares`)."""
    squares = [np.concatenate([area[shape] for area in samples]) for shape in range(PIXELS.size)]
    return fit_law(squares, int(search.axes.any(axis=0).sum()))


def probability_of(false_alarms: float, pixels: int) -> float:
    """Return the probability of a window at which noise makes so many false specks in so many pixels."""
    return false_alarms / (PIXELS.size * max(pixels, 1))


@dataclass(frozen=True, eq=False)
class ImageSpecks:
    """What was found in an image."""

    specks: Specks
    """The specks: those of kinds that the map does not show, the most significant first, then the others."""
    kinds: Kinds
    """Their kinds."""
    law: NullLaw
    """What noise alone does, as the image shows it."""
    hits: int
    """Windows that were no specks but a few samples that stand alone: cosmic rays and the like."""
    explained: int
    """Windows that a mixture of what is near explains."""
    tail: float
    """Windows beyond a probability of BEYOND, over what noise alone makes of them."""


def gather_specks(found: Sequence[Found], law: NullLaw, search: SpeckSearch) -> ImageSpecks:
    """Return what was found in an image from what was found in its parts, whatever these are."""
    joined = join_found(found)
    specks = _ordered(joined.specks, np.lexsort([joined.specks.x, joined.specks.y, joined.specks.log_p]))
    kinds = kinds_of(specks, search.clusters.points)
    shown = kinds.cluster[kinds.number - 1] > 0
    order = np.argsort(shown, kind="stable")
    kinds = kinds._replace(number=kinds.number[order], share=kinds.share[order])
    tail = joined.beyond / (BEYOND * joined.windows) if joined.windows else float("nan")
    return ImageSpecks(_ordered(specks, order), kinds, law, joined.hits, joined.explained, tail)


def _ordered(specks: Specks, order: IntArray) -> Specks:
    columns: list[Any] = [column[order] for column in specks]
    return Specks(*columns)


def area_grid(plane: Plane) -> Grid:
    """Return areas, evenly spread over an image, that tell of its noise.

    In a large image they are the middle of parts, so that all that decides in an area is in one part.
    """
    rows, columns = (side // PART_SIDE for side in plane)
    if min(rows, columns) < MOST_AREAS:
        return spread_grid(plane, AREA_SIDE, MOST_AREAS)
    return [
        [_middle(part.row, part.column, part.y0 * PART_SIDE, part.x0 * PART_SIDE) for part in row]
        for row in spread_grid((rows, columns), 1, MOST_PARTS)
    ]


def _middle(row: int, column: int, y: int, x: int) -> Tile:
    end = PART_SIDE - MARGIN
    return Tile(row, column, y + MARGIN, y + end, x + MARGIN, x + end)


def specks_of_image(
    image: NDArray[Any], maps: LabelMaps, search: SpeckSearch, false_alarms: float
) -> ImageSpecks:
    """Find the specks of an image (E, h, w) by its labels (h, w).

    Noise alone makes so many `false_alarms` in the whole image.
    """
    plane = (maps.label.shape[0], maps.label.shape[1])

    def cut_out(place: Box) -> Block:
        return Block.of(image[:, *place.region], maps.cut(place.region), search)

    areas = [block_of(tile.box, plane) for tile in flat(area_grid(plane))]
    law = law_of([sample_squares(cut_out(area), search) for area in areas], search)
    probability = probability_of(false_alarms, int(np.count_nonzero(maps.label)))
    boxes = [tile.box for tile in flat(regular_grid(plane, (PART_SIDE, PART_SIDE)))]
    found = []
    for box in boxes:
        place = block_of(box, plane)
        found.append(find_specks(cut_out(place), place, box, plane, search, law, probability))
    return gather_specks(found, law, search)
