"""Scenes with known truth: a section of iron-ore sinter, and the paper's inset of one phase in another."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy import ndimage

from gigaxas.arrays import BoolArray, Float32Array, FloatArray
from gigaxas.errors import InputError
from gigaxas.simulate.counts import RESIN
from gigaxas.simulate.library import read_phases
from gigaxas.tiles import Box

MINORITY_SHARE = 0.005
"""Share of the field that the minority phase covers."""
RIM_PIXELS = 9.0
"""Width of its rims."""
RIM_GRAINS = 3
"""Grains that carry a rim, at the least."""
SMALLEST_ARC = 400
"""Pixels of rim on one grain at least, so that windows of 5 x 5 pixels lie inside it."""
PORE_SHARE = 0.2
"""Share of the field that the large pores take."""
RELICT_SHARE = 0.34
"""Share of the grains that did not melt."""
MINORITY = "wustite"
"""The phase of the rims."""
SMALLEST_SIDE = 128
"""Below this a field holds no grain large enough for the rim of the minority phase."""

SPECK_ROOM = 5
"""Pixels of its host around a planted speck."""

HashArray = NDArray[np.uint64]
PhaseMap = NDArray[np.uint8]


@dataclass(frozen=True)
class Scene:
    """The truth of a simulated field."""

    phase: PhaseMap
    """Number (y, x), from 0, of the spectrum of every pixel in the library; 255 is resin."""
    thickness: Float32Array
    """Thickness (y, x) of the iron relative to the working point."""
    names: tuple[str, ...]
    """The phases present, in the order of their numbers."""
    minority: int
    """Number of the phase that must not be lost."""
    specks: tuple[Box, ...] = ()
    """Where specks were planted."""


def inset_scene(shape: tuple[int, int] = (400, 400), inset: tuple[int, int] = (10, 10)) -> Scene:
    """Build the verification of [I]: a central inset of phase 1 in phase 0, of even thickness.

    shape and inset in pixels; `simulate_block` measures it with any two spectra.
    Raises InputError when the inset does not lie inside the field.
    """
    if not all(0 < part < whole for part, whole in zip(inset, shape, strict=True)):
        raise InputError(f"The inset {inset} does not lie inside the field {shape}; give a smaller inset.")
    phase = np.zeros(shape, dtype=np.uint8)
    top, left = ((whole - part) // 2 for part, whole in zip(inset, shape, strict=True))
    phase[top : top + inset[0], left : left + inset[1]] = 1
    return Scene(phase, np.ones(shape, dtype=np.float32), ("majority", "minority"), 1)


def sinter_scene(shape: tuple[int, int] = (1024, 1024), seed: int = 0) -> Scene:
    """Draw a section of sinter: relict ore, ferrite needles, magnetite in slag, pores of resin, a thin rim.

    shape in pixels. Wustite covers 0.5 % of the field as rims 9 pixels wide inside a few grains of magnetite;
    the same seed gives the same field. Raises InputError below 128 pixels a side.
    """
    if min(shape) < SMALLEST_SIDE:
        raise InputError(
            f"A sinter field of {shape} pixels is too small for its rim; give at least {SMALLEST_SIDE}."
        )
    rng = np.random.default_rng(seed)
    number = {phase.name: index for index, phase in enumerate(read_phases())}
    y, x = _warped_coordinates(shape, rng)
    grains = _cells(y / 105, x / 105, int(rng.integers(2**31)))
    phase = np.where(
        _draw(grains, 1) < RELICT_SHARE, _relict_ore(grains, number), _bonding(y, x, rng, number)
    )
    phase[_pores(shape, rng)] = RESIN
    _add_rims(phase, grains, number, rng)
    thickness = 1 + 0.08 * _smooth(shape, 160, rng) + 0.05 * (2 * _draw(grains, 2) - 1)
    present = [index for index in np.unique(phase) if index != RESIN]
    names = tuple(read_phases()[index].name for index in present)
    return Scene(phase, np.clip(thickness, 0.75, 1.3).astype(np.float32), names, number[MINORITY])


def plant_specks(scene: Scene, phase: int, host: int, side: int, count: int, seed: int) -> Scene:
    """Put squares of one phase (its number) into another, `side` pixels wide; the same seed, the same places.

    Each has SPECK_ROOM pixels of its host around it. Raises InputError where there is no such place left.
    """
    free = scene.phase == host
    for box in scene.specks:
        free[box.widened(SPECK_ROOM, free.shape).region] = False
    wide = side + 2 * SPECK_ROOM
    # the sum over all squares of that side at once
    total = np.pad(np.cumsum(np.cumsum(free, axis=0), axis=1), ((1, 0), (1, 0)))
    whole = total[wide:, wide:] - total[:-wide, wide:] - total[wide:, :-wide] + total[:-wide, :-wide]
    places = np.argwhere(whole == wide * wide)
    rng = np.random.default_rng([seed, 4, phase, host, side])
    map_, boxes = scene.phase.copy(), list[Box]()
    for y, x in rng.permutation(places).tolist():
        if len(boxes) == count:
            break
        box = Box(y + SPECK_ROOM, y + SPECK_ROOM + side, x + SPECK_ROOM, x + SPECK_ROOM + side)
        if all(_apart(box, other) for other in boxes):
            boxes.append(box)
            map_[box.region] = phase
    if len(boxes) < count:
        raise InputError(
            f"simulate.specks: found room for {len(boxes)} of {count} specks; expected a host with squares "
            f"of {wide} pixels a side; take another host, or fewer of them"
        )
    return replace(scene, phase=map_, specks=(*scene.specks, *boxes))


def _apart(one: Box, other: Box) -> bool:
    """Return whether two boxes have SPECK_ROOM pixels between them."""
    return (
        max(one.y0, other.y0) - min(one.y1, other.y1) >= SPECK_ROOM
        or max(one.x0, other.x0) - min(one.x1, other.x1) >= SPECK_ROOM
    )


def _relict_ore(grains: HashArray, number: dict[str, int]) -> PhaseMap:
    """Unmelted ore: whole grains of hematite, some of magnetite."""
    return np.where(_draw(grains, 3) < 0.6, number["hematite"], number["magnetite"]).astype(np.uint8)


def _bonding(y: FloatArray, x: FloatArray, rng: np.random.Generator, number: dict[str, int]) -> PhaseMap:
    """What melted: domains of ferrite needles, of magnetite set in slag, and of lime-rich ferrites."""
    domain = _draw(_cells(y / 150, x / 150, int(rng.integers(2**31))), 4)
    angle = np.pi * _draw(_cells(y / 70, x / 70, int(rng.integers(2**31))), 5)
    along, across = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
    needle = _draw(_cells(along / 60, across / 18, int(rng.integers(2**31))), 6)
    block = _draw(_cells(y / 34, x / 34, int(rng.integers(2**31))), 7)
    crystal = _draw(_cells(y / 15, x / 15, int(rng.integers(2**31))), 8)
    needles = _pick(needle, number, {"SFCA": 0.58, "SFCA-I": 0.30, "magnetite": 0.12})
    slag = _pick(
        block, number, {"magnetite": 0.45, "fayalite": 0.2, "kirschsteinite": 0.15, "ferrous glass": 0.2}
    )
    slag = np.where(crystal < 0.15, number["magnetite"], slag).astype(np.uint8)
    lime = _pick(block, number, {"CF": 0.5, "C2F": 0.3, "hematite": 0.2})
    return np.select([domain < 0.5, domain < 0.8], [needles, slag], lime)


def _pores(shape: tuple[int, int], rng: np.random.Generator) -> BoolArray:
    """Resin: rounded pores at two scales."""
    depth = _smooth(shape, 90, rng) + 0.45 * _smooth(shape, 28, rng)
    large = depth > np.quantile(depth, 1 - PORE_SHARE)
    small = _smooth(shape, 14, rng)
    pores: BoolArray = large | (small > np.quantile(small, 0.985))
    return pores


def _add_rims(phase: PhaseMap, grains: HashArray, number: dict[str, int], rng: np.random.Generator) -> None:
    """Turn rims of the largest relict grains, magnetite first, into the minority phase, in place."""
    wanted = round(MINORITY_SHARE * phase.size)
    most = max(SMALLEST_ARC, wanted // RIM_GRAINS)
    solid = phase != RESIN
    magnetite = solid & (_draw(grains, 1) < RELICT_SHARE) & (phase == number["magnetite"])
    for host in (magnetite, solid & ~magnetite):
        for box, grain in _largest_first(grains, host):
            if wanted == 0:
                return
            rim = _rim(grain, min(most, wanted), rng)
            phase[box][rim] = number[MINORITY]
            wanted -= int(rim.sum())


def _largest_first(grains: HashArray, host: BoolArray) -> Iterator[tuple[tuple[slice, ...], BoolArray]]:
    """Yield the box of every grain inside host (y, x) and its mask in that box, the largest grain first."""
    _, index, sizes = np.unique(grains[host], return_inverse=True, return_counts=True)
    labels = np.zeros(host.shape, dtype=np.int64)
    labels[host] = index + 1
    boxes = ndimage.find_objects(labels)
    for grain in np.argsort(-sizes, kind="stable"):
        yield boxes[grain], labels[boxes[grain]] == grain + 1


def _rim(grain: BoolArray, most: int, rng: np.random.Generator) -> BoolArray:
    """Mark the rim of one grain, or the `most` pixels of it that lie nearest to a random point of the rim."""
    depth = ndimage.distance_transform_edt(np.pad(grain, 1))[1:-1, 1:-1]
    rim = grain & (depth <= RIM_PIXELS)
    middle = np.argwhere(rim & (depth >= min(RIM_PIXELS / 2, depth.max())))
    start = middle[rng.integers(len(middle))]
    y, x = np.nonzero(rim)
    beyond = np.argsort((y - start[0]) ** 2 + (x - start[1]) ** 2, kind="stable")[most:]
    rim[y[beyond], x[beyond]] = False
    return rim


def _pick(draw: FloatArray, number: dict[str, int], shares: dict[str, float]) -> PhaseMap:
    """Turn uniform draws into phase numbers with the given shares, which add up to 1."""
    upper = np.cumsum(list(shares.values()))[:-1]
    numbers = np.array([number[name] for name in shares], dtype=np.uint8)
    picked: PhaseMap = numbers[np.searchsorted(upper, draw, side="right")]
    return picked


def _smooth(shape: tuple[int, int], scale: int, rng: np.random.Generator) -> FloatArray:
    """Draw a smooth random field of unit variance or less that changes over `scale` pixels."""
    lattice = rng.standard_normal([side // scale + 4 for side in shape])
    field: FloatArray = ndimage.zoom(lattice, scale, order=3)[: shape[0], : shape[1]]
    return field


def _warped_coordinates(shape: tuple[int, int], rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Pixel coordinates bent at two scales, so that straight cell walls become grain boundaries."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    for axis in (y, x):
        axis += 14 * _smooth(shape, 64, rng) + 3 * _smooth(shape, 16, rng)
    return y, x


def _draw(cells: HashArray, purpose: int) -> FloatArray:
    """Give every cell a uniform number in [0, 1), another one for every purpose."""
    return _uniform(cells.ravel(), np.uint64(purpose)).reshape(cells.shape)


@njit(nogil=True, cache=True)
def _scramble(key: np.uint64) -> np.uint64:
    """Mix the bits of a 64-bit number (the finaliser of splitmix64): random numbers that nothing stores."""
    key = (key ^ (key >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    key = (key ^ (key >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return key ^ (key >> np.uint64(31))


@njit(nogil=True, cache=True)
def _uniform(keys: HashArray, purpose: np.uint64) -> FloatArray:
    out = np.empty(keys.size)
    for i in range(keys.size):
        out[i] = (_scramble(keys[i] + purpose * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(11)) * 2.0**-53
    return out


@njit(nogil=True, cache=True)
def _cells(y: FloatArray, x: FloatArray, seed: int) -> HashArray:
    """Voronoi cells of one random point in every unit square: the key of each pixel's nearest point."""
    out = np.empty(y.shape, dtype=np.uint64)
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            row, column = int(np.floor(y[i, j])), int(np.floor(x[i, j]))
            nearest = np.inf
            for r in range(row - 1, row + 2):
                for c in range(column - 1, column + 2):
                    key = _scramble(
                        np.uint64(seed) + np.uint64(r + 32768) * np.uint64(65536) + np.uint64(c + 32768)
                    )
                    other = _scramble(key)
                    point_y = r + 0.1 + 0.8 * ((key >> np.uint64(11)) * 2.0**-53)
                    point_x = c + 0.1 + 0.8 * ((other >> np.uint64(11)) * 2.0**-53)
                    distance = (y[i, j] - point_y) ** 2 + (x[i, j] - point_x) ** 2
                    if distance < nearest:
                        nearest = distance
                        out[i, j] = key
    return out
