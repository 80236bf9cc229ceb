"""Needles injected into the cube of a run: the smallest phase that would have been found in these data."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gigaxas.config.schema import Config, SpeckSection
from gigaxas.errors import InputError
from gigaxas.evaluation import (
    INJECT_SIZES,
    INJECT_Z,
    Injected,
    SiteSource,
    classify_image,
    field_of,
    inject,
    plan_injection,
)
from gigaxas.evaluation.figures import draw_injection
from gigaxas.execution.runner import Progress, Runner, silent
from gigaxas.observed import NoiseLevel, observe_sites
from gigaxas.simulate import EdgeWindows, edge_windows, noisy_field
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.io.files import Columns, publish_file, publish_table
from gigaxas.stores.result import read_map
from gigaxas.tasks.pixels import read_pixels
from gigaxas.tiles import Tile
from gigaxas.workflow.classify import classify
from gigaxas.workflow.edge import ranges_of
from gigaxas.workflow.observed import find_level
from gigaxas.workflow.resolve import Resolved, reopen

PATCHES = 16
PATCH_SIDE = 160
ROUNDS = 16
LEAST_LABELLED = 0.5
SURE = 0.95
NOISE_SCENES = 20
NOISE_SIDE = 256


@dataclass(frozen=True)
class InjectionResult:
    """What became of injected needles."""

    tried: NDArray[np.int64]
    """(sizes, z) needles that were put in."""
    found: NDArray[np.int64]
    """(sizes, z) needles that were found, on the map or as specks."""
    by_map: NDArray[np.int64]
    """(sizes, z) needles that the label map shows."""
    limit: tuple[int, ...]
    """(z,) the smallest size from which on a share of SURE is found, 0 where none is."""
    false: int
    """Clusters too many in simulated fields."""
    pixels: int
    """Pixels of these fields."""
    paths: tuple[Path, ...]
    """Tables and pictures."""


def inject_needles(
    config: Config, folder: Path | None = None, progress: Progress = silent
) -> InjectionResult:
    """Inject needles into patches of a classified cube (which is classified first where it is not yet).

    Each patch is classified anew, and observed anew where sites come from the data, at the level of noise of
    the whole cube. Raises InputError where no patch of the cube is labelled.
    """
    classify(config, progress)
    run = reopen(config)
    info, stored = run.info, run.sites
    runner = Runner(progress=progress)
    level = find_level(run, run.info, runner)
    places = _patches(run)
    towards = stored.references if len(stored.references) > 1 else stored.table.spectra
    given = stored.table.spectra if config.sites.origin != "observed" else stored.table.spectra[:0]
    source = SiteSource(config.sites.origin in ("observed", "both"), given)
    noise, parts = run.noise, list[Injected]()
    # a patch is looked at as the part of the whole image that it is
    share = (config.specks or SpeckSection()).false_alarms / (run.info.plane[0] * run.info.plane[1])
    with runner.step("inject", len(places) + NOISE_SCENES) as advance:
        for tile in places:
            image, kept = _absorbance(info, tile), read_map(run.paths.result, "kept", tile.region)
            for _ in range(ROUNDS):
                turn = sum(len(part.sizes) for part in parts)
                plan = plan_injection(kept, len(towards), np.random.default_rng([7, len(parts)]), turn)
                sites, alarms = stored.table.spectra, share * kept.size
                parts.append(inject(image, plan, kept, sites, towards, noise, level, source, alarms))
            advance(1)
        false = 0
        for number in range(NOISE_SCENES):
            false += _false_clusters(run, level, source, number)
            advance(1)
    tried, found, by_map = _counts(parts)
    limit, pixels = _limits(tried, found), NOISE_SCENES * NOISE_SIDE**2
    result = InjectionResult(tried, found, by_map, limit, false, pixels, ())
    return replace(result, paths=_write(folder or config.output / "verification", result))


def _patches(run: Resolved) -> list[Tile]:
    """Return patches of the image that are mostly labelled, none twice."""
    height, width = run.info.plane
    side = min(PATCH_SIDE, height, width)
    rng = np.random.default_rng(7)
    found: dict[tuple[int, int], Tile] = {}
    for _ in range(20 * PATCHES):
        row, column = int(rng.integers(max(height // side, 1))), int(rng.integers(max(width // side, 1)))
        tile = Tile(0, len(found), row * side, (row + 1) * side, column * side, (column + 1) * side)
        labelled = np.mean(read_map(run.paths.result, "kept", tile.region) > 0)
        if (row, column) not in found and labelled >= LEAST_LABELLED:
            found[row, column] = tile
        if len(found) == PATCHES:
            break
    if not found:
        raise InputError(
            f"verify: found no patch of {side} x {side} pixels of which half are labelled, and needles "
            "can only be injected into what is labelled; look at the report first"
        )
    return list(found.values())


def _absorbance(info: CubeInfo, tile: Tile) -> NDArray[np.float32]:
    samples = read_pixels(info, tile)
    bad = samples == info.invalid if info.invalid is not None else ~np.isfinite(samples)
    return np.where(bad, np.nan, samples * info.scale + info.offset).astype(np.float32)


def _false_clusters(run: Resolved, level: NoiseLevel, source: SiteSource, number: int) -> int:
    """Count clusters too many in a field of one of the commoner sites, with the noise of the data."""
    config, sites = run.config, run.sites.table.spectra
    noise = run.noise.scaled(level.scale)
    site, rng = sites[number % min(len(sites), 5)], np.random.default_rng([8, number])
    if isinstance(noise, NoiseModel) and run.quantity == "normalised":
        windows: EdgeWindows = edge_windows(run.energy, *ranges_of(config))
        image = field_of(site, NOISE_SIDE).measure(noise, rng, (windows.pre, windows.post))
    else:
        image = noisy_field(site, noise, NOISE_SIDE, rng)
    k_size, p_num, limit = config.clean_up.k_size, config.clean_up.p_num, config.sites.limit
    anew, classes = source.sites(lambda: observe_sites(image, noise, k_size, p_num, limit), noise, limit)
    label = classify_image(image, anew, k_size, p_num, classes=classes).label
    return max(0, len(set(np.unique(label).tolist()) - {0}) - 1)


def _counts(parts: list[Injected]) -> NDArray[np.int64]:
    """Return how many of each size and z were tried, found, and shown by the map (3, sizes, z)."""
    counts = np.zeros((3, len(INJECT_SIZES), len(INJECT_Z)), np.int64)
    for part in parts:
        cells = np.searchsorted(INJECT_SIZES, part.sizes), np.searchsorted(INJECT_Z, part.z)
        for count, good in zip(counts, (np.ones_like(part.found), part.found, part.by_map), strict=True):
            np.add.at(count, cells, good.astype(np.int64))
    return counts


def _limits(tried: NDArray[np.int64], found: NDArray[np.int64]) -> tuple[int, ...]:
    good = (found >= SURE * tried) & (tried > 0)
    onward = np.logical_and.accumulate(good[::-1], axis=0)[::-1]
    return tuple(INJECT_SIZES[int(np.argmax(column))] if column.any() else 0 for column in onward.T)


def _write(folder: Path, result: InjectionResult) -> tuple[Path, ...]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "injection.csv", folder / "injection.png"
    columns: Columns[tuple[int, int]] = {
        "size": lambda cell: INJECT_SIZES[cell[0]],
        "z": lambda cell: f"{INJECT_Z[cell[1]]:g}",
        "tried": lambda cell: result.tried[cell],
        "found": lambda cell: result.found[cell],
        "on_map": lambda cell: result.by_map[cell],
    }
    publish_table(paths[0], columns, np.ndindex(result.tried.shape))
    publish_file(paths[1], draw_injection(INJECT_SIZES, INJECT_Z, result.tried, result.found, result.by_map))
    return paths
