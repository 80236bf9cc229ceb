"""What one tile goes through, where no whole run shows it."""

import numpy as np
from gigaxas import tiles
from gigaxas.simulate import edge_windows
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores import cube, deferred, truth
from gigaxas.stores.result import open_result
from gigaxas.tasks.simulate import simulate_tile
from gigaxas.tiles import flat, regular_grid
from gigaxas.workflow.classify import classify
from small_runs import ENERGY, config, edges, scene, write_csv, write_cube

SIDE, CHUNK = 16, 8


def test_simulated_tiles_have_noise_of_their_own(tmp_path):
    maps = {"phase": np.zeros((SIDE, SIDE), np.uint8), "thickness": np.ones((SIDE, SIDE), np.float32)}
    truth.write_truth(tmp_path / "truth.zarr", maps, CHUNK, ("one",), "one", "made by a test")
    cube.create_cube(tmp_path / "cube.zarr", ENERGY, (SIDE, SIDE), CHUNK, 0.5, "made by a test")
    tiles = flat(regular_grid((SIDE, SIDE), (CHUNK, CHUNK)))
    for tile in tiles:
        simulate_tile(
            tile,
            store=tmp_path / "cube.zarr",
            truth_store=tmp_path / "truth.zarr",
            spectra=edges(1, np.random.default_rng(1)),
            noise=NoiseModel(2.7e4, 0.36, 1.56),
            windows=edge_windows(ENERGY),
            seed=3,
        )
    info = cube.describe_cube(tmp_path / "cube.zarr")
    blocks = [cube.read_tile(info, tile).astype(float) for tile in tiles]
    noise = [(block - block.mean(axis=(1, 2), keepdims=True)).ravel() for block in blocks]
    assert np.abs(np.corrcoef(noise) - np.eye(len(tiles))).max() < 0.1


def test_blocks_of_a_tile_give_the_spectra_of_the_whole_tile(tmp_path, monkeypatch):
    rng = np.random.default_rng(4)
    spectra = edges(4, rng)
    write_csv(tmp_path / "references.csv", spectra)
    write_cube(tmp_path / "cube.zarr", scene(rng, spectra, (48, 64), noise=0.15), [16], [16])
    monkeypatch.setattr(deferred, "SHARE", 1)
    found = []
    for block_bytes in (tiles.BLOCK_BYTES, 16 * 16 * len(ENERGY) * 2):
        monkeypatch.setattr(tiles, "BLOCK_BYTES", block_bytes)
        compute = {"cluster": "threads", "workers": 1, "tile": 32}
        run = config(
            tmp_path,
            tmp_path / "cube.zarr",
            tmp_path / "references.csv",
            output=tmp_path / f"out-{block_bytes}",
            compute=compute,
        )
        classify(run)
        with open_result(run.output) as result:
            found.append([result[name].values for name in ("label", "spectrum", "standard_error")])
    for whole, blocks in zip(*found, strict=True):
        np.testing.assert_array_equal(whole, blocks)
