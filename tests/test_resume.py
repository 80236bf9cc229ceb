"""A run that was stopped goes on: nothing is done twice, nothing is lost, and the maps are the same bits."""

import json
import random

import numpy as np
import pytest
from faults import assert_same, killed_after, maps_of
from small_runs import config, edges, scene, write_csv, write_cube

from pipeline.workflow import classify

SHAPE = (150, 170)
STAGES = ("assign", "regions", "clean-up", "fill", "clusters")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A cube of four phases, references for it, and the maps of an undisturbed run."""
    folder = tmp_path_factory.mktemp("measured")
    rng = np.random.default_rng(2)
    spectra = edges(4, rng)
    write_csv(folder / "references.csv", spectra)
    write_cube(folder / "cube.zarr", scene(rng, spectra, SHAPE, noise=0.2), [16], [16])
    undisturbed = small(folder, "undisturbed")
    classify(undisturbed)
    return folder, maps_of(undisturbed)


def small(folder, output, **sections):
    run = config(folder, folder / "cube.zarr", folder / "references.csv", **sections)
    compute = run.compute.model_copy(update={"tile": 16})
    return run.model_copy(update={"output": folder / output, "compute": compute})


def events(run, name):
    lines = (run.output / "events.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["event"] == name]


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_killed_in_a_stage_goes_on(measured, tmp_path, stage):
    folder, expected = measured
    run = small(folder, tmp_path / "out")
    assert killed_after(run, stage, 0.05)
    assert not (run.output / "result.zarr").exists()
    classify(run)
    assert_same(maps_of(run), expected)


@pytest.mark.slow
def test_a_run_killed_twenty_times_at_random_loses_nothing(measured, tmp_path):
    folder, expected = measured
    draw = random.Random(5)
    kills, runs = 0, 0
    while kills < 20:
        run = small(folder, tmp_path / f"out{runs}")
        if killed_after(run, draw.choice(STAGES), draw.uniform(0, 0.4)):
            kills += 1
        else:
            assert_same(maps_of(run), expected)
            runs += 1
    classify(run)
    assert_same(maps_of(run), expected)
