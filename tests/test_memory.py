"""The cube is never held: the peak memory of a run is set by its tiles, not by its image."""

import os
import subprocess
import sys

import numpy as np
import yaml
from gigaxas.simulate import edge_windows, modelled_library, simulate_block, sinter_scene
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores import cube
from gigaxas.tiles import flat, regular_grid
from linked_cubes import link_cube

CHUNK = 128
ENERGY = np.linspace(7009.2, 7321.2, 178)

# The overview in the report grows up to a fixed size; here it has it from the start.
MEASURED_RUN = """
import resource, sys
import gigaxas.cli.verbs
import gigaxas.workflow.report
gigaxas.workflow.report.OVERVIEW_SIDE = 256
sys.argv = ["gigaxas", "classify", sys.argv[1]]
try:
    gigaxas.cli.verbs.main()
finally:
    print("peak", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def small_cube(path):
    """Four chunks of simulated sinter."""
    side = 2 * CHUNK
    create = (path, ENERGY, (side, side), CHUNK, 0.46, "small")
    cube.create_cube(*create)
    scene, (_, spectra) = sinter_scene((side, side), 1), modelled_library(ENERGY)
    noise, windows = NoiseModel(2.7e4, 0.36, 1.56), edge_windows(ENERGY)
    for tile in flat(regular_grid((side, side), (CHUNK, CHUNK))):
        rng = np.random.default_rng([1, tile.row, tile.column])
        part = tile.region
        block = simulate_block(scene.phase[part], scene.thickness[part], spectra, noise, rng, windows)
        cube.write_tile(path, tile, block.mu, mu_low=block.mu_low, mu_high=block.mu_high)
    return path


def peak(folder, source, side):
    folder.mkdir()
    settings = {
        "output": str(folder / "out"),
        "cube": {"path": str(link_cube(folder / "cube.zarr", source, (side, side), CHUNK))},
        "references": {"modelled": True},
        "sites": {"method": "net"},
        "compute": {"cluster": "threads", "workers": 2},
    }
    run = folder / "run.yaml"
    run.write_text(yaml.safe_dump(settings))
    # glibc keeps freed memory for every thread apart: how much of it is left over depends on their timing
    environment = {**os.environ, "MALLOC_ARENA_MAX": "2"}
    done = subprocess.run(
        [sys.executable, "-c", MEASURED_RUN, run],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split("peak")[-1])


def test_a_nine_times_larger_image_takes_the_same_memory(tmp_path):
    source = small_cube(tmp_path / "source.zarr")
    small, large = (peak(tmp_path / str(side), source, side) for side in (6 * CHUNK, 18 * CHUNK))
    cube_kib = (18 * CHUNK) ** 2 * len(ENERGY) * 2 // 1024
    assert large < small * 1.1
    assert large < cube_kib
