"""Specks: phases smaller than the window of the clean-up, down to one pixel."""

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
from gigaxas.specks.search import Found, Specks, SpeckSearch, block_of, find_specks, sample_squares
from gigaxas.specks.significance import NullLaw

__all__ = [
    "Found",
    "ImageSpecks",
    "Kinds",
    "NullLaw",
    "SpeckSearch",
    "Specks",
    "area_grid",
    "block_of",
    "find_specks",
    "gather_specks",
    "law_of",
    "probability_of",
    "sample_squares",
    "settle_search",
    "specks_of_image",
]
