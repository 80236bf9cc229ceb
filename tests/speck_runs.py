"""A small finished run with specks: of a phase that the map hides, and pieces of those that it shows."""

import numpy as np
import small_runs
from gigaxas.workflow.classify import classify

SHAPE = (128, 144)
NOISE = 0.02
HIDDEN = [(20, 25), (70, 30), (100, 110)]
"""Single pixels of phase 3, which has none else."""
PIECES = [(40, 20), (60, 100), (95, 40)]
"""Corners of 2 x 2 pixels of the phase of the other half."""


def spectra():
    return small_runs.edges(4, np.random.default_rng(5))


def image(seed=3):
    """An image (E, y, x): phase 1 to the left, phase 2 to the right, both with specks."""
    known, rng = spectra(), np.random.default_rng(seed)
    phase = np.zeros(SHAPE, int)
    phase[:, SHAPE[1] // 2 :] = 1
    for y, x in HIDDEN:
        phase[y, x] = 2
    for y, x in PIECES:
        phase[y : y + 2, x : x + 2] = 1 - phase[y, x]
    clean = known[phase].transpose(2, 0, 1)
    return (clean + rng.normal(0, NOISE, clean.shape)).astype(np.float32)


def finished_run(folder):
    """Classify the image with specks searched."""
    small_runs.write_csv(folder / "references.csv", spectra())
    cube = small_runs.write_cube(folder / "cube.zarr", image(), [64, 64], [64, 64, 16])
    config = small_runs.config(
        folder,
        cube,
        folder / "references.csv",
        title="Specks & <grains>",
        noise={"sigma": NOISE},
        specks={},
    )
    classify(config)
    return config
