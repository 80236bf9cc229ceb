"""Readers of raw image stacks: real files of every format, whole, cut, packed, transposed and broken."""

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from gigaxas.errors import InputError, RunError
from gigaxas.raw.readers.files import FileSet, find_files
from gigaxas.raw.readers.images import open_stack, read_stack

IMAGES = np.arange(5 * 30 * 40, dtype=np.uint16).reshape(5, 30, 40)
WINDOW = (slice(3, 20), slice(7, 31))


def tiff(**options):
    return lambda path, images: tifffile.imwrite(path / "a.tif", images, **options)


def hdf5(**options):
    def write(path, images):
        with h5py.File(path / "a.h5", "w") as file:
            file.create_dataset("entry/data", data=images, **options)

    return write


FORMATS = {
    "plain": ("a.tif", tiff()),
    "big-endian": ("a.tif", tiff(byteorder=">")),
    "tiled": ("a.tif", tiff(tile=(16, 16))),
    "deflate": ("a.tif", tiff(compression="zlib", rowsperstrip=8)),
    "bigtiff": ("a.tif", tiff(bigtiff=True)),
    "imagej": ("a.tif", tiff(imagej=True)),
    "imagej hyperstack": ("a.tif", lambda path, images: tiff(imagej=True)(path, images[:, None, None])),
    "imagej channels": ("a.tif", lambda path, images: tiff(imagej=True)(path, images[None, None])),
    "ome": (
        "a.ome.tif",
        lambda p, images: tifffile.imwrite(p / "a.ome.tif", images, metadata={"axes": "ZYX"}),
    ),
    "ome tczyx": (
        "a.ome.tif",
        lambda p, images: tifffile.imwrite(
            p / "a.ome.tif", images[:, None, None], metadata={"axes": "TCZYX"}, tile=(16, 16)
        ),
    ),
    "hdf5": ("a.h5::entry/data", hdf5()),
    "hdf5 chunks": ("a.h5::entry/data", hdf5(chunks=(2, 8, 16), compression="gzip", shuffle=True)),
    "zarr": (
        "a.zarr::m",
        lambda path, images: zarr.create_array(str(path / "a.zarr"), name="m", data=images),
    ),
}


def opened(path, source, axes="EYX"):
    text = f"{path}/{source}"
    return open_stack(text, find_files(text, "stack")[""], axes)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_what_was_written_is_read(tmp_path, name, dtype):
    source, write = FORMATS[name]
    images = IMAGES.astype(dtype)
    write(tmp_path, images)
    stack = opened(tmp_path, source)
    assert (stack.shape, stack.dtype) == (IMAGES.shape, np.dtype(dtype).str)
    found = read_stack(stack, WINDOW)
    assert found.dtype.isnative
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, images[:, *WINDOW])
    np.testing.assert_array_equal(read_stack(stack, WINDOW, slice(1, 3)), images[1:3, *WINDOW])


@pytest.mark.parametrize("axes", ["EYX", "EXY", "YXE", "XYE", "YEX", "XEY"])
def test_declared_axes_are_put_in_order(tmp_path, axes):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["d"] = IMAGES.transpose(["EYX".index(axis) for axis in axes])
    stack = opened(tmp_path, "a.h5::d", axes)
    np.testing.assert_array_equal(read_stack(stack, WINDOW, slice(2, 5)), IMAGES[2:5, *WINDOW])


@pytest.mark.parametrize("name", ["t_{energy}.tif", "t_{index}.tif"])
def test_files_of_one_image_are_a_stack(tmp_path, name):
    for i, image in enumerate(IMAGES):
        number = f"{7000 + 1.5 * i:.2f}" if "energy" in name else f"{i + 8}"
        tifffile.imwrite(tmp_path / f"t_{number}.tif", image)
    found = find_files(f"{tmp_path}/{name}", "stack")[""]
    assert found.keys == ((7000, 7001.5, 7003, 7004.5, 7006) if "energy" in name else (8, 9, 10, 11, 12))
    stack = open_stack(name, found)
    np.testing.assert_array_equal(read_stack(stack, WINDOW, slice(1, 4)), IMAGES[1:4, *WINDOW])


def test_fields_come_in_natural_order(tmp_path):
    for name in ("f10", "f2", "f1"):
        (tmp_path / f"{name}.tif").touch()
    assert list(find_files(f"{tmp_path}/{{field}}.tif", "x")) == ["f1", "f2", "f10"]


def test_a_file_that_changes_is_read_anew(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGES)
    stack = opened(tmp_path, "a.tif")
    assert read_stack(stack, WINDOW).max() > 0
    tifffile.imwrite(tmp_path / "b.tif", 0 * IMAGES)
    (tmp_path / "b.tif").replace(tmp_path / "a.tif")
    assert read_stack(stack, WINDOW).max() == 0


def broken_tiff(path):
    tifffile.imwrite(path / "a.tif", IMAGES)
    (path / "a.tif").write_bytes((path / "a.tif").read_bytes()[:9000])


def broken_hdf5(path):
    hdf5()(path, IMAGES)
    (path / "a.h5").write_bytes((path / "a.h5").read_bytes()[:3000])


def two_datasets(path):
    with h5py.File(path / "a.h5", "w") as file:
        file["a"], file["b"] = IMAGES, IMAGES


@pytest.mark.parametrize(
    ("source", "write", "said"),
    [
        ("a.h5::entry/wrong", lambda path: hdf5()(path, IMAGES), "the images in it are entry/data"),
        ("a.h5", two_datasets, "the images in it are a, b; name one as a.h5::array"),
        ("a.gif", lambda path: (path / "a.gif").touch(), "expected TIFF, HDF5, Zarr, netCDF, NumPy"),
        ("a.tif", lambda path: (path / "a.tif").write_bytes(b"no TIFF at all"), "no file of images"),
        ("a.tif", broken_tiff, "a.tif"),
        ("a.h5::entry/data", broken_hdf5, "cannot be read as HDF5"),
        ("a.tif", lambda path: tiff()(path, IMAGES[None].repeat(2, 0)), "expected EYX"),
        (
            "a.tif",
            lambda path: tiff(photometric="rgb")(path, np.zeros((8, 9, 10, 3), np.uint8)),
            "expected EYX",
        ),
        ("a.tif", lambda path: tiff(imagej=True)(path, IMAGES[:, None].repeat(2, 1)), "axes"),
        ("a.h5::entry/data", lambda path: hdf5()(path, IMAGES.astype(complex)), "complex"),
        ("no_{energy}.tif", lambda path: None, "no file fits"),
        ("a_{wavelength}.tif", lambda path: None, "{wavelength}"),
    ],
)
def test_what_cannot_be_taken_is_refused(tmp_path, source, write, said):
    write(tmp_path)
    with pytest.raises(InputError, match=said.replace("{", r"\{").replace("}", r"\}")):
        opened(tmp_path, source)


def test_images_of_unequal_shape_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "t_1.tif", IMAGES[0])
    tifffile.imwrite(tmp_path / "t_2.tif", IMAGES[0, :20])
    with pytest.raises(InputError, match=r"t_2.tif.*expected equal images"):
        opened(tmp_path, "t_{index}.tif")


def test_axes_that_a_microscope_names_are_believed(tmp_path):
    tiff(imagej=True)(tmp_path, IMAGES)
    with pytest.raises(InputError, match=r"holds EYX.*ingest.axes"):
        opened(tmp_path, "a.tif", "YXE")


def test_a_file_that_goes_away_is_named(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", IMAGES)
    stack = opened(tmp_path, "a.tif")
    (tmp_path / "a.tif").unlink()
    with pytest.raises(RunError, match=r"a\.tif"):
        read_stack(stack, WINDOW)


def test_one_image_alone_is_a_stack_of_one(tmp_path):
    tifffile.imwrite(tmp_path / "dark.tif", IMAGES[0])
    stack = open_stack("dark.tif", FileSet((tmp_path / "dark.tif",)))
    assert stack.shape == (1, 30, 40)
    np.testing.assert_array_equal(read_stack(stack, WINDOW), IMAGES[:1, *WINDOW])
