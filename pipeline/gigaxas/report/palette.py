"""Colours that tell clusters apart in every shade, for normal and colour-blind eyes alike."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError

DARKEST = 0.3
"""Share of a colour that is taken away where the iron is thinnest."""

# Found by search: in whatever shades, any two are 7.4 apart or more (CIEDE2000) for dichromats and 11 for
# normal eyes, any two of the first five 14 for all. Every further colour is the one farthest from all before
# it, unshaded.
_FIRST = (
    "#5d4ebe",
    "#46d7a6",
    "#a54409",
    "#bfc5f8",
    "#fcb913",
    "#4f6c55",
    "#9d7b8d",
    "#d1f089",
    "#99548f",
    "#bf96ff",
    "#858149",
    "#baebf4",
)
_STATE = ("#000000", "#b4bcc4", "#3f78ad", "#d9a927", "#a63a78")

_GRID_STEPS = 18
_LIGHTNESS = (0.46, 0.9)
_CHROMA = (0.04, 0.16)
_APART = 0.05

_LINEAR_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
# Linear RGB as seen without the long and without the middle cones (Machado, Oliveira & Fernandes 2009).
_PROTANOPE = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)
_DEUTERANOPE = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)


def shaded(colour: NDArray[Any], light: FloatArray) -> FloatArray:
    """Return colours (..., 3) as they are shown under a light (...) from 0, where iron is thinnest, to 1.

    This is the only shade there is: the page lays black over the map, so dense that it gives the same.
    """
    seen: FloatArray = colour * (1.0 - DARKEST * (1.0 - light))[..., None]
    return seen


def cluster_colours(count: int, beside: Sequence[str] = ()) -> list[str]:
    """Return `count` distinct colours as '#rrggbb', the most distinct ones first; the same on every call.

    They are distinct from the colours `beside` them too; the first twelve are so in any shade.
    """
    if count < 0:
        raise InputError(f"{count} colours asked for; ask for 0 or more")
    base = _farthest_first(min(count, 256), tuple(beside))
    return [base[i] if i < len(base) else _nudged(base[i % len(base)], i // len(base)) for i in range(count)]


def state_colours() -> list[str]:
    """Return the colours of the states 0 (void) to 4 (filled border) as '#rrggbb'."""
    return list(_STATE)


def as_rgb(colours: list[str]) -> NDArray[np.uint8]:
    """Return '#rrggbb' colours as bytes (n, 3)."""
    values = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours]
    return np.array(values, dtype=np.uint8).reshape(-1, 3)


def as_hex(rgb: FloatArray) -> list[str]:
    """Return colours (n, 3) from 0 to 255 as '#rrggbb'."""
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in np.rint(rgb).astype(int)]


def colour_distance(colours: list[str]) -> FloatArray:
    """Return the smallest OKLab distance over three kinds of eyes for each pair of colours, (n, n)."""
    views = _views(as_rgb(colours) / 255.0)
    return np.linalg.norm(views[:, :, None] - views[:, None, :], axis=-1).min(axis=0)


@lru_cache(maxsize=8)
def _farthest_first(count: int, beside: tuple[str, ...]) -> tuple[str, ...]:
    """Take colours one by one, each as far as can be from those taken: those of _FIRST before all others.

    Without colours beside them, those of _FIRST keep their order.
    """
    taken, own = list(beside), list(_FIRST)
    if beside:
        own = [colour for colour in own if _nearest([colour], taken).min() > _APART]
    else:
        taken, own = own[:count], []
    for pool in (own, _candidates()):
        nearest = _nearest(pool, taken)
        for _ in range(min(len(pool), len(beside) + count - len(taken))):
            taken.append(pool[int(nearest.argmax())])
            nearest = np.minimum(nearest, _nearest(pool, taken[-1:]))
    return tuple(taken[len(beside) :])


def _nearest(colours: list[str], taken: list[str]) -> FloatArray:
    """Return how near each of n colours comes to any of those taken, over all kinds of eyes (n,)."""
    nearest = np.full(len(colours), np.inf)
    views = _views(as_rgb(colours) / 255.0)
    for other in np.moveaxis(_views(as_rgb(taken) / 255.0), 1, 0):
        nearest = np.minimum(nearest, np.linalg.norm(views - other[:, None], axis=-1).min(axis=0))
    return nearest


def _candidates() -> list[str]:
    """Return colours as '#rrggbb' of middle lightness and moderate chroma."""
    axis = np.linspace(0.0, 1.0, _GRID_STEPS)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = _oklab(_linear(grid))
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    calm = (lab[:, 0] > _LIGHTNESS[0]) & (lab[:, 0] < _LIGHTNESS[1])
    return as_hex(255.0 * grid[calm & (chroma > _CHROMA[0]) & (chroma < _CHROMA[1])])


def _views(rgb: FloatArray) -> FloatArray:
    """Return OKLab (3, ..., 3) of colours (..., 3) as normal, protan and deutan eyes see them."""
    linear = _linear(rgb)
    seen = [linear, *(linear @ cones.T for cones in (_PROTANOPE, _DEUTERANOPE))]
    return np.stack([_oklab(np.clip(view, 0.0, 1.0)) for view in seen])


def _linear(rgb: FloatArray) -> FloatArray:
    """Undo the sRGB transfer curve."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _oklab(linear: FloatArray) -> FloatArray:
    """Return OKLab (..., 3) of linear RGB (..., 3) (Ottosson 2020)."""
    lab: FloatArray = np.cbrt(linear @ _LINEAR_TO_LMS.T) @ _LMS_TO_LAB.T
    return lab


def _nudged(colour: str, turns: int) -> str:
    """Return a colour told apart by software though no longer by eyes, so that each cluster keeps its own."""
    channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    steps = (turns // 49, turns // 7 % 7, turns % 7)
    red, green, blue = (c + s if c < 128 else c - s for c, s in zip(channels, steps, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"
