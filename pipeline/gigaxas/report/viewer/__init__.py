"""The report folder: a map that pans and zooms at any size, opened by a double click, without a network."""

from gigaxas.report.viewer.locations import boxes_script, join_boxes
from gigaxas.report.viewer.page import Scene, write_viewer
from gigaxas.report.viewer.tiles import TILE, ValueLayer, encode_values, tile_script, value_layer

__all__ = [
    "TILE",
    "Scene",
    "ValueLayer",
    "boxes_script",
    "encode_values",
    "join_boxes",
    "tile_script",
    "value_layer",
    "write_viewer",
]
