"""Spectra of cells as scripts: from them the page takes the mean spectrum of a region."""

import base64
import json
import zlib
from collections.abc import Iterator

import numpy as np

from gigaxas.arrays import Float32Array, IntArray
from gigaxas.report.viewer.tiles import plane_bytes

GROUP = 16
"""Cells of a script along each side."""
_CODES = 65_534
_FAST = 4


def cell_levels(shape: tuple[int, ...]) -> int:
    """Return the levels of so many rows and columns of cells: one script holds the coarsest."""
    return 1 + max(0, (-(-max(shape) // GROUP) - 1).bit_length())


def cell_scripts(level: int, means: Float32Array, pixels: IntArray) -> Iterator[tuple[str, bytes]]:
    """Yield the names and scripts of one level: means (E, m, n) and pixels (m, n) of its cells."""
    for y in range(0, pixels.shape[0], GROUP):
        for x in range(0, pixels.shape[1], GROUP):
            part = (slice(y, y + GROUP), slice(x, x + GROUP))
            name = f"{x // GROUP}_{y // GROUP}"
            yield name, _script(f"tiles/cells/{level}/{name}", means[:, *part], pixels[part])


def _script(key: str, means: Float32Array, pixels: IntArray) -> bytes:
    """Return the script of some cells: the lowest and highest value, then pixels and codes, deflated.

    Code 0 to 65,534 goes evenly from the lowest to the highest value; the bytes lie as in `tile_script`.
    """
    known = means[:, pixels > 0]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    high = high if high > low else low + 1.0
    codes = np.rint((np.where(pixels > 0, means, low).astype(np.float64) - low) / (high - low) * _CODES)
    data = plane_bytes(pixels.astype(np.uint32)) + plane_bytes(codes.astype(np.uint16))
    text = base64.b64encode(zlib.compress(data, _FAST)).decode("ascii")
    return f"gx.put({json.dumps(key)},{json.dumps([low, high, text])})\n".encode()
