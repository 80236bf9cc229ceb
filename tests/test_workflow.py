"""Whole runs over small measured cubes: what they leave, and what stops them before they start."""

import csv
import json

import gigaxas as gx
import numpy as np
import pytest
import zarr
from gigaxas.workflow.classify import classify
from gigaxas.workflow.resolve import resolve
from small_runs import ENERGY, config, edges, scene, write_csv, write_cube

SHAPE = (30, 34)


@pytest.fixture
def measured(tmp_path):
    """A cube of four phases and a table of references for it."""
    rng = np.random.default_rng(2)
    spectra = edges(4, rng)
    write_csv(tmp_path / "references.csv", spectra)
    write_cube(tmp_path / "cube.zarr", scene(rng, spectra, SHAPE), [16], [16])
    return tmp_path


def small(folder, **sections):
    return config(folder, folder / "cube.zarr", folder / "references.csv", **sections)


def told(run):
    with pytest.raises(gx.InputError) as error:
        resolve(run)
    return str(error.value)


def test_a_run_leaves_maps_tables_manifest_picture_and_report(measured):
    result = gx.run(small(measured))
    out = measured / "out"
    assert {path.name for path in out.iterdir()} == {
        "result.zarr",
        "sites.zarr",
        "sites.csv",
        "sites.png",
        "references.csv",
        "clusters.csv",
        "spectra.csv",
        "manifest.json",
        "label.png",
        "report",
        "report.html",
        "run.json",
        "run.lock",
        "run.log",
        "events.jsonl",
        "journal",
    }
    assert result.label.shape == SHAPE
    assert result.label.dims == ("y", "x")
    rows = list(csv.DictReader((out / "clusters.csv").open()))
    assert {row["nearest"] for row in rows} == {f"phase {i}" for i in range(1, 5)}
    for row in rows:
        assert row["name"] == ("near " if row["outside"] == "yes" else "") + row["nearest"]
        assert int(row["pixels"]) == int((result.label == int(row["label"])).sum())
        assert float(row["area_um2"]) == pytest.approx(int(row["pixels"]) * 0.25)
    assert sum(float(row["share"]) for row in rows) == pytest.approx(1.0)
    header = (out / "spectra.csv").open().readline().strip().split(",")
    assert header[:2] == ["energy_ev", f"label_{rows[0]['label']}"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["config"]["clean_up"] == {"k_size": 5, "p_num": 23, "fill_void": False}
    assert manifest["versions"]["zarr"] == zarr.__version__
    assert sum(manifest["states"].values()) == SHAPE[0] * SHAPE[1]
    assert {"assign", "regions", "clean-up", "fill", "clusters"} <= manifest["seconds"].keys()


def test_cluster_spectra_are_means_of_the_kept_pixels(measured):
    result = gx.run(small(measured))
    cube = gx_cube(measured)
    for row, label in enumerate(result.cluster.values):
        pixels = cube[:, result.kept.values == label]
        np.testing.assert_allclose(result.spectrum.values[row], pixels.mean(axis=1), rtol=1e-12, atol=1e-14)
        assert int(result.kept_pixels[row]) == pixels.shape[1]


def gx_cube(folder):
    array = zarr.open_array(folder / "cube.zarr", path="mu", mode="r")
    return array[...] * array.attrs["scale_factor"] + array.attrs["add_offset"]


def test_what_is_there_is_not_made_again_and_a_changed_setting_is(measured):
    stages = []

    def watch(stage, total):
        stages.append(stage)
        return silent(stage, total)

    from gigaxas.execution.runner import silent

    classify(small(measured), watch)
    assert stages == ["sites", "assign", "regions", "clean-up", "fill", "clusters", "map tiles", "report"]
    stages.clear()
    classify(small(measured), watch)
    assert stages == []
    stages.clear()
    classify(small(measured, clean_up={"p_num": 25}), watch)
    assert stages == ["assign", "regions", "clean-up", "fill", "clusters", "map tiles", "report"]


@pytest.mark.parametrize("value", [0.0, 1.0, np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("dtype", ["uint16", "float32", "float64"])
def test_a_pixel_without_signal_stays_void_to_the_end(measured, value, dtype):
    array = zarr.open_array(measured / "cube.zarr", path="mu", mode="r")
    mu = np.asarray(array[...], dtype=float) * array.attrs["scale_factor"] + array.attrs["add_offset"]
    if np.isfinite(value):
        mu[:, 12, 13] = value
    else:
        mu[7, 12, 13] = value
    store = measured / "cube.zarr"
    if dtype == "uint16":
        from gigaxas.stores.io.codes import encode

        zarr.open_array(store, path="mu", mode="r+")[...] = encode(mu.astype(np.float32))
    else:
        group = zarr.open_group(store, mode="r+")
        del group["mu"]
        group.create_array(
            "mu", data=mu.astype(dtype), chunks=(24, 16, 16), dimension_names=array.metadata.dimension_names
        )
    result = gx.run(small(measured))
    assert result.site.values[12, 13] == result.kept.values[12, 13] == result.label.values[12, 13] == 0
    assert result.state.values[12, 13] == 0
    assert (result.label.values > 0).mean() > 0.9


def test_references_that_do_not_cover_the_cube_are_refused(measured):
    cut = np.loadtxt(measured / "references.csv", delimiter=",", skiprows=1)[6:]
    np.savetxt(measured / "references.csv", cut, delimiter=",", header="energy,a,b,c,d", comments="")
    assert "it was measured from 7090.6 to 7321.2 eV" in told(small(measured))


def test_energies_in_kev_are_refused(measured):
    cube = zarr.open_group(measured / "cube.zarr", mode="r+")
    cube["energy"][...] = ENERGY / 1000
    cube.attrs.put({name: value for name, value in cube.attrs.items() if name != "fingerprint"})
    assert "keV" in told(small(measured))


def test_an_image_smaller_than_the_window_is_refused(measured):
    rng = np.random.default_rng(0)
    write_cube(measured / "cube.zarr", scene(rng, edges(2, rng), (4, 9)), [4], [4])
    assert "expected at least k_size = 5" in told(small(measured))


def test_a_reference_that_cannot_be_parsed_is_named(measured):
    (measured / "references.csv").write_text("energy,a\n7000,one\n")
    assert "references.csv" in told(small(measured))


def test_no_references_are_told(measured):
    assert "there is nothing at" in told(small(measured, references={"path": measured / "none"}))


def test_no_cube_is_told(measured):
    assert "none.zarr" in told(small(measured, cube={"path": measured / "none.zarr"}))


def test_a_missing_chunk_is_named_or_on_request_void(measured):
    (measured / "cube.zarr" / "mu" / "c" / "0" / "0" / "1").unlink()
    assert "1 missing chunk(s) (c/0/0/1)" in told(small(measured))
    result = gx.run(small(measured, cube={"path": measured / "cube.zarr", "missing_chunks": "void"}))
    assert (result.label.values[:16, 16:32] == 0).all()
    assert (result.label.values[:16, :16] > 0).mean() > 0.9


def test_a_damaged_chunk_ends_the_run_and_no_result_is_there(measured):
    chunk = measured / "cube.zarr" / "mu" / "c" / "0" / "1" / "1"
    chunk.write_bytes(chunk.read_bytes()[:200])
    with pytest.raises(gx.RunError, match=r"chunk c/0/1/1 is damaged"):
        gx.run(small(measured))
    with pytest.raises(gx.InputError, match="no finished result"):
        gx.open_result(measured / "out")


def test_a_folder_of_another_run_or_of_other_files_is_refused(measured):
    gx.run(small(measured))
    assert "holds the run 'small', this is 'other'" in told(small(measured, title="other"))
    (measured / "mine").mkdir()
    (measured / "mine" / "notes.txt").write_text("keep")
    assert "no run of gigaxas" in told(small(measured, output=measured / "mine"))
    assert "is a file" in told(small(measured, output=measured / "mine" / "notes.txt"))


def test_more_memory_than_allowed_is_told_before_the_run(measured):
    sentence = told(small(measured, compute={"cluster": "threads", "memory": "100 MB"}))
    assert "100 MB is allowed, the run is projected to take" in sentence


def test_everything_that_is_wrong_is_told_at_once(measured):
    (measured / "cube.zarr" / "mu" / "c" / "0" / "0" / "0").unlink()
    (measured / "mine").mkdir()
    (measured / "mine" / "notes.txt").write_text("keep")
    run = small(measured, output=measured / "mine", compute={"cluster": "threads", "memory": "1 MB"})
    sentence = told(run)
    assert "missing chunk" in sentence
    assert "no run of gigaxas" in sentence


def test_nothing_alike_is_said_in_the_report_and_the_map_is_empty(measured):
    rng = np.random.default_rng(0)
    write_cube(
        measured / "cube.zarr", rng.normal(0, 0.3, (len(ENERGY), *SHAPE)).astype(np.float32), [16], [16]
    )
    cube = {"path": measured / "cube.zarr", "quantity": "normalised"}
    result = gx.run(small(measured, cube=cube, noise={"c_ref": 2.7e4}))
    assert (result.label.values == 0).all()
    assert set(np.unique(result.state.values)) == {3, 4}
    assert "no label survived the clean-up" in (measured / "out" / "report.html").read_text()
