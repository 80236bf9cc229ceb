"""The report folder: a map that pans and zooms at any size, opened by a double click, without a network."""

from gigaxas.report.viewer.boxes import boxes_script, label_boxes
from gigaxas.report.viewer.cells import cell_levels, cell_scripts
from gigaxas.report.viewer.page import ViewerData, write_viewer
from gigaxas.report.viewer.tiles import (
    TILE,
    ValueLayer,
    counts_script,
    encode_values,
    tile_script,
    value_layer,
)

__all__ = [
    "TILE",
    "ValueLayer",
    "ViewerData",
    "boxes_script",
    "cell_levels",
    "cell_scripts",
    "counts_script",
    "encode_values",
    "label_boxes",
    "tile_script",
    "value_layer",
    "write_viewer",
]
