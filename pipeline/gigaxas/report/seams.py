"""The stitched edge step with the seams between fields drawn into it."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gigaxas.stores.io.files import publish_file
from gigaxas.tiles import Box

_SEAM = (214, 94, 38)
_BORDER = (74, 140, 190)
_NOTHING = 238


def write_seams_png(path: Path, step: NDArray[Any], field: NDArray[Any], boxes: Sequence[Box]) -> None:
    """Write the edge step (y, x) in grey as PNG; raises RunError.

    Red lines part pixels that come from different fields (`field` (y, x), 0 is none), blue ones are the
    borders of the fields: one of the `boxes` each, in pixels of these maps, cut where the maps end.
    """
    known = np.isfinite(step)
    low, high = np.percentile(step[known], (1, 99)) if known.any() else (0.0, 1.0)
    grey = 20 + 215 * np.clip((np.where(known, step, low) - low) / max(high - low, 1e-9), 0, 1)
    image = np.repeat(np.where(known, grey, _NOTHING).astype(np.uint8)[..., None], 3, axis=2)
    for box in boxes:
        image[box.y0 : box.y1, [box.x0, min(box.x1, image.shape[1]) - 1]] = _BORDER
        image[[box.y0, min(box.y1, image.shape[0]) - 1], box.x0 : box.x1] = _BORDER
    image[seams(field)] = _SEAM
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    publish_file(path, buffer.getvalue())


def seams(field: NDArray[Any]) -> NDArray[np.bool_]:
    """Mark the pixels (y, x) whose right or lower neighbour comes from another field."""
    found = np.zeros(field.shape, dtype=np.bool_)
    for axis in (0, 1):
        one, other = (field[:-1], field[1:]) if axis == 0 else (field[:, :-1], field[:, 1:])
        part = found[:-1] if axis == 0 else found[:, :-1]
        part |= (one != other) & (one > 0) & (other > 0)
    return found
