"""The verification study: a function and a kind of row for each table, from references, noise and seeds."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, LabelArray
from gigaxas.evaluation.imperfect import IMPERFECTIONS, Imperfection, measure_imperfectly
from gigaxas.evaluation.methods import (
    Maps,
    Method,
    classify_image,
    cluster_image,
    components_of,
    join_sites,
    library_sites,
    specks_of_maps,
)
from gigaxas.evaluation.scenes import (
    DISTANCES,
    SIZES,
    VerifyScene,
    between,
    inset_grid,
    needle_scene,
    uniform_scene,
)
from gigaxas.evaluation.score import Score, needles_on_specks, score_inset, score_needles
from gigaxas.observed import observe_sites
from gigaxas.spectra.noise import NoiseModel

SOURCES = ("library", "observed", "both")
OTHERS: tuple[Method, ...] = ("K-means", "DBSCAN", "HDBSCAN")
FEWEST_REFERENCES = 6
SWEEP = (2.0, 1.0, 0.5, 0.25, 0.1, 0.05, 0.03)
LIMIT_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12)
LIMIT_LIGHT = (1.0, 0.3, 0.2, 0.1)
LIMIT_Z = 6.0
"""A region of this z from its surround, at full light, besides one of the second phase itself."""
Z_EDGES = np.linspace(*DISTANCES, 5)
"""Distances in z between which recall is told."""
WITH_SPECKS = "observed, with specks"
FALSE_ALARMS = 0.1
"""False specks that noise alone makes in a megapixel, of which scenes are pieces."""
VARIANTS: dict[str, dict[str, float]] = {
    "as it is": {},
    "thickness x 2": {"thickness": 2.0},
    "light x 2": {"light": 2.0},
    "thickness and light x 2": {"thickness": 2.0, "light": 2.0},
    "gradients of z = 8": {"gradient": 8.0},
}

FRAMES = 9.0
"""Times the light of the first condition at which imperfect instruments are tried."""
NOISE_BLUR = 1.0
"""Pixels that noise is blurred by where it is looked at alone."""
LARGE = 7
"""Pixels a side from which on needles are asked to be found whatever is imperfect."""

Tell = Callable[[], None]
"""Is called once for every scene that is done."""


@dataclass(frozen=True)
class InsetRow:
    """One method on the published scene."""

    condition: str
    """Name of the noise."""
    method: str
    """Where the sites come from, or the name of a general clustering."""
    side: int
    """Side of the field in pixels."""
    before: tuple[int, float]
    """Classes, and share of wrong pixels, before the clean-up."""
    after: tuple[int, float] | None
    """The same after the clean-up; None for a method without one."""


@dataclass(frozen=True)
class NeedleRow:
    """One method on many needle scenes; means over the scenes."""

    condition: str
    """Name of the noise."""
    method: str
    """Where the sites come from, the name of a general clustering, or what varies over the field."""
    scenes: int
    """Number of scenes."""
    recall: float
    """Share of the needles found."""
    by_size: tuple[float, ...]
    """The same for each of SIZES."""
    by_z: tuple[float, ...]
    """The same between neighbouring Z_EDGES."""
    pure: float
    """Share of background pixels with their phase's label; NaN where composition drifts."""
    strayed: float
    """Share of background pixels with a needle's label."""
    false: float
    """Labels that are no phase's."""
    classes: float
    """Number of labels."""
    seconds: float
    """Seconds a scene takes."""


@dataclass(frozen=True)
class ImperfectRow:
    """What an imperfect instrument leaves of the needle scenes; means over the scenes."""

    name: str
    """What is imperfect."""
    scenes: int
    """Number of scenes."""
    large: tuple[float, float]
    """Share of the needles of LARGE pixels a side and more that are found: among labels, among components."""
    small: tuple[float, float]
    """The same of smaller ones."""
    pure: tuple[float, float]
    """Share of background pixels with their phase's label, and with its component's."""
    classes: tuple[float, float]
    """Number of labels, and of labels that are left when every cluster has its component's."""
    components: float
    """Number of components."""
    kept: float
    """Share of pixels that the clean-up keeps."""
    seconds: tuple[float, float]
    """Seconds that a scene takes until its labels, and from there to its components."""


@dataclass(frozen=True)
class LimitCurve:
    """How many square regions of one kind one method finds at one level of light."""

    region: str
    """What the regions are made of."""
    method: str
    """Where the sites come from."""
    light: float
    """Reference counts over those of the working point."""
    found: tuple[float, ...]
    """Share of regions found for each of LIMIT_SIZES."""


@dataclass(frozen=True)
class SweepRow:
    """The published scene at one level of light."""

    method: str
    """Where the sites come from."""
    light: float
    """Reference counts over those of the working point."""
    before: tuple[int, float]
    """Classes, and share of wrong pixels, before the clean-up."""
    after: tuple[int, float]
    """The same after the clean-up."""


@dataclass(frozen=True)
class NoiseOnly:
    """Scenes of noise alone."""

    condition: str
    """Name of the noise."""
    scenes: int
    """Number of scenes."""
    pixels: int
    """Number of pixels in all of them."""
    false: int
    """Number of false clusters in all of them."""


@dataclass(frozen=True)
class CostRow:
    """A run from a finished cube to its report."""

    method: str
    """Where the sites come from."""
    sites: int
    """Number of sites."""
    seconds: float
    """Seconds it took."""
    right: float
    """Share of pixels with the right label."""


@dataclass(frozen=True)
class Bench:
    """What all scenes share."""

    references: FloatArray
    """(n, E) normalised absorbance of the references."""
    conditions: dict[str, NoiseModel]
    """Noise by name."""
    windows: tuple[slice, slice]
    """Samples before and after the edge."""
    energy: FloatArray
    """(E,) in eV."""
    library: FloatArray
    """(m, E) the library's sites."""
    library_seconds: float
    """Seconds it took to make them."""
    done: Tell = lambda: None
    """Is called once for every scene that is done."""

    @property
    def sites_noise(self) -> NoiseModel:
        """The noise that the library's sites and every z are told at: the first condition."""
        return next(iter(self.conditions.values()))


def make_bench(
    references: FloatArray,
    conditions: dict[str, NoiseModel],
    energy: FloatArray,
    windows: tuple[slice, slice],
    done: Tell,
) -> Bench:
    """Return a bench whose library sites are made for the first condition's noise."""
    noise = next(iter(conditions.values()))
    start = time.perf_counter()
    library = library_sites(references, noise)
    return Bench(references, conditions, windows, energy, library, time.perf_counter() - start, done)


def study_inset(bench: Bench, pair: FloatArray, side: int = 400, small: int = 120) -> list[InsetRow]:
    """Repeat METHOD 9 with two spectra (2, E); all but K-means of the others see a small field."""
    rows = []
    fields = {side: (*SOURCES[:2], OTHERS[0]), small: OTHERS}
    for condition, noise in bench.conditions.items():
        for length, methods in fields.items():
            scene = inset_grid(pair, length, 10, 1)
            image = scene.measure(noise, np.random.default_rng(1), bench.windows)
            for method in methods:
                before, after = _inset(bench, scene, image, noise, method)
                rows.append(InsetRow(condition, method, length, before, after))
        bench.done()
    return rows


def _inset(
    bench: Bench, scene: VerifyScene, image: NDArray[np.float32], noise: NoiseModel, method: str
) -> tuple[tuple[int, float], tuple[int, float] | None]:
    """Return classes and error of a method before and, where there is one, after the clean-up."""
    for other in OTHERS:
        if method == other:
            return score_inset(scene, cluster_image(image, other, 2, partial(_inset_merit, scene))), None
    maps = classify_image(image, _sites(bench, method, image, noise))
    return score_inset(scene, maps.site), score_inset(scene, maps.label)


def study_sweep(bench: Bench, pair: FloatArray, side: int = 200) -> list[SweepRow]:
    """Sweep the light on the published scene: classes and error before and after the clean-up."""
    rows = []
    scene = inset_grid(pair, side, 10, 1)
    for light in SWEEP:
        noise = _dimmed(bench.sites_noise, light)
        image = scene.measure(noise, np.random.default_rng(2), bench.windows)
        for source in SOURCES[:2]:
            maps = classify_image(image, _sites(bench, source, image, noise))
            rows.append(
                SweepRow(source, light, score_inset(scene, maps.site), score_inset(scene, maps.label))
            )
        bench.done()
    return rows


def study_limit(bench: Bench, pair: FloatArray, name: str, count: int = 5) -> list[LimitCurve]:
    """Find the smallest region: the share of squares of each size that is found, at levels of light.

    On the maps that either source of sites gives, and beside that of the data by specks too.
    The regions are of the second spectrum, of this name, and of a mixture with it that is LIMIT_Z away.
    """
    near = between(pair[0], pair[1], LIMIT_Z, bench.sites_noise)
    regions = {name: pair, f"z = {LIMIT_Z:g}": np.array([pair[0], near])}
    curves = []
    for (region, spectra), light in product(regions.items(), LIMIT_LIGHT):
        noise = _dimmed(bench.sites_noise, light)
        found: dict[str, list[float]] = {name: [] for name in (*SOURCES[:2], WITH_SPECKS)}
        for size in LIMIT_SIZES:
            scene = inset_grid(spectra, count * (size + 14), size, count)
            image = scene.measure(noise, np.random.default_rng([3, size]), bench.windows)
            for name, share in _limit_found(bench, scene, image, noise).items():
                found[name].append(share)
            bench.done()
        curves += [LimitCurve(region, source, light, tuple(shares)) for source, shares in found.items()]
    return curves


def _limit_found(
    bench: Bench, scene: VerifyScene, image: NDArray[np.float32], noise: NoiseModel
) -> dict[str, float]:
    """Return the share of squares found with each source of sites, and beside the data's with specks."""
    shares = {}
    for source in SOURCES[:2]:
        maps = classify_image(image, _sites(bench, source, image, noise))
        by_map = score_needles(scene, maps.label).found
        shares[source] = float(by_map.mean())
        if source == "observed":
            alarms = FALSE_ALARMS * scene.phase.size / 1e6
            specks = specks_of_maps(image, maps, noise, bench.references, alarms).specks
            both = by_map | needles_on_specks(scene, specks).any(axis=1)
            shares[WITH_SPECKS] = float(both.mean())
    return shares


def study_needles(bench: Bench, seeds: Iterable[int], side: int = 256) -> list[NeedleRow]:
    """Look for planted needles with the sites of the library, those of the data, and both."""
    rows = []
    for condition, noise in bench.conditions.items():
        scores: dict[str, list[tuple[Score, float]]] = {source: [] for source in SOURCES}
        for seed in seeds:
            scene = needle_scene(bench.references, bench.sites_noise, seed, side=side)
            image = scene.measure(noise, np.random.default_rng([seed, 1]), bench.windows)
            for source in SOURCES:
                start = time.perf_counter()
                maps = classify_image(image, _sites(bench, source, image, noise))
                scores[source].append((score_needles(scene, maps.label), time.perf_counter() - start))
            bench.done()
        rows += [needle_row(condition, source, found) for source, found in scores.items()]
    return rows


def study_others(bench: Bench, seeds: Iterable[int], side: int = 128) -> list[NeedleRow]:
    """Show general clustering smaller needle scenes; its settings are the best that the truth can find."""
    rows = []
    for condition, noise in bench.conditions.items():
        scores: dict[str, list[tuple[Score, float]]] = {}
        for seed in seeds:
            scene = needle_scene(
                bench.references, bench.sites_noise, seed, side=side, backgrounds=3, needles=8
            )
            image = scene.measure(noise, np.random.default_rng([seed, 1]), bench.windows)
            for method in OTHERS:
                start = time.perf_counter()
                label = cluster_image(image, method, 11, partial(_needle_merit, scene))
                scores.setdefault(method, []).append(
                    (score_needles(scene, label), time.perf_counter() - start)
                )
            start = time.perf_counter()
            maps = classify_image(image, _sites(bench, "observed", image, noise))
            scores.setdefault("observed", []).append(
                (score_needles(scene, maps.label), time.perf_counter() - start)
            )
            bench.done()
        rows += [needle_row(condition, method, found) for method, found in scores.items()]
    return rows


def study_variants(bench: Bench, seeds: Iterable[int], side: int = 256) -> list[NeedleRow]:
    """Look for needles with the sites of the data where thickness, light or composition vary."""
    rows = []
    for condition, noise in bench.conditions.items():
        for name, varied in VARIANTS.items():
            scores = []
            settings = dict(varied)
            gradient = settings.pop("gradient", 0.0)
            for seed in seeds:
                scene = needle_scene(bench.references, bench.sites_noise, seed, side=side, gradient=gradient)
                image = scene.measure(noise, np.random.default_rng([seed, 1]), bench.windows, **settings)
                start = time.perf_counter()
                maps = classify_image(image, _sites(bench, "observed", image, noise))
                scores.append((score_needles(scene, maps.label), time.perf_counter() - start))
                bench.done()
            row = needle_row(condition, name, scores)
            rows.append(replace(row, pure=np.nan, false=np.nan) if gradient else row)
    return rows


def study_imperfect(bench: Bench, seeds: Sequence[int], side: int = 256) -> list[ImperfectRow]:
    """Look for needles with the sites of the data where instruments are imperfect, and count components.

    At FRAMES times the light of the first condition, where such errors weigh more than noise.
    """
    noise, rows = _dimmed(bench.sites_noise, FRAMES), []
    for name, imperfection in IMPERFECTIONS.items():
        found = []
        for seed in seeds:
            scene = needle_scene(bench.references, noise, seed, side=side)
            dimmed = _dimmed(noise, imperfection.light)
            rng = np.random.default_rng([seed, 1])
            image = measure_imperfectly(scene, bench.energy, dimmed, bench.windows, imperfection, rng).image
            found.append(_imperfect(bench.energy, scene, image, dimmed))
            bench.done()
        rows.append(_imperfect_row(name, found))
    return rows


def _imperfect(
    energy: FloatArray, scene: VerifyScene, image: NDArray[np.float32], noise: NoiseModel
) -> tuple[Score, Score, FloatArray]:
    """Return the scores of labels and components; components, the share kept, and seconds to both."""
    start = time.perf_counter()
    observed = observe_sites(image, noise)
    maps = classify_image(image, observed.spectra, classes=observed.classes)
    middle = time.perf_counter()
    joined, components = components_of(image, maps, energy, noise, observed.level)
    end = time.perf_counter()
    figures = np.array([components, np.mean(maps.kept > 0), middle - start, end - middle])
    return score_needles(scene, maps.label), score_needles(scene, joined), figures


def _imperfect_row(name: str, found: Sequence[tuple[Score, Score, FloatArray]]) -> ImperfectRow:
    def both(figure: Callable[[Score], float]) -> tuple[float, float]:
        return (
            float(np.mean([figure(labels) for labels, _, _ in found])),
            float(np.mean([figure(joined) for _, joined, _ in found])),
        )

    # the first scenes compile
    components, kept, first, second = np.median([figures for _, _, figures in found], axis=0).tolist()
    return ImperfectRow(
        name,
        len(found),
        both(lambda score: float(score.found[score.sizes >= LARGE].mean())),
        both(lambda score: float(score.found[score.sizes < LARGE].mean())),
        both(lambda score: score.pure),
        both(lambda score: score.classes),
        components,
        kept,
        (first, second),
    )


def study_noise_only(bench: Bench, seeds: Sequence[int], side: int = 128) -> list[NoiseOnly]:
    """Count the clusters that noise alone makes, independent and blurred, at every condition.

    In half of the scenes thickness varies, and light where noise is independent.
    """
    rows, blurred = [], Imperfection(noise_blur=NOISE_BLUR)
    for condition, noise in bench.conditions.items():
        false = dict.fromkeys((condition, f"{condition}, blurred by {NOISE_BLUR:g} px"), 0)
        for seed in seeds:
            scene, rng = uniform_scene(bench.references, side, seed), np.random.default_rng([seed, 2])
            varied = {"thickness": 2.0, "light": 2.0} if seed % 2 else {}
            changed = replace(blurred, thickness=varied.get("thickness", 1.0))
            images = (
                scene.measure(noise, rng, bench.windows, **varied),
                measure_imperfectly(scene, bench.energy, noise, bench.windows, changed, rng).image,
            )
            for name, image in zip(false, images, strict=True):
                maps = classify_image(image, _sites(bench, "observed", image, noise))
                false[name] += len(set(np.unique(maps.label).tolist()) - {0}) - 1
                bench.done()
        rows += [
            NoiseOnly(name, len(seeds), len(seeds) * side * side, count) for name, count in false.items()
        ]
    return rows


def needle_row(condition: str, method: str, scores: Sequence[tuple[Score, float]]) -> NeedleRow:
    """Sum up the scores of many scenes, with the seconds that each took."""
    found = np.concatenate([score.found for score, _ in scores])
    sizes = np.concatenate([score.sizes for score, _ in scores])
    z = np.concatenate([score.z for score, _ in scores])
    bins = np.clip(np.digitize(z, Z_EDGES) - 1, 0, Z_EDGES.size - 2)
    return NeedleRow(
        condition,
        method,
        len(scores),
        float(found.mean()),
        tuple(float(found[sizes == size].mean()) for size in SIZES),
        tuple(
            float(found[bins == k].mean()) if np.any(bins == k) else np.nan for k in range(Z_EDGES.size - 1)
        ),
        float(np.mean([score.pure for score, _ in scores])),
        float(np.mean([score.strayed for score, _ in scores])),
        float(np.mean([score.false for score, _ in scores])),
        float(np.mean([score.classes for score, _ in scores])),
        float(np.mean([seconds for _, seconds in scores])),
    )


def scenes_of(seeds: int, conditions: int) -> int:
    """Return how many scenes the whole study has, with so many seeds for the needles."""
    half = -(-seeds // 2)
    many = seeds + min(seeds, 3) + len(VARIANTS) * half + 2 * noise_scenes(seeds) + 1
    once = len(SWEEP) + 2 * len(LIMIT_LIGHT) * len(LIMIT_SIZES) + len(IMPERFECTIONS) * seeds
    return conditions * many + once


def noise_scenes(seeds: int) -> int:
    """Return how many scenes of noise alone go with so many seeds for the needles."""
    return 5 * seeds


def example(bench: Bench, seed: int) -> tuple[VerifyScene, dict[str, Maps]]:
    """Return one needle scene with the maps that each source of sites gives, at the first condition."""
    noise = bench.sites_noise
    scene = needle_scene(bench.references, noise, seed)
    image = scene.measure(noise, np.random.default_rng([seed, 1]), bench.windows)
    return scene, {
        source: classify_image(image, _sites(bench, source, image, noise)) for source in SOURCES[:2]
    }


def _sites(bench: Bench, source: str, image: NDArray[np.float32], noise: NoiseModel) -> FloatArray:
    if source == "library":
        return bench.library
    observed = observe_sites(image, noise).spectra
    if source == "observed":
        return observed
    return join_sites(observed, bench.library, bench.sites_noise)


def _dimmed(noise: NoiseModel, light: float) -> NoiseModel:
    return replace(noise, c_ref=noise.c_ref * light)


def _inset_merit(scene: VerifyScene, label: LabelArray) -> float:
    return -score_inset(scene, label)[1]


def _needle_merit(scene: VerifyScene, label: LabelArray) -> float:
    score = score_needles(scene, label)
    return float(score.found.mean()) + score.pure
