"""Counts of any instrument become absorbance: I0 of every kind, dark, exposures, frames, masks, bad input."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
import zarr
from gigaxas.config.load import load_config
from gigaxas.config.schema import Config, Ingest
from gigaxas.errors import InputError
from gigaxas.raw.absorbance import mean_of_frames
from gigaxas.raw.readers.acquisition import describe_acquisition
from gigaxas.raw.readers.field import measure_open_beam, read_counts, read_dark
from gigaxas.raw.readers.formats.stxm import read_letter_mask, read_scan_header
from gigaxas.raw.readers.open_beam import read_mask
from gigaxas.raw.readers.stack import describe_stack
from gigaxas.stores.cube import describe_cube, read_plane, read_tile
from gigaxas.tiles import Tile
from gigaxas.workflow.classify import ingest as run_ingest
from gigaxas.workflow.resolve import describe_source
from PIL import Image
from pydantic import ValidationError

ENERGY = np.linspace(700.0, 730.0, 16)
PLANE = (6, 8)
WHOLE = (slice(0, 6), slice(0, 8))
OPEN = {"polygon": [[0.5, 0.5], [0.5, 3.5], [3.5, 3.5], [3.5, 0.5]]}
MU = np.linspace(0.2, 1.5, 16)[:, None, None] * np.linspace(0.5, 1.5, 48).reshape(PLANE)
I0 = np.linspace(900.0, 1000.0, 16)
COUNTS = I0[:, None, None] * np.exp(-MU)


@pytest.fixture
def files(tmp_path):
    """A measurement in HDF5 and text: sample, I0 as images and spectrum, dark, masks."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["counts"] = COUNTS
        file["frames"] = np.stack([0.5 * COUNTS, COUNTS, 1.5 * COUNTS])
        file["dim"] = COUNTS + 50
        file["open"] = np.broadcast_to(I0[:, None, None], COUNTS.shape)
        file["i0"], file["short"], file["blind"] = I0, I0[:9], np.r_[I0[:4], 0, I0[5:]]
        file["dark"] = np.stack([np.full(PLANE, 40.0), np.full(PLANE, 60.0)])
        file["narrow"] = COUNTS[:, :, :5]
        file["seconds"] = np.linspace(1, 2, 16)
    np.savetxt(tmp_path / "i0.xsp", np.column_stack([ENERGY, I0]))
    np.savetxt(tmp_path / "shifted.txt", np.column_stack([ENERGY + 1.0, I0]), header="energy counts")
    np.savetxt(tmp_path / "elsewhere.txt", np.column_stack([ENERGY + 30.0, I0]))
    inside = np.arange(48).reshape(PLANE) % 5 > 0
    tifffile.imwrite(tmp_path / "mask.tif", inside.astype(np.uint8))
    np.save(tmp_path / "mask.npy", inside)
    Image.fromarray(inside).save(tmp_path / "mask.png")
    zarr.create_array(str(tmp_path / "maps.zarr"), name="mask", data=inside.astype(np.uint8))
    (tmp_path / "mask.msk").write_text(
        "\n".join("".join(" O"[int(pixel)] for pixel in row) for row in inside)
    )
    np.save(tmp_path / "small.npy", inside[:5])
    return tmp_path


def section(files, stack="counts", **settings):
    named = {
        name: f"{files}/{value}" if isinstance(value, str) and name in ("i0", "dark", "mask") else value
        for name, value in settings.items()
    }
    return Ingest.model_validate(
        {"stack": f"{files}/m.h5::{stack}", "energies": list(ENERGY), "quantity": "counts", **named}
    )


def absorbance_of(field, limits):
    """What NumPy makes of the counts that are read, without the kernel."""
    ready = measure_open_beam(field)
    counts = read_counts(ready, WHOLE, read_dark(ready.dark, WHOLE), limits)
    ratio = 1.0 if ready.exposure_ratio is None else ready.exposure_ratio[:, None, None]
    above, below = counts.reference - counts.reference_dark, counts.transmitted - counts.dark
    return np.log(ratio * above / below)


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({"i0": "m.h5::open"}, MU),
        ({"i0": "m.h5::i0"}, MU),
        ({"i0": "i0.xsp"}, MU),
        # energies of I0 within a step of the images' own: on a line between its points
        ({"i0": "shifted.txt"}, MU + np.log(np.interp(ENERGY, ENERGY + 1, I0) / I0)[:, None, None]),
        ({"i0": 950.0}, MU + np.log(950 / I0)[:, None, None]),
        ({"i0": OPEN}, MU + np.log(COUNTS[:, 1:4, 1:4].mean((1, 2)) / I0)[:, None, None]),
        ({"i0": "m.h5::i0", "exposures": {"sample": 2.0, "i0": 0.5}}, MU + np.log(4)),
        ({"i0": 950.0, "exposures": {"sample": list(I0), "i0": 950.0}}, MU),
        ({"stack": "frames", "axes": "FEYX", "i0": "m.h5::open"}, MU),
        ({"stack": "dim", "dark": 50.0, "i0": 1000.0}, MU + np.log(950 / I0)[:, None, None]),
        ({"stack": "dim", "dark": "m.h5::dark", "i0": 1000.0}, MU + np.log(950 / I0)[:, None, None]),
        (
            {"stack": "dim", "dark": "m.h5::dark", "i0": OPEN},
            MU + np.log(COUNTS[:, 1:4, 1:4].mean((1, 2)) / I0)[:, None, None],
        ),
    ],
)
def test_counts_become_absorbance(files, settings, wanted):
    source = describe_stack(section(files, **settings))
    np.testing.assert_allclose(absorbance_of(source.counts, source.limits), wanted, atol=2e-5)


def test_exposures_are_read_from_files(files):
    given = {"sample": f"{files}/m.h5::seconds", "i0": 1.0}
    source = describe_stack(section(files, i0=1.0, exposures=given))
    np.testing.assert_array_equal(source.counts.exposure_ratio, np.linspace(1, 2, 16))


def test_frames_are_averaged():
    frames = [np.full((2, 1, 1), value, np.uint16) for value in (100, 65535, 140)]
    assert mean_of_frames(frames[::2], 65535).ravel().tolist() == [120, 120]
    assert np.isinf(mean_of_frames(frames, 65535)).all()


@pytest.mark.parametrize("mask", ["mask.tif", "mask.npy", "mask.png", "maps.zarr::mask", "mask.msk"])
def test_masks_of_every_kind_are_one(files, mask):
    source = describe_stack(section(files, i0=950.0, mask=mask))
    np.testing.assert_array_equal(read_mask(source.mask, WHOLE), np.arange(48).reshape(PLANE) % 5 > 0)


def test_an_open_area_may_be_a_mask(files):
    by_mask = describe_stack(section(files, i0={"mask": f"{files}/mask.npy"})).counts
    inside = np.arange(48).reshape(PLANE) % 5 > 0
    np.testing.assert_allclose(measure_open_beam(by_mask).reference, COUNTS[:, inside].mean(axis=1))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"i0": "m.h5::short"}, "I0 of another length: .* has 9 counts, the images 16"),
        ({"i0": "elsewhere.txt"}, "I0 of another length: 16 energies from 730 to 760, the images have 16"),
        ({"i0": "m.h5::blind"}, "is 0 at 708; expected counts above 0"),
        ({"i0": "m.h5::dark"}, r"I0 of another length: .* has 2 images, the stack 16"),
        ({"i0": {"polygon": [[0, 0], [0, 90], [9, 9]]}}, "reaches from 0 to 9 x 90, the image has 6 x 8"),
        ({"i0": {"polygon": [[1.2, 1.2], [1.3, 1.2], [1.2, 1.3]]}}, "no pixel of the image lies inside"),
        ({"i0": "m.h5::narrow"}, "its images have 6 x 5 pixels, the stack 6 x 8; expected equal images"),
        ({"i0": 9.0, "mask": "small.npy"}, "has 5 x 8 pixels, the images 6 x 8"),
        ({"i0": 9.0, "mask": "gone.png"}, "ingest.mask: no file fits"),
        ({"i0": 9.0, "exposures": {"sample": [1.0, 2.0], "i0": 1.0}}, "sample: found 2 exposures, .* 16"),
        ({"i0": 9.0, "exposures": {"sample": "gone.txt", "i0": 1.0}}, "gone.txt: cannot be read"),
        ({"i0": "{field}.h5::open"}, "ingest.i0: found {field}"),
    ],
)
def test_what_does_not_fit_the_stack_is_refused(files, settings, said):
    with pytest.raises(InputError, match=said):
        describe_stack(section(files, **settings))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"quantity": "counts"}, "`quantity: counts` needs `i0`"),
        ({"i0": 9.0}, "set `quantity: counts`"),
        ({"quantity": "intensity", "dark": 2.0}, "dark make absorbance of counts"),
        ({"quantity": "counts", "i0": 9.0, "exposures": {"sample": 1.0}}, "i0"),
        ({"quantity": "counts", "i0": OPEN, "exposures": {"sample": 1.0, "i0": 1.0}}, "remove them"),
        ({"quantity": "counts", "i0": {}}, "either `polygon`"),
        ({"quantity": "counts", "i0": 0}, "greater than 0"),
        ({"quantity": "normalised", "normalise": "lines"}, "normalised already"),
        ({"quantity": "absorbance", "axes": "FEYX"}, "frames are added up"),
        ({"axes": "EYY"}, "expected E, Y and X"),
        ({"quantity": "transmission"}, "'normalised', 'absorbance', 'intensity' or 'counts'"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, said):
    with pytest.raises(ValidationError, match=said):
        Ingest(stack="a.tif", **settings)


def test_keys_of_a_stack_are_refused_beside_fields():
    with pytest.raises(ValidationError, match="mask go with `stack`"):
        Ingest(fields={"transmitted": "t.h5::a", "reference": 1.0}, mask="m.png")


def write_text_images(folder, images, rows=lambda text: text):
    for i, image in enumerate(images):
        lines = "\n".join("\t".join(f"{value:.6f}" for value in row) for row in image)
        (folder / f"a{i:03}.xim").write_text(rows(lines) if i == 3 else lines)


HEADER = """ScanDefinition = { Label = "a.hdr"; Regions = (1,
{
  PAxis = { Name = "Sample X"; Unit = "um"; Min = 0; Max = 1;
    Points = (8, 0.0, 0.08, 0.16, 0.24, 0.32, 0.40, 0.48, 0.56);
};
  QAxis = { Name = "Sample Y"; Unit = "um"; Min = 0; Max = 1;
    Points = (6, 5.0, 5.08, 5.16, 5.24, 5.32, 5.40);
};
});
 StackAxis = { Name = "Energy"; Unit = "eV";
    Points = (3, 700.000, 700.375, 701.5);
};
"""


def test_text_images_are_a_stack_with_energies_and_pixels_of_the_header(tmp_path):
    write_text_images(tmp_path, COUNTS[:3])
    (tmp_path / "a.hdr").write_text(HEADER)
    source = describe_stack(Ingest(stack=f"{tmp_path}/a{{index}}.xim", energies=f"{tmp_path}/a.hdr"))
    np.testing.assert_allclose(source.energy, [700, 700.375, 701.5])
    assert source.pixel_um == pytest.approx(0.08)
    assert source.stack.shape == (3, *PLANE)
    alone = describe_stack(Ingest(stack=f"{tmp_path}/a{{index}}.xim", energies=(1.0e3, 1.1e3, 1.2e3)))
    assert alone.pixel_um == 0.46


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text.replace("\n", "\t1.0\n", 1), r"a003.xim: line 2 has 8 columns; expected 9"),
        (lambda text: text.replace("4", "x", 1), "a003.xim: line 1 reads"),
        (lambda text: text.replace(".", ","), "a003.xim: line 1 has a comma"),
        (lambda text: "", "a003.xim: no rows of numbers"),
        (lambda text: text + "\n" + text, "a003.xim: holds .*expected equal images"),
    ],
)
def test_a_text_image_that_is_none_is_named_with_its_line(tmp_path, damage, said):
    write_text_images(tmp_path, COUNTS, damage)
    with pytest.raises(InputError, match=said):
        describe_stack(Ingest(stack=f"{tmp_path}/a{{index}}.xim", energies=tuple(ENERGY)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("(3, 700", "(4, 700", "announces 4 points and has 3"),
        ("700.375", "about", "no Points in numbers"),
        ("StackAxis", "OtherAxis", "found 0 StackAxis"),
        ("5.40", "5.80", "steps of 0.08, 0.16 um; expected square pixels"),
        ('Unit = "um"', 'Unit = "steps"', "PAxis: found the unit 'steps'"),
    ],
)
def test_a_header_that_does_not_tell_is_refused(tmp_path, old, new, said):
    (tmp_path / "a.hdr").write_text(HEADER.replace(old, new))
    with pytest.raises(InputError, match=said):
        read_scan_header(tmp_path / "a.hdr")


def test_lines_of_a_letter_mask_may_end_early(tmp_path):
    (tmp_path / "a.msk").write_text(" OO\n\nO\n")
    assert read_letter_mask(tmp_path / "a.msk").tolist() == [
        [False, True, True],
        [False, False, False],
        [True, False, False],
    ]


def one_field(files, **settings):
    source = {"transmitted": f"{files}/m.h5::counts", "reference": f"{files}/m.h5::i0", "normalise": "none"}
    return {"energies": list(ENERGY), "fields": {**source, **settings}}


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, MU),
        ({"reference": 950.0}, MU + np.log(950 / I0)[:, None, None]),
        ({"reference": OPEN}, MU + np.log(COUNTS[:, 1:4, 1:4].mean((1, 2)) / I0)[:, None, None]),
        ({"exposures": {"sample": 2.0, "i0": 0.5}}, MU + np.log(4)),
    ],
)
def test_one_field_needs_no_positions(files, settings, wanted):
    config = config_of(files, one_field(files, **settings))
    source = describe_source(config)
    np.testing.assert_allclose(absorbance_of(source.counts, source.limits), wanted, atol=2e-5)


def test_several_fields_need_positions(files):
    for name in ("f1", "f2"):
        (files / f"{name}.h5").write_bytes((files / "m.h5").read_bytes())
    many = one_field(files, transmitted=f"{files}/f{{field}}.h5::counts")
    with pytest.raises(InputError, match=r"ingest.fields.positions: missing for 1, 2"):
        describe_acquisition(Ingest.model_validate(many))
    (files / "p.csv").write_text("field,y_um,x_um\n1,0,0\n2,0,3\n")
    many["fields"]["positions"] = files / "p.csv"
    with pytest.raises(InputError, match="found 2 fields, which are placed by their edge steps"):
        describe_source(config_of(files, many))


def config_of(folder, section, **settings):
    return Config.model_validate(
        {
            "title": "small",
            "output": folder / "out",
            "ingest": section,
            "sites": {"from": "observed"},
            "clean_up": {"k_size": 3, "p_num": 9},
            "noise": {"sigma": 0.001},
            "compute": {"cluster": "threads", "workers": 1},
            **settings,
        }
    )


def ingested(config):
    made = run_ingest(config)
    info = describe_cube(made.cube)
    height, width = info.plane
    values = read_tile(info, Tile(0, 0, 0, height, 0, width))
    return made, values, zarr.open_group(made.cube, mode="r")["mu"].attrs.get("quantity")


def test_the_cube_holds_absorbance_and_void_pixels(files):
    with h5py.File(files / "m.h5", "a") as file:
        file["counts"][5, 2, 3] = 0
    made, mu, quantity = ingested(
        config_of(files, section(files, i0="m.h5::i0", mask="mask.npy").model_dump(exclude_unset=True))
    )
    void = np.arange(48).reshape(PLANE) % 5 == 0
    void[2, 3] = True
    assert quantity == "absorbance"
    assert mu.dtype == np.float32
    np.testing.assert_array_equal(np.isnan(mu), np.broadcast_to(void, mu.shape))
    np.testing.assert_allclose(mu[:, ~void], MU[:, ~void], atol=2e-6)
    assert made.warnings == ("11 of 48 pixels are void (1 samples not positive, 10 pixels outside the mask)",)


def test_nothing_left_ends_in_a_sentence(files):
    np.save(files / "none.npy", np.zeros(PLANE, bool))
    with pytest.raises(InputError, match=r"48 of 48 pixels are void .*expected some with a signal"):
        ingested(config_of(files, section(files, i0=9.0, mask="none.npy").model_dump(exclude_unset=True)))


@pytest.mark.parametrize("quantity", [None, "intensity"])
def test_a_stack_keeps_its_claim_and_its_numbers(files, quantity):
    counts = np.rint(COUNTS).astype(np.uint16)
    tifffile.imwrite(files / "a.tif", counts)
    section = {"stack": f"{files}/a.tif", "energies": list(ENERGY), "quantity": quantity}
    made, values, said = ingested(config_of(files, section))
    assert said == quantity
    assert values.dtype == np.uint16
    np.testing.assert_array_equal(values, counts)
    assert made.warnings == ()


def test_frames_of_an_intensity_are_added_up(files):
    section = {
        "stack": f"{files}/m.h5::frames",
        "energies": list(ENERGY),
        "quantity": "intensity",
        "axes": "FEYX",
    }
    np.testing.assert_allclose(ingested(config_of(files, section))[1], 3 * COUNTS, rtol=1e-6)


def test_a_stack_is_normalised_on_request(files):
    energy = np.linspace(7000.0, 7300.0, 16)
    edge = 0.1 + 0.5 * (energy > 7125)
    np.save(files / "edge.npy", 500 * np.exp(-edge[:, None, None] * np.linspace(1, 2, 48).reshape(PLANE)))
    section = {
        "stack": f"{files}/edge.npy",
        "energies": list(energy),
        "quantity": "counts",
        "i0": 500.0,
        "normalise": "step",
    }
    ranges = {"pre_edge": (7000, 7080), "post_edge": (7200, 7300)}
    made, mu, quantity = ingested(config_of(files, section, references=ranges))
    assert quantity == "normalised"
    np.testing.assert_allclose(mu, np.broadcast_to((energy > 7125)[:, None, None], mu.shape), atol=1e-5)
    step = read_plane(describe_cube(made.cube), "edge_step", WHOLE)
    np.testing.assert_allclose(step, 0.5 * np.linspace(1, 2, 48).reshape(PLANE), atol=1e-5)


@pytest.fixture
def als_stack():
    """The folder of a measured STXM stack, or a skip that says how to give one."""
    folder = Path(os.environ.get("GIGAXAS_STACKS", "../shared/data/stacks")).absolute() / "als_stxm_fe_l"
    if not (folder / "i0.xsp").is_file():
        pytest.skip(f"no measured stack at {folder}; set GIGAXAS_STACKS to the folder of stacks")
    return folder


@pytest.mark.real
def test_a_measured_stack_becomes_absorbance(als_stack, tmp_path):
    # what somebody types who has just copied the folder from the beamline
    text = f"""
        title: Fe particles
        output: {tmp_path}/out
        ingest:
          stack: {als_stack}/aligned/71214078_a{{index}}.xim
          energies: {als_stack}/71214078.hdr
          quantity: counts
          i0: {als_stack}/i0.xsp
        edge: Fe L3
        references: {{path: {als_stack}/oxidized.t}}
        compute: {{cluster: threads}}
    """
    assert len(text.strip().splitlines()) <= 12
    path = tmp_path / "als.yaml"
    path.write_text(text)
    made, mu, quantity = ingested(load_config(path))
    files = sorted((als_stack / "aligned").glob("*.xim"))
    counts = np.array([np.loadtxt(file) for file in files])
    i0 = np.loadtxt(als_stack / "i0.xsp")
    np.testing.assert_allclose(mu, np.log(i0[:, 1, None, None] / counts), atol=1e-5)
    info = describe_cube(made.cube)
    np.testing.assert_allclose(info.energy, i0[:, 0])
    assert (info.shape, quantity, made.warnings) == ((123, 125, 125), "absorbance", ())
    assert info.pixel_um == pytest.approx(0.08, abs=1e-4)
