"""Whole runs over an image of smooth mixtures: one class in the map, ratios of its ends in the phases."""

import csv

import numpy as np
import pytest
import xarray as xr
import yaml
from gigaxas.cli.tables import show_sites
from gigaxas.stores.sites import read_sites
from gigaxas.workflow.classify import classify, sites
from gigaxas.workflow.phases import phases
from rich.console import Console
from scipy.ndimage import gaussian_filter
from small_runs import config, edges, scene, write_csv, write_cube

SIDE = 150
SIGMA = 0.03


def settings(folder, path, **sections):
    asked = {"noise": {"sigma": SIGMA}, "sites": {"from": "observed"}, **sections}
    return config(folder, path, folder.parent / "references.csv", **asked)


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    """Six compositions mixed smoothly: a folder with them, their spectra, weights (6, y, x), the image."""
    folder = tmp_path_factory.mktemp("mixture")
    rng = np.random.default_rng(3)
    spectra = edges(6, rng)
    fields = gaussian_filter(rng.normal(size=(6, SIDE, SIDE)), (0, 9, 9))
    weights = np.exp(2 * fields / fields.std(axis=(1, 2), keepdims=True))
    weights /= weights.sum(axis=0)
    image = np.einsum("kyx,ke->eyx", weights, spectra) + rng.normal(0, SIGMA, (spectra.shape[1], SIDE, SIDE))
    write_csv(folder / "references.csv", spectra)
    return folder, spectra, weights, image.astype(np.float32)


@pytest.fixture(scope="module")
def finished(mixture):
    folder, _, _, image = mixture
    (folder / "whole").mkdir()
    asked = settings(folder / "whole", write_cube(folder / "whole" / "cube.zarr", image, [SIDE], [SIDE]))
    return asked, classify(asked), phases(asked)


def opened(asked, store="result.zarr"):
    with xr.open_zarr(asked.output / store, consolidated=False) as found:
        return found.load()


def test_a_smooth_mixture_is_one_class_and_its_pixels_are_kept(finished):
    asked, summary, _ = finished
    stored, result = read_sites(asked.output / "sites.zarr"), opened(asked)
    (one,) = stored.continua
    assert one.dimension == 5
    assert one.share > 0.95
    assert len(one.sites) > 40
    assert (result.kept > 0).mean() > 0.8
    found = set(np.unique(result.site.values).tolist())
    assert found <= set(stored.classes.tolist())
    named = {row.label: row.title for row in summary.clusters}
    assert named[one.site + 1] == stored.table.names[one.site]
    assert named[one.site + 1].startswith("continuum of ")
    assert result.pixels.sel(cluster=result.cluster == one.site + 1).item() > 0.4 * SIDE**2


def test_the_run_says_so(finished, mixture):
    asked, _, _ = finished
    page = (asked.output / "report.html").read_text()
    said = "of the uniform windows lie on a gradient of 5 dimensions between"
    assert said in page
    out, made = Console(width=500), sites(asked)
    with out.capture() as screen:
        show_sites(out, made)
    assert f"gradient   {made.stored.continua[0].share:.0%} {said}" in screen.get()


def ratios(asked, spectra):
    """The shares (6, y, x) of the references, those of a component going to the nearest."""
    found = opened(asked, "phases.zarr")
    near = ((found.spectrum.values[:, None] - spectra[None]) ** 2).sum(axis=-1).argmin(axis=1)
    assert sorted(near) == list(range(6))
    return found.ratio.values[np.argsort(near)]


def test_phases_give_its_composition(finished, mixture):
    asked, _, summary = finished
    _, spectra, weights, _ = mixture
    (one,) = read_sites(asked.output / "sites.zarr").continua
    decided = {row.label: row for row in summary.rows}[one.site + 1]
    assert decided.decision.kind == "continuum"
    assert len(decided.decision.members) == 6
    assert decided.explained.startswith("continuum of its ends, on average: ")
    with (asked.output / "phases.csv").open(newline="") as file:
        decisions = {row["label"]: row["decision"] for row in csv.DictReader(file)}
    assert decisions[str(one.site + 1)] == "continuum"
    error = np.sqrt(((ratios(asked, spectra) - weights) ** 2).mean(axis=(1, 2)))
    assert error.max() < 0.1
    assert weights.std(axis=(1, 2)).min() > 2 * error.max()


def test_one_line_of_the_decision_file_undoes_it(finished):
    asked, _, _ = finished
    (one,) = read_sites(asked.output / "sites.zarr").continua
    file = asked.output / "decisions.yaml"
    before = file.read_text()
    steps = yaml.safe_load(before.partition("# ---- steps")[2].partition("\n")[2])["steps"]
    assert {step["label"]: step["decision"] for step in steps}[one.site + 1] == "continuum"
    file.write_text(before.replace("overrule: {}", f"overrule:\n  {one.site + 1}: {{keep: true}}"))
    again = phases(asked)
    file.write_text(before)
    assert one.site + 1 in [component.row.label for component in again.components]


def test_any_tiles_and_workers_give_the_same_classes(finished, mixture, tmp_path):
    folder, _, _, image = mixture
    (folder / "tiled").mkdir()
    path = write_cube(folder / "tiled" / "cube.zarr", image, [48, 48, 48, 6], [48, 48, 48, 6])
    asked = settings(folder / "tiled", path, compute={"cluster": "threads", "workers": 1, "tile": 48})
    classify(asked)
    one, other = read_sites(finished[0].output / "sites.zarr"), read_sites(asked.output / "sites.zarr")
    assert np.array_equal(one.classes, other.classes)
    assert [c.ends for c in one.continua] == [c.ends for c in other.continua]
    for name in ("site", "kept", "label"):
        assert np.array_equal(opened(finished[0])[name].values, opened(asked)[name].values), name


def test_sites_of_a_run_classify_as_they_did(finished, mixture):
    """A sites.zarr that is given as a file keeps its continuum."""
    folder, _, _, _ = mixture
    asked = settings(
        folder / "given",
        finished[0].cube.path,
        sites={"file": finished[0].output / "sites.zarr"},
    )
    (folder / "given").mkdir()
    classify(asked)
    assert np.array_equal(opened(asked).site.values, opened(finished[0]).site.values)


def test_the_fingerprint_of_a_result_knows_the_classes(finished, monkeypatch):
    from gigaxas.workflow.resolve import reopen, result_basis

    run = reopen(finished[0])
    before = result_basis(run)
    monkeypatch.setattr("gigaxas.stores.sites.StoredSites.classes", np.arange(len(run.sites.table.names)) + 1)
    assert result_basis(run) != before


def test_phases_apart_have_no_continuum(mixture, tmp_path):
    folder, spectra, _, _ = mixture
    rng = np.random.default_rng(0)
    (folder / "plain").mkdir()
    image = scene(rng, spectra, (84, 90), SIGMA)
    asked = settings(folder / "plain", write_cube(folder / "plain" / "cube.zarr", image, [84], [90]))
    classify(asked)
    stored = read_sites(asked.output / "sites.zarr")
    assert stored.continua == ()
    assert stored.classes.tolist() == list(range(1, len(stored.table.names) + 1))
    assert "gradient of" not in (asked.output / "report.html").read_text()
