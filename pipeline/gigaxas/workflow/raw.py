"""Simulated raw fields of view, and their truth on the grid of the cube that is made of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.checkpoint.owner import is_made
from gigaxas.config.paths import raw_path, truth_path
from gigaxas.config.schema import Config, RawScan
from gigaxas.execution.runner import Runner
from gigaxas.raw.placement import Placement
from gigaxas.simulate import Scene
from gigaxas.simulate.raw import Detector, RawField, dark_images, lay_fields, make_detector, record_field
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores.io.groups import partial_of, publish, put_in_place
from gigaxas.stores.raw import write_field
from gigaxas.stores.truth import UNSEEN, describe_truth, read_whole, write_truth
from gigaxas.tiles import Tile
from gigaxas.workflow.prepare import ReferenceSet, cube_fingerprint, draw_scene, energy_grid
from gigaxas.workflow.registration import field_grid

SCENE = "scene.zarr"


def raw_is_made(config: Config, references: ReferenceSet) -> bool:
    """Return whether these settings have made the raw fields before."""
    return is_made(raw_path(config) / SCENE, cube_fingerprint(config, references))


def make_raw(config: Config, references: ReferenceSet, runner: Runner) -> Path:
    """Simulate the raw fields of a run and their scene, unless these settings have made them before."""
    wanted = config.simulate
    assert wanted is not None
    assert wanted.raw is not None
    path = raw_path(config)
    if raw_is_made(config, references):
        return path
    scene, rows = draw_scene(config, references)
    store = path.with_name(f"{path.name}.partial")
    names = tuple(references.names[row] for row in rows)
    shape, fields = laid(config)
    maps: dict[str, NDArray[Any]] = {"phase": scene.phase, "thickness": scene.thickness}
    store.mkdir(parents=True, exist_ok=True)
    fingerprint = cube_fingerprint(config, references)
    write_truth(store / SCENE, maps, wanted.chunk, names, names[scene.minority], fingerprint)
    grid = field_grid(len(fields), shape)
    # the journal knows chunks of Zarr stores and not these files: a run that was stopped makes them anew
    replace(runner, ledger=None).over(
        "simulate",
        record_tile,
        grid,
        [[field] for field in fields],
        folder=store,
        scene=scene,
        spectra=references.spectra[rows],
        energy=energy_grid(config),
        detector=make_detector(shape, wanted.raw.energy_shift_ev, wanted.seed),
        noise=config.acquisition,
        scan=wanted.raw,
        pixel_um=wanted.pixel_um,
        seed=wanted.seed,
    )
    put_in_place(store, path)
    return path


def laid(config: Config) -> tuple[tuple[int, int], list[RawField]]:
    """Return the shape of the simulated fields and where they lie."""
    wanted = config.simulate
    assert wanted is not None
    assert wanted.raw is not None
    raw = wanted.raw
    return lay_fields(wanted.shape, raw.fields, raw.overlap, raw.stage_error_px, wanted.seed)


def record_tile(
    tile: Tile,
    field: RawField,
    *,
    folder: Path,
    scene: Scene,
    spectra: FloatArray,
    energy: FloatArray,
    detector: Detector,
    noise: NoiseModel,
    scan: RawScan,
    pixel_um: float,
    seed: int,
) -> None:
    """Record one field of the scene into a file of its name; `tile` is the number of the field."""
    rng = np.random.default_rng([seed, 3, tile.row])
    dark = dark_images(detector, rng)
    images = record_field(scene, field.corner, spectra, energy, detector, noise, scan.drift_px, rng)
    stage = field.stage[0] * pixel_um, field.stage[1] * pixel_um
    write_field(folder / f"{field.name}.h5", energy, stage, dark, images)


def place_truth(
    config: Config, names: list[str], placement: Placement, plane: tuple[int, int], fingerprint: str
) -> None:
    """Write the truth of the cube: the scene, moved to where the fields were placed.

    The stage is off as a whole too, which no overlap tells: the scene moves by what fits the fields best.
    """
    corners = {field.name: field.corner for field in laid(config)[1]}
    whole = np.array(placement.whole)
    move = np.rint(np.mean(whole - [corners[name] for name in names], axis=0)).astype(int)
    scene = raw_path(config) / SCENE
    told = describe_truth(scene)
    height, width = placement.shape(plane)
    maps = {}
    for name, nothing in (("phase", UNSEEN), ("thickness", 0)):
        values = read_whole(scene, name)
        seen = np.full((height, width), nothing, dtype=values.dtype)
        for y, x in whole:
            y1, x1 = y + plane[0], x + plane[1]
            seen[y:y1, x:x1] = values[y - move[0] : y1 - move[0], x - move[1] : x1 - move[1]]
        maps[name] = seen
    assert config.simulate is not None
    store = partial_of(truth_path(config))
    write_truth(store, maps, config.simulate.chunk, told.names, told.minority, fingerprint)
    publish(store, truth_path(config))
