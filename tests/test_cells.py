"""Mean spectra of cells: what the assignment leaves of the cube for regions drawn on the map."""

import base64
import json
import zlib

import numpy as np
import pytest
import small_runs
from gigaxas.report.viewer import cell_levels, cell_scripts
from gigaxas.spatial.cell_sums import cell_means, cell_side, cell_sums, merge_cells
from gigaxas.stores.cells import read_cells, read_side
from gigaxas.stores.result import open_result
from gigaxas.workflow.classify import classify
from hypothesis import given, settings
from hypothesis import strategies as st


def by_cell(image, counted, side):
    """Sums (E, m, n) and pixels (m, n), cell by cell."""
    rows, columns = range(0, counted.shape[0], side), range(0, counted.shape[1], side)
    cells = [[(slice(y, y + side), slice(x, x + side)) for x in columns] for y in rows]
    sums = [[image[:, *cell][:, counted[cell]].astype(float).sum(axis=1) for cell in row] for row in cells]
    return np.moveaxis(np.array(sums), -1, 0), np.array(
        [[counted[cell].sum() for cell in row] for row in cells]
    )


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(1, 7),
    st.sampled_from(["u2", "f4"]),
    st.integers(0, 99),
)
def test_sums_are_those_of_each_cell(height, width, side, kind, seed):
    rng = np.random.default_rng(seed)
    image = (rng.uniform(0, 60_000, (5, height, width))).astype(kind)
    counted = rng.random((height, width)) < 0.8
    sums, pixels = cell_sums(image, counted, side)
    expected, counts = by_cell(image, counted, side)
    np.testing.assert_array_equal(pixels, counts)
    np.testing.assert_allclose(sums, expected, rtol=1e-12)


def test_a_sample_of_a_void_pixel_counts_for_nothing():
    image = np.array([[[1.0, np.nan, 3.0]]], np.float32)
    sums, pixels = cell_sums(image, np.array([[True, False, True]]), 2)
    assert (sums.tolist(), pixels.tolist()) == ([[[1.0, 3.0]]], [[1, 1]])
    means = cell_means(np.array([[[8.0, 0.0]]]), np.array([[4, 0]]), 0.5, 1.0)
    assert means[0, 0, 0] == 2.0
    assert np.isnan(means[0, 0, 1])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_merged_cells_are_those_of_twice_the_side(rows, columns, seed):
    rng = np.random.default_rng(seed)
    image = rng.uniform(0, 3, (4, 3 * rows, 3 * columns)).astype(np.float32)
    counted = rng.random(image.shape[1:]) < 0.6
    fine, coarse = (cell_sums(image, counted, side) for side in (3, 6))
    means, pixels = merge_cells(cell_means(*fine, 1.0, 0.0), fine[1])
    np.testing.assert_array_equal(pixels, coarse[1])
    np.testing.assert_allclose(means, cell_means(*coarse, 1.0, 0.0), rtol=1e-6)


@pytest.mark.parametrize(
    ("plane", "chunk", "tile", "side"),
    [
        ((1024, 1024), (256, 256), (512, 512), 32),
        ((20_000, 22_500), (256, 256), (512, 512), 64),
        ((40_000, 45_000), (256, 256), (512, 512), 128),
        ((500, 500), (100, 100), (200, 200), 50),
        ((500, 500), (97, 97), (97, 97), 97),
        ((500, 500), (16, 16), (64, 64), 0),
        ((3000, 3000), (1001, 1001), (501, 501), 0),
    ],
)
def test_cells_divide_the_chunks_and_are_never_too_many(plane, chunk, tile, side):
    assert cell_side(plane, chunk, tile) == side


def classified(folder, image, tile, workers):
    cube = small_runs.write_cube(folder / "cube.zarr", image, [32] * 3 + [14], [32] * 4)
    small_runs.write_csv(folder / "references.csv", small_runs.edges(3, np.random.default_rng(2)))
    compute = {"cluster": "threads", "workers": workers, "tile": tile}
    config = small_runs.config(folder, cube, folder / "references.csv", compute=compute)
    classify(config)
    return config.output


def test_a_run_keeps_the_mean_spectra_of_cells_whatever_its_tiles(tmp_path):
    rng = np.random.default_rng(1)
    image = small_runs.scene(rng, small_runs.edges(3, np.random.default_rng(2)), (110, 128))
    found = []
    for name, tile, workers in (("one", 32, 1), ("two", 96, 3)):
        (tmp_path / name).mkdir()
        output = classified(tmp_path / name, image, tile, workers)
        assert read_side(output / "result.zarr") == 32
        found.append(read_cells(output / "result.zarr"))
        assert (output / "report" / "tiles" / "cells" / "0" / "0_0.js").is_file()
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    with open_result(output) as result:
        sums, pixels = by_cell(np.nan_to_num(image), result.site.values > 0, 32)
    means, counts = found[0]
    np.testing.assert_array_equal(counts, pixels)
    np.testing.assert_allclose(means, sums / pixels, atol=2e-5)


def test_scripts_hold_every_cell_to_a_sixtythousandth_of_their_range():
    rng = np.random.default_rng(3)
    means = rng.normal(0.7, 0.4, (6, 18, 5)).astype(np.float32)
    pixels = rng.integers(0, 3, (18, 5)) * 700
    means[:, pixels == 0] = np.nan
    scripts = dict(cell_scripts(2, means, pixels))
    assert list(scripts) == ["0_0", "0_1"]
    for name, rows in (("0_0", slice(0, 16)), ("0_1", slice(16, 18))):
        key, (low, high, text) = json.loads(f"[{scripts[name].decode()[7:-2]}]")
        assert key == f"tiles/cells/2/{name}"
        data = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
        count = pixels[rows].size
        read = data[: 4 * count].reshape(4, count).T.copy().view("<u4").reshape(-1, 5)
        np.testing.assert_array_equal(read, pixels[rows])
        codes = data[4 * count :].reshape(2, -1).T.copy().view("<u2").reshape(6, -1, 5)
        back = np.where(read > 0, low + codes * (high - low) / 65_534, np.nan)
        np.testing.assert_allclose(back, means[:, rows], atol=0.51 * (high - low) / 65_534 + 1e-7)


def test_the_coarsest_level_is_one_script():
    assert [cell_levels((1, n)) for n in (1, 16, 17, 32, 33, 640)] == [1, 1, 2, 2, 3, 7]
