"""The verification study of a configuration's references, written as a page with figures."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.paths import paths_of
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.evaluation import speck_study, study
from gigaxas.evaluation.figures import draw_example, draw_limit, draw_recall, draw_sweep
from gigaxas.evaluation.page import StudyResult, study_page
from gigaxas.execution.runner import Progress, Runner, silent
from gigaxas.simulate import edge_windows
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores.io.files import publish_file
from gigaxas.stores.sites import read_sites
from gigaxas.workflow.classify import classify, simulate
from gigaxas.workflow.edge import ranges_of
from gigaxas.workflow.references import ReferenceSet
from gigaxas.workflow.resolve import Resolved, resolve

PAPER = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
NOISY = {"c_ref": 2.0e4, "mu_low": 0.5, "mu_high": 2.5}
OTHER_SEEDS = 3
"""Needle scenes that general clustering is shown."""
COST_SOURCES = ("library", "observed")


@dataclass(frozen=True)
class Verified:
    """A study that was made."""

    found: StudyResult
    """Rows of the tables, and what is drawn."""
    paths: tuple[Path, ...]
    """The page and its figures."""


def verify(
    config: Config,
    seeds: int = 20,
    folder: Path | None = None,
    page: str = "verification",
    progress: Progress = silent,
) -> Verified:
    """Run the study on the references of a configuration and write its page with figures.

    The first condition is the configuration's noise, the second the noisy one of [I]. Raises InputError for
    a configuration without references or with fewer than six.
    """
    run = resolve(config)
    references = run.references
    if len(references.names) < study.FEWEST_REFERENCES:
        raise InputError(
            f"verify: found {len(references.names)} references, expected at least "
            f"{study.FEWEST_REFERENCES} to draw compositions from; give a larger library"
        )
    folder = folder or config.output / "verification"
    found = _study(run, seeds, progress)
    return Verified(found, tuple(write_study(folder, config.title, found, page)))


def write_study(folder: Path, title: str, found: StudyResult, stem: str) -> list[Path]:
    """Write a study's page and figures into a folder; return their paths."""
    figures = {
        "sweep": draw_sweep(found.sweep),
        "limit": draw_limit(found.limit),
        "recall": draw_recall(found.needles),
        "example": draw_example(found.scene, {name: maps.label for name, maps in found.maps.items()}),
    }
    (folder / "images").mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{stem}.md", *(folder / "images" / f"{stem}-{name}.png" for name in figures)]
    publish_file(paths[0], study_page(title, found, f"images/{stem}").encode())
    for path, picture in zip(paths[1:], figures.values(), strict=True):
        publish_file(path, picture)
    return paths


def _study(run: Resolved, seeds: int, progress: Progress) -> StudyResult:
    config, references, noise = run.config, run.references, run.config.noise.camera()
    windows = edge_windows(run.energy, *ranges_of(config))
    conditions = {
        "paper" if noise == PAPER else "configured": noise,
        "noisy": NoiseModel(**NOISY, a=noise.a, b=noise.b),
    }
    runner = Runner(progress=progress)
    half = range(-(-seeds // 2))
    scenes = study.scenes_of(seeds, len(conditions)) + speck_study.speck_scenes_of(len(half))
    with runner.step("verify", scenes) as advance:
        bench = study.make_bench(
            references.spectra, conditions, run.energy, (windows.pre, windows.post), lambda: advance(1)
        )
        pair, names = _pair(config, references)
        scene, maps = study.example(bench, 0)
        found = StudyResult(
            references=references.names,
            pair=names,
            conditions=conditions,
            library=len(bench.library),
            library_seconds=bench.library_seconds,
            inset=study.study_inset(bench, pair),
            sweep=study.study_sweep(bench, pair),
            limit=study.study_limit(bench, pair, names[1]),
            needles=study.study_needles(bench, range(seeds)),
            others=study.study_others(bench, range(min(seeds, OTHER_SEEDS))),
            variants=study.study_variants(bench, half),
            imperfect=study.study_imperfect(bench, range(seeds)),
            specks=speck_study.study_specks(bench, half),
            speckless=speck_study.study_speckless(bench, half),
            small_needles=speck_study.study_small_needles(bench, half),
            noise_only=study.study_noise_only(bench, range(study.noise_scenes(seeds))),
            scene=scene,
            maps=maps,
            cost=[],
        )
    return replace(found, cost=_cost(config, progress))


def _pair(config: Config, references: ReferenceSet) -> tuple[FloatArray, tuple[str, str]]:
    """Return the two spectra of the published scene: those the configuration names, else iron oxides."""
    names = references.names[0], references.names[1]
    if config.simulate and config.simulate.phases:
        names = config.simulate.phases
    elif config.references.modelled:
        names = "hematite", "magnetite"
    return references.spectra[references.numbers(names)], names


def _cost(config: Config, progress: Progress) -> list[study.CostRow]:
    """Time a run with the library's sites and one with those of the data, from one cube to the report.

    Returns nothing for a configuration that does not simulate a cube: one's own may be large.
    """
    if config.simulate is None or config.simulate.raw:
        return []
    with TemporaryDirectory() as folder, progress("cost", 1 + len(COST_SOURCES)) as advance:
        simulate(config.model_copy(update={"output": Path(folder)}))
        advance(1)
        rows = []
        for source in COST_SOURCES:
            sites = config.sites.model_copy(update={"source": source, "file": None})
            one = config.model_copy(update={"output": Path(folder), "sites": sites})
            start = time.perf_counter()
            truth = classify(one).truth
            seconds = time.perf_counter() - start
            right = truth.right_share if truth else np.nan
            made = len(read_sites(paths_of(one).sites).table.names)
            rows.append(study.CostRow(source, made, seconds, right))
            advance(1)
        return rows
