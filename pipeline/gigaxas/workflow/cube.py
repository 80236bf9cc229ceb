"""The simulated cube of a run, with its truth."""

from typing import Any

from numpy.typing import NDArray

from gigaxas.checkpoint.owner import is_made
from gigaxas.config.schema import Simulate
from gigaxas.execution.runner import Runner
from gigaxas.simulate import Scene, edge_windows, inset_scene, plant_specks, sinter_scene
from gigaxas.stores.cube import create_cube
from gigaxas.stores.io.groups import partial_of, publish
from gigaxas.stores.truth import write_truth
from gigaxas.tasks.simulate import simulate_tile
from gigaxas.tiles import regular_grid
from gigaxas.workflow.edge import ranges_of
from gigaxas.workflow.fingerprints import cube_fingerprint, quantised_step
from gigaxas.workflow.references import ReferenceSet
from gigaxas.workflow.resolve import Resolved


def simulate_cube(run: Resolved, runner: Runner) -> None:
    """Simulate the cube of a run and its truth, unless these settings have made them before."""
    config, paths, wanted = run.config, run.paths, run.config.simulate
    assert wanted is not None
    fingerprint = cube_fingerprint(config, run.references, None)
    if is_made(paths.cube, fingerprint) and runner.is_intact(paths.cube) and runner.is_intact(paths.truth):
        return
    scene, rows = draw_scene(wanted, run.references)
    names = tuple(run.references.names[row] for row in rows)
    maps: dict[str, NDArray[Any]] = {"phase": scene.phase, "thickness": scene.thickness}
    cube, truth = partial_of(paths.cube), partial_of(paths.truth)
    write_truth(truth, maps, wanted.chunk, names, names[scene.minority], fingerprint, scene.specks)
    step = quantised_step(config)
    create_cube(
        cube,
        run.energy,
        wanted.shape,
        wanted.chunk,
        wanted.pixel_um,
        fingerprint,
        step=step,
        quantity="normalised",
    )
    runner.over(
        "simulate",
        simulate_tile,
        regular_grid(wanted.shape, (wanted.chunk, wanted.chunk)),
        store=cube,
        truth_store=truth,
        spectra=run.references.spectra[rows],
        noise=config.acquisition,
        windows=edge_windows(run.energy, *ranges_of(config)),
        seed=wanted.seed,
    )
    publish(truth, paths.truth)
    publish(cube, paths.cube)


def draw_scene(wanted: Simulate, references: ReferenceSet) -> tuple[Scene, list[int]]:
    """Return the scene and, for every number in its phase map, the row of the references it stands for."""
    if wanted.phases is None:
        scene, rows = sinter_scene(wanted.shape, wanted.seed), list(range(len(references.names)))
    else:
        scene, rows = inset_scene(wanted.shape, wanted.inset), references.numbers(wanted.phases)
    for specks in wanted.specks:
        pair = references.numbers((specks.phase, specks.host))
        rows += [row for row in pair if row not in rows]
        phase, host = (rows.index(row) for row in pair)
        scene = plant_specks(scene, phase, host, specks.pixels, specks.count, wanted.seed)
    return scene, rows
