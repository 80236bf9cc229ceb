"""Repeated frames of one unchanged field, read a few at a time: what a camera is calibrated with."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.errors import InputError
from gigaxas.raw.readers.files import find_stack
from gigaxas.raw.readers.images import Stack, open_stack, read_stack
from gigaxas.spectra.repeated import FEWEST_FRAMES

MOST_PIXELS = 2**20
"""Pixels of a frame that tell enough of the camera."""
BLOCK_BYTES = 2**26
"""Memory for the frames that are read at once."""
NAME = "noise.frames"


@dataclass(frozen=True)
class Frames:
    """Frames that can be gone through more than once; of a large one, every k-th row and column."""

    stack: Stack
    """Where they are."""

    def __iter__(self) -> Iterator[NDArray[Any]]:
        height, width = self.stack.plane
        step = ceil(sqrt(max(1.0, height * width / MOST_PIXELS)))
        at_once = max(1, BLOCK_BYTES // (height * width * np.dtype(self.stack.dtype).itemsize))
        for start in range(0, self.stack.shape[0], at_once):
            block = read_stack(self.stack, (slice(0, height), slice(0, width)), slice(start, start + at_once))
            yield from block[:, ::step, ::step]


def open_frames(source: str) -> Frames:
    """Open the frames of a source: one stack (frame, y, x), or a file for each frame with `{index}`.

    Raises InputError for what is no stack of images, and for fewer than two.
    """
    stack = open_stack(source, find_stack(source, NAME))
    if stack.shape[0] < FEWEST_FRAMES:
        raise InputError(
            f"{source}: found {stack.shape[0]} frame, expected at least {FEWEST_FRAMES} of one unchanged "
            "field; take more"
        )
    return Frames(stack)
