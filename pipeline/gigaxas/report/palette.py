"""Colours that tell clusters apart, for normal and colour-blind eyes alike."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError

# Chosen by hand for calm; every further colour is the one farthest from all before it.
_FIRST = ("#6f9fc8", "#e3b95f", "#8a4a5e", "#3d8b7d")
_STATE = ("#000000", "#b4bcc4", "#3f78ad", "#d9a927", "#a63a78")

_GRID_STEPS = 18
_LIGHTNESS = (0.46, 0.88)
_CHROMA = (0.04, 0.12)
_RING = 12
_HUE_LIGHTNESS = (0.68, 0.8)
_HUE_CHROMA = (0.13, 0.06, 0.09)
_FIRST_HUE = np.deg2rad(250.0)

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


def cluster_colours(count: int, beside: Sequence[str] = ()) -> list[str]:
    """Return `count` distinct colours as '#rrggbb', the most distinct ones first; the same on every call.

    They are distinct from the colours `beside` them too.
    """
    if count < 0:
        raise InputError(f"{count} colours asked for; ask for 0 or more")
    base = _farthest_first(min(count, 256), tuple(beside))
    return [base[i] if i < len(base) else _nudged(base[i % len(base)], i // len(base)) for i in range(count)]


def hue_colours(count: int) -> list[str]:
    """Return `count` colours as '#rrggbb' that differ in hue; lightness is left for shades.

    Hues lie evenly on rings of up to twelve; those that follow each other in the list lie far apart, those
    beside each other on a ring differ a little in lightness. Further rings have another chroma; up to 62
    colours are all different.
    """
    if count < 0:
        raise InputError(f"{count} colours asked for; ask for 0 or more")
    colours: list[FloatArray] = []
    for ring in range(-(-count // _RING)):
        size = min(_RING, count - ring * _RING)
        stride = next(
            step for step in range(max(1, round(0.382 * size)), size + 1) if np.gcd(step, size) == 1
        )
        hue = np.arange(size) * stride % size
        angle = _FIRST_HUE + 2 * np.pi * (hue + 0.382 * ring % 1) / size
        chroma = _HUE_CHROMA[ring % len(_HUE_CHROMA)]
        lightness = np.array(_HUE_LIGHTNESS)[hue % 2]
        colours.extend(np.stack([lightness, chroma * np.cos(angle), chroma * np.sin(angle)], axis=-1))
    lms = (np.array(colours).reshape(-1, 3) @ np.linalg.inv(_LMS_TO_LAB).T) ** 3
    linear = np.clip(lms @ np.linalg.inv(_LINEAR_TO_LMS).T, 0.0, 1.0)
    rgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in np.rint(255 * rgb).astype(int)]


def state_colours() -> list[str]:
    """Return the colours of the states 0 (void) to 4 (filled border) as '#rrggbb'."""
    return list(_STATE)


def as_rgb(colours: list[str]) -> NDArray[np.uint8]:
    """Return '#rrggbb' colours as bytes (n, 3)."""
    values = [[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours]
    return np.array(values, dtype=np.uint8).reshape(-1, 3)


def colour_distance(colours: list[str]) -> FloatArray:
    """Return the smallest OKLab distance over three kinds of eyes for each pair of colours, (n, n)."""
    views = _views(as_rgb(colours) / 255.0)
    return np.linalg.norm(views[:, :, None] - views[:, None, :], axis=-1).min(axis=0)


@lru_cache(maxsize=8)
def _farthest_first(count: int, beside: tuple[str, ...]) -> tuple[str, ...]:
    """Take colours one by one, each as far as can be from those taken, in the worst of the three views."""
    if count == 0:
        return ()
    grid = _candidates()
    views = _views(grid)
    taken = list(beside or _FIRST[:count])
    nearest = np.full(len(grid), np.inf)
    for view in np.moveaxis(_views(as_rgb(taken) / 255.0), 1, 0):
        nearest = np.minimum(nearest, np.linalg.norm(views - view[:, None], axis=-1).min(axis=0))
    while len(taken) < len(beside) + count:
        best = int(nearest.argmax())
        red, green, blue = np.rint(grid[best] * 255).astype(int)
        taken.append(f"#{red:02x}{green:02x}{blue:02x}")
        nearest = np.minimum(nearest, np.linalg.norm(views - views[:, best, None], axis=-1).min(axis=0))
    return tuple(taken[len(beside) :])


def _candidates() -> FloatArray:
    """Return sRGB colours (n, 3) of middle lightness and moderate chroma."""
    axis = np.linspace(0.0, 1.0, _GRID_STEPS)
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = _oklab(_linear(grid))
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    calm = (lab[:, 0] > _LIGHTNESS[0]) & (lab[:, 0] < _LIGHTNESS[1])
    return grid[calm & (chroma > _CHROMA[0]) & (chroma < _CHROMA[1])]


def _views(rgb: FloatArray) -> FloatArray:
    """Return OKLab (3, n, 3) of colours (n, 3) as normal, protan and deutan eyes see them."""
    linear = _linear(rgb)
    seen = [linear, linear @ _PROTANOPE.T, linear @ _DEUTERANOPE.T]
    return np.stack([_oklab(np.clip(view, 0.0, 1.0)) for view in seen])


def _linear(rgb: FloatArray) -> FloatArray:
    """Undo the sRGB transfer curve."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _oklab(linear: FloatArray) -> FloatArray:
    """Return OKLab (n, 3) of linear RGB (n, 3) (Ottosson 2020)."""
    lab: FloatArray = np.cbrt(linear @ _LINEAR_TO_LMS.T) @ _LMS_TO_LAB.T
    return lab


def _nudged(colour: str, turns: int) -> str:
    """Return a colour told apart by software though no longer by eyes, so that each cluster keeps its own."""
    channels = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    steps = (turns // 49, turns // 7 % 7, turns % 7)
    red, green, blue = (c + s if c < 128 else c - s for c, s in zip(channels, steps, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"
