"""Marks of invalid samples: what CF attributes and fill values say is honoured on every type, or refused."""

import base64
import struct

import h5py
import numpy as np
import pytest
import xarray as xr
import zarr
from gigaxas.errors import InputError
from gigaxas.raw.readers.files import find_files
from gigaxas.raw.readers.images import open_stack, read_stack
from gigaxas.stores import cube
from gigaxas.stores.io.cf import packing_of, unpack
from gigaxas.tiles import Tile
from hypothesis import given
from hypothesis import strategies as st

STORED = [0, 1, 7, 100, 250, 251, 255]
CASES = {
    "nothing": ({}, "u1", []),
    "_FillValue": ({"_FillValue": 255}, "u1", [255]),
    "missing_value": ({"missing_value": 7}, "i2", [7]),
    "both": ({"_FillValue": 255, "missing_value": 251}, "u2", [251, 255]),
    "an array": ({"missing_value": [7, 100]}, "f4", [7, 100]),
    "a list of one": ({"_FillValue": [255]}, "u2", [255]),
    "a NumPy array of one": ({"_FillValue": np.array([255], "u1")}, "u1", [255]),
    "text": ({"_FillValue": "255"}, "f8", [255]),
    "bytes": ({"missing_value": b"1"}, "f4", [1]),
    "base 64": ({"_FillValue": base64.b64encode(struct.pack("<d", 7.0)).decode()}, "f4", [7]),
    "NaN": ({"_FillValue": "NaN"}, "f4", []),
    "beyond the type": ({"_FillValue": -9999}, "i1", []),
    "valid_min": ({"valid_min": 7}, "u1", [0, 1]),
    "valid_max": ({"valid_max": 250}, "u2", [251, 255]),
    "valid_range": ({"valid_range": [1, 100]}, "i4", [0, 250, 251, 255]),
    "a range of samples": (
        {"valid_range": [0.5, 10.0], "scale_factor": 0.1},
        "u2",
        [0, 1, 250, 251, 255],
    ),
    "a fill and a range": ({"_FillValue": 1, "valid_max": 250}, "u1", [1, 251, 255]),
}


@pytest.mark.parametrize("name", CASES)
def test_marked_numbers_are_no_samples(name):
    attributes, dtype, none = CASES[name]
    stored = np.array([value for value in STORED if dtype != "i1" or value < 128], dtype=dtype)
    packing = packing_of(attributes, np.dtype(dtype))
    np.testing.assert_array_equal(np.isnan(unpack(stored, packing)), np.isin(stored, none))


@given(
    st.lists(st.integers(0, 60000), min_size=1, max_size=20),
    st.floats(1e-3, 10),
    st.floats(-5, 5),
    st.integers(0, 60000),
)
def test_packed_numbers_are_unpacked_as_xarray_does(stored, scale, offset, fill):
    attributes = {"scale_factor": scale, "add_offset": offset, "_FillValue": fill}
    values = np.array(stored, dtype="u2")
    ours = unpack(values, packing_of(attributes, values.dtype))
    theirs = xr.conventions.decode_cf_variable("mu", xr.Variable("x", values, attributes)).values
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_signed_numbers_may_stand_for_unsigned_ones():
    stored = np.array([1, -1, -2], dtype="i1")
    packing = packing_of({"_Unsigned": "true", "_FillValue": -1}, stored.dtype)
    np.testing.assert_array_equal(unpack(stored, packing), [1, np.nan, 254])


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"_FillValue": "none"}, "_FillValue is 'none', expected a number"),
        ({"valid_range": [0]}, "valid_range has 1 numbers"),
        ({"scale_factor": "big"}, "scale_factor is 'big'"),
        ({"scale_factor": 0}, "scale_factor is 0"),
    ],
)
def test_an_attribute_that_is_no_number_is_refused(attributes, said):
    with pytest.raises(InputError, match=said):
        packing_of(attributes, np.dtype("f4"))


SAMPLES = np.arange(6 * 5 * 4).reshape(6, 5, 4)


def hdf5(path, values, attributes, fill):
    with h5py.File(path / "a.h5", "w") as file:
        data = file.create_dataset("d", data=values, fillvalue=fill)
        data.attrs.update(attributes)
    return f"{path}/a.h5::d"


def zarr_array(path, values, attributes, fill, zarr_format=3):
    kind = {"zarr_format": zarr_format, "fill_value": fill, "attributes": attributes}
    array = zarr.create_array(str(path / "a.zarr"), shape=values.shape, dtype=values.dtype, **kind)
    array[...] = values
    return f"{path}/a.zarr"


WRITERS = {"HDF5": hdf5, "Zarr 3": zarr_array, "Zarr 2": lambda *given: zarr_array(*given, 2)}


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize(
    ("dtype", "attributes", "fill", "none"),
    [
        ("u2", {"_FillValue": 7}, 0, [7]),
        ("u2", {"missing_value": [7, 9]}, 0, [7, 9]),
        ("f4", {}, 11.0, [11]),
        ("u2", {"valid_max": 100}, 5, [5, *range(101, 120)]),
        ("u2", {}, 0, []),
    ],
)
def test_marks_of_a_stack_become_nan(tmp_path, kind, dtype, attributes, fill, none):
    source = WRITERS[kind](tmp_path, SAMPLES.astype(dtype), attributes, fill)
    stack = open_stack(source, find_files(source, "stack")[""])
    found = read_stack(stack, (slice(0, 5), slice(0, 4)))
    assert found.dtype == np.dtype(dtype if not none else "f4")
    np.testing.assert_array_equal(found, np.where(np.isin(SAMPLES, none), np.nan, SAMPLES))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize(
    "encoding",
    [
        {"dtype": "uint16", "scale_factor": 1 / 8000, "add_offset": -2.0, "_FillValue": 65535},
        {"dtype": "uint16", "scale_factor": 1 / 8000, "add_offset": -2.0, "_FillValue": 0},
        {"dtype": "float32", "_FillValue": -999.0},
        {"dtype": "float64", "_FillValue": 1e20},
        {"dtype": "float32"},
    ],
    ids=["uint16", "uint16, 0", "float32", "float64", "NaN"],
)
def test_a_cube_that_xarray_wrote_is_read_as_xarray_reads_it(tmp_path, zarr_format, encoding):
    samples = np.sin(SAMPLES).astype("f8")
    samples[2, 1, 3] = samples[:, 4, 0] = np.nan
    path, energy = tmp_path / "cube.zarr", np.linspace(7000, 7300, 6)
    data = xr.Dataset(
        {"mu": (("energy", "y", "x"), samples)},
        {"energy": ("energy", energy, {"units": "eV"})},
        {"pixel_um": 0.5},
    )
    data.to_zarr(path, zarr_format=zarr_format, encoding={"mu": encoding}, consolidated=False)
    info = cube.describe_cube(path)
    stored = cube.read_tile(info, Tile(0, 0, 0, 5, 0, 4))
    invalid = ~np.isfinite(stored) if info.invalid is None else stored == info.invalid
    np.testing.assert_array_equal(invalid, np.isnan(samples))
    np.testing.assert_allclose(
        np.where(invalid, 0, stored * info.scale + info.offset), np.nan_to_num(samples), atol=2e-4
    )
    cube.check_chunks(info)


@pytest.mark.parametrize(
    ("attributes", "none"),
    [
        ({"missing_value": [3, 5]}, [3, 5]),
        ({"valid_max": 100}, range(101, 120)),
        ({"valid_min": 10, "_FillValue": 50}, [*range(10), 50]),
        ({"_FillValue": [65535]}, []),
    ],
)
def test_many_marks_of_a_cube_become_one(tmp_path, attributes, none):
    path = tmp_path / "cube.zarr"
    cube.create_cube(path, np.linspace(7000, 7300, 6), (5, 4), 8, 1.0, "", maps=(), plain=np.dtype("u2"))
    cube.write_samples(path, Tile(0, 0, 0, 5, 0, 4), SAMPLES.astype("u2"))
    zarr.open_array(path / "mu", mode="r+").attrs.update(attributes)
    info = cube.describe_cube(path)
    np.testing.assert_array_equal(
        cube.read_tile(info, Tile(0, 0, 0, 5, 0, 4)) == info.invalid, np.isin(SAMPLES, list(none))
    )


@pytest.mark.parametrize(
    ("array", "attributes", "said"),
    [
        ("mu", {"_FillValue": "nothing"}, r"cube.zarr/mu: its attribute _FillValue is 'nothing'"),
        ("energy", {"units": "furlong"}, "energy is in 'furlong'"),
        ("y", {"units": "px"}, "y has 5 values in 'px'"),
    ],
)
def test_what_a_cube_says_and_nobody_understands_is_refused(tmp_path, array, attributes, said):
    path = tmp_path / "cube.zarr"
    cube.create_cube(path, np.linspace(7000, 7300, 6), (5, 4), 8, 1.0, "", maps=(), plain=np.dtype("f4"))
    zarr.open_array(path / array, mode="r+").attrs.update(attributes)
    with pytest.raises(InputError, match=said):
        cube.describe_cube(path)


@pytest.mark.parametrize("unit", ["keV", ["keV"], "kiloelectronvolt"])
def test_energies_of_a_cube_are_converted(tmp_path, unit):
    path = tmp_path / "cube.zarr"
    cube.create_cube(path, np.linspace(7.0, 7.3, 6), (5, 4), 8, 1.0, "", maps=(), plain=np.dtype("f4"))
    zarr.open_array(path / "energy", mode="r+").attrs["units"] = unit
    np.testing.assert_allclose(cube.describe_cube(path).energy, np.linspace(7000, 7300, 6))
