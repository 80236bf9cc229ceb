"""Every format of images: what is read from it without a word in the configuration."""

import os
import sys
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
import tifffile
from gigaxas.config.schema import Ingest
from gigaxas.errors import InputError
from gigaxas.raw.readers.files import FileSet
from gigaxas.raw.readers.images import open_stack, read_stack
from gigaxas.raw.readers.stack import describe_stack
from image_files import ENERGY, IMAGES, IMAGES_ALONE, PIXEL_UM, SILENT, TELLING

WINDOW = (slice(1, 5), slice(0, 4))


@pytest.mark.parametrize("name", TELLING)
def test_a_file_that_tells_its_axes_needs_nothing_else(tmp_path, name):
    ending, write = TELLING[name]
    write(tmp_path / ending)
    found = describe_stack(Ingest(stack=f"{tmp_path}/{ending}"))
    np.testing.assert_allclose(found.energy, ENERGY, atol=2e-3)
    assert found.unit == "eV"
    assert found.pixel_um == pytest.approx(PIXEL_UM if name != "older NeXus" else 0.46)
    np.testing.assert_allclose(read_stack(found.stack, WINDOW), IMAGES[:, *WINDOW])
    np.testing.assert_allclose(read_stack(found.stack, WINDOW, slice(1, 3)), IMAGES[1:3, *WINDOW])


@pytest.mark.parametrize("name", SILENT)
def test_a_file_that_tells_no_energies_needs_these(tmp_path, name):
    ending, write = SILENT[name]
    write(tmp_path / ending)
    with pytest.raises(InputError, match="missing; give a list"):
        describe_stack(Ingest(stack=f"{tmp_path}/{ending}"))
    found = describe_stack(Ingest(stack=f"{tmp_path}/{ending}", energies=tuple(ENERGY)))
    assert found.pixel_um == pytest.approx(PIXEL_UM if name == "OME-TIFF" else 0.46)
    np.testing.assert_allclose(read_stack(found.stack, WINDOW), IMAGES[:, *WINDOW])


@pytest.mark.parametrize("name", IMAGES_ALONE)
def test_an_image_alone_is_read(tmp_path, name):
    ending, write = IMAGES_ALONE[name]
    write(tmp_path / ending)
    stack = open_stack(ending, FileSet((tmp_path / ending,)))
    height, width = stack.plane
    found = read_stack(stack, (slice(0, height), slice(0, width)))[0]
    wanted = [[1, 1, 0, 0], [1, 0, 0, 0]] if name == "mask of letters" else IMAGES[0]
    np.testing.assert_array_equal(found, wanted)


def test_falling_energies_are_turned_round(tmp_path):
    np.save(tmp_path / "a.npy", IMAGES)
    found = describe_stack(Ingest(stack=f"{tmp_path}/a.npy", energies=tuple(ENERGY[::-1])))
    np.testing.assert_allclose(found.energy, ENERGY)
    np.testing.assert_array_equal(read_stack(found.stack, WINDOW), IMAGES[::-1, *WINDOW])
    np.testing.assert_array_equal(read_stack(found.stack, WINDOW, slice(1, 4)), IMAGES[2::-1, *WINDOW])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("7100,0;1\n7101,5;2\n7103,0;3\n7106,0;4\n", ENERGY),
        ("7100,0\t1\n7101,5\t2\n7103,0\t3\n7106,0\t4\n", ENERGY),
        ("7100,0 1,5\n7101,5 1,5\n7103,0 1,5\n7106,0 1,5\n", ENERGY),
        ("7100.0, 1\n7101.5, 2\n7103.0, 3\n7106.0, 4\n", ENERGY),
        ("# Energy (keV)\n7.1\n7.1015\n7.103\n7.106\n", ENERGY),
        ("energy/keV, current (mA)\n7.1,1\n7.1015,1\n7.103,1\n7.106,1\n", ENERGY),
        ("Raman shift [cm-1]\n100\n200\n300\n400\n", [100, 200, 300, 400]),
        ("\u00b5m\n7.1\n7.2\n7.3\n7.4\n", "looks like keV"),
        ("7100\n7101 x\nabc\n", "line 3 starts with 'abc'"),
    ],
)
def test_energies_of_a_text_are_read_whole(tmp_path, text, wanted):
    np.save(tmp_path / "a.npy", IMAGES)
    (tmp_path / "e.txt").write_bytes(text.encode("latin-1"))
    ingest = Ingest(stack=f"{tmp_path}/a.npy", energies=f"{tmp_path}/e.txt")
    if isinstance(wanted, str):
        with pytest.raises(InputError, match=wanted):
            describe_stack(ingest)
    else:
        np.testing.assert_allclose(describe_stack(ingest).energy, wanted)


@pytest.mark.parametrize(
    ("unit", "worth"), [("keV", 1e3), ("meV", 1e-3), ("furlong", None), ("cm-1", "1/cm"), ("nm", "waves")]
)
def test_units_of_an_array_are_known_or_refused(tmp_path, unit, worth):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["d"], file["e"] = IMAGES, ENERGY
        file["e"].attrs["units"] = unit
    ingest = Ingest(stack=f"{tmp_path}/a.h5::d", energies=f"{tmp_path}/a.h5::e")
    if worth is None:
        with pytest.raises(InputError, match="found the unit 'furlong'"):
            describe_stack(ingest)
        return
    found = describe_stack(ingest)
    assert found.unit == ("1/cm" if worth == "1/cm" else "eV")
    if worth == "waves":
        np.testing.assert_allclose(found.energy, 1239.841984 / ENERGY[::-1])
        np.testing.assert_array_equal(read_stack(found.stack, WINDOW), IMAGES[::-1, *WINDOW])
    else:
        np.testing.assert_allclose(found.energy, ENERGY * (1 if worth == "1/cm" else worth))


@pytest.mark.parametrize(
    ("file", "module"),
    [("a.wdf", "rsciio"), ("a.hspy", "rsciio"), ("a.xrm", "olefile"), ("a.h5", "hdf5plugin")],
)
def test_without_the_extra_the_cure_is_named(tmp_path, monkeypatch, file, module):
    monkeypatch.setitem(sys.modules, module, None)
    if file == "a.xrm":
        (tmp_path / file).write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    elif file == "a.h5":
        with h5py.File(tmp_path / file, "w") as writer:
            writer.create_dataset("d", data=IMAGES, chunks=True, **hdf5plugin.Bitshuffle())
    else:
        (tmp_path / file).write_bytes(b"an instrument's")
    with pytest.raises(InputError, match=r"pip install 'gigaxas\[formats\]'"):
        describe_stack(Ingest(stack=f"{tmp_path}/{file}", energies=tuple(ENERGY)))


def test_filters_of_hdf5_are_undone(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("d", data=IMAGES, chunks=True, **hdf5plugin.Bitshuffle())
    found = describe_stack(Ingest(stack=f"{tmp_path}/a.h5", energies=tuple(ENERGY)))
    np.testing.assert_array_equal(read_stack(found.stack, WINDOW), IMAGES[:, *WINDOW])


STACKS = Path(os.environ.get("GIGAXAS_STACKS", "../shared/data/stacks"))


@pytest.mark.real
@pytest.mark.parametrize(
    ("file", "shape", "ends", "pixel_um"),
    [
        ("renishaw_test_map2.wdf", (1015, 20, 20), (3.00605, 3.80119), 1.0),
        ("bcf_v2_50x50px.bcf", (2048, 50, 50), (-473.16, 19988.65), 0.011808),
        ("EELS_SI.dm4", (2048, 2, 2), (300, 2347), 0.001992),
    ],
)
def test_files_of_instruments_are_read(file, shape, ends, pixel_um):
    found = describe_stack(Ingest(stack=str(STACKS / "formats" / file)))
    assert (found.stack.shape, found.unit) == (shape, "eV")
    assert (found.energy[0], found.energy[-1]) == pytest.approx(ends, rel=1e-5)
    assert found.pixel_um == pytest.approx(pixel_um, rel=1e-3)
    assert np.ptp(read_stack(found.stack, (slice(0, 2), slice(0, 2)))) > 0


@pytest.mark.real
def test_frames_of_a_zeiss_microscope_are_read():
    pattern = STACKS / "ssrl_txm_ni_k" / "rep01_20161456_ssrl-test-data_08324.0_eV_{index}of003.xrm"
    found = describe_stack(Ingest(stack=str(pattern), energies=(8324.0, 8325.0)))
    assert (found.stack.shape, found.stack.dtype) == ((2, 1024, 1024), "<u2")
    assert found.pixel_um == pytest.approx(0.0312)
    assert read_stack(found.stack, (slice(500, 520), slice(500, 520))).mean() > 100


@pytest.mark.parametrize("bigtiff", [False, True])
def test_pages_in_a_circle_are_refused(tmp_path, bigtiff):
    path = tmp_path / "circle.tif"
    with tifffile.TiffWriter(path, bigtiff=bigtiff) as file:
        for number in range(3):
            file.write(np.full((4, 5), number, np.uint16), contiguous=False)
    with tifffile.TiffFile(path) as file:
        first, last = file.pages[0].offset, file.pages[2]
    content = bytearray(path.read_bytes())
    wide, entry, count = (8, 20, 8) if bigtiff else (4, 12, 2)
    end = last.offset + count + entry * len(last.tags)
    content[end : end + wide] = first.to_bytes(wide, "little")
    path.write_bytes(content)
    with pytest.raises(InputError, match="runs in a circle"):
        describe_stack(Ingest(stack=str(path), energies=(1.0, 2.0, 3.0)))
