"""The maps in other programs' formats: read back by their own readers and equal to the result's."""

import shutil

import numpy as np
import ome_zarr_models
import pytest
import tifffile
import viewer_runs
import zarr
from gigaxas.execution.runner import Runner
from gigaxas.spatial.pyramid import level_shapes
from gigaxas.stores.result import open_result
from gigaxas.stores.tiff import write_tiff
from gigaxas.workflow.report import report
from gigaxas.workflow.resolve import reopen
from rsciio.hspy import file_reader
from viewer_runs import SHAPE, SIDE, halved, whole_maps


@pytest.fixture(scope="module")
def exported(viewer_run):
    """The run's maps as OME-Zarr, in small tiles."""
    with viewer_runs.small_tiles():
        report(reopen(viewer_run), Runner(), exports=["ome-zarr"])
    return viewer_run.output / "maps.ome.zarr"


def test_ome_zarr_holds_every_level_of_every_map(viewer_run, small_tiles):
    for workers in (1, 3):
        summary = report(reopen(viewer_run), Runner(workers=workers), exports=["ome-zarr"])
        path = viewer_run.output / "maps.ome.zarr"
        assert path in summary.paths
        group = zarr.open_group(path, mode="r")
        maps, ranks = whole_maps(viewer_run)
        for level, shape in enumerate(level_shapes(SHAPE, SIDE)):
            image = np.asarray(group[str(level)])
            assert image.shape == (2, *shape)
            np.testing.assert_array_equal(image[0], maps["density"].astype(np.float32))
            np.testing.assert_array_equal(image[1], maps["correlation"])
            for name in ("label", "site", "state"):
                np.testing.assert_array_equal(group[f"labels/{name}/{level}"], maps[name])
            kept = np.where(np.isin(maps["state"], (1, 2)), maps["label"], 0)
            np.testing.assert_array_equal(group[f"labels/kept/{level}"], kept)
            maps = halved(maps, ranks)
        assert not path.with_name("maps.ome.zarr.partial").exists()


def test_kept_of_the_export_is_kept_of_the_result(viewer_run, exported):
    group = zarr.open_group(exported, mode="r")
    with open_result(viewer_run.output) as result:
        np.testing.assert_array_equal(group["labels/kept/0"], result.kept.values)


def test_ome_zarr_places_and_names_its_levels(viewer_run, exported):
    group = zarr.open_group(exported, mode="r")
    ome = group.attrs["ome"]
    assert [axis["name"] for axis in ome["multiscales"][0]["axes"]] == ["c", "y", "x"]
    scale, shift = ome["multiscales"][0]["datasets"][2]["coordinateTransformations"]
    # A pixel of level 2 is the mean of 4 x 4 pixels of 0.5 um, whose middle lies 1.5 of them further on.
    assert scale["scale"] == [1.0, 2.0, 2.0]
    assert shift["translation"] == [0.0, 0.75, 0.75]
    assert group["labels"].attrs["ome"]["labels"] == ["label", "kept", "site", "state"]
    label = group["labels/label"].attrs["ome"]["image-label"]
    with open_result(viewer_run.output) as result:
        labels = result.cluster.values.tolist()
    assert [row["label-value"] for row in label["properties"]] == labels
    names = {row["label-value"]: row["name"] for row in label["properties"]}
    # the reference of phase 2 is normalised as it is, the others are normalised again, unlike the image
    assert names == {1: "near phase 1", 2: "phase 2", 3: "near phase 3", 4: "near phase 4"}


def test_ome_zarr_is_valid(exported):
    image = ome_zarr_models.open_ome_zarr(zarr.open_group(exported, mode="r"))
    assert type(image).__module__.startswith("ome_zarr_models.v05")
    assert type(image).__name__ == "Image"
    for name in ("label", "kept", "site", "state"):
        opened = ome_zarr_models.open_ome_zarr(zarr.open_group(exported / "labels" / name, mode="r"))
        assert type(opened).__name__ == "ImageLabel"


@pytest.mark.napari
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_napari_opens_it(exported):
    plugin = pytest.importorskip("napari_ome_zarr", reason="install napari-ome-zarr to try napari's reader")
    layers = plugin.napari_get_reader(str(exported))(str(exported))
    assert [kind for _, _, kind in layers] == ["image", *["labels"] * 4]
    assert layers[0][0][0].shape == (2, *SHAPE)


def test_tiff_files_hold_the_maps_and_the_size_of_a_pixel(viewer_run, small_tiles):
    labels, ratios = viewer_runs.add_components(viewer_run)
    try:
        summary = report(reopen(viewer_run), Runner(), exports=["tiff"])
    finally:
        shutil.rmtree(viewer_run.output / "phases.zarr")
    maps, _ = whole_maps(viewer_run)
    with open_result(viewer_run.output) as result:
        maps |= {name: result[name].values for name in ("kept", "void_reason")}
    for label, ratio in zip(labels, ratios, strict=True):
        maps[f"ratio_{label}"] = np.where(maps["state"] == 0, np.nan, ratio)
    written = {path.stem: path for path in summary.paths if path.suffix == ".tif"}
    assert set(written) == set(maps)
    for name, path in written.items():
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            np.testing.assert_array_equal(page.asarray(), maps[name])
            assert page.is_tiled
            assert page.tags["ResolutionUnit"].value == tifffile.RESUNIT.CENTIMETER
            across, by = page.tags["XResolution"].value
            assert 1e4 / (across / by) == pytest.approx(0.5)
            assert 'PhysicalSizeX="0.5" PhysicalSizeXUnit="µm"' in file.ome_metadata


def test_hyperspy_signals_hold_the_maps_and_the_spectra(viewer_run, small_tiles):
    summary = report(reopen(viewer_run), Runner(), exports=["hyperspy"])
    written = {path.stem: file_reader(str(path))[0] for path in summary.paths if path.suffix == ".hspy"}
    with open_result(viewer_run.output) as result:
        assert {"label", "state", "correlation", "spectrum"} <= set(written)
        for name, signal in written.items():
            np.testing.assert_array_equal(signal["data"], result[name].values)
        np.testing.assert_allclose(written["label"]["axes"][1]["axis"], result.x.values)
        np.testing.assert_allclose(written["spectrum"]["axes"][1]["axis"], result.energy.values)


@pytest.mark.parametrize("shape", [(1, 1), (512, 512), (513, 700), (3, 1200)])
def test_a_tiff_of_any_shape_is_read_back(tmp_path, shape):
    values = np.arange(shape[0] * shape[1], dtype=np.uint32).reshape(shape)
    asked = []

    def read(region):
        asked.append(values[region].size)
        return values[region]

    write_tiff(tmp_path / "map.tif", shape, np.uint32, read, 0.46, "a ramp; µ & <")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "map.tif"), values)
    assert max(asked) <= 512 * shape[1]
    assert [path.name for path in tmp_path.iterdir()] == ["map.tif"]


def test_the_result_follows_the_cf_conventions(viewer_run):
    with open_result(viewer_run.output) as result:
        assert result.attrs["Conventions"].startswith("CF-1.")
        assert all(result[axis].attrs["axis"] == axis.upper() for axis in "yx")
        for name, values in result.variables.items():
            assert values.attrs["long_name"], name
            assert values.attrs["units"] in ("1", "um", "eV"), name
            for other in values.attrs.get("ancillary_variables", "").split():
                assert other in result, (name, other)
        state = result.state
        assert state.attrs["flag_values"].dtype == state.dtype
        assert len(state.attrs["flag_meanings"].split()) == len(state.attrs["flag_values"]) == 5
        assert set(np.unique(state)) <= set(state.attrs["flag_values"])
        low, high = result.correlation.attrs["valid_range"]
        assert low <= result.correlation.min() <= result.correlation.max() <= high + 1e-6
