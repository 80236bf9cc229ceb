"""How raw fields lie to each other, how their energy varies, and how the specimen drifts."""

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
from gigaxas.raw.energy_shift import Blocks, ShiftMap, fit_shift
from gigaxas.raw.placement import Placement, place_fields
from gigaxas.raw.registration import Pair, overlapping
from gigaxas.spectra.spectrum import EnergyRange
from gigaxas.stores.io.groups import add_attributes, attributes_of, partial_of, publish
from gigaxas.stores.registration import create_registration
from gigaxas.tasks import registration as tasks
from gigaxas.tasks.ingest import Recipe
from gigaxas.tiles import Grid, Plane, cut, tile_grid
from gigaxas.workflow.fingerprints import field_marks

BAND = 256
"""Rows of a field that one task measures the edge step of."""
LARGE_ERROR_EV = 0.05
"""Standard error of the shift of energy that the user is told of."""


@dataclass(frozen=True)
class Registration:
    """What is known of raw fields before the cube is made of them."""

    placement: Placement
    """Where they lie."""
    shift: ShiftMap | None
    """How the energy varies over a field, where that is to be taken out."""
    drifts: tuple[FloatArray, ...] | None
    """The drift (E, 2) of every field in pixels, where that is to be taken out."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the user should know."""
        lines = list(self.placement.warnings)
        if self.shift is not None and self.shift.error > LARGE_ERROR_EV:
            lines.append(f"the shift of energy is known to {self.shift.error:.2f} eV only; measure a foil")
        return tuple(lines)


def make_registration(
    path: Location, wanted: Fields, recipe: Recipe, edge: EnergyRange, fingerprint: str, runner: Runner
) -> Registration:
    """Register the fields of a recipe, unless these settings have done so before. `edge` holds all edges.

    Raises InputError where overlaps disagree or the shift of energy cannot be fitted, before any other work.
    """
    if not (is_made(path, fingerprint) and runner.is_intact(path)):
        store = partial_of(path)
        plane, fields = recipe.acquisition.plane, len(recipe.acquisition.fields)
        create_registration(store, fields, plane, min(BAND, plane[0]), fingerprint)
        found = _register(store, wanted, recipe, edge, runner)
        add_attributes(store, found=_as_json(found))
        publish(store, path)
    return read_registration(path)


def _register(
    store: Location, wanted: Fields, recipe: Recipe, edge: EnergyRange, runner: Runner
) -> Registration:
    acquisition = recipe.acquisition
    errors: list[str] = []
    noise = _measure_edge_steps(store, recipe, runner)
    pairs = _register_pairs(store, wanted, recipe, noise, runner)
    names, stage = [field.name for field in acquisition.fields], acquisition.stage_px
    limit = _shift_limit(wanted, recipe)
    placement = _attempt(lambda: place_fields(names, stage, pairs, limit), errors)
    shift = _attempt(lambda: _fit_shift(wanted, recipe, edge, runner), errors)
    if errors or placement is None:
        raise InputError("\n".join(errors))
    return Registration(placement, shift, _measure_drifts(recipe, runner) if wanted.drift else None)


def _shift_limit(wanted: Fields, recipe: Recipe) -> float:
    """Return how many pixels the stage may be wrong by."""
    return wanted.stage_error_um / recipe.acquisition.pixel_um


def field_grid(fields: int, plane: Plane) -> Grid:
    """Return one tile for every field, the fields below each other."""
    return tile_grid([plane[0]] * fields, [plane[1]])


def _measure_edge_steps(store: Location, recipe: Recipe, runner: Runner) -> float:
    """Write the edge steps of all fields; return the standard deviation of their noise, 0 if unknown."""
    height, width = recipe.acquisition.plane
    grid = tile_grid(cut(height, BAND) * len(recipe.acquisition.fields), [width])
    bands = len(cut(height, BAND))
    own = [[mark] for mark in field_marks(recipe) for _ in range(bands)]
    rows = runner.over_marked(
        "edge steps", tasks.measure_edge_step, grid, own, recipe=recipe, registration=store
    )
    variance = np.array([row[0] for row in rows])
    return float(np.sqrt(np.nanmean(variance))) if np.isfinite(variance).any() else 0.0


def _register_pairs(
    store: Location, wanted: Fields, recipe: Recipe, noise: float, runner: Runner
) -> list[Pair]:
    acquisition = recipe.acquisition
    ends = overlapping(acquisition.stage_px, acquisition.plane)
    if not ends:
        return []
    found = runner.over(
        "overlaps",
        tasks.register_pair,
        field_grid(len(ends), acquisition.plane),
        [[pair] for pair in ends],
        registration=store,
        stage_px=acquisition.stage_px,
        noise=noise,
        shift_limit=_shift_limit(wanted, recipe),
    )
    return [row[0] for row in found]


def _fit_shift(wanted: Fields, recipe: Recipe, edge: EnergyRange, runner: Runner) -> ShiftMap | None:
    if wanted.energy_shift is None:
        return None
    acquisition = recipe.acquisition
    fields = (acquisition.foil,) if acquisition.foil else acquisition.fields
    grid = field_grid(len(fields), acquisition.plane)
    rows = runner.over("energy shift", tasks.measure_blocks, grid, fields=fields, recipe=recipe)
    blocks = Blocks(*(np.concatenate(parts) for parts in zip(*(row[0] for row in rows), strict=True)))
    return fit_shift(blocks, acquisition.energy, edge, acquisition.plane, wanted.energy_shift.degree)


def _measure_drifts(recipe: Recipe, runner: Runner) -> tuple[FloatArray, ...]:
    grid = field_grid(len(recipe.acquisition.fields), recipe.acquisition.plane)
    own = [[mark] for mark in field_marks(recipe)]
    rows = runner.over_marked("drift", tasks.measure_field_drift, grid, own, recipe=recipe)
    return tuple(row[0] for row in rows)


def _attempt(step: Callable[[], Any], errors: list[str]) -> Any:
    try:
        return step()
    except InputError as error:
        errors.append(str(error))
        return None


def _as_json(found: Registration) -> dict[str, Any]:
    placement = found.placement
    return {
        "corners": placement.corners.tolist(),
        "pairs": [asdict(pair) for pair in placement.pairs],
        "warnings": list(placement.warnings),
        "shift": asdict(found.shift) if found.shift else None,
        "drifts": [drift.tolist() for drift in found.drifts] if found.drifts else None,
    }


def read_registration(path: Location) -> Registration:
    """Read how fields were registered."""
    found = attributes_of(path)["found"]
    pairs = tuple(
        replace(Pair(**pair), stage=tuple(pair["stage"]), offset=tuple(pair["offset"]))
        for pair in found["pairs"]
    )
    shift = found["shift"]
    if shift is not None:
        shift = ShiftMap(tuple(shift["plane"]), tuple(shift["terms"]), shift["error"], shift["blocks"])
    return Registration(
        Placement(np.array(found["corners"]), pairs, tuple(found["warnings"])),
        shift,
        tuple(np.array(drift) for drift in found["drifts"]) if found["drifts"] else None,
    )
