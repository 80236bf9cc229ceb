"""Map layers: (y, x) arrays in, small PNG pictures with a palette out."""

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gigaxas.arrays import FloatArray, LabelArray
from gigaxas.report.palette import DARKEST, as_rgb, state_colours

LONGEST_LABEL = 2048
"""Longest side of the embedded label picture, in pixels."""
LONGEST_SHADE = 1024
"""Longest side of noisy layers, which compress badly."""
SHADES = 16
"""Steps of iron density."""

Bytes = NDArray[np.uint8]


def thinning(shape: tuple[int, ...], longest: int) -> int:
    """Return the step at which no side of a map is longer than `longest` pixels."""
    return max(1, -(-max(shape) // longest))


def scale_bar(width_um: float) -> float:
    """Return the length in um of a scale bar: 1, 2 or 5 times a power of ten, at most 30 % of the width."""
    power = 10.0 ** np.floor(np.log10(0.3 * width_um))
    return float(max(m * power for m in (1, 2, 5) if m * power <= 0.3 * width_um * (1 + 1e-9)))


def cluster_ranks(label: LabelArray, order: list[int]) -> NDArray[np.intp]:
    """Return for each pixel 1 + the index of its label in `order`, 0 for no label; (y, x)."""
    sites = np.array([0, *order], dtype=np.int64)
    by_site = np.argsort(sites)
    return by_site[np.searchsorted(sites, label, sorter=by_site)]


def label_layer(label: LabelArray, order: list[int], colours: list[str]) -> bytes:
    """Return the PNG of a label map (y, x): `colours` for the labels of `order`, clear where none is."""
    palette = np.zeros((len(order) + 1, 4), dtype=np.uint8)
    palette[1:, :3] = as_rgb(colours)
    palette[1:, 3] = 255
    ranks = cluster_ranks(label, order)
    return _indexed_png(ranks, palette) if len(palette) <= 256 else _png(Image.fromarray(palette[ranks]))


def state_layer(state: NDArray[Any]) -> bytes:
    """Return the PNG of a state map (y, x), void clear."""
    palette = np.full((5, 4), 255, dtype=np.uint8)
    palette[:, :3] = as_rgb(state_colours())
    palette[0, 3] = 0
    return _indexed_png(state, palette)


def shade_layer(density: FloatArray, empty: NDArray[np.bool_]) -> bytes:
    """Return the PNG of a shade (y, x) to lie over the labels: black, the clearer the denser the iron."""
    palette = np.zeros((SHADES, 4), dtype=np.uint8)
    palette[:, 3] = np.rint(255 * DARKEST * (1 - np.linspace(0, 1, SHADES)))
    return _indexed_png(np.rint(brightness(density, empty) * (SHADES - 1)), palette)


def brightness(density: FloatArray, empty: NDArray[np.bool_]) -> FloatArray:
    """Return density as 0 (darkest) to 1 (full colour), 1 where `empty` or unknown; (y, x).

    The scale runs from the 1st to the 99th percentile, but starts at zero unless the field is nearly even.
    """
    known = np.isfinite(density) & ~empty
    shade = np.ones(density.shape)
    if ends := brightness_range(density, empty):
        low, high = ends
        shade[known] = np.clip((density[known] - low) / (high - low), 0.0, 1.0)
    return shade


def brightness_range(density: FloatArray, empty: NDArray[np.bool_]) -> tuple[float, float] | None:
    """Return the densities of the darkest and of the full colour, None where there is nothing to tell."""
    known = np.isfinite(density) & ~empty
    if not known.any():
        return None
    low, high = (float(v) for v in np.percentile(density[known], (1, 99)))
    low = min(low, 0.5 * high)
    return (low, high) if high > low else None


def level_layer(values: FloatArray, edges: FloatArray, colours: Bytes) -> bytes:
    """Return the PNG of a measured map (y, x) in the bins between `edges` (n+1,), one colour (n, 3) for each.

    Values beyond the ends take the end colours; a value that is not finite is clear.
    """
    palette = np.zeros((len(colours) + 1, 4), dtype=np.uint8)
    palette[1:, :3] = colours
    palette[1:, 3] = 255
    known = np.isfinite(values)
    index = np.zeros(values.shape, dtype=np.intp)
    index[known] = 1 + np.searchsorted(edges[1:-1], values[known], side="right")
    return _indexed_png(index, palette)


def data_uri(png: bytes) -> str:
    """Return a PNG as an address that needs no request."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _indexed_png(index: NDArray[Any], palette: Bytes) -> bytes:
    """Return a PNG of indices (y, x) into a palette (n, 4) of red, green, blue, opacity."""
    image = Image.fromarray(np.ascontiguousarray(index, dtype=np.uint8), mode="P")
    image.putpalette(palette[:, :3].tobytes())
    return _png(image, transparency=palette[:, 3].tobytes())


def _png(image: Image.Image, **options: Any) -> bytes:
    """Encode an image."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True, **options)
    return buffer.getvalue()
