"""Simulated raw fields of view, and their truth on the grid of the cube that is made of them."""

import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.checkpoint.owner import RAW_SCENE
from gigaxas.config.schema import Simulate
from gigaxas.errors import InputError
from gigaxas.execution.cluster import Announce
from gigaxas.execution.runner import Runner
from gigaxas.locations import Location
from gigaxas.raw.placement import Placement
from gigaxas.raw.readers.acquisition import Acquisition
from gigaxas.simulate import Scene
from gigaxas.simulate.raw import Scan, Shot, SimulatedField, lay_out_fields, make_detector, take_shots
from gigaxas.stores.io.groups import partial_of, publish, put_in_place
from gigaxas.stores.truth import UNSEEN, describe_truth, read_whole, write_truth
from gigaxas.tasks.simulate import record_tile
from gigaxas.tiles import Plane, Tile
from gigaxas.workflow.cube import draw_scene
from gigaxas.workflow.fingerprints import cube_fingerprint, raw_is_made, scene_fingerprint
from gigaxas.workflow.registration import field_grid
from gigaxas.workflow.resolve import Resolved

RECORDED = "recorded.txt"
"""The files of a measurement that is written slowly, which are whole, below the mark of its settings."""


def record_fields(run: Resolved, runner: Runner) -> None:
    """Simulate the raw fields of a run and their scene, unless these settings have made them before."""
    path = run.paths.raw
    if raw_is_made(run.config, run.paths, run.references):
        return
    store = path.with_name(f"{path.name}.partial")
    store.mkdir(parents=True, exist_ok=True)
    shots, names, settings = _measurement(run)
    _write_scene(run, settings["scene"], names, store / RAW_SCENE)
    # the journal knows chunks of Zarr stores and not these files: a run that was stopped makes them anew
    replace(runner, ledger=None).over(
        "simulate",
        record_tile,
        field_grid(len(shots), settings["scan"].detector.beam.shape),
        [[shot] for shot in shots],
        folder=store,
        **settings,
    )
    put_in_place(store, path)


def record_slowly(run: Resolved, seconds: float, announce: Announce) -> None:
    """Simulate the raw fields of a run as an instrument writes them, a file every so many seconds.

    The files grow under their names, the scene comes last. What is whole from before stays. Raises InputError
    where other settings have made files.
    """
    folder, mark = run.paths.raw, scene_fingerprint(run.config, run.references)
    if raw_is_made(run.config, run.paths, run.references):
        return
    folder.mkdir(parents=True, exist_ok=True)
    notes = folder / RECORDED
    lines = notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []
    if lines[:1] != [mark] and (lines or any(folder.glob("*.h5"))):
        raise InputError(
            f"{folder}: holds raw fields of other settings; remove the folder if you no longer need it, or "
            "give another output"
        )
    notes.write_text("\n".join(lines or [mark]) + "\n", encoding="utf-8")
    shots, names, settings = _measurement(run)
    pause = partial(time.sleep, seconds / run.energy.size)
    height, width = settings["scan"].detector.beam.shape
    for row, shot in enumerate(shots):
        if shot.file in lines:
            continue
        record_tile(Tile(row, 0, 0, height, 0, width), shot, folder=folder, pause=pause, **settings)
        with notes.open("a", encoding="utf-8") as file:
            file.write(f"{shot.file}\n")
        announce(f"wrote      {shot.file}, {row + 1} of {len(shots)}")
    scene = partial_of(folder / RAW_SCENE)
    _write_scene(run, settings["scene"], names, scene)
    publish(scene, folder / RAW_SCENE)


def _measurement(run: Resolved) -> tuple[list[Shot], tuple[str, ...], dict[str, Any]]:
    """Return every scan of every field, the names of the phases, and what else `record_tile` is told."""
    wanted = run.config.simulate
    assert wanted is not None
    assert wanted.raw is not None
    scene, rows = draw_scene(wanted, run.references)
    shape, fields = field_layout(wanted)
    scan = Scan(
        energy=run.energy,
        spectra=run.references.spectra[rows],
        detector=make_detector(shape, wanted.raw.energy_shift_ev, wanted.seed),
        noise=run.config.acquisition,
        drift_px=wanted.raw.drift_px,
    )
    settings = {"scene": scene, "scan": scan, "pixel_um": wanted.pixel_um, "seed": wanted.seed}
    names = tuple(run.references.names[row] for row in rows)
    return take_shots(fields, wanted.raw.scans), names, settings


def _write_scene(run: Resolved, scene: Scene, names: tuple[str, ...], path: Location) -> None:
    wanted = run.config.simulate
    assert wanted is not None
    maps: dict[str, NDArray[Any]] = {"phase": scene.phase, "thickness": scene.thickness}
    fingerprint = scene_fingerprint(run.config, run.references)
    write_truth(path, maps, wanted.chunk, names, names[scene.minority], fingerprint, scene.specks)


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
