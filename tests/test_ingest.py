"""Whole ways into the cube: raw fields with planted offsets and shift, stacks, simulated fields, faults."""

import csv

import h5py
import numpy as np
import pytest
import tifffile
import yaml
import zarr
from gigaxas.cli.verbs import app
from gigaxas.config.paths import paths_of
from gigaxas.config.schema import Config, References
from gigaxas.errors import InputError, RunError
from gigaxas.raw.normalisation import make_normaliser, normalise_spectra
from gigaxas.stores.cube import describe_cube, read_tile
from gigaxas.tasks import ingest as tasks
from gigaxas.tiles import Tile
from gigaxas.workflow.classify import classify
from gigaxas.workflow.classify import ingest as run_ingest
from gigaxas.workflow.registration import read_registration
from gigaxas.workflow.resolve import resolve
from raw_files import EDGE, ENERGY, POST, PRE, counts, field_mu, ingest, spectrum, texture, write_fields
from scipy import ndimage
from typer.testing import CliRunner

PLANE = (64, 72)
CORNERS = np.array([[0, 0], [3, 40], [36, 2], [38, 43]])
STAGE = np.array([[0.0, 0.0], [0, 41], [37, 0], [37, 41]])


def shift_map():
    v, u = np.meshgrid(*(np.linspace(-0.5, 0.5, size) for size in PLANE), indexing="ij")
    return 2.0 * v - 1.0 * u + 1.5 * v**2


def amounts():
    return ndimage.zoom(texture((60, 66), 3, 1.5), 2, order=1)


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Four fields of one phase whose amount varies, at stage positions that are off by up to three pixels."""
    folder = tmp_path_factory.mktemp("raw")
    rng = np.random.default_rng(0)
    fields = {}
    for i, (y, x) in enumerate(CORNERS):
        amount = amounts()[y : y + PLANE[0], x : x + PLANE[1]]
        transmitted, reference = counts(field_mu(amount, shift_map()), rng)
        transmitted[5, 10, 12] = 0
        reference[9, 20, 30] = 65535
        fields[f"f{i + 1}"] = (transmitted, reference)
    write_fields(folder, fields, {name: tuple(STAGE[i]) for i, name in enumerate(fields)})
    (folder / "foil").mkdir()
    with h5py.File(folder / "foil" / "foil.h5", "w") as file:
        file["t"], file["r"] = counts(field_mu(np.ones(PLANE), shift_map()), rng)
    table = folder / "references.csv"
    rows = np.column_stack([ENERGY, spectrum(ENERGY), spectrum(ENERGY - 8)])
    np.savetxt(table, rows, delimiter=",", header="energy,one,other", comments="", fmt="%.10g")
    return folder


def config(raw, output, section=None, **settings):
    return Config.model_validate(
        {
            "title": "small",
            "output": output,
            "ingest": section or ingest(raw, edge=EDGE, **settings),
            "references": {"path": raw / "references.csv", "pre_edge": PRE, "post_edge": POST},
            "sites": {"mixtures": "none", "method": "net"},
            "compute": {"cluster": "threads", "workers": 2},
        }
    )


def foil(raw):
    return {"foil": f"{raw}/foil/foil.h5::t", "foil_reference": f"{raw}/foil/foil.h5::r", "degree": 2}


def decoded(path):
    info = describe_cube(path)
    height, width = info.plane
    codes = read_tile(info, Tile(0, 0, 0, height, 0, width))
    return np.where(codes == 65535, np.nan, codes * info.scale + info.offset)


def inside(place, corner):
    away = np.subtract(place, corner)
    return bool(np.all((away >= 0) & (away < PLANE)))


@pytest.mark.parametrize("blend", ["feathered", "nearest"])
def test_counts_become_the_stitched_cube(raw, tmp_path, blend):
    made = run_ingest(config(raw, tmp_path / "out", energy_shift=foil(raw), blend=blend))
    placement, shift = made.registration.placement, made.registration.shift
    away = placement.corners - CORNERS
    assert np.abs(away - away.mean(axis=0)).max() < 0.1
    assert placement.whole == tuple(map(tuple, CORNERS))
    assert not made.warnings
    found = shift.at(np.arange(PLANE[0]), np.arange(PLANE[1]))
    assert np.abs((found - shift_map()) - (found - shift_map())[32, 36]).max() < 0.05
    cube = decoded(made.cube)
    normaliser = make_normaliser(ENERGY, PRE, POST, EDGE, "lines")
    clean = normalise_spectra(field_mu(np.ones((1, 1))).reshape(1, -1), normaliser)[0]
    assert np.abs(np.nanmean(cube, axis=(1, 2)) - clean).max() < 0.03
    group = zarr.open_group(made.cube, mode="r")
    step, source = group["edge_step"][...], group["field"][...]
    wanted = amounts()[: step.shape[0], : step.shape[1]] * (
        normaliser.step @ field_mu(np.ones((1, 1))).reshape(-1)
    )
    assert np.nanmax(np.abs(step - wanted)) < 8 * np.nanmean(group["edge_step_noise"][...])
    np.testing.assert_array_equal(np.isfinite(cube).all(axis=0), source > 0)
    assert set(np.unique(source)) <= {0, 1, 2, 3, 4}
    assert source[0, 0] == 1
    assert source[-1, -1] == 4
    bad = [(y + dy, x + dx) for y, x in CORNERS for dy, dx in ((10, 12), (20, 30))]
    covers = [sum(inside(place, corner) for corner in CORNERS) for place in bad]
    alone = [place for place, fields in zip(bad, covers, strict=True) if fields == 1]
    assert alone
    assert all(source[place] == 0 for place in alone)
    with (tmp_path / "out" / "fields.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert [row["field"] for row in rows] == ["f1", "f2", "f3", "f4"]
    assert all(int(row["pixels"]) == PLANE[0] * PLANE[1] for row in rows)
    assert all((int(row["samples_saturated"]), int(row["samples_not_positive"])) == (1, 1) for row in rows)
    assert (tmp_path / "out" / "seams.png").read_bytes().startswith(b"\x89PNG")


def test_chunks_change_nothing(raw, tmp_path):
    cubes = []
    for chunk in (32, 200):
        section = ingest(raw, edge=EDGE, energy_shift=foil(raw)).model_copy(update={"chunk": chunk})
        cubes.append(decoded(run_ingest(config(raw, tmp_path / str(chunk), section)).cube))
    np.testing.assert_array_equal(*cubes)


def test_what_is_there_is_not_made_again(raw, tmp_path):
    run = config(raw, tmp_path / "out")
    stamp = lambda: (paths_of(run).cube / "zarr.json").stat().st_mtime_ns  # noqa: E731
    run_ingest(run)
    first = stamp()
    run_ingest(run)
    assert stamp() == first
    run_ingest(config(raw, tmp_path / "out", blend="nearest"))
    assert stamp() != first


def test_a_run_ends_in_a_phase_map(raw, tmp_path):
    summary = classify(config(raw, tmp_path / "out", energy_shift=foil(raw)))
    assert summary.clusters[0].name == "one"
    assert summary.clusters[0].share > 0.99


def test_half_a_cube_is_no_cube_and_is_gone_on_with(raw, tmp_path, monkeypatch):
    def failing(tile, **settings):
        if tile.row == 2:
            raise RunError("the disk is full")
        return ingest_tile(tile, **settings)

    def noting(tile, **settings):
        again.append(tile.row)
        return ingest_tile(tile, **settings)

    # under one name, so that the journal takes one for the other
    again, ingest_tile = [], tasks.ingest_tile
    failing.__module__, failing.__qualname__ = ingest_tile.__module__, ingest_tile.__qualname__
    noting.__module__, noting.__qualname__ = ingest_tile.__module__, ingest_tile.__qualname__
    whole = decoded(run_ingest(config(raw, tmp_path / "whole")).cube)
    run = config(raw, tmp_path / "out")
    monkeypatch.setattr(tasks, "ingest_tile", failing)
    with pytest.raises(RunError, match="disk is full"):
        run_ingest(run)
    assert not paths_of(run).cube.exists()
    monkeypatch.setattr(tasks, "ingest_tile", noting)
    np.testing.assert_array_equal(decoded(run_ingest(run).cube), whole)
    assert 4 <= len(again) < 16
    tables = [(tmp_path / name / "fields.csv").read_text() for name in ("out", "whole")]
    assert tables[0] == tables[1]


def test_overlaps_that_disagree_stop_the_run_before_the_cube(raw, tmp_path):
    positions = tmp_path / "turned.csv"
    positions.write_text("field,y_um,x_um\nf1,37,41\nf2,37,0\nf3,0,41\nf4,0,0\n")
    run = config(raw, tmp_path / "out", positions=positions)
    with pytest.raises(InputError) as error:
        run_ingest(run)
    assert len(str(error.value).splitlines()) == 4
    assert "direction of the stage axes" in str(error.value)
    assert not paths_of(run).cube.exists()


def test_a_damaged_file_is_named(raw, tmp_path):
    for name in ("f1.h5", "f2.h5", "f3.h5", "f4.h5"):
        (tmp_path / name).write_bytes((raw / name).read_bytes())
    (tmp_path / "positions.csv").write_text((raw / "positions.csv").read_text())
    (tmp_path / "f3.h5").write_bytes((raw / "f3.h5").read_bytes()[:2000])
    run = config(raw, tmp_path / "out", ingest(tmp_path, edge=EDGE))
    with pytest.raises(InputError, match=r"f3\.h5: cannot be read as HDF5"):
        resolve(run)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "int32"])
@pytest.mark.parametrize("kind", ["imagej", "ome", "hdf5"])
def test_a_stack_comes_in_as_it_is(raw, tmp_path, dtype, kind):
    if kind == "imagej" and dtype == "int32":
        pytest.skip("ImageJ has no 32-bit whole numbers")
    images = np.random.default_rng(0).poisson(20 + 100 * spectrum(ENERGY)[:, None, None] * texture((40, 50)))
    images = images.clip(max=250).astype(dtype)
    source = tmp_path / {"imagej": "a.tif", "ome": "a.ome.tif", "hdf5": "a.h5"}[kind]
    if kind == "hdf5":
        with h5py.File(source, "w") as file:
            file["x"] = images
    elif kind == "ome":
        tifffile.imwrite(source, images[:, None], metadata={"axes": "ZCYX"})
    else:
        tifffile.imwrite(source, images, imagej=True)
    stack = f"{source}::x" if kind == "hdf5" else str(source)
    section = {"stack": stack, "energies": list(ENERGY), "pixel_um": 2.0, "chunk": 32}
    made = run_ingest(config(raw, tmp_path / "out", section))
    info = describe_cube(made.cube)
    assert info.pixel_um == 2.0
    assert info.invalid is None
    np.testing.assert_array_equal(read_tile(info, Tile(0, 0, 0, 40, 0, 50)), images)


def test_missing_and_marked_samples_make_void_pixels(raw, tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.01, (61, 40, 50))
    images = 1.0 + texture((40, 50)) * spectrum(ENERGY)[:, None, None] + noise
    images[3, 0, 0] = -999.0
    stack = zarr.create_array(
        str(tmp_path / "a.zarr"), shape=images.shape, chunks=(61, 20, 25), dtype="f4", fill_value=-999.0
    )
    stack[...] = images
    (tmp_path / "a.zarr" / "c" / "0" / "1" / "1").unlink()
    section = {"stack": f"{tmp_path}/a.zarr", "energies": list(ENERGY), "missing": "void"}
    said = []
    made = run_ingest(config(raw, tmp_path / "out", section), announce=said.append)
    void = np.zeros((40, 50), bool)
    void[0, 0] = void[20:, 25:] = True
    found = read_tile(describe_cube(made.cube), Tile(0, 0, 0, 40, 0, 50))
    np.testing.assert_array_equal(np.isnan(found).any(axis=0), void)
    assert any("501 of 2,000 pixels are void (1 parts of the images are missing)" in line for line in said)


def test_a_raman_map_comes_in_with_its_wavenumbers(raw, tmp_path):
    images = np.random.default_rng(0).normal(100 + 20 * LINE, 5, (61, 20, 30)).astype(np.float32)
    made = run_ingest(raman(raw, tmp_path, images))
    info = describe_cube(made.cube)
    np.testing.assert_array_equal(read_tile(info, Tile(0, 0, 0, 20, 0, 30)), images)
    assert info.energy[0] == 50


def test_references_are_held_against_grains_of_one_pixel(raw, tmp_path):
    images = np.random.default_rng(0).normal(100, 5, (61, 20, 30)).astype(np.float32)
    images[:, ::6, ::6] += 40 * LINE
    said = []
    run_ingest(raman(raw, tmp_path, images), announce=said.append)
    (shift,) = (line for line in said if line.startswith("shift"))
    ev, error = (float(part.split()[0]) for part in shift.split("moved by ")[1].split(" +- "))
    assert abs(ev) < 3 * error < 0.3


LINE = np.tanh(np.linspace(50, 90, 61) - 70)[:, None, None]


def raman(raw, folder, images):
    """A configuration over a map (61, y, x) from 50 to 90 / cm, and a reference with a line at 70."""
    tifffile.imwrite(folder / "map.tif", np.moveaxis(images, 0, 2))
    wavenumbers = np.linspace(50, 90, 61)
    rows = np.column_stack([wavenumbers, LINE.ravel() + 1])
    np.savetxt(folder / "r.csv", rows, delimiter=",", header="energy,one", comments="", fmt="%.10g")
    section = {
        "stack": f"{folder}/map.tif",
        "energies": list(wavenumbers),
        "unit": "1/cm",
        "quantity": "intensity",
        "axes": "YXE",
    }
    references = References(path=folder / "r.csv", pre_edge=(50, 65), post_edge=(75, 90))
    return config(raw, folder / "out", section).model_copy(update={"references": references})


def test_simulated_fields_go_all_the_way(tmp_path):
    inside = f"{tmp_path}/out/raw/{{field}}.h5::entry"
    run = Config.model_validate(
        {
            "title": "raw",
            "output": tmp_path / "out",
            "simulate": {
                "shape": [200, 200],
                "energies": 100,
                "seed": 3,
                "chunk": 64,
                "raw": {"fields": [2, 2], "overlap": 40, "stage_error_px": 3, "energy_shift_ev": 1.5},
            },
            "ingest": {
                "energies": f"{tmp_path}/out/raw/f1-1.h5::entry/data/energy",
                "chunk": 64,
                "fields": {
                    "transmitted": f"{inside}/data/transmitted",
                    "reference": f"{inside}/data/reference",
                    "dark": f"{inside}/data/dark",
                    "positions": {"y": f"{inside}/stage/y", "x": f"{inside}/stage/x"},
                    "energy_shift": {"degree": 2},
                },
            },
            "references": {"modelled": True},
            "sites": {"mixtures": "none", "method": "net"},
            "compute": {"cluster": "threads", "workers": 2},
        }
    )
    assert resolve(run).plan.shape == (100, 200, 200)
    summary = classify(run)
    assert summary.truth.right_share > 0.98
    found = read_registration(tmp_path / "out" / "registration.zarr")
    assert len(found.placement.pairs) == 6


def test_the_command_ingests(raw, tmp_path):
    settings = config(raw, tmp_path / "out", energy_shift=foil(raw)).model_dump(
        mode="json", exclude_none=True
    )
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(settings))
    done = CliRunner().invoke(app, ["ingest", str(tmp_path / "small.yaml")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "cube.zarr").is_dir()


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({}, "give either `stack`"),
        (
            {"stack": "a.tif", "fields": {"transmitted": "t", "reference": "r", "positions": "p.csv"}},
            "give either",
        ),
        ({"stack": "a.tif", "axes": "EY"}, "axes"),
        (
            {
                "fields": {
                    "transmitted": "t",
                    "reference": "r",
                    "positions": "p",
                    "energy_shift": {"foil": "x"},
                }
            },
            "foil",
        ),
        ({"stack": "a.tif", "edge": 7125}, "Extra inputs"),
        ({"fields": {"transmitted": "t", "reference": "r"}, "normalise": "none"}, "go with `stack`"),
        ({"stack": "a.tif", "quantity": "normalised", "normalise": "lines"}, "normalised already"),
    ],
)
def test_a_section_that_makes_no_sense_is_refused(tmp_path, section, said):
    with pytest.raises(ValueError, match=said):
        Config.model_validate(
            {"title": "x", "output": tmp_path, "references": {"modelled": True}, "ingest": section}
        )


def test_raw_fields_without_a_way_into_the_cube_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ingest\.fields"):
        Config.model_validate(
            {"title": "x", "output": tmp_path, "references": {"modelled": True}, "simulate": {"raw": {}}}
        )
