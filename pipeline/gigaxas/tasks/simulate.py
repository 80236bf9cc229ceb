"""What one tile of a simulated cube, or one simulated field, is made by."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from gigaxas.arrays import CountArray, FloatArray
from gigaxas.locations import Location
from gigaxas.simulate import EdgeWindows, Scene, simulate_block
from gigaxas.simulate.raw import Scan, Shot, dark_images, record_field
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores import cube, truth
from gigaxas.stores.raw import write_field
from gigaxas.tiles import Tile

ImagePair = tuple[CountArray, CountArray]


def simulate_tile(
    tile: Tile,
    *,
    store: Location,
    truth_store: Location,
    spectra: FloatArray,
    noise: NoiseModel,
    windows: EdgeWindows,
    seed: int,
) -> None:
    """Measure one tile of the scene: counts, camera noise, absorbance."""
    phase, thickness = truth.read_tile(truth_store, tile)
    rng = np.random.default_rng([seed, tile.y0, tile.x0])
    block = simulate_block(phase, thickness, spectra, noise, rng, windows)
    cube.write_tile(store, tile, block.mu, mu_low=block.mu_low, mu_high=block.mu_high)


def record_tile(
    tile: Tile,
    shot: Shot,
    *,
    folder: Path,
    scene: Scene,
    scan: Scan,
    pixel_um: float,
    seed: int,
    pause: Callable[[], None] = lambda: None,
) -> None:
    """Record one field of the scene into a file of its own; `pause` is called after every energy.

    The file grows under its name, and belongs to the process that writes it until it is whole.
    """
    field = shot.field
    rng = np.random.default_rng([seed, 3, shot.number, shot.scan])
    dark = dark_images(scan.detector, rng)
    images = _paced(record_field(scene, field.corner, scan, rng), pause)
    stage = field.stage[0] * pixel_um, field.stage[1] * pixel_um
    write_field(folder / shot.file, scan.energy, stage, dark, images)


def _paced(images: Iterable[ImagePair], pause: Callable[[], None]) -> Iterator[ImagePair]:
    for pair in images:
        yield pair
        pause()
