"""A small cube with planted mixtures and leaks, and others that look like neither, measured by the camera."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml
from gigaxas.components.flattened import leaked
from gigaxas.simulate import edge_windows, modelled_library, simulate_block
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores.cube import create_cube, write_tile
from gigaxas.tiles import flat, regular_grid

ENERGY = np.linspace(7009.2, 7321.2, 178)
NAMES, LIBRARY = modelled_library(ENERGY)
WINDOWS = edge_windows(ENERGY)
NOISE = NoiseModel(2.7e4, 0.36, 1.56)
LEAK = 0.25
STEPS = 40
SHAPE = (160, 200)


def spectrum(name):
    return LIBRARY[NAMES.index(name)]


def leaking(name, share):
    """A normalised spectrum with a leak, and its edge step; its absorbance before the edge stays mu_low."""
    through = np.exp(-NOISE.mu_low) * (1 + share) - share
    mu = leaked(spectrum(name) * NOISE.edge_step - np.log(through), share)
    low, high = mu[WINDOWS.pre].mean(), mu[WINDOWS.post].mean()
    return (mu - low) / (high - low), high - low


@dataclass(frozen=True)
class Planted:
    """The truth: phase numbers (y, x), spectra (n, E), names, and the magnetite share of gradient pixels."""

    phase: np.ndarray
    spectra: np.ndarray
    names: list
    gradient: np.ndarray


def plant(folder: Path, seed=0, chunk=64, dtype="uint16"):
    """Write cube.zarr and a configuration into the folder; return the configuration's path and the truth."""
    pure = ["hematite", "magnetite", "SFCA-I", "wustite", "C2F"]
    leak, leak_step = leaking("hematite", LEAK)
    mixture = 0.5 * spectrum("hematite") + 0.5 * spectrum("wustite")
    shares = (np.arange(STEPS) + 0.5) / STEPS
    gradient = [(1 - w) * spectrum("hematite") + w * spectrum("magnetite") for w in shares]
    spectra = np.array([*map(spectrum, pure), leak, mixture, *gradient])
    steps = np.ones(len(spectra))
    steps[5] = leak_step / NOISE.edge_step
    phase = np.zeros(SHAPE, np.uint8)
    phase[:60, 60:140] = 7 + np.arange(80) // 2
    phase[:60, 140:] = 1
    phase[20:32, 160:172] = 4
    phase[60:110, :50], phase[60:110, 50:100] = 5, 2
    phase[110:, :60], phase[110:, 60:120], phase[110:, 120:] = 6, 3, 2
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    thickness = steps[phase] * (1 + 0.08 * np.sin(y / 17) * np.cos(x / 23))
    create_cube(folder / "cube.zarr", ENERGY, SHAPE, chunk, 0.46, f"planted-{seed}-{chunk}")
    for tile in flat(regular_grid(SHAPE, (chunk, chunk))):
        rng = np.random.default_rng([seed, tile.y0, tile.x0])
        block = simulate_block(phase[tile.region], thickness[tile.region], spectra, NOISE, rng, WINDOWS)
        write_tile(folder / "cube.zarr", tile, block.mu, mu_low=block.mu_low, mu_high=block.mu_high)
    config = {
        "title": "Planted",
        "output": str(folder / "run"),
        "cube": {"path": str(folder / "cube.zarr"), "quantity": "normalised"},
        "noise": {"c_ref": NOISE.c_ref},
        "references": {"modelled": True},
        "sites": {"method": "net"},
        "compute": {"cluster": "threads", "workers": 1, "tile": chunk},
    }
    (folder / "planted.yaml").write_text(yaml.safe_dump(config))
    names = [*pure, "leaking hematite", "half and half", *["gradient"] * STEPS]
    gradient_share = np.where(phase >= 7, shares[np.maximum(phase.astype(int) - 7, 0)], np.nan)
    return folder / "planted.yaml", Planted(phase, spectra, names, gradient_share)
