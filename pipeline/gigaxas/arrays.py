"""Names for the array types that travel between the rooms."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Float32Array = NDArray[np.float32]
LabelArray = NDArray[np.unsignedinteger[Any]]
IntArray = NDArray[np.int64]
CountArray = NDArray[np.uint16]
"""Counts of a detector of 16 bits."""
BoolArray = NDArray[np.bool_]


def label_dtype(sites: int) -> type[np.uint16] | type[np.uint32]:
    """Return the smallest unsigned type that holds the labels 0 (no label) to `sites`."""
    return np.uint16 if sites <= np.iinfo(np.uint16).max else np.uint32
