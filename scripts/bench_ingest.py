"""Time from raw counts to the cube against reading the same bytes and writing the same cube.

Run `python scripts/bench_ingest.py [--write PAGE]`: simulates two overlapping fields in a temporary folder
(TMPDIR says where; about 0.7 GB), then measures all on one thread, one after the other, five times. Prints a
Markdown table, and with `--write PAGE` writes it as a page. Times are processor seconds, so that other work
on the machine does not count.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench_page import machine
from gigaxas.config.schema import Fields, Ingest, StageAxes
from gigaxas.raw.absorbance import CountLimits
from gigaxas.raw.blending import pieces
from gigaxas.raw.energy_shift import ShiftMap
from gigaxas.raw.normalisation import make_normaliser, normalise_spectra
from gigaxas.raw.readers.acquisition import Acquisition, describe_acquisition
from gigaxas.raw.readers.images import Stack, read_stack
from gigaxas.simulate import modelled_library, sinter_scene
from gigaxas.simulate.raw import Scan, dark_images, lay_out_fields, make_detector, record_field
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores import cube
from gigaxas.stores.io import chunks
from gigaxas.stores.raw import write_field
from gigaxas.tasks import ingest as tasks
from gigaxas.tasks.ingest import Recipe
from gigaxas.tiles import Tile, flat, regular_grid
from threadpoolctl import threadpool_limits

ENERGY = np.linspace(7009.2, 7321.2, 178)
RANGES = (7009.2, 7080.0), (7200.0, 7321.2)
NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
SCENE, GRID, OVERLAP, CHUNK = (512, 1536), (1, 2), 64, 256
ROUNDS = 5
PAGE = """# Benchmark: from counts to the cube

One thread makes the cube from raw counts (512 x 1536 pixels, 178 energies, two overlapping fields in HDF5),
against reading the same counts and writing the same cube and maps with nothing in between. Processor seconds,
medians of rounds in turn; `make bench` measures again.

{machine}

{table}
"""


def make_fields(folder: Path) -> Acquisition:
    """Simulate the raw fields and describe them."""
    normaliser = make_normaliser(ENERGY, *RANGES, 7125.0, "lines")
    spectra = normalise_spectra(modelled_library(ENERGY)[1], normaliser)
    scene = sinter_scene(SCENE, seed=1)
    shape, fields = lay_out_fields(SCENE, GRID, OVERLAP, 4, seed=1)
    scan = Scan(ENERGY, spectra, make_detector(shape, 1.5, seed=1), NOISE, drift_px=0.0)
    for number, field in enumerate(fields):
        rng = np.random.default_rng(number)
        images = record_field(scene, field.corner, scan, rng)
        stage = field.corner[0] * 0.46, field.corner[1] * 0.46
        write_field(folder / f"{field.name}.h5", ENERGY, stage, dark_images(scan.detector, rng), images)
    inside = f"{folder}/{{field}}.h5::entry"
    raw = Fields(
        transmitted=f"{inside}/data/transmitted",
        reference=f"{inside}/data/reference",
        dark=f"{inside}/data/dark",
        positions=StageAxes(y=f"{inside}/stage/y", x=f"{inside}/stage/x"),
    )
    return describe_acquisition(Ingest(energies=tuple(ENERGY), fields=raw))


def recipe_of(acquisition: Acquisition, shifted: bool) -> Recipe:
    """Return the default recipe, with or without a shift of energy."""
    corners = tuple((int(y), int(x)) for y, x in np.rint(acquisition.stage_px))
    return Recipe(
        acquisition=acquisition,
        corners=corners,
        normaliser=make_normaliser(ENERGY, *RANGES, 7125.0, "lines"),
        camera=NOISE,
        limits=CountLimits(65535, 65535, NOISE.lowest_count),
        least_step=5.0,
        blend="feathered",
        shift=ShiftMap(acquisition.plane, (1.8, 0.3, 1.1, 0.0, 0.6), 0.0, 0) if shifted else None,
    )


def only_move(tile: Tile, recipe: Recipe, store: Path) -> None:
    """Read the counts of a tile, and write its samples and maps as they were made before."""
    for piece in pieces(tile, recipe.corners, recipe.acquisition.plane):
        field = recipe.acquisition.fields[piece.field]
        for stack in (field.transmitted, field.reference, field.dark):
            if isinstance(stack, Stack):
                read_stack(stack, piece.source.region)
    cube.write_samples(store, tile, SAMPLES[tile])
    for name in cube.MAPS:
        chunks.write(store, name, tile.region, MAPS[tile, name])


SAMPLES: dict[Tile, np.ndarray] = {}
MAPS: dict[tuple[Tile, str], np.ndarray] = {}


def timed(work: Callable[[Tile], object], tiles: list[Tile]) -> float:
    """Return the processor seconds that a loop over the tiles takes, so that other work does not count."""
    start = time.process_time()
    for tile in tiles:
        work(tile)
    return time.process_time() - start


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the table as a page")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, threadpool_limits(limits=1):
        lines = bench(Path(name))
    print("\n".join(lines))
    if asked.write:
        asked.write.write_text(
            PAGE.format(machine=f"{machine()}; one core used.", table="\n".join(lines)), encoding="utf-8"
        )


def bench(folder: Path) -> list[str]:
    """Measure in a folder; return the lines of the table."""
    acquisition = make_fields(folder)
    recipe = recipe_of(acquisition, shifted=True)
    plane = SCENE
    tiles = flat(regular_grid(plane, (CHUNK, CHUNK)))
    stores = {name: folder / f"{name}.zarr" for name in ("shifted", "plain", "moved")}
    for store in stores.values():
        cube.create_cube(store, ENERGY, plane, CHUNK, 0.46, "bench", maps=tuple(cube.MAPS))
    works: dict[str, Callable[[Tile], object]] = {
        "read counts, write the cube": lambda tile: only_move(tile, recipe, stores["moved"]),
        "ingest": lambda tile: tasks.ingest_tile(
            tile, recipe=replace(recipe, shift=None), store=stores["plain"]
        ),
        "ingest with energy shift": lambda tile: tasks.ingest_tile(
            tile, recipe=recipe, store=stores["shifted"]
        ),
    }
    timed(works["ingest with energy shift"], tiles)
    info = cube.describe_cube(stores["shifted"])
    for tile in tiles:
        SAMPLES[tile] = cube.read_tile(info, tile)
        for name in cube.MAPS:
            MAPS[tile, name] = chunks.read(stores["shifted"], name, tile.region)
    for work in works.values():
        timed(work, tiles)
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            seconds[name].append(timed(work, tiles))
    pixels = plane[0] * plane[1]
    base = float(np.median(seconds["read counts, write the cube"]))
    lines = ["| what | Mpx/s | rate against the first |", "|---|---:|---:|"]
    for name, values in seconds.items():
        median = float(np.median(values))
        lines.append(f"| {name} | {pixels / median / 1e6:.2f} | {base / median:.2f} |")
    return lines


if __name__ == "__main__":
    main()
