"""The part of the verification study that is about specks: what is found below the window, what is false."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import BoolArray, LabelArray
from gigaxas.evaluation.imperfect import SPECK_IMPERFECTIONS, Imperfection, measure_imperfectly
from gigaxas.evaluation.methods import classify_image, specks_of_maps
from gigaxas.evaluation.scenes import VerifyScene, needle_scene, uniform_scene
from gigaxas.evaluation.score import needles_on_specks, regions_of, score_needles, score_specks
from gigaxas.evaluation.speck_scenes import BORDERS, SPECK_EDGES, SPECK_SIZES, mosaic_scene, speck_scene
from gigaxas.evaluation.study import FALSE_ALARMS, Bench
from gigaxas.observed import observe_sites
from gigaxas.specks import ImageSpecks

NEEDLE = 5
"""Side of the smallest needle that the clean-up keeps, in pixels."""
NEEDLE_Z = (6.0, 12.0)
NEEDLE_BLUR = (0.0, 0.7, 1.0)
"""Pixels that the specimen is blurred by where such needles are looked for."""


@dataclass(frozen=True)
class SpeckRow:
    """Planted specks with one imperfection."""

    name: str
    """What is imperfect."""
    scenes: int
    """Number of scenes."""
    by_distance: tuple[float, ...]
    """Share of specks found between neighbouring SPECK_EDGES of z n^(1/2)."""
    by_size: tuple[float, ...]
    """The same for each of SPECK_SIZES."""
    false: float
    """False specks a megapixel."""
    lost: float
    """Specks a megapixel that show a phase which the map has lost there."""
    hits: float
    """Share of the windows that hits made stand out which were named hits; NaN where there are none."""


@dataclass(frozen=True)
class SpecklessRow:
    """Scenes without specks."""

    name: str
    """What they are."""
    pixels: int
    """Pixels in all of them."""
    false: int
    """False specks in all of them."""
    lost: int
    """Specks that show a phase which the map has lost there."""
    tail: float
    """Windows beyond a probability of 1e-3 over what noise alone makes of them, in the mean of a scene."""


@dataclass(frozen=True)
class SmallNeedleRow:
    """Needles of NEEDLE pixels a side, z in NEEDLE_Z, under blur."""

    blur: float
    """Pixels that the specimen is blurred by."""
    needles: int
    """Number of needles."""
    by_map: float
    """Share that the label map shows."""
    by_specks: float
    """Share that a speck overlaps."""
    together: float
    """Share that either finds."""


@dataclass(frozen=True)
class Looked:
    """A scene with what was found in it."""

    scene: VerifyScene
    """The scene."""
    label: LabelArray
    """(h, w) its final map."""
    found: ImageSpecks
    """Its specks."""
    hit: BoolArray
    """(h, w) pixels that a cosmic ray hit."""


def study_specks(bench: Bench, seeds: Sequence[int], side: int = 256) -> list[SpeckRow]:
    """Look for planted specks in mosaics, at the first condition, with instruments that are imperfect."""
    rows = []
    for name, imperfection in SPECK_IMPERFECTIONS.items():
        looked = []
        for seed in seeds:
            border = BORDERS[seed % len(BORDERS)]
            scene = speck_scene(bench.references, bench.sites_noise, seed, border, side)
            looked.append(_look(bench, scene, imperfection, seed))
            bench.done()
        rows.append(speck_row(name, looked))
    return rows


def study_speckless(bench: Bench, seeds: Sequence[int], side: int = 256) -> list[SpecklessRow]:
    """Count the specks that noise alone makes, and the borders of grains, sharp or blurred."""
    references, noise = bench.references, bench.sites_noise
    rows = []
    for number, border in enumerate((None, *BORDERS)):
        looked = []
        for seed in seeds:
            if border is None:
                scene = uniform_scene(references, side, seed)
            else:
                scene = mosaic_scene(references, noise, seed, border, side)
            looked.append(_look(bench, scene, Imperfection(), seed, number))
            bench.done()
        name = "noise alone" if border is None else f"grains, borders of {border:g} px"
        scores = [score_specks(one.scene, one.found.specks, one.label) for one in looked]
        rows.append(
            SpecklessRow(
                name,
                sum(one.scene.phase.size for one in looked),
                sum(int(score.false.sum()) for score in scores),
                sum(int(score.lost.sum()) for score in scores),
                float(np.mean([one.found.tail for one in looked])),
            )
        )
    return rows


def study_small_needles(bench: Bench, seeds: Sequence[int], side: int = 256) -> list[SmallNeedleRow]:
    """Look for the smallest needles that the clean-up keeps where the specimen is blurred."""
    rows = []
    for blur in NEEDLE_BLUR:
        found = list[tuple[BoolArray, BoolArray]]()
        for seed in seeds:
            scene = needle_scene(
                bench.references, bench.sites_noise, seed, side=side, sizes=(NEEDLE,), distances=NEEDLE_Z
            )
            one = _look(bench, scene, Imperfection(specimen_blur=blur), seed)
            by_specks = np.any(needles_on_specks(scene, one.found.specks), axis=1)
            found.append((score_needles(scene, one.label).found, by_specks))
            bench.done()
        by_map, by_specks = (np.concatenate(part) for part in zip(*found, strict=True))
        shares = (float(part.mean()) for part in (by_map, by_specks, by_map | by_specks))
        rows.append(SmallNeedleRow(blur, by_map.size, *shares))
    return rows


def speck_scenes_of(seeds: int) -> int:
    """Return how many scenes this part of the study has, with so many seeds for each row."""
    return seeds * (len(SPECK_IMPERFECTIONS) + 1 + len(BORDERS) + len(NEEDLE_BLUR))


def speck_row(name: str, looked: Sequence[Looked]) -> SpeckRow:
    """Sum up what was found in many scenes."""
    scores = [score_specks(one.scene, one.found.specks, one.label) for one in looked]
    found = np.concatenate([score.found for score in scores])
    specks = [speck for one in looked for speck in one.scene.needles]
    sizes = np.array([speck.size for speck in specks])
    bins = np.digitize([speck.z * speck.size for speck in specks], SPECK_EDGES[1:-1])
    area = sum(one.scene.phase.size for one in looked) / 1e6
    named, missed = sum(one.found.hits for one in looked), 0
    for one, score in zip(looked, scores, strict=True):
        regions = regions_of(one.found.specks)
        missed += sum(bool(one.hit[regions[k]].any()) for k in np.flatnonzero(score.false))
    struck = any(one.hit.any() for one in looked)
    return SpeckRow(
        name,
        len(looked),
        tuple(float(found[bins == k].mean()) for k in range(len(SPECK_EDGES) - 1)),
        tuple(float(found[sizes == size].mean()) for size in SPECK_SIZES),
        sum(int(score.false.sum()) for score in scores) / area,
        sum(int(score.lost.sum()) for score in scores) / area,
        named / (named + missed) if struck and named + missed else np.nan,
    )


def _look(bench: Bench, scene: VerifyScene, imperfection: Imperfection, seed: int, turn: int = 0) -> Looked:
    noise, rng = bench.sites_noise, np.random.default_rng([seed, 3 + turn])
    image, hit = measure_imperfectly(scene, bench.energy, noise, bench.windows, imperfection, rng)
    observed = observe_sites(image, noise)
    maps = classify_image(image, observed.spectra, classes=observed.classes)
    false_alarms = FALSE_ALARMS * scene.phase.size / 1e6
    return Looked(scene, maps.label, specks_of_maps(image, maps, noise, bench.references, false_alarms), hit)
