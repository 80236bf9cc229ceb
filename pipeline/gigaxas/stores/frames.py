"""Repeated frames of one unchanged field, read block by block: what a camera is calibrated with."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.stores.io.chunks import open_array, outer_chunks, read

MOST_PIXELS = 2**20
FEWEST_FRAMES = 3


@dataclass(frozen=True)
class FrameLevels:
    """Levels of the counts of n pixels over repeated frames."""

    mean: FloatArray
    """Mean count (n,) of each pixel over the frames."""
    deviation: FloatArray
    """Standard deviation (n,) of its counts."""
    frames: int
    """How many frames there are."""
    shape: tuple[int, int]
    """Rows and columns of a frame, in pixels."""


def read_levels(path: Path) -> FrameLevels:
    """Return the count levels of a stack (F, h, w): a .npy array, a TIFF of many pages or a Zarr array.

    Of a large frame every k-th row and column is taken. Pixels that saturate in any frame, or see no light
    in all, are left out. Raises InputError for anything but three frames or more of one shape.
    """
    moments: _Moments | None = None
    for block in _blocks(path):
        if block.ndim != 3 or block.dtype.kind not in "iuf" or min(block.shape) < 1:
            raise InputError(
                f"{path}: found frames of {block.dtype} and shape {block.shape[1:]}, expected counts (y, x)"
            )
        if moments is None:
            moments = _Moments(block)
        elif block.shape[1:] != moments.shape:
            raise InputError(
                f"{path}: found frames of {moments.shape} and {block.shape[1:]} pixels, expected one shape"
            )
        moments.add(block)
    if moments is None or moments.count < FEWEST_FRAMES:
        raise InputError(
            f"{path}: found {moments.count if moments else 0} frames, expected at least {FEWEST_FRAMES} of "
            "one unchanged field; take more"
        )
    return moments.levels()


class _Moments:
    """Sums over frames, taken from the first frame so that nothing cancels."""

    def __init__(self, block: NDArray[Any]) -> None:
        self.shape: tuple[int, int] = (block.shape[1], block.shape[2])
        self.count = 0
        self._step = max(1, int(np.ceil(np.sqrt(block[0].size / MOST_PIXELS))))
        self._full = np.iinfo(block.dtype).max if block.dtype.kind in "iu" else np.inf
        self._start = self._thin(block)[0].astype(np.float64)
        self._total, self._square = np.zeros_like(self._start), np.zeros_like(self._start)
        self._saturated = np.zeros(self._start.shape, dtype=np.bool_)

    def add(self, block: NDArray[Any]) -> None:
        for frame in self._thin(block):
            self._saturated |= frame >= self._full
            offset = frame - self._start
            self._total += offset
            self._square += offset**2
            self.count += 1

    def levels(self) -> FrameLevels:
        mean = self._start + self._total / self.count
        variance = (self._square - self._total**2 / self.count) / (self.count - 1)
        used = ~self._saturated & ~(mean <= 0)
        return FrameLevels(mean[used], np.sqrt(np.maximum(variance[used], 0.0)), self.count, self.shape)

    def _thin(self, block: NDArray[Any]) -> NDArray[Any]:
        return block[:, :: self._step, :: self._step]


def _blocks(path: Path) -> Iterator[NDArray[Any]]:
    """Yield the frames of a stack in blocks (k, h, w)."""
    if not path.exists():
        raise InputError(f"noise.frames: there is nothing at {path}; give a stack of repeated frames")
    if path.is_dir():
        array = open_array(path, "")
        step = outer_chunks(array)[0] if array.ndim == 3 else 1
        for start in range(0, array.shape[0] if array.ndim else 0, step):
            yield read(path, "", (slice(start, start + step), *(slice(None),) * (array.ndim - 1)))
        return
    try:
        if path.suffix.lower() == ".npy":
            stack = np.load(path, mmap_mode="r", allow_pickle=False)
            yield from (stack[k : k + 1] for k in range(stack.shape[0] if stack.ndim else 0))
        elif path.suffix.lower() in (".tif", ".tiff"):
            with Image.open(path) as pages:
                yield from (np.asarray(page)[None] for page in ImageSequence.Iterator(pages))
        else:
            raise InputError(f"{path}: found {path.suffix!r}, expected a .npy, .tif or .zarr stack of frames")
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read as frames ({error}); save the stack again") from None
