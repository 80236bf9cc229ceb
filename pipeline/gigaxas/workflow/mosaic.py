"""What people look at after stitching: where every field lies, which pairs agreed, and the seams."""

from pathlib import Path

import numpy as np

from gigaxas.arrays import IntArray
from gigaxas.locations import Location
from gigaxas.raw.absorbance import REASONS
from gigaxas.raw.readers.acquisition import Acquisition
from gigaxas.report import write_seams_png
from gigaxas.stores.io.files import publish_csv
from gigaxas.stores.result import read_map
from gigaxas.workflow.registration import Survey

OVERVIEW_SIDE = 2048


def mosaic_paths(folder: Path) -> tuple[Path, ...]:
    """Return the files that tell how the fields were stitched."""
    return tuple(folder / name for name in ("fields.csv", "pairs.csv", "seams.png"))


def write_mosaic(folder: Path, source: Acquisition, survey: Survey, lost: IntArray, cube: Location) -> None:
    """Write fields.csv, pairs.csv, seams.png; `lost` (fields, 4): invalid samples by reason, pixels."""
    fields, pairs, seams = mosaic_paths(folder)
    placement = survey.placement
    stage = source.stage_px
    rows = [
        [
            field.name,
            *(f"{value:.3f}" for value in (*field.stage_um, *corner, *(corner - stage[number]))),
            *placement.whole[number],
            sum(number in (pair.first, pair.second) and not pair.why for pair in placement.pairs),
            lost[number, -1],
            *lost[number, :-1],
        ]
        for number, (field, corner) in enumerate(zip(source.fields, placement.corners, strict=True))
    ]
    names = ["stage_y_um", "stage_x_um", "y_px", "x_px", "moved_y_px", "moved_x_px", "cube_y", "cube_x"]
    invalid = [f"samples_{reason.replace(' ', '_')}" for reason in REASONS]
    publish_csv(fields, ["field", *names, "pairs", "pixels", *invalid], rows)
    header = ["first", "second", "stage_y_px", "stage_x_px", "y_px", "x_px", "correlation", "left_out"]
    publish_csv(
        pairs,
        header,
        [
            [
                source.fields[pair.first].name,
                source.fields[pair.second].name,
                *(f"{value:.3f}" for value in (*pair.stage, *pair.offset)),
                f"{pair.correlation:.4f}",
                pair.why,
            ]
            for pair in placement.pairs
        ],
    )
    height, width = placement.shape(source.plane)
    step = -(-max(height, width) // OVERVIEW_SIDE)
    every = (slice(0, height, step), slice(0, width, step))
    images = read_map(cube, "edge_step", every), read_map(cube, "field", every)
    boxes = np.array(placement.whole) // step, np.array(source.plane) // step
    write_seams_png(seams, *images, boxes[0], (int(boxes[1][0]), int(boxes[1][1])))
