"""The plan of a measurement of a configuration, before any beam: tables and a page."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from gigaxas import __version__
from gigaxas.arrays import FloatArray
from gigaxas.checkpoint.owner import check_owner, claim
from gigaxas.config.paths import Paths, paths_of
from gigaxas.config.schema import Config, PlannedArea, PlanSection
from gigaxas.errors import InputError
from gigaxas.planning import Choice, Covered, EnergySet, MeasurementPlan, PairPlan, Scan, cover, plan
from gigaxas.report import MeasurementPage, render_measurement
from gigaxas.spectra import ReadRow
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.io.files import Columns, publish_file, publish_table
from gigaxas.stores.io.folders import exists
from gigaxas.workflow.edge import resolve_edge, unit_of
from gigaxas.workflow.noise import resolve_noise
from gigaxas.workflow.references import ReferenceSet, read_references
from gigaxas.workflow.resolve import describe, describe_source, simulated_energies

FEWEST_ENERGIES = 4
MOST_ENERGIES = 4000
T = TypeVar("T")


@dataclass(frozen=True)
class PlannedMeasurement:
    """A measurement that was planned, and where its tables and its page are."""

    plan: MeasurementPlan
    """What to measure."""
    energy: FloatArray
    """The grid, (E,) in eV."""
    references: tuple[ReadRow, ...]
    """What became of every record of the references."""
    count_rate: float | None
    """Reference counts of a pixel in a second."""
    covered: tuple[Covered, ...]
    """What each choice of energies takes on the area, exposed as its pairs need; none without an area."""
    paths: tuple[Path, ...]
    """The page and its tables."""


def plan_measurement(config: Config) -> PlannedMeasurement:
    """Plan the measurement of a configuration and write its page and tables.

    Raises InputError with a line for everything that is wrong: no camera, no grid of energies, references
    that cannot be read, names that are not there, pairs that no exposure can tell apart.
    """
    paths = paths_of(config)
    errors: list[str] = []

    def attempt(step: Callable[[], T]) -> T | None:
        try:
            return step()
        except InputError as error:
            errors.append(str(error))
            return None

    attempt(lambda: check_owner(paths, config.title))
    attempt(lambda: _check_camera(config))
    found = attempt(lambda: _grid(config, paths))
    if found is None or errors:
        raise InputError("\n".join(errors))
    energy, cube = found
    edged = resolve_edge(config, energy, cube)
    noise = attempt(lambda: _camera(edged, paths, cube))
    references = attempt(lambda: _references(edged, energy, cube))
    if noise is None or references is None:
        raise InputError("\n".join(errors))
    wanted = config.plan
    names, spectra = _of_phases(references, wanted)
    made = plan(
        spectra,
        noise,
        names=names,
        pairs=wanted.pairs,
        error=wanted.error,
        most_energies=wanted.most_energies,
    )
    covered = _covered(made, wanted)
    claim(paths, config.title)
    written = _write(paths.plan_folder, config, made, energy, spectra, covered)
    return PlannedMeasurement(made, energy, references.table, wanted.count_rate, covered, tuple(written))


def _check_camera(config: Config) -> None:
    """Raise InputError where no camera tells the noise of what is still to be measured."""
    quantity = (config.cube and config.cube.quantity) or (config.ingest and config.ingest.quantity)
    if quantity == "intensity":
        raise InputError(
            "plan: found `quantity: intensity`, expected a transmission measurement: the plan follows from "
            "the counts of a camera with and without the specimen"
        )
    if config.noise_kind != "camera":
        found = "none" if config.noise_kind == "measured" else f"`{config.noise_kind}`"
        raise InputError(
            f"noise: found {found}, expected a camera and its working point, since there is no image yet "
            "that noise could be measured in; give c_ref, mu_low and mu_high, and a and b of the camera"
        )


def _grid(config: Config, paths: Paths) -> tuple[FloatArray, CubeInfo | None]:
    """Return the grid of energies (E,), and the cube if there is one."""
    cube = describe(config, paths) if config.has_image and exists(paths.cube) else None
    if config.plan.energies:
        energy = _regions(config.plan)
    elif config.simulate:
        energy = simulated_energies(config)
    elif cube is not None:
        energy = cube.energy
    elif config.ingest:
        energy = describe_source(config).energy
    else:
        raise InputError(
            f"cube.path: there is no cube at {paths.cube}; to plan its measurement, give `plan.energies`"
        )
    if not FEWEST_ENERGIES <= energy.size <= MOST_ENERGIES:
        raise InputError(
            f"plan: found a grid of {energy.size} energies, expected {FEWEST_ENERGIES} to {MOST_ENERGIES}; "
            "give `plan.energies` with other steps"
        )
    return energy, cube


def _regions(wanted: PlanSection) -> FloatArray:
    """Return the energies of the regions of a plan, each once."""
    parts = [
        first + step * np.arange(np.floor((last - first) / step + 1e-9) + 1)
        for first, last, step in wanted.energies or ()
    ]
    return np.unique(np.round(np.concatenate(parts), 6))


def _camera(config: Config, paths: Paths, cube: CubeInfo | None) -> NoiseModel:
    """Return the noise of the acquisition, its numbers measured where files or a cube tell them."""
    if config.simulate:
        return config.acquisition
    known = resolve_noise(config, cube)
    if not known.noise.is_given:
        raise InputError(
            f"noise: its working point is measured on {paths.cube}, which is not made yet; give c_ref, "
            "mu_low and mu_high"
        )
    return known.noise.camera()


def _references(config: Config, energy: FloatArray, cube: CubeInfo | None) -> ReferenceSet:
    references = read_references(config, energy, unit_of(config, cube))
    if len(references.names) < 2:
        raise InputError(
            f"references: found {len(references.names)}, expected two or more to be told apart; give "
            "`references.path`, or `references.modelled: true`"
        )
    return references


def _of_phases(references: ReferenceSet, wanted: PlanSection) -> tuple[tuple[str, ...], FloatArray]:
    """Return names and spectra of the references that are to be told apart from others."""
    asked = wanted.phases or [name for pair in wanted.pairs or () for name in pair] or references.names
    names = tuple(dict.fromkeys(asked))
    unknown = [name for name in names if name not in references.names]
    if unknown:
        key = "pairs" if wanted.pairs else "phases"
        raise InputError(
            f"plan.{key}: found no reference named {', '.join(unknown)}; the names are "
            f"{', '.join(references.names)}"
        )
    return names, references.spectra[[references.names.index(name) for name in names]]


def _covered(made: MeasurementPlan, wanted: PlanSection) -> tuple[Covered, ...]:
    """Return what each choice takes on the area, exposed as long as its pairs need."""
    area = wanted.area
    if area is None:
        return ()
    return tuple(cover(_scan(area), choice.needed, wanted.count_rate) for choice in made.choices)


def _scan(area: PlannedArea) -> Scan:
    return Scan(**area.model_dump())


def _write(
    folder: Path,
    config: Config,
    made: MeasurementPlan,
    energy: FloatArray,
    spectra: FloatArray,
    covered: tuple[Covered, ...],
) -> list[Path]:
    """Write the page and its tables into a folder; return their paths. Raises RunError."""
    folder.mkdir(parents=True, exist_ok=True)
    page = MeasurementPage(
        title=config.title,
        version=__version__,
        plan=made,
        energy=energy,
        spectra=spectra,
        count_rate=config.plan.count_rate,
        covered=covered,
    )
    rate = config.plan.count_rate
    publish_file(folder / "plan.html", render_measurement(page).encode("utf-8"))
    publish_table(folder / "pairs.csv", _pair_columns(made, rate), made.hardest)
    publish_table(folder / "energies.csv", _energy_columns(rate), _exposures(made, energy))
    publish_table(folder / "sets.csv", _set_columns(energy, made.goal), made.sets)
    return [folder / name for name in ("plan.html", "pairs.csv", "energies.csv", "sets.csv")]


def _pair_columns(made: MeasurementPlan, count_rate: float | None) -> Columns[PairPlan]:
    """Return the columns of the table of pairs; seconds are those of an energy."""
    columns: dict[str, Callable[[PairPlan], object]] = {
        "first": lambda pair: pair.names[0],
        "second": lambda pair: pair.names[1],
        "z12": lambda pair: f"{pair.z12:.6g}",
        "z21": lambda pair: f"{pair.z21:.6g}",
        "s_error": lambda pair: f"{pair.error:.6g}",
        "told_apart": lambda pair: "yes" if pair.error <= made.error else "no",
        "c_ref_needed": lambda pair: f"{pair.c_ref:.6g}",
    }
    if count_rate:
        columns["seconds_needed"] = lambda pair: f"{pair.c_ref / count_rate:.6g}"
    return {**columns, "best_step": lambda pair: f"{pair.best_step:.4g}"}


@dataclass(frozen=True)
class Exposure:
    """One energy of a choice."""

    choice: Choice
    """The choice."""
    energy: float
    """In eV."""
    c_ref: float
    """Reference counts at the dose of the whole grid."""
    needed: float
    """Those at which all pairs are told apart."""


def _exposures(made: MeasurementPlan, energy: FloatArray) -> list[Exposure]:
    return [
        Exposure(choice, float(energy[member]), float(choice.c_ref[k]), float(choice.needed[k]))
        for choice in made.choices
        for k, member in enumerate(choice.members)
    ]


def _energy_columns(count_rate: float | None) -> Columns[Exposure]:
    columns: dict[str, Callable[[Exposure], object]] = {
        "choice": lambda row: row.choice.title,
        "energy_eV": lambda row: f"{row.energy:.10g}",
        "c_ref_same_dose": lambda row: f"{row.c_ref:.6g}",
        "c_ref_needed": lambda row: f"{row.needed:.6g}",
    }
    if count_rate:
        columns["seconds_needed"] = lambda row: f"{row.needed / count_rate:.6g}"
    return columns


def _set_columns(energy: FloatArray, goal: float) -> Columns[EnergySet]:
    return {
        "energies": lambda one: len(one.members),
        "z": lambda one: f"{one.z:.6g}",
        "z_bound": lambda one: f"{one.bound:.6g}",
        "proven": lambda one: "yes" if one.is_best else "no",
        "told_apart": lambda one: "yes" if one.z >= goal else "no",
        "energies_eV": lambda one: " ".join(f"{value:.10g}" for value in energy[one.members]),
    }
