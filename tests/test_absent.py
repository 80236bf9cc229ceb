"""Data that are not there are never taken for zero, and a number is read whole or not at all."""

import h5py
import numpy as np
import pytest
import zarr
from gigaxas.config.yaml import parse_yaml
from gigaxas.errors import InputError
from gigaxas.raw.readers.files import find_files
from gigaxas.raw.readers.images import open_stack
from gigaxas.raw.readers.numbers import first_column
from gigaxas.stores import cube
from gigaxas.tiles import Tile

SHAPE = (6, 5, 4)
PLANE = np.arange(20.0, dtype="f4").reshape(5, 4)


def virtual(folder):
    layout = h5py.VirtualLayout(SHAPE, "f4")
    for i in range(6):
        layout[i] = h5py.VirtualSource(f"p{i}.h5", "d", shape=PLANE.shape)
        if i != 3:
            with h5py.File(folder / f"p{i}.h5", "w") as file:
                file["d"] = PLANE
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_virtual_dataset("d", layout)
    return f"{folder}/a.h5::d"


def unwritten(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        data = file.create_dataset("d", SHAPE, "f4", chunks=(1, 5, 4))
        data[:4] = PLANE
    return f"{folder}/a.h5::d"


def empty(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("d", SHAPE, "f4")
    return f"{folder}/a.h5::d"


def chunk(folder, zarr_format):
    array = zarr.create_array(
        str(folder / "a.zarr"), shape=SHAPE, chunks=(2, 5, 4), dtype="f4", zarr_format=zarr_format
    )
    array[...] = np.ones(SHAPE)
    name = "c/1/0/0" if zarr_format == 3 else "1.0.0"
    (folder / "a.zarr" / name).unlink()
    return f"{folder}/a.zarr"


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (virtual, "p3.h5 would read"),
        (unwritten, r"the chunk at \[4, 0, 0\], the chunk at \[5, 0, 0\] would read"),
        (empty, "planes 0 to 5 .*/d would read"),
        (lambda folder: chunk(folder, 3), "chunk c/1/0/0 would read"),
        (lambda folder: chunk(folder, 2), "chunk 1.0.0 would read"),
    ],
    ids=["virtual", "unwritten", "empty", "zarr 3", "zarr 2"],
)
def test_a_stack_that_is_not_whole_is_refused_by_what_is_missing(tmp_path, make, named):
    source = make(tmp_path)
    with pytest.raises(InputError, match=named):
        open_stack(source, find_files(source, "ingest.stack")[""])


@pytest.mark.parametrize("mark", [-999.0, "AAAAAAAAWcA=", np.nan])
def test_the_mark_of_a_floating_point_cube_is_no_sample(tmp_path, mark):
    path, energy = tmp_path / "cube.zarr", np.linspace(7000, 7300, 6)
    cube.create_cube(path, energy, (5, 4), 8, 1.0, "", maps=(), plain=np.dtype("f4"))
    samples = np.ones(SHAPE, "f4")
    samples[2, 1, 3] = -100.0 if isinstance(mark, str) else mark
    cube.write_samples(path, Tile(0, 0, 0, 5, 0, 4), samples)
    zarr.open_array(path / "mu", mode="r+").attrs["_FillValue"] = "AAAAAAAA+H8=" if mark != mark else mark
    found = cube.read_tile(cube.describe_cube(path), Tile(0, 0, 0, 5, 0, 4))
    np.testing.assert_array_equal(np.isnan(found), np.isnan(samples) | (samples < 0))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("7009,200\n7012,706\n", "decimal mark"),
        ("100 7009.2\n101 7012.7\n102 7016.2\n", "counts the lines"),
        ("7009.2 1\nx7012 2\n", "no number"),
    ],
)
def test_energies_are_read_whole_or_refused(tmp_path, text, said):
    (tmp_path / "e.txt").write_text(text)
    with pytest.raises(InputError, match=said):
        first_column(tmp_path / "e.txt", "ingest.energies")


@pytest.mark.parametrize(
    "text", ["7009.2,0.1\n7012.7,0.2\n", "700 5\n701 4\n702 6\n", "eV\n7009.2\n7012.7\n"]
)
def test_columns_of_energies_are_read(tmp_path, text):
    (tmp_path / "e.txt").write_text(text)
    assert first_column(tmp_path / "e.txt", "ingest.energies")[0][0] in (7009.2, 700)


def test_a_key_that_is_given_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="noise is given twice"):
        parse_yaml("noise: {c_ref: 5000}\nnoise: {note: May}\n", tmp_path / "c.yaml")
