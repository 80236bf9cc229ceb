"""What one tile alone knows of the clean-up agrees with the whole image, wherever it claims to know."""

import numpy as np
import pytest
from gigaxas.spatial.certain import certain_from_tile
from gigaxas.spatial.clean_up import CleanUp
from gigaxas.spatial.cluster_sums import Sums
from gigaxas.stores import cube as cubes
from gigaxas.stores import deferred
from gigaxas.stores.io import groups
from gigaxas.stores.result import open_result
from gigaxas.tiles import Box, Tile, flat, tile_grid
from gigaxas.workflow.classify import classify
from hypothesis import given, settings
from hypothesis import strategies as st
from map_oracle import oracle_clean_up, oracle_fill_by_growth, oracle_states
from map_strategies import clean_ups, label_maps, tilings
from small_runs import ENERGY, config, edges, scene, write_csv, write_cube


@settings(deadline=None, max_examples=200)
@given(st.data(), clean_ups)
def test_what_is_certain_of_a_tile_is_what_the_whole_image_gives(data, clean_up):
    labels = data.draw(label_maps(smallest=clean_up.k_size))
    whole = oracle_clean_up(labels, *clean_up)
    for tile in flat(tile_grid(*data.draw(tilings(labels.shape)))):
        interior = tile.interior(clean_up.radius, labels.shape)
        found = certain_from_tile(labels[tile.region], interior, clean_up)
        expected = np.where(found.deferred, 0, whole[tile.region])
        np.testing.assert_array_equal(found.kept, expected)


# The smallest images, of hundreds of thousands at random, of which one tile shows that a bound is wrong.
TIGHT = {
    "a core of its own label by one hidden row": ("11111 11111 11111 11111 11222", (0, 5, 1, 5), (5, 22)),
    "a core of another label by as many as may miss": (
        "22222 22222 22122 22122 22222",
        (1, 5, 0, 5),
        (5, 23),
    ),
    "a core of another label at the side": ("22111 22121 11111", (0, 3, 0, 4), (3, 8)),
    "a neighbour below an unsure pixel": ("11112 11111 11111 11222 11111 11111", (0, 4, 0, 5), (5, 22)),
    "a neighbour left of an unsure pixel": (
        "2222211111 2222211121 2222211111 2222222221 2211111111 1111111111",
        (0, 6, 5, 10),
        (5, 22),
    ),
    "a neighbour above an unsure pixel": (
        "1111111 1111111 1111111 1111111 1112122 1112122 1112122 1112122",
        (4, 8, 3, 6),
        (5, 22),
    ),
    "an unsure pixel that joins two regions": (
        "2222211111 2222211111 2222211111 2222222201 2211111111 1111111111",
        (0, 6, 0, 9),
        (5, 22),
    ),
    "a void pixel that may be filled": ("1111 1111 1011 1112", (1, 3, 0, 4), (3, 8, True)),
    "hidden rows above": ("11111 22222 22222 22222 22222 22222", (0, 5, 0, 5), (5, 22)),
    "hidden rows below": ("11111 11111 11111 11111 11111 11222", (0, 6, 1, 4), (5, 24)),
    "hidden columns to the left": ("122222 121222 022222 122222 122222", (0, 4, 0, 6), (5, 23)),
    "hidden columns to the right": ("111112 111112 111112 111112 111112", (1, 4, 0, 6), (5, 25)),
    "a region at the border": ("111 222 222 222", (0, 2, 0, 2), (3, 9)),
    "a region with a core": ("222 222 222 222", (0, 3, 0, 3), (3, 9)),
}


@pytest.mark.parametrize(("image", "box", "gate"), TIGHT.values(), ids=TIGHT)
def test_bounds_are_tight(image, box, gate):
    labels = np.array([[int(label) for label in row] for row in image.split()], np.uint16)
    tile, clean_up = Tile(0, 0, *box), CleanUp(*gate)
    found = certain_from_tile(labels[tile.region], tile.interior(clean_up.radius, labels.shape), clean_up)
    whole = oracle_clean_up(labels, *clean_up)[tile.region]
    np.testing.assert_array_equal(found.kept, np.where(found.deferred, 0, whole))


def test_a_core_that_only_the_neighbouring_tile_shows_defers_its_region():
    whole = np.ones((5, 5), np.uint16)
    right = flat(tile_grid([5], [1, 4]))[1]
    found = certain_from_tile(whole[right.region], right.interior(2, whole.shape), CleanUp())
    assert oracle_clean_up(whole)[2, 2] == 1
    assert found.deferred[2, 1]


def test_next_to_nothing_of_a_tile_of_few_wide_areas_is_deferred():
    labels = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((64, 64))).astype(np.uint16)
    found = certain_from_tile(labels, Box(0, 256, 0, 256), CleanUp())
    assert found.deferred.mean() < 1e-3
    assert (found.kept > 0).mean() > 0.98


@pytest.fixture
def measured(tmp_path):
    """A cube of patches with noise that splits some of them, and its references."""
    rng = np.random.default_rng(4)
    spectra = edges(4, rng)
    write_csv(tmp_path / "references.csv", spectra)
    image = scene(rng, spectra, (96, 128), noise=0.15)
    write_cube(tmp_path / "cube.zarr", image, [32], [32])
    return tmp_path


def clusters(folder, name):
    """Run on tiles of 32 pixels; return what is known of the clusters, and how many tiles were read."""
    run = config(
        folder,
        folder / "cube.zarr",
        folder / "references.csv",
        output=folder / name,
        compute={"cluster": "threads", "workers": 2, "tile": 32},
    )
    classify(run)
    with open_result(run.output) as result:
        return {name: result[name].values for name in ("cluster", "pixels", "kept_pixels", "spectrum")}


@pytest.fixture
def tiles_read(monkeypatch):
    """The tiles of the run that are read; the sample areas that tell its noise have another shape."""
    read, counted = cubes.read_tile, []

    def counting(info, tile, out=None):
        if tile.shape == (32, 32):
            counted.append(tile)
        return read(info, tile, out)

    monkeypatch.setattr(cubes, "read_tile", counting)
    return counted


def test_the_cube_is_read_once_and_again_only_where_nothing_was_kept_of_it(measured, tiles_read, monkeypatch):
    monkeypatch.setattr(deferred, "SHARE", 1)
    once = clusters(measured, "once")
    assert len(tiles_read) == 12
    monkeypatch.setattr(deferred, "SHARE", 10**9)
    twice = clusters(measured, "twice")
    assert len(tiles_read) == 12 + 24
    for name, values in once.items():
        np.testing.assert_array_equal(values, twice[name])
    assert not (measured / "once" / "result.zarr" / deferred.NAME).exists()


def test_what_an_earlier_run_deferred_is_not_taken_for_that_of_this_one(tmp_path):
    groups.create_group(tmp_path / "result.zarr", {})
    deferred.create_deferred(tmp_path / "result.zarr", (1, 1), (64, 64), 256, {})
    tile, one = flat(tile_grid([64], [64]))[0], np.ones(1, np.int64)
    sums = Sums(one, one, np.ones((1, 24), np.int64), np.ones((1, 24), np.int64))
    few, many = (deferred.Deferred(sums, np.arange(n), np.ones((24, n), np.uint16)) for n in (3, 9000))
    deferred.write_deferred(tmp_path / "result.zarr", tile, few)
    found = deferred.read_deferred(tmp_path / "result.zarr", tile)
    np.testing.assert_array_equal(found.pixels, few.pixels)
    np.testing.assert_array_equal(found.samples, few.samples)
    deferred.write_deferred(tmp_path / "result.zarr", tile, many)
    assert deferred.read_deferred(tmp_path / "result.zarr", tile) is None


def test_spectra_are_the_means_of_the_kept_pixels(measured):
    found = clusters(measured, "out")
    with open_result(measured / "out") as result:
        kept = result["kept"].values
    info = cubes.describe_cube(measured / "cube.zarr")
    codes = cubes.read_tile(info, flat(tile_grid([96], [128]))[0]).astype(float)
    assert codes.shape == (ENERGY.size, 96, 128)
    for label, spectrum in zip(found["cluster"], found["spectrum"], strict=True):
        mean = codes[:, kept == label].mean(axis=1) * info.scale + info.offset
        np.testing.assert_allclose(spectrum, mean, rtol=1e-12)


def test_void_pixels_are_filled_in_a_whole_run_where_asked(measured, monkeypatch):
    monkeypatch.setattr(deferred, "SHARE", 1)  # room for what tiles of this size defer
    clean_up = CleanUp(5, 23, True)
    run = config(
        measured,
        measured / "cube.zarr",
        measured / "references.csv",
        clean_up=clean_up._asdict(),
        compute={"cluster": "threads", "workers": 2, "tile": 32},
    )
    classify(run)
    with open_result(run.output) as found:
        site, kept, label = (found[name].values for name in ("site", "kept", "label"))
        state, spectra = (
            found.state.values,
            dict(zip(found.cluster.values, found.spectrum.values, strict=True)),
        )
    void = site == 0
    assert (kept[void] > 0).any()
    np.testing.assert_array_equal(kept, oracle_clean_up(site, *clean_up))
    np.testing.assert_array_equal(label, oracle_fill_by_growth(kept))
    np.testing.assert_array_equal(state, oracle_states(site, kept, clean_up))
    info = cubes.describe_cube(measured / "cube.zarr")
    codes = cubes.read_tile(info, flat(tile_grid([96], [128]))[0]).astype(float)
    for number, spectrum in spectra.items():
        mean = codes[:, (kept == number) & ~void].mean(axis=1) * info.scale + info.offset
        np.testing.assert_allclose(spectrum, mean, rtol=1e-12)
