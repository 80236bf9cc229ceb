"""The first look at raw fields: where they lie, how their energy varies, how the specimen drifts."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.arrays import FloatArray
from pipeline.errors import InputError
from pipeline.fields import tasks
from pipeline.fields.place import Placement, place_fields
from pipeline.fields.register import Pair, overlapping
from pipeline.fields.shift import EnergyShift, fit_shift
from pipeline.fields.tasks import Recipe
from pipeline.sections import Fields
from pipeline.stores.chunks import attributes_of, partial_of, publish
from pipeline.stores.survey import create_survey, finish_survey
from pipeline.tiles import Grid, Tile, cut
from pipeline.workflow.paths import is_made
from pipeline.workflow.runner import Runner

BAND = 256
LARGE_ERROR_EV = 0.05
Range = tuple[float, float]


@dataclass(frozen=True)
class Survey:
    """What the first look found: the placement, the shift of energy, and the drift (E, 2) of every field."""

    placement: Placement
    shift: EnergyShift | None
    drifts: tuple[FloatArray, ...] | None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know."""
        said = list(self.placement.warnings)
        if self.shift is not None and self.shift.error > LARGE_ERROR_EV:
            said.append(f"the shift of energy is known to {self.shift.error:.2f} eV only; measure a foil")
        return tuple(said)


def make_survey(
    path: Path, wanted: Fields, recipe: Recipe, edge: Range, fingerprint: str, runner: Runner
) -> Survey:
    """Look at the fields of a recipe, unless these settings have done so before. `edge` (eV) holds all edges.

    Raises InputError where overlaps disagree or the shift of energy cannot be fitted, before any other work.
    """
    if not is_made(path, fingerprint):
        store = partial_of(path)
        found = _look(store, wanted, recipe, edge, runner)
        finish_survey(store, _told(found), fingerprint)
        publish(store, path)
    return _read(attributes_of(path))


def _look(store: Path, wanted: Fields, recipe: Recipe, edge: Range, runner: Runner) -> Survey:
    acquisition = recipe.acquisition
    errors: list[str] = []
    create_survey(store, len(acquisition.fields), acquisition.plane, min(BAND, acquisition.plane[0]))
    variance = _over_bands(runner, "look", tasks.look_at_tile, recipe, survey=store)
    noise = float(np.sqrt(np.nanmean(variance))) if np.isfinite(variance).any() else 0.0
    pairs = _compare(store, wanted, recipe, noise, runner)
    names, reach = [field.name for field in acquisition.fields], wanted.stage_error_um / acquisition.pixel_um
    placement = _attempt(lambda: place_fields(names, acquisition.stage_px, pairs, reach), errors)
    shift = _attempt(lambda: _shift(wanted, recipe, edge, runner), errors)
    if errors or placement is None:
        raise InputError("\n".join(errors))
    drifts = None
    if wanted.drift:
        grid = field_grid(len(names), acquisition.plane)
        found = runner.over("drift", tasks.look_at_drift, grid, _numbers(grid), recipe=recipe)
        drifts = tuple(row[0] for row in found)
    return Survey(placement, shift, drifts)


def field_grid(fields: int, plane: tuple[int, int]) -> Grid:
    """Return one tile for every field, of its own shape."""
    return [[Tile(number, 0, 0, plane[0], 0, plane[1])] for number in range(fields)]


def _over_bands(
    runner: Runner, stage: str, task: Callable[..., Any], recipe: Recipe, **constants: Any
) -> FloatArray:
    height, width = recipe.acquisition.plane
    starts = np.cumsum([0, *cut(height, BAND)])
    count = len(starts) - 1
    grid, numbers = [], []
    for number in range(len(recipe.acquisition.fields)):
        for i in range(count):
            grid.append([Tile(number * count + i, 0, int(starts[i]), int(starts[i + 1]), 0, width)])
            numbers.append([number])
    return np.array([row[0] for row in runner.over(stage, task, grid, numbers, recipe=recipe, **constants)])


def _compare(store: Path, wanted: Fields, recipe: Recipe, noise: float, runner: Runner) -> list[Pair]:
    acquisition = recipe.acquisition
    ends = overlapping(acquisition.stage_px, acquisition.plane)
    if not ends:
        return []
    grid = field_grid(len(ends), acquisition.plane)
    found = runner.over(
        "compare",
        tasks.compare_pair,
        grid,
        [[pair] for pair in ends],
        survey=store,
        corners=acquisition.stage_px,
        noise=noise,
        reach=wanted.stage_error_um / acquisition.pixel_um,
    )
    return [row[0] for row in found]


def _shift(wanted: Fields, recipe: Recipe, edge: Range, runner: Runner) -> EnergyShift | None:
    if wanted.energy_shift is None:
        return None
    acquisition = recipe.acquisition
    fields = (acquisition.foil,) if acquisition.foil else acquisition.fields
    grid = field_grid(len(fields), acquisition.plane)
    rows = runner.over("shift", tasks.look_at_blocks, grid, _numbers(grid), fields=fields, recipe=recipe)
    spectra, places = (np.concatenate([row[0][part] for row in rows]) for part in (0, 1))
    return fit_shift(spectra, places, acquisition.energy, edge, acquisition.plane, wanted.energy_shift.degree)


def _numbers(grid: Grid) -> list[list[int]]:
    return [[number] for number in range(len(grid))]


def _attempt(step: Callable[[], Any], errors: list[str]) -> Any:
    try:
        return step()
    except InputError as error:
        errors.append(str(error))
        return None


def _told(survey: Survey) -> dict[str, Any]:
    placement = survey.placement
    return {
        "corners": placement.corners.tolist(),
        "pairs": [asdict(pair) for pair in placement.pairs],
        "warnings": list(placement.warnings),
        "shift": asdict(survey.shift) if survey.shift else None,
        "drifts": [drift.tolist() for drift in survey.drifts] if survey.drifts else None,
    }


def _read(told: dict[str, Any]) -> Survey:
    pairs = [
        replace(Pair(**pair), stage=tuple(pair["stage"]), offset=tuple(pair["offset"]))
        for pair in told["pairs"]
    ]
    placement = Placement(np.array(told["corners"]), tuple(pairs), tuple(told["warnings"]))
    shift = told["shift"]
    return Survey(
        placement,
        EnergyShift(tuple(shift["plane"]), tuple(shift["terms"]), shift["error"], shift["blocks"])
        if shift
        else None,
        tuple(np.array(drift) for drift in told["drifts"]) if told["drifts"] else None,
    )
