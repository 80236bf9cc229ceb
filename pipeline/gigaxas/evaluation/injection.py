"""Needles put into a user's own pixels, to tell the smallest phase that would have been found there."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, FloatArray, IntArray, LabelArray
from gigaxas.evaluation.methods import classify_image, join_sites, specks_of_maps
from gigaxas.evaluation.score import FOUND, on_specks
from gigaxas.observed import NoiseLevel, ObservedSites, observe_block, sites_of_groups
from gigaxas.sites import cross_distance
from gigaxas.spectra.noise import Noise

INJECT_SIZES = (1, 2, 3, 4, 5, 6, 7, 10)
INJECT_Z = (2.0, 3.0, 4.0, 6.0, 8.0)
SURROUND = 3
AT_ONCE = 3
TRIES = 500
OWN = 1.0
"""z within which a composition is the surround's own and gives no direction."""


@dataclass(frozen=True)
class InjectionPlan:
    """Squares for needles in one image."""

    first: IntArray
    """(n, 2) first pixel of each square."""
    sizes: IntArray
    """(n,) pixels of each needle."""
    z: FloatArray
    """(n,) distance from the spectrum of the pixels around it."""
    towards: IntArray
    """(n,) the direction it goes."""


@dataclass(frozen=True)
class Injected:
    """Needles that were put in."""

    sizes: IntArray
    """(n,) pixels."""
    z: FloatArray
    """(n,) distance from the spectrum around it."""
    by_map: BoolArray
    """(n,) whether the label map shows it."""
    by_specks: BoolArray
    """(n,) whether a speck overlaps it."""

    @property
    def found(self) -> BoolArray:
        """(n,) whether either finds it."""
        return self.by_map | self.by_specks


@dataclass(frozen=True)
class SiteSource:
    """Where a run's sites come from."""

    observing: bool
    """Whether sites are observed in the data."""
    given: FloatArray
    """(m, E) sites that are given, none or more."""

    def sites(
        self, observe: Callable[[], ObservedSites], noise: Noise, limit: float
    ) -> tuple[FloatArray, IntArray]:
        """Return the sites (m, E), and the number that stands for each in the map (m,).

        `observe` is asked for those of the data only where these are wanted.
        """
        if not self.observing:
            return self.given, np.arange(1, len(self.given) + 1)
        observed = observe()
        joined = join_sites(observed.spectra, self.given, noise, limit)
        further = np.arange(len(observed.spectra), len(joined)) + 1
        return joined, np.concatenate([observed.classes, further])


def plan_injection(
    label: LabelArray, directions: int, rng: np.random.Generator, start: int = 0
) -> InjectionPlan:
    """Choose places in uniform surroundings of a label map (h, w) for at most AT_ONCE needles.

    Few at once, so that they are not each other's neighbours in composition. All sizes and z take turns,
    counted from `start`.
    """
    rows: list[tuple[float, ...]] = []
    taken = label == 0
    kinds = [(size, z) for size in INJECT_SIZES for z in INJECT_Z]
    if min(label.shape) > max(INJECT_SIZES) + 2 * SURROUND:
        for _ in range(TRIES):
            if len(rows) == AT_ONCE:
                break
            # a step that shares no factor with their number reaches all kinds, different ones at a time
            size, z = kinds[(start + len(rows)) * 7 % len(kinds)]
            y, x = rng.integers(0, np.array(label.shape) - size - 2 * SURROUND + 1)
            here = np.s_[y : y + size + 2 * SURROUND, x : x + size + 2 * SURROUND]
            if taken[here].any() or np.any(label[here] != label[y, x]):
                continue
            taken[here] = True
            rows.append((int(y) + SURROUND, int(x) + SURROUND, size, z, int(rng.integers(directions))))
    table = np.array(rows, np.float64).reshape(-1, 5)
    whole = table.astype(np.int64)
    return InjectionPlan(whole[:, :2], whole[:, 2], table[:, 3], whole[:, 4])


def inject(
    image: NDArray[Any],
    plan: InjectionPlan,
    label: LabelArray,
    sites: FloatArray,
    towards: FloatArray,
    noise: Noise,
    level: NoiseLevel,
    source: SiteSource,
    false_alarms: float,
) -> Injected:
    """Put needles into an image (E, h, w) of normalised absorbance, run the method again, look for them.

    A needle's pixels keep their own noise; their mean moves from their site (m, E), named by `label`, as far
    towards one of the compositions (d, E) as makes z. Sites are what `source` gives for the changed image.
    The map shows one whose pixels share a new label. Noise makes so many false specks in the image.
    """
    changed = image.astype(np.float32, copy=True)
    for region, shift in _needles(plan, label, sites, towards, noise):
        changed[:, *region] += shift[:, None, None].astype(np.float32)
    anew, classes = source.sites(
        lambda: sites_of_groups([observe_block([changed], (0, 0), level)], level), noise, level.error
    )
    maps = classify_image(changed, anew, level.k_size, level.p_num, classes=classes)
    specks = specks_of_maps(changed, maps, noise.scaled(level.scale), towards, false_alarms).specks
    shown = [_is_new(maps.label, y, x, size) for (y, x), size in zip(plan.first, plan.sizes, strict=True)]
    seen = np.asarray(on_specks(plan.first, plan.sizes, specks).any(axis=1))
    return Injected(plan.sizes, plan.z, np.array(shown, np.bool_), seen)


def _needles(
    plan: InjectionPlan, label: LabelArray, sites: FloatArray, towards: FloatArray, noise: Noise
) -> Iterator[tuple[tuple[slice, slice], FloatArray]]:
    for (y, x), size, z, which in zip(plan.first, plan.sizes, plan.z, plan.towards, strict=True):
        start = sites[int(label[y, x]) - 1]
        far = next(k for k in np.roll(np.arange(len(towards)), -which) if _z(start, towards[k], noise) > OWN)
        yield (slice(y, y + size), slice(x, x + size)), _shift(start, towards[far] - start, z, noise)


def _shift(start: FloatArray, direction: FloatArray, z: float, noise: Noise) -> FloatArray:
    """Return the multiple of a direction that leads z away from a spectrum."""
    high = 1.0
    while _z(start, start + high * direction, noise) < z and high < 64.0:
        high *= 2.0
    low = 0.0
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _z(start, start + middle * direction, noise) < z else (low, middle)
    return np.asarray(high * direction)


def _z(one: FloatArray, other: FloatArray, noise: Noise) -> float:
    there, back = cross_distance(one[None], other[None], noise)
    return float(0.5 * (there[0, 0] + back[0, 0]))


def _is_new(final: LabelArray, y: int, x: int, size: int) -> bool:
    values, counts = np.unique(final[y : y + size, x : x + size], return_counts=True)
    most = int(counts.argmax())
    ring = final[y - SURROUND : y + size + SURROUND, x - SURROUND : x + size + SURROUND].copy()
    ring[SURROUND:-SURROUND, SURROUND:-SURROUND] = 0
    others, around = np.unique(ring[ring > 0], return_counts=True)
    own = int(values[most])
    return bool(
        own
        and counts[most] >= FOUND * size * size
        and (not others.size or own != int(others[around.argmax()]))
    )
