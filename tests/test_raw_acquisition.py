"""What is wrong with a raw measurement is said before any work, all of it on one screen."""

import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
import tifffile
from gigaxas.config.schema import Ingest
from gigaxas.errors import InputError
from gigaxas.raw.readers import images
from gigaxas.raw.readers.acquisition import check_references, describe_acquisition
from gigaxas.raw.readers.energies import read_energies
from gigaxas.raw.readers.formats.hdf5 import HDF5
from gigaxas.raw.readers.stack import describe_stack
from gigaxas.stores.io.cf import PLAIN
from raw_files import ENERGY, counts, field_mu, ingest, write_fields, write_positions

STAGE = {"f1": (0.0, 0.0), "f2": (0.0, 20.0), "f3": (18.0, 1.0)}
PLANE = (24, 26)


@pytest.fixture
def raw(tmp_path):
    """Three fields of 24 x 26 pixels."""
    rng = np.random.default_rng(0)
    fields = {name: counts(field_mu(np.ones(PLANE)), rng) for name in STAGE}
    write_fields(tmp_path / "raw", fields, STAGE)
    return tmp_path / "raw"


def change(folder, name, path, values):
    """Put a file in place of a field's, whose array at `path` holds other values."""
    aside = folder / "aside"
    shutil.copy(folder / f"{name}.h5", aside)
    with h5py.File(aside, "a") as file:
        del file[path]
        file[path] = values
    aside.replace(folder / f"{name}.h5")


def refused(settings):
    def check():
        found = describe_acquisition(settings)
        check_references(found.measured, found.energy)

    with pytest.raises(InputError) as error:
        check()
    return str(error.value)


def test_files_become_fields_with_energies_and_positions(raw):
    found = describe_acquisition(ingest(raw))
    assert [field.name for field in found.fields] == ["f1", "f2", "f3"]
    assert found.plane == PLANE
    np.testing.assert_allclose(found.energy, ENERGY)
    np.testing.assert_allclose(found.stage_px, list(STAGE.values()))
    assert found.bytes_per_pixel == 4 * 61
    check_references(found.measured, found.energy)


def test_files_that_change_are_another_measurement(raw):
    before = describe_acquisition(ingest(raw)).identity
    assert describe_acquisition(ingest(raw)).identity == before
    change(raw, "f2", "data/sample", np.ones((61, *PLANE), np.uint16))
    assert describe_acquisition(ingest(raw)).identity != before


def test_positions_in_millimetres_are_taken_as_such(raw):
    write_positions(raw, {name: (y / 1e3, x / 1e3) for name, (y, x) in STAGE.items()}, unit="mm")
    np.testing.assert_allclose(describe_acquisition(ingest(raw)).stage_px, list(STAGE.values()))


def test_positions_are_read_from_the_files_metadata(raw):
    for name, (y, x) in STAGE.items():
        with h5py.File(raw / f"{name}.h5", "a") as file:
            for axis, value in (("y", y), ("x", x)):
                file[f"stage/{axis}"] = value / 1e3
                file[f"stage/{axis}"].attrs["units"] = "mm"
    places = {axis: f"{raw}/{{field}}.h5::stage/{axis}" for axis in "yx"}
    np.testing.assert_allclose(
        describe_acquisition(ingest(raw, positions=places)).stage_px, list(STAGE.values())
    )


def test_ome_files_tell_their_positions(tmp_path):
    images = np.full((61, *PLANE), 2000, np.uint16)
    for name, (y, x) in STAGE.items():
        plane = {"PositionY": [y] * 61, "PositionX": [x] * 61}
        units = {"PositionYUnit": ["µm"] * 61, "PositionXUnit": ["µm"] * 61}
        tifffile.imwrite(
            tmp_path / f"{name}.ome.tif", images, metadata={"axes": "ZYX", "Plane": plane | units}
        )
        tifffile.imwrite(tmp_path / f"{name}.open.tif", images)
    settings = ingest(
        tmp_path,
        energies=tuple(ENERGY),
        transmitted=f"{tmp_path}/{{field}}.ome.tif",
        reference=f"{tmp_path}/{{field}}.open.tif",
        dark=None,
        positions="metadata",
    )
    np.testing.assert_allclose(describe_acquisition(settings).stage_px, list(STAGE.values()))
    tifffile.imwrite(tmp_path / "f2.ome.tif", images, metadata={"axes": "ZYX"})
    assert "f2.ome.tif: its metadata hold no stage position" in refused(settings)


def test_energies_may_stand_in_the_names_of_the_files(tmp_path):
    rng = np.random.default_rng(0)
    transmitted, reference = counts(field_mu(np.ones(PLANE)), rng)
    for name in ("f1", "f2"):
        for energy, t, r in zip(ENERGY, transmitted, reference, strict=True):
            tifffile.imwrite(tmp_path / f"{name}_t_{energy:.1f}.tif", t)
            tifffile.imwrite(tmp_path / f"{name}_r_{energy:.1f}.tif", r)
    write_positions(tmp_path, {"f1": (0, 0), "f2": (0, 20)})
    settings = ingest(
        tmp_path,
        energies=None,
        transmitted=f"{tmp_path}/{{field}}_t_{{energy}}.tif",
        reference=f"{tmp_path}/{{field}}_r_{{energy}}.tif",
        dark=None,
    )
    np.testing.assert_allclose(describe_acquisition(settings).energy, ENERGY)
    (tmp_path / "f2_t_7020.0.tif").unlink()
    (tmp_path / "f1_r_7040.0.tif").unlink()
    said = refused(settings)
    assert "ingest.fields.transmitted: f2 lacks 1 of 61 images (7020)" in said
    assert "ingest.fields.reference: f1 lacks 1 of 61 images (7040)" in said


def missing_field(raw):
    (raw / "f2.h5").unlink()


def mixed_shapes(raw):
    change(raw, "f3", "data/sample", np.ones((61, 20, 26), np.uint16))


def missing_energy(raw):
    change(raw, "f2", "data/open", np.ones((60, *PLANE), np.uint16))


def zeros(raw):
    with h5py.File(raw / "f2.h5", "a") as file:
        file["data/open"][7, :, :20] = 0


def disordered(raw):
    change(raw, "f1", "data/energy", np.r_[ENERGY[:5], ENERGY[6], ENERGY[5], ENERGY[7:]])


def duplicated(raw):
    change(raw, "f1", "data/energy", np.r_[ENERGY[:5], ENERGY[4], ENERGY[6:]])


def kilovolts(raw):
    change(raw, "f1", "data/energy", ENERGY / 1e3)


def no_position(raw):
    write_positions(raw, {"f1": (0, 0), "f2": (0, 20), "f9": (0, 0)})


def nanometres(raw):
    write_positions(raw, {name: (1e3 * y, 1e3 * x) for name, (y, x) in STAGE.items()})


def millimetres(raw):
    write_positions(raw, {name: (y / 1e3, x / 1e3) for name, (y, x) in STAGE.items()})


def no_columns(raw):
    (raw / "positions.csv").write_text("name,y,x\nf1,0,0\n")


def no_number(raw):
    (raw / "positions.csv").write_text("field,y_um,x_um\nf1,0,0\nf2,left,0\nf3,0,1\n")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (missing_field, "no images of f2"),
        (mixed_shapes, "f3 has 20 x 26 pixels, the first field 24 x 26"),
        (
            missing_energy,
            "reference: f2 has 60 images of 24 x 26 pixels, expected one for each of 61 energies",
        ),
        (zeros, "the reference of f2 at 7035 has 77% of zeros"),
        (disordered, "energy 6 is 7030, before 7025; expected energies that rise"),
        (duplicated, "energy 5 is 7020, twice"),
        (kilovolts, "looks like keV"),
        (no_position, "no position for f3; no images of f9"),
        (nanometres, "are the positions in nm?"),
        (millimetres, "are the positions in mm or pixels?"),
        (no_columns, "expected field, y_um, x_um"),
        (no_number, "f2 has no numbers"),
    ],
)
def test_each_fault_is_named(raw, damage, said):
    damage(raw)
    assert said in refused(ingest(raw))


def test_all_faults_come_at_once(raw):
    disordered(raw)
    no_columns(raw)
    said = refused(ingest(raw, reference=f"{raw}/none-{{field}}.h5::x")).splitlines()
    assert len(said) == 3
    assert all(any(word in line for line in said) for word in ("energy 6", "y_um", "no file fits"))


def test_shape_faults_come_at_once(raw):
    mixed_shapes(raw)
    missing_energy(raw)
    assert len(refused(ingest(raw)).splitlines()) == 2


def test_a_foil_of_another_shape_is_refused(raw):
    with h5py.File(raw.parent / "foil.h5", "w") as file:
        file["t"], file["r"] = np.ones((2, 61, 5, 5), np.uint16)
    shift = {"foil": f"{raw.parent}/foil.h5::t", "foil_reference": f"{raw.parent}/foil.h5::r"}
    assert "measure the foil as the fields" in refused(ingest(raw, energy_shift=shift))


def test_the_full_size_of_the_paper_is_described_at_once(tmp_path, monkeypatch):
    """56 fields of 2304 x 4096 pixels and 178 energies, in files that say so and hold next to nothing."""
    whole = replace(HDF5, absent=lambda path, array: [], packing=lambda path, array: PLAIN)
    monkeypatch.setattr(images, "format_of", lambda path, inner: whole)
    energy = np.linspace(7009.2, 7321.2, 178)
    stage = {}
    for number in range(56):
        with h5py.File(tmp_path / f"f{number + 1}.h5", "w") as file:
            for name, level in (("data/sample", 9000), ("data/open", 27000)):
                file.create_dataset(name, (178, 2304, 4096), "uint16", fillvalue=level)
            file["data/energy"] = energy
        stage[f"f{number + 1}"] = (number // 8 * 2100 * 0.46, number % 8 * 3800 * 0.46)
    write_positions(tmp_path, stage)
    settings = ingest(tmp_path, dark=None).model_copy(update={"pixel_um": 0.46})
    found = describe_acquisition(settings)
    check_references(found.measured, found.energy)
    assert len(found.fields) == 56
    assert found.bytes_per_pixel == 712
    height, width = found.stage_px.max(axis=0) + found.plane
    assert height * width == pytest.approx(4.6e8, rel=0.05)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("7000\n7001.5\n7003\n", [7000, 7001.5, 7003]),
        ("energy_ev,count\n7000,1\n7001.5,2\n", [7000, 7001.5]),
        ("# made by hand\n7000 1\n\n7001.5 2\n", [7000, 7001.5]),
    ],
)
def test_energies_are_the_first_column_of_a_text_file(tmp_path, text, wanted):
    (tmp_path / "e.txt").write_text(text)
    np.testing.assert_allclose(read_energies(str(tmp_path / "e.txt"), "eV")[0], wanted)


def test_a_text_file_with_words_is_refused(tmp_path):
    (tmp_path / "e.txt").write_text("7000\nnext\n")
    with pytest.raises(InputError, match="line 2 starts with 'next'"):
        read_energies(str(tmp_path / "e.txt"), "eV")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "ingest.energies: missing"),
        ({"energies": (7000.0, 7001.0)}, "has 5 images of 8 x 9 pixels, expected one for each of 2"),
        ({"energies": tuple(range(7000, 7009))}, "set ingest.axes"),
        ({"energies": tuple(range(5))}, "looks like keV"),
    ],
)
def test_a_stack_that_does_not_fit_is_refused(tmp_path, settings, said):
    tifffile.imwrite(tmp_path / "a.tif", np.ones((5, 8, 9), np.uint16))
    with pytest.raises(InputError, match=said):
        describe_stack(Ingest(stack=f"{tmp_path}/a.tif", **settings))
