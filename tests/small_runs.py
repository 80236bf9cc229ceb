"""Small measured cubes and configurations for tests of whole runs."""

import numpy as np
from gigaxas.config.schema import Config
from gigaxas.stores import cube
from gigaxas.tiles import flat, tile_grid

WORKING_POINT = {"mu_low": 0.36, "mu_high": 1.56}
ENERGY = np.linspace(7009.2, 7321.2, 24)


def edges(count, rng):
    """Edge-like spectra (count, E), well apart from each other."""
    position = np.linspace(7105, 7150, count)[:, None]
    wave = np.sin((ENERGY - 7100) / rng.uniform(25, 50, (count, 1)) + rng.uniform(0, 6, (count, 1)))
    step = 1 / (1 + np.exp(-(ENERGY - position) / 3))
    return step * (1 + 0.15 * wave)


def write_csv(path, spectra):
    """Write reference spectra as a table with one column a spectrum."""
    names = ",".join(f"phase {i + 1}" for i in range(len(spectra)))
    rows = np.column_stack([ENERGY, *spectra])
    np.savetxt(path, rows, delimiter=",", header=f"energy,{names}", comments="", fmt="%.10g")


def write_cube(path, image, heights, widths, fingerprint="made by a test"):
    """Write an image (E, y, x) of absorbance as a cube; its chunks are as large as the first tile."""
    chunk = max(heights[0], widths[0])
    plane = image.shape[1:]
    cube.create_cube(path, ENERGY, plane, chunk, 0.5, fingerprint)
    for tile in flat(tile_grid([plane[0]], [plane[1]])):
        flat_maps = {name: np.full(plane, value, np.float32) for name, value in WORKING_POINT.items()}
        cube.write_tile(path, tile, image[:, *tile.region], **flat_maps)
    return path


def scene(rng, spectra, shape, noise=0.02, void_share=0.02):
    """An image (E, y, x) of patches of these spectra with noise, a few of its pixels without signal."""
    patches = rng.integers(0, len(spectra), (-(-shape[0] // 7), -(-shape[1] // 9)))
    phase = np.kron(patches, np.ones((7, 9), int))[: shape[0], : shape[1]]
    image = spectra[phase].transpose(2, 0, 1) + rng.normal(0, noise, (len(ENERGY), *shape))
    image[:, rng.random(shape) < void_share] = np.nan
    return image.astype(np.float32)


def config(folder, cube_path, table, **sections):
    """A configuration over a cube and a table of references."""
    settings = {
        "title": "small",
        "output": folder / "out",
        "cube": {"path": cube_path, "quantity": "normalised"},
        "references": {"path": table},
        "noise": {"c_ref": 3e6},
        "sites": {"mixtures": "none", "method": "net"},
        "compute": {"cluster": "threads", "workers": 2},
    }
    return Config.model_validate({**settings, **sections})
