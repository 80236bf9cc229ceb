"""What people look at after stitching: where every field lies, which pairs agreed, and the seams."""

from functools import partial
from pathlib import Path

from gigaxas.arrays import IntArray
from gigaxas.locations import Location
from gigaxas.raw.absorbance import REASONS
from gigaxas.raw.placement import Placement
from gigaxas.raw.readers.acquisition import Acquisition
from gigaxas.raw.registration import Pair
from gigaxas.report import write_seams_png
from gigaxas.stores.io.files import Columns, publish_table
from gigaxas.stores.result import read_map
from gigaxas.tiles import Box, Plane
from gigaxas.workflow.registration import Registration

OVERVIEW_SIDE = 2048
"""Longest side of seams.png, in pixels."""


def mosaic_paths(folder: Path) -> tuple[Path, ...]:
    """Return the files that tell how the fields were stitched."""
    return tuple(folder / name for name in ("fields.csv", "pairs.csv", "seams.png"))


def write_mosaic(
    folder: Path, source: Acquisition, registration: Registration, lost: IntArray, cube: Location
) -> None:
    """Write fields.csv, pairs.csv and seams.png.

    `lost` (fields, 4) counts the invalid samples of every field by reason, and its pixels.
    """
    fields, pairs, seams = mosaic_paths(folder)
    placement = registration.placement
    publish_table(fields, _field_columns(source, placement, lost), range(len(source.fields)))
    publish_table(pairs, _pair_columns(source), placement.pairs)
    height, width = placement.shape(source.plane)
    step = -(-max(height, width) // OVERVIEW_SIDE)
    every = (slice(0, height, step), slice(0, width, step))
    boxes = [_thinned_box(corner, source.plane, step) for corner in placement.whole]
    write_seams_png(seams, read_map(cube, "edge_step", every), read_map(cube, "field", every), boxes)


def _thinned_box(corner: tuple[int, int], plane: Plane, step: int) -> Box:
    """Return the pixels of a field in maps of which every `step`-th row and column is kept."""
    y, x = corner[0] // step, corner[1] // step
    return Box(y, y + plane[0] // step, x, x + plane[1] // step)


def _field_columns(source: Acquisition, placement: Placement, lost: IntArray) -> Columns[int]:
    """Return the columns of fields.csv, whose rows are the numbers of the fields."""
    fields, corners, whole = source.fields, placement.corners, placement.whole
    moved = corners - source.stage_px
    reasons = {
        f"samples_{reason.replace(' ', '_')}": partial(_count, lost[:, column])
        for column, reason in enumerate(REASONS)
    }
    return {
        "field": lambda number: fields[number].name,
        "stage_y_um": lambda number: f"{fields[number].stage_um[0]:.3f}",
        "stage_x_um": lambda number: f"{fields[number].stage_um[1]:.3f}",
        "y_px": lambda number: f"{corners[number, 0]:.3f}",
        "x_px": lambda number: f"{corners[number, 1]:.3f}",
        "moved_y_px": lambda number: f"{moved[number, 0]:.3f}",
        "moved_x_px": lambda number: f"{moved[number, 1]:.3f}",
        "cube_y": lambda number: whole[number][0],
        "cube_x": lambda number: whole[number][1],
        "pairs": lambda number: sum(
            number in (pair.first, pair.second) and not pair.rejected for pair in placement.pairs
        ),
        "pixels": partial(_count, lost[:, -1]),
        **reasons,
    }


def _pair_columns(source: Acquisition) -> Columns[Pair]:
    """Return the columns of pairs.csv."""
    return {
        "first": lambda pair: source.fields[pair.first].name,
        "second": lambda pair: source.fields[pair.second].name,
        "stage_y_px": lambda pair: f"{pair.stage[0]:.3f}",
        "stage_x_px": lambda pair: f"{pair.stage[1]:.3f}",
        "y_px": lambda pair: f"{pair.offset[0]:.3f}",
        "x_px": lambda pair: f"{pair.offset[1]:.3f}",
        "correlation": lambda pair: f"{pair.correlation:.4f}",
        "left_out": lambda pair: pair.rejected,
    }


def _count(counts: IntArray, number: int) -> int:
    return int(counts[number])
