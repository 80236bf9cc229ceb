"""Noise that is measured: the camera from repeated frames, the working point from a cube's maps."""

import h5py
import numpy as np
import pytest
import zarr
from gigaxas.config.load import load_config
from gigaxas.errors import InputError
from gigaxas.raw.readers import frames
from gigaxas.raw.readers.frames import open_frames
from gigaxas.spectra.noise import NoiseModel, has_edge, sigma_counts
from gigaxas.stores import cube
from gigaxas.tiles import flat, regular_grid
from gigaxas.workflow.edge import resolve_edge
from gigaxas.workflow.noise import resolve_noise
from gigaxas.workflow.resolve import resolve
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small_runs import ENERGY, config, edges, write_csv

POINT = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
SAMPLES = (5, 9)  # energies of the small grid before and after the edge


def stack(count=60, seed=3, dtype=np.uint16):
    """Repeated frames (count, 40, 50) of a field that runs from dark to bright."""
    rng = np.random.default_rng(seed)
    field = np.geomspace(200, 4e4, 2000).reshape(40, 50)
    return np.rint(field + sigma_counts(field) * rng.standard_normal((count, 40, 50))).astype(dtype)


def save(path, values):
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".zarr":
        zarr.create_array(store=path, data=values, chunks=(7, 16, 16)[: values.ndim])
    else:
        first, *others = [Image.fromarray(frame) for frame in values]
        first.save(path, save_all=True, append_images=others)
    return path


@pytest.fixture
def measured(tmp_path):
    """A cube whose working point is known, with a void corner, and references for it."""
    write_csv(tmp_path / "references.csv", edges(4, np.random.default_rng(2)))
    path = tmp_path / "cube.zarr"
    cube.create_cube(path, ENERGY, (20, 24), 16, 0.5, "made by a test")
    for tile in flat(regular_grid((20, 24), (16, 16))):
        low = np.full(tile.shape, 0.3, np.float32)
        high = low + np.where(np.arange(tile.x0, tile.x1) % 2 == 0, 1.1, 1.3).astype(np.float32)
        if (tile.y0, tile.x0) == (0, 0):
            low[:4, :4] = 0.9
            high[:4, :4] = 0.9 + 1e-3  # resin: no edge
            high[5, 5] = np.nan
        mu = np.zeros((len(ENERGY), *tile.shape), np.float32)
        cube.write_tile(path, tile, mu, mu_low=low, mu_high=high)
    return tmp_path


def small(folder, **noise):
    return config(folder, folder / "cube.zarr", folder / "references.csv", noise=noise)


def known(settings, announce=lambda line: None):
    found = cube.describe_cube(settings.cube.path)
    return resolve_noise(resolve_edge(settings, found.energy, found), found, announce)


@pytest.mark.parametrize("name", ["frames.npy", "frames.tif", "frames.zarr"])
def test_the_camera_is_recovered_from_frames_of_any_format(tmp_path, measured, name):
    path = save(tmp_path / name, stack())
    lines = []
    noise = known(small(measured, frames=str(path)), lines.append).noise
    assert noise.is_given
    assert noise.a == pytest.approx(9.3131, rel=0.02)
    assert noise.b == pytest.approx(63.003, abs=60)
    assert "from 60 frames of 40 x 50 pixels" in lines[0]
    assert noise.note in lines[0]
    assert "per degree of freedom" in lines[0]
    a_error, b_error = (float(part.split(" ")[0].rstrip(",")) for part in lines[0].split("+- ")[1:])
    assert abs(noise.a - 9.3131) < 4 * a_error
    assert abs(noise.b - 63.003) < 4 * b_error


@pytest.mark.parametrize("source", ["a.npy", "a.tif", "a.zarr", "a.h5::entry/data", "f_{index}.tif"])
def test_frames_are_those_of_the_stack_however_they_are_kept(tmp_path, monkeypatch, source):
    values = stack(9)
    if source.startswith("a.h5"):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["entry/data"] = values
    elif source.startswith("f_"):
        for k, frame in enumerate(values):
            save(tmp_path / f"f_{k}.tif", frame[None])
    else:
        save(tmp_path / source, values)
    opened = open_frames(str(tmp_path / source))
    for _ in range(2):
        np.testing.assert_array_equal(list(opened), values)
    monkeypatch.setattr(frames, "MOST_PIXELS", 500)
    monkeypatch.setattr(frames, "BLOCK_BYTES", 10_000)
    np.testing.assert_array_equal(list(opened), values[:, ::2, ::2])


def test_a_calibration_that_does_not_describe_its_frames_is_a_warning(tmp_path, measured):
    rng = np.random.default_rng(6)
    field = rng.uniform(60, 1800, (64, 64))
    flicker = 1 + 0.03 * rng.standard_normal((8, 64, 64))
    path = save(tmp_path / "f.npy", np.rint(rng.poisson(field * flicker / 0.14) * 0.14).astype(np.uint16))
    lines = []
    noise = known(small(measured, frames=str(path)), lines.append).noise
    assert noise.is_given
    assert "describes them badly" in noise.note
    assert lines[1].startswith("warning    noise.frames: the variance in")
    assert "take raw frames of one unchanged field" in lines[1]


def test_read_noise_is_a_calibration_like_any_other(tmp_path, measured):
    rng = np.random.default_rng(7)
    field = rng.uniform(60, 1800, (64, 64))
    values = rng.poisson(field / 0.14, (10, 64, 64)) * 0.14 + rng.normal(0, 3.57, (10, 64, 64))
    lines = []
    noise = known(small(measured, frames=str(save(tmp_path / "f.npy", values))), lines.append).noise
    assert noise.b == pytest.approx(-12.7, abs=2.5)
    assert len(lines) == 1


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("few.npy", stack(1), "found 1 frame, expected at least 2"),
        ("flat.npy", np.ones(5), "shape"),
        ("words.npy", np.full((4, 3, 3), "a"), "expected whole or floating-point numbers"),
        ("even.npy", np.full((5, 4, 4), 100.0), "every pixel saturates"),
        ("other.dat", None, "is no file of images that is known"),
        ("torn.npy", None, "cannot be read as NumPy"),
        ("torn.tif", None, "is no file of images that is known"),
        ("none.npy", None, "noise.frames: no file fits"),
        ("one.zarr", np.arange(12.0).reshape(3, 4), "found 1 frame"),
        ("{field}.npy", None, "number them by {index}"),
    ],
)
def test_frames_that_are_none_are_refused(tmp_path, measured, name, values, sentence):
    path = tmp_path / name
    if values is not None:
        save(path, values)
    elif "none" not in name:
        path.write_bytes(b"\x93NUMPY torn" if "npy" in name else b"no picture")
    with pytest.raises(InputError) as told:
        resolve(small(measured, frames=str(path)))
    assert sentence in str(told.value)


def test_frames_of_two_shapes_are_refused(tmp_path, measured):
    pages = [Image.fromarray(np.full((4, 4 + k), 9, np.uint16)) for k in range(4)]
    pages[0].save(tmp_path / "two.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(InputError, match="found 1 frame"):
        known(small(measured, frames=str(tmp_path / "two.tif")))


def test_the_working_point_is_the_mean_over_pixels_with_an_edge(measured):
    lines = []
    noise = known(small(measured, working_point="cube", c_ref=2.5e4), lines.append).noise
    columns = np.where(np.arange(24) % 2 == 0, 1.4, 1.6) * np.ones((20, 1))
    columns[:4, :4] = columns[5, 5] = np.nan
    assert noise.mu_low == pytest.approx(0.3, rel=1e-6)
    assert noise.mu_high == pytest.approx(np.nanmean(columns), rel=1e-6)
    assert noise.c_ref == 2.5e4
    assert "over 463 of 480 pixels" in lines[0]


def test_counts_come_from_the_cubes_map_or_attribute_before_the_configuration(measured):
    store = zarr.open_group(measured / "cube.zarr", mode="r+")
    with pytest.raises(InputError, match=r"neither a map nor an attribute c_ref; give noise\.c_ref"):
        known(small(measured, working_point="cube"))
    store.attrs["c_ref"] = 1.5e4
    assert known(small(measured, working_point="cube", c_ref=9e4)).noise.c_ref == 1.5e4
    counts = np.full((20, 24), 2e4)
    counts[10:, :] = 3e4
    counts[:2, :] = 4.0  # below the camera's lowest count: no noise is known there
    store.create_array("c_ref", data=counts, chunks=(16, 16))
    noise = known(small(measured, working_point="cube")).noise
    used = counts.copy()
    used[:4, :4] = used[5, 5] = np.nan
    assert noise.c_ref == pytest.approx(np.nanmean(used[2:]), rel=1e-9)


def test_a_cube_without_maps_or_without_an_edge_has_no_working_point(measured):
    store = zarr.open_group(measured / "cube.zarr", mode="r+")
    store["mu_high"][...] = np.asarray(store["mu_low"])
    with pytest.raises(InputError, match="no pixel has an edge step above its noise"):
        known(small(measured, working_point="cube", c_ref=2e4))
    del store["mu_high"]
    with pytest.raises(InputError, match="no maps mu_low and mu_high"):
        resolve(small(measured, working_point="cube", c_ref=2e4))


def test_what_is_measured_is_what_the_sites_are_made_for(measured):
    settled = known(small(measured, working_point="cube", c_ref=2.5e4))
    assert known(settled) == settled
    assert settled.noise.camera().mu_high == settled.noise.mu_high
    plain = small(measured)
    assert known(plain).noise == plain.noise


@pytest.mark.parametrize(
    ("noise", "sentence"),
    [
        ("{working_point: cube, mu_low: 0.3}", "do not give them as well"),
        ("{frames: a.npy, a: 9.0}", "do not give them as well"),
        ("{working_point: guessed}", "noise.working_point"),
        ("{mu_high: 0.36}", "mu_high = 0.36 is not above mu_low = 0.36"),
        ("{c_ref: 6}", "below the camera's lowest count of 6.765"),
        ("{mu_high: 9}", "below the camera's lowest count"),
    ],
)
def test_noise_that_contradicts_itself_is_refused(tmp_path, noise, sentence):
    path = tmp_path / "run.yaml"
    path.write_text(f"output: o\ncube: {{path: c.zarr}}\nreferences: {{modelled: true}}\nnoise: {noise}\n")
    with pytest.raises(InputError) as told:
        load_config(path)
    assert sentence in str(told.value)


def test_a_simulated_cube_has_no_working_point_to_measure(tmp_path):
    path = tmp_path / "run.yaml"
    whole = "output: o\nsimulate: {%s}\nreferences: {modelled: true}\nnoise: {working_point: cube}\n"
    path.write_text(whole % "")
    with pytest.raises(InputError, match="give the numbers"):
        load_config(path)
    path.write_text(whole % "noise: {working_point: cube}")
    with pytest.raises(InputError, match="takes a camera's numbers, nothing measured"):
        load_config(path)


def edge_noise(c_ref, mu_low, mu_high):
    """Sigma of an edge step between means of SAMPLES energies, by hand (METHOD 1)."""
    counts = c_ref * np.exp(-np.array([0.0, mu_low, mu_high]))
    relative = (9.3131 * counts - 63.003) / counts**2
    return np.sqrt((relative[0] + relative[1]) / 5 + (relative[0] + relative[2]) / 9)


@pytest.mark.parametrize(("times", "found"), [(4.9, False), (5.1, True)])
def test_an_edge_step_counts_from_five_times_its_noise_on(times, found):
    step = 0.0
    for _ in range(50):
        step = times * edge_noise(2e3, 0.4, 0.4 + step)
    assert has_edge([2e3], [0.4], [0.4 + step], SAMPLES).tolist() == [found]


@given(
    st.floats(7.0, 1e5), st.floats(-0.5, 3.0), st.floats(-0.5, 4.0), st.sampled_from([0.0, 5.0, 6.0, np.nan])
)
def test_an_edge_stands_five_times_out_of_its_noise(c_ref, mu_low, mu_high, dark):
    found = has_edge([c_ref, dark], [mu_low, 0.1], [mu_high, 1.0], SAMPLES)
    counts = c_ref * np.exp(-np.array([0.0, mu_low, mu_high]))
    if counts.min() < 63.003 / 9.3131:
        expected = False
    else:
        expected = mu_high - mu_low >= 5 * edge_noise(c_ref, mu_low, mu_high)
    assert found.tolist() == [expected, False]
