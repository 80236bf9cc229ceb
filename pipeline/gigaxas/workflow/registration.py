"""The first look at raw fields: where they lie, how their energy varies, how the specimen drifts."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.checkpoint.owner import is_made
from gigaxas.config.schema import Fields
from gigaxas.errors import InputError
from gigaxas.execution.runner import Runner
from gigaxas.locations import Location
from gigaxas.raw.energy_shift import EnergyShift, fit_shift
from gigaxas.raw.placement import Placement, place_fields
from gigaxas.raw.registration import Pair, overlapping
from gigaxas.stores.io.groups import add_attributes, attributes_of, partial_of, publish
from gigaxas.stores.registration import create_registration
from gigaxas.tasks import ingest as tasks
from gigaxas.tasks.ingest import Recipe
from gigaxas.tiles import Grid, cut, tile_grid

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
    path: Location, wanted: Fields, recipe: Recipe, edge: Range, fingerprint: str, runner: Runner
) -> Survey:
    """Look at the fields of a recipe, unless these settings have done so before. `edge` (eV) holds all edges.

    Raises InputError where overlaps disagree or the shift of energy cannot be fitted, before any other work.
    """
    if not (is_made(path, fingerprint) and runner.is_intact(path)):
        store = partial_of(path)
        plane, fields = recipe.acquisition.plane, len(recipe.acquisition.fields)
        create_registration(store, fields, plane, min(BAND, plane[0]), fingerprint)
        found = _look(store, wanted, recipe, edge, runner)
        add_attributes(store, found=_told(found))
        publish(store, path)
    return read_survey(path)


def _look(store: Location, wanted: Fields, recipe: Recipe, edge: Range, runner: Runner) -> Survey:
    acquisition = recipe.acquisition
    errors: list[str] = []
    variance = _look_at_all(store, recipe, runner)
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
        found = runner.over("drift", tasks.look_at_drift, grid, recipe=recipe)
        drifts = tuple(row[0] for row in found)
    return Survey(placement, shift, drifts)


def field_grid(fields: int, plane: tuple[int, int]) -> Grid:
    """Return one tile for every field, the fields standing on each other."""
    return tile_grid([plane[0]] * fields, [plane[1]])


def _look_at_all(store: Location, recipe: Recipe, runner: Runner) -> FloatArray:
    height, width = recipe.acquisition.plane
    grid = tile_grid(cut(height, BAND) * len(recipe.acquisition.fields), [width])
    return np.array(
        [row[0] for row in runner.over("look", tasks.look_at_tile, grid, recipe=recipe, survey=store)]
    )


def _compare(store: Location, wanted: Fields, recipe: Recipe, noise: float, runner: Runner) -> list[Pair]:
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
    rows = runner.over("shift", tasks.look_at_blocks, grid, fields=fields, recipe=recipe)
    spectra, places = (np.concatenate([row[0][part] for row in rows]) for part in (0, 1))
    return fit_shift(spectra, places, acquisition.energy, edge, acquisition.plane, wanted.energy_shift.degree)


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


def read_survey(path: Location) -> Survey:
    """Read what a first look found."""
    told = attributes_of(path)["found"]
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
