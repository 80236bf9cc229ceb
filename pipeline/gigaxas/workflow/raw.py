"""Simulated raw fields of view, and their truth on the grid of the cube that is made of them."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.checkpoint.owner import RAW_SCENE
from gigaxas.config.schema import Simulate
from gigaxas.execution.runner import Runner
from gigaxas.raw.placement import Placement
from gigaxas.raw.readers.acquisition import Acquisition
from gigaxas.simulate.raw import Scan, SimulatedField, lay_out_fields, make_detector
from gigaxas.stores.io.groups import partial_of, publish, put_in_place
from gigaxas.stores.truth import UNSEEN, describe_truth, read_whole, write_truth
from gigaxas.tasks.simulate import record_tile
from gigaxas.tiles import Plane
from gigaxas.workflow.cube import draw_scene
from gigaxas.workflow.fingerprints import cube_fingerprint, raw_is_made, scene_fingerprint
from gigaxas.workflow.registration import field_grid
from gigaxas.workflow.resolve import Resolved


def record_fields(run: Resolved, runner: Runner) -> None:
    """Simulate the raw fields of a run and their scene, unless these settings have made them before."""
    config, path, wanted = run.config, run.paths.raw, run.config.simulate
    assert wanted is not None
    assert wanted.raw is not None
    if raw_is_made(config, run.paths, run.references):
        return
    scene, rows = draw_scene(wanted, run.references)
    store = path.with_name(f"{path.name}.partial")
    names = tuple(run.references.names[row] for row in rows)
    shape, fields = field_layout(wanted)
    maps: dict[str, NDArray[Any]] = {"phase": scene.phase, "thickness": scene.thickness}
    store.mkdir(parents=True, exist_ok=True)
    fingerprint = scene_fingerprint(config, run.references)
    minority = names[scene.minority]
    write_truth(store / RAW_SCENE, maps, wanted.chunk, names, minority, fingerprint, scene.specks)
    # the journal knows chunks of Zarr stores and not these files: a run that was stopped makes them anew
    replace(runner, ledger=None).over(
        "simulate",
        record_tile,
        field_grid(len(fields), shape),
        [[field] for field in fields],
        folder=store,
        scene=scene,
        scan=Scan(
            energy=run.energy,
            spectra=run.references.spectra[rows],
            detector=make_detector(shape, wanted.raw.energy_shift_ev, wanted.seed),
            noise=config.acquisition,
            drift_px=wanted.raw.drift_px,
        ),
        pixel_um=wanted.pixel_um,
        seed=wanted.seed,
    )
    put_in_place(store, path)


def field_layout(wanted: Simulate) -> tuple[Plane, list[SimulatedField]]:
    """Return the shape of the simulated fields and where they lie."""
    raw = wanted.raw
    assert raw is not None
    return lay_out_fields(wanted.shape, raw.fields, raw.overlap, raw.stage_error_px, wanted.seed)


def place_truth(run: Resolved, source: Acquisition, placement: Placement) -> None:
    """Write the truth of the cube: the scene, moved to where the fields were placed.

    The stage is off as a whole too, which no overlap tells: the scene moves by what fits the fields best.
    """
    wanted, plane = run.config.simulate, source.plane
    assert wanted is not None
    corners = {field.name: field.corner for field in field_layout(wanted)[1]}
    whole = np.array(placement.whole)
    move = np.rint(np.mean(whole - [corners[field.name] for field in source.fields], axis=0)).astype(int)
    scene = run.paths.raw / RAW_SCENE
    truth = describe_truth(scene)
    height, width = placement.shape(plane)
    maps = {}
    for name, nothing in (("phase", UNSEEN), ("thickness", 0)):
        values = read_whole(scene, name)
        seen = np.full((height, width), nothing, dtype=values.dtype)
        for y, x in whole:
            y1, x1 = y + plane[0], x + plane[1]
            seen[y:y1, x:x1] = values[y - move[0] : y1 - move[0], x - move[1] : x1 - move[1]]
        maps[name] = seen
    store, fingerprint = partial_of(run.paths.truth), cube_fingerprint(run.config, run.references, source)
    moved = [box.seen_from(-int(move[0]), -int(move[1])) for box in truth.specks]
    write_truth(store, maps, wanted.chunk, truth.names, truth.minority, fingerprint, moved)
    publish(store, run.paths.truth)
