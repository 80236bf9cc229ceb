"""Tiles of the map as scripts: a page opened from a folder may read a script's data, but no other file's."""

import base64
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import IntArray

TILE = 512
"""Side of a tile, in pixels."""

LEVELS = 254
"""Steps from the lowest to the highest code of a value; code 0 is unknown."""
_FAST = (1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
"""zlib looks for runs of equal bytes alone: half the time of level 4, and less room, for labels and noise."""


@dataclass(frozen=True)
class ValueLayer:
    """A measured map that is shown in colours; values beyond the ends take the end colours."""

    name: str
    """Name of the map in its store."""
    title: str
    """What the map is called on the page."""
    meaning: str
    """What its values are."""
    low: float
    """Value of the first colour."""
    high: float
    """Value of the last colour."""
    group: str
    """The tiles of the layers of one group are the planes of one script."""
    label: int = 0
    """The cluster whose share the map tells, 0 where it tells something else."""


def value_layer(name: str, title: str, meaning: str, sample: NDArray[np.floating[Any]]) -> ValueLayer | None:
    """Return a layer whose range leaves out the outermost 0.1 % of a sample, None where nothing is finite."""
    known = sample[np.isfinite(sample)]
    if known.size == 0:
        return None
    low, high = (float(v) for v in np.percentile(known, (0.1, 99.9)))
    high = high if high > low else low + max(abs(low), 1.0) * 1e-6
    return ValueLayer(name, title, meaning, low, high, name)


def encode_values(values: NDArray[np.floating[Any]], layer: ValueLayer) -> NDArray[np.uint8]:
    """Return values (h, w) as bytes: 0 unknown, 1 to 255 evenly from `low` to `high`, clipped at the ends."""
    known = np.isfinite(values)
    code = np.where(known, values, layer.low)
    code -= layer.low
    code /= layer.high - layer.low
    np.clip(code, 0.0, 1.0, out=code)
    code *= LEVELS
    np.rint(code, out=code)
    code += 1
    return np.asarray(code.astype(np.uint8) * known)


def tile_script(key: str, planes: Sequence[NDArray[Any]]) -> bytes:
    """Return the script that hands the planes (h, w) of one tile to the page under `key`.

    Every plane is unsigned; its bytes lie plane by plane, the lowest of all samples first, deflated.
    """
    data = b"".join(plane_bytes(plane) for plane in planes)
    deflate = zlib.compressobj(*_FAST)
    text = base64.b64encode(deflate.compress(data) + deflate.flush()).decode("ascii")
    return f'gx.put({json.dumps(key)},"{text}")\n'.encode()


def counts_script(key: str, pixels: IntArray) -> bytes:
    """Return the script that hands the pixels (n,) of each label of one tile to the page."""
    found = [[int(label), int(pixels[label])] for label in np.flatnonzero(pixels)]
    return f"gx.put({json.dumps(key)},{json.dumps(found, separators=(',', ':'))})\n".encode()


def plane_bytes(plane: NDArray[Any]) -> bytes:
    """Return the bytes of unsigned samples: the lowest of all samples first."""
    little = np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(plane.size, plane.dtype.itemsize).T.tobytes()
