"""Whole runs with sites observed in the cube: config, names, alarm, maps, and the same bits for any tiles."""

import csv
import json

import gigaxas as gx
import numpy as np
import pytest
import zarr
from gigaxas.cli.tables import show_sites
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.evaluation import VerifyScene
from gigaxas.observed import window_groups
from gigaxas.stores import cube
from gigaxas.stores.sites import read_sites
from gigaxas.tiles import flat, tile_grid
from gigaxas.workflow.classify import classify, sites
from gigaxas.workflow.resolve import resolve
from needle_fields import ENERGY, NOISY, PAPER, field, library, windows
from rich.console import Console


def write(folder, image, chunk=64):
    plane = image.shape[1:]
    path = folder / "cube.zarr"
    cube.create_cube(path, ENERGY, plane, chunk, 0.5, "made by a test")
    for tile in flat(tile_grid([plane[0]], [plane[1]])):
        maps = {"mu_low": np.full(plane, 0.36), "mu_high": np.full(plane, 1.56)}
        cube.write_tile(path, tile, image, **maps)
    return path


def config(folder, path, **sections):
    settings = {
        "title": "observed",
        "output": folder / "out",
        "cube": {"path": path},
        "references": {"modelled": True},
        "compute": {"cluster": "threads", "workers": 2},
    }
    return Config.model_validate({**settings, **sections})


@pytest.fixture(scope="module")
def needles(tmp_path_factory):
    """A cube with needles, one of them of a phase that the library does not hold."""
    folder = tmp_path_factory.mktemp("needles")
    scene, _ = field(3, side=112, needles=6)
    spectra = scene.spectra.copy()
    strange = scene.needles[3]
    spectra[strange.region] += 0.09 * np.exp(-0.5 * ((ENERGY - 7150) / 6) ** 2).astype(np.float32)
    image = VerifyScene(scene.phase, spectra, scene.needles, 3).measure(
        PAPER, np.random.default_rng(3), windows()
    )
    image[:, :3, :] = np.nan
    return folder, write(folder, image), scene


@pytest.fixture(scope="module")
def finished(needles, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    settings = config(folder, needles[1], maps=["chi_square", "runner_up"])
    return settings, classify(settings)


def test_the_default_finds_the_needles_and_says_what_they_are(finished, needles):
    settings, summary = finished
    assert settings.sites.origin == "observed"
    assert len(summary.clusters) == 3 + 6
    stored = read_sites(settings.output / "sites.zarr")
    assert stored.evidence.windows.sum() > 5000
    assert stored.evidence.noise.scale == pytest.approx(1.0, abs=0.05)
    assert np.all(np.diff(stored.evidence.windows) <= 0)
    for row in summary.clusters:
        assert row.finding is not None
        y, x = row.finding.position
        assert 0 <= y < 112
        assert 0 <= x < 112


def test_the_phase_outside_the_library_raises_the_alarm(finished, needles):
    settings, summary = finished
    label = gx.open_result(settings.output / "result.zarr").label.values
    strange = needles[2].needles[3]
    wanted = int(np.median(label[strange.region]))
    outside = [row.label for row in summary.clusters if row.finding.outside]
    assert outside == [wanted]
    page = (settings.output / "report.html").read_text()
    assert "1 phase outside the library" in page
    assert page.index("outside the library") < page.index('id="map"')
    rows = {row["label"]: row for row in csv.DictReader((settings.output / "clusters.csv").open())}
    assert rows[str(wanted)]["outside"] == "yes"
    assert rows[str(wanted)]["site"].startswith("outside the library")
    assert float(rows[str(wanted)]["p_value"]) < 1e-4


def test_maps_on_request_lie_beside_the_labels(finished):
    settings, _ = finished
    result = gx.open_result(settings.output / "result.zarr")
    void = result.label.values == 0
    assert np.array_equal(np.isnan(result.chi_square.values), void)
    assert np.nanmedian(result.chi_square.values) == pytest.approx(1.0, abs=0.1)
    assert np.nanmax(result.runner_up.values) <= 0.5
    manifest = json.loads((settings.output / "manifest.json").read_text())
    assert manifest["config"]["maps"] == ["chi_square", "runner_up"]


def test_any_tiles_chunks_and_workers_give_the_same_bits(finished, needles, tmp_path):
    stored = read_sites(finished[0].output / "sites.zarr")
    array = zarr.open_array(needles[1], path="mu", mode="r")
    image = np.where(array[...] == 65535, np.nan, array[...] * array.attrs["scale_factor"] - 2.0)
    for number, (chunk, compute) in enumerate(
        [
            (32, {"cluster": "threads", "workers": 1, "tile": 32}),
            (112, {"cluster": "threads", "workers": 3}),
            (17, {"cluster": "threads", "workers": 2, "tile": 51}),
        ]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        settings = config(folder, write(folder, image.astype(np.float32), chunk), compute=compute)
        again = sites(settings).stored
        assert np.array_equal(again.table.spectra, stored.table.spectra)
        assert again.table.names == stored.table.names
        for name in ("windows", "first", "loss", "chi_square"):
            assert np.array_equal(getattr(again.evidence, name), getattr(stored.evidence, name)), name


def test_without_a_library_phases_are_numbered(needles, tmp_path):
    settings = config(tmp_path, needles[1], references={}, sites={"from": "observed"})
    summary = classify(settings)
    assert len(summary.clusters) == 3 + 6
    assert {row.name for row in summary.clusters} <= {f"phase {k + 1}" for k in range(9)}
    assert not any(row.finding.outside for row in summary.clusters)
    assert "outside the library" not in (settings.output / "report.html").read_text()


def test_both_keeps_what_is_observed_and_adds_what_is_far_from_it(finished, needles, tmp_path):
    settings = config(tmp_path, needles[1], sites={"from": "both", "method": "net"})
    both = sites(settings).stored
    observed = read_sites(finished[0].output / "sites.zarr")
    seen = len(observed.table.names)
    assert np.array_equal(both.table.spectra[:seen], observed.table.spectra)
    assert len(both.table.names) > seen
    assert np.all(both.evidence.windows[seen:] == 0)
    assert len(classify(settings).clusters) == 3 + 6


def test_beside_a_library_nothing_observed_is_no_error(tmp_path):
    rng = np.random.default_rng(0)
    phase = rng.integers(0, 4, (40, 40))
    scene = VerifyScene(phase, library()[[0, 20, 40, 60]].astype(np.float32)[phase], (), 4)
    path = write(tmp_path, scene.measure(PAPER, rng, windows()))
    with pytest.raises(InputError, match=r"sites\.from"):
        classify(config(tmp_path, path))
    settings, said = config(tmp_path, path, sites={"from": "both"}), []
    classify(settings, announce=said.append)
    assert any("the sites are those of the library alone" in line for line in said)
    assert "no uniform window" in (settings.output / "report.html").read_text()


def test_noise_unlike_the_model_s_is_told(tmp_path):
    _, image = field(1, NOISY, side=96, needles=2)
    settings = config(tmp_path, write(tmp_path, image), noise={"c_ref": 1e5})
    classify(settings)
    stored = read_sites(settings.output / "sites.zarr")
    assert stored.evidence.noise.scale > 1.5
    assert "times what the camera model says" in (settings.output / "report.html").read_text()


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ({}, "observed"),
        ({"limit": 1e-3}, "observed"),
        ({"method": "net"}, "library"),
        ({"from": "both", "method": "net"}, "both"),
        ({"from": "library"}, "library"),
    ],
)
def test_where_sites_come_from(tmp_path, given, origin):
    assert config(tmp_path, tmp_path, sites=given).sites.origin == origin


@pytest.mark.parametrize("given", [{}, {"method": "net"}, {"trials": 3}, {"from": "both"}, {"file": "a.csv"}])
def test_settings_written_out_choose_the_same_when_read_back(tmp_path, given):
    first = config(tmp_path, tmp_path, sites=given)
    again = Config.model_validate(first.model_dump(mode="json"))
    assert again.sites.origin == first.sites.origin
    assert again == Config.model_validate(again.model_dump(mode="json"))


def test_observed_sites_take_no_keys_that_build_a_library(tmp_path):
    with pytest.raises(ValueError, match="remove trials"):
        config(tmp_path, tmp_path, sites={"from": "observed", "trials": 5})
    with pytest.raises(ValueError, match="give either `path`"):
        config(tmp_path, tmp_path, references={}, sites={"from": "both"})


def test_check_takes_observed_sites_without_references(needles, tmp_path):
    run = resolve(config(tmp_path, needles[1], references={}, sites={"from": "observed"}))
    assert run.plan.pixels == 112 * 112
    assert run.references.names == ()


@pytest.mark.parametrize(("most", "told"), [(100_000, False), (4, True)])
def test_a_resolution_made_coarser_is_told(needles, tmp_path, monkeypatch, most, told):
    """On the screen, in the report, and by what is stored; the usual one is not worth a word."""
    monkeypatch.setattr(window_groups, "MOST_GROUPS", most)
    settings = config(tmp_path, needles[1])
    out = Console(record=True, width=300)
    show_sites(out, sites(settings))
    assert ("were taken for one" in out.export_text()) == told
    assert (read_sites(settings.output / "sites.zarr").evidence.resolution > 1.0) == told
    classify(settings)
    assert ("were taken for one" in (settings.output / "report.html").read_text()) == told
