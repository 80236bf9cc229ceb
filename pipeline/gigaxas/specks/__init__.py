"""Specks: phases smaller than the window of the clean-up, down to one pixel."""

from gigaxas.specks.coordinates import coordinates_of, write_coordinates
from gigaxas.specks.image import (
    ImageSpecks,
    area_grid,
    gather_specks,
    law_of,
    probability_of,
    settle_search,
    specks_of_image,
)
from gigaxas.specks.kinds import Kinds
from gigaxas.specks.search import (
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
from gigaxas.specks.significance import NullLaw
from gigaxas.specks.surroundings import CELL, LabelMaps

__all__ = [
    "CELL",
    "MARGIN",
    "Block",
    "Found",
    "ImageSpecks",
    "Kinds",
    "LabelMaps",
    "NullLaw",
    "SpeckSearch",
    "Specks",
    "area_grid",
    "block_of",
    "coordinates_of",
    "find_specks",
    "gather_specks",
    "join_found",
    "law_of",
    "probability_of",
    "sample_squares",
    "settle_search",
    "specks_of_image",
    "write_coordinates",
]
