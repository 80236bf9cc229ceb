"""Data that are not there are never taken for zero, and a number is read whole or not at all."""

import zlib

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from gigaxas.config.schema import Ingest
from gigaxas.config.yaml import parse_yaml
from gigaxas.errors import InputError
from gigaxas.raw.readers.energies import read_energies
from gigaxas.raw.readers.files import find_files
from gigaxas.raw.readers.images import open_stack, read_stack
from gigaxas.raw.readers.numbers import first_column
from gigaxas.raw.readers.stack import describe_stack

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


def nowhere_mapped(folder):
    layout = h5py.VirtualLayout(SHAPE, "f4")
    with h5py.File(folder / "p.h5", "w") as file:
        file["d"] = PLANE
    for i in (0, 1, 2, 4, 5):
        layout[i] = h5py.VirtualSource("p.h5", "d", shape=PLANE.shape)
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_virtual_dataset("d", layout)
    return f"{folder}/a.h5::d"


def source_unwritten(folder):
    source = virtual(folder)
    with h5py.File(folder / "p3.h5", "w") as file:
        file.create_dataset("d", PLANE.shape, "f4", chunks=PLANE.shape)
    return source


def external(folder):
    with h5py.File(folder / "a.h5", "w") as file:
        size = 4 * PLANE.size * 6
        file.create_dataset("d", SHAPE, "f4", external=[(str(folder / "raw.bin"), 0, size)])
    (folder / "raw.bin").write_bytes(bytes(100))
    return f"{folder}/a.h5::d"


def shard(folder):
    array = zarr.create_array(
        str(folder / "a.zarr"), shape=SHAPE, chunks=(1, 5, 4), shards=(2, 5, 4), dtype="f4", overwrite=True
    )
    array[:4] = np.ones((4, 5, 4))
    return f"{folder}/a.zarr"


def ome_over_files(folder):
    files = [f"p{i}.ome.tif" for i in range(6)]
    marks = [f"urn:uuid:00000000-0000-4000-8000-00000000000{i}" for i in range(6)]
    parts = "".join(
        f'<TiffData FirstZ="{i}" IFD="0" PlaneCount="1"><UUID FileName="{file}">{mark}</UUID></TiffData>'
        for i, (file, mark) in enumerate(zip(files, marks, strict=True))
    )
    for i, (file, mark) in enumerate(zip(files, marks, strict=True)):
        schema = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
        document = (
            f'<OME xmlns="{schema}" UUID="{mark}"><Image ID="Image:0"><Pixels ID="Pixels:0" Type="float" '
            'DimensionOrder="XYZCT" SizeX="4" SizeY="5" SizeZ="6" SizeC="1" SizeT="1">'
            f"{parts}</Pixels></Image></OME>"
        )
        if i != 3:
            tifffile.imwrite(folder / file, PLANE + i, description=document, metadata=None)
    return f"{folder}/p0.ome.tif"


def empty_strips(folder):
    with tifffile.TiffWriter(folder / "a.tif") as writer:
        for i in range(6):
            strips = iter([b"" if i == 3 else zlib.compress(PLANE.tobytes())])
            writer.write(
                strips, shape=PLANE.shape, dtype="f4", compression="zlib", rowsperstrip=5, metadata=None
            )
    return f"{folder}/a.tif"


ABSENT = {
    "virtual": (virtual, "plane 3 .*p3.h5 would read"),
    "unmapped": (nowhere_mapped, "plane 3 .*a source of it would read"),
    "source not written": (source_unwritten, "plane 3 .*p3.h5 would read"),
    "OME over files": (ome_over_files, "plane 3 .*page 4 would read"),
    "empty strips": (empty_strips, "plane 3 .*page 4 would read"),
}
"""Stacks without plane 3."""


@pytest.mark.parametrize(
    ("make", "named"),
    [
        *ABSENT.values(),
        (unwritten, r"planes 4 to 5 .*the chunk at \[4, 0, 0\], the chunk at \[5, 0, 0\] would read"),
        (external, "planes 0 to 5 .*raw.bin would read"),
        (shard, "planes 4 to 5 .*chunk c/2/0/0 would read"),
        (empty, "planes 0 to 5 .*/d would read"),
        (lambda folder: chunk(folder, 3), "chunk c/1/0/0 would read"),
        (lambda folder: chunk(folder, 2), "chunk 1.0.0 would read"),
    ],
    ids=[*ABSENT, "unwritten", "external", "shard", "empty", "zarr 3", "zarr 2"],
)
def test_a_stack_that_is_not_whole_is_refused_by_what_is_missing(tmp_path, make, named):
    source = make(tmp_path)
    with pytest.raises(InputError, match=named):
        open_stack(source, find_files(source, "ingest.stack")[""])


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_absent_is_void_where_that_is_asked(tmp_path, name):
    source = ABSENT[name][0](tmp_path)
    stack = open_stack(source, find_files(source, "ingest.stack")[""], missing="void")
    found = read_stack(stack, (slice(1, 5), slice(0, 3)), slice(2, 5))
    wanted = np.zeros((3, 4, 3), bool)
    wanted[1] = True
    np.testing.assert_array_equal(np.isnan(found), wanted)


@pytest.mark.parametrize("make", [unwritten, lambda folder: chunk(folder, 3)], ids=["HDF5", "Zarr"])
@pytest.mark.parametrize("kind", ["reference", "dark", "energies"])
def test_other_sources_are_held_by_the_same_rule(tmp_path, make, kind):
    source = make(tmp_path)
    if kind == "energies":
        with pytest.raises(InputError, match="is not whole"):
            read_energies(source if "::" in source else f"{source}::", None)
        return
    np.save(tmp_path / "s.npy", np.ones(SHAPE, "f4"))
    settings = {"i0": source if kind == "reference" else 9.0, "dark": source if kind == "dark" else None}
    with pytest.raises(InputError, match="its data are not whole"):
        describe_stack(
            Ingest(
                stack=f"{tmp_path}/s.npy", energies=tuple(range(7000, 7006)), quantity="counts", **settings
            )
        )


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
