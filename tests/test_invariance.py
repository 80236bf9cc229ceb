"""The maps are those of a whole-image oracle, bit for bit, whatever the chunks, workers and scheduler."""

import numpy as np
import pytest
from distributed import Client, LocalCluster
from gigaxas.config.paths import paths_of
from gigaxas.execution.runner import Runner
from gigaxas.sites import SiteTable
from gigaxas.stores import cube
from gigaxas.stores.io import codes
from gigaxas.stores.result import open_result
from gigaxas.stores.sites import StoredSites
from gigaxas.tiles import flat, regular_grid
from gigaxas.workflow.plan import make_plan
from gigaxas.workflow.references import no_references
from gigaxas.workflow.resolve import Resolved
from gigaxas.workflow.result import make_result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from map_oracle import oracle_clean_up, oracle_fill_by_growth
from nearest_oracle import nearest
from small_runs import ENERGY, config, edges, scene

CLUSTERS = ("cluster", "pixels", "kept_pixels", "spectrum", "standard_error")
MAPS = ("site", "kept", "label", "state", "correlation", *CLUSTERS)


def oracle(image, spectra):
    """Site, kept and final map of an image (E, y, x), from METHOD alone."""
    coded = codes.encode(image)
    pixels = np.where(coded == codes.INVALID, np.nan, coded.astype(float)).reshape(len(ENERGY), -1)
    site, certain = nearest(pixels, spectra)
    assert certain.all()
    site = site.reshape(image.shape[1:]).astype(np.uint16)
    kept = oracle_clean_up(site)
    return {"site": site, "kept": kept, "label": oracle_fill_by_growth(kept, site == 0)}


def classify(folder, image, spectra, chunk, tile, runner):
    """Run the stages over a cube of these chunks and tiles; return the maps."""
    path = folder / f"cube-{chunk}.zarr"
    if not path.exists():
        cube.create_cube(path, ENERGY, image.shape[1:], chunk, 0.5, "cube")
        for part in flat(regular_grid(image.shape[1:], (chunk, chunk))):
            cube.write_tile(path, part, image[:, *part.region])
    run = config(folder, path, folder / "none", compute={"cluster": "threads", "tile": tile})
    table = SiteTable(spectra, np.eye(len(spectra)), tuple("abcdefgh")[: len(spectra)], ())
    info = cube.describe_cube(path)
    run = run.model_copy(update={"output": folder / f"out-{chunk}-{tile}"})
    run.output.mkdir()
    sites, plan = StoredSites(ENERGY, table, spectra), make_plan(runner.workers, info, tile=tile)
    none = no_references(ENERGY)
    resolved = Resolved(run, "", paths_of(run), ENERGY, none, plan, cube=info, stored_sites=sites)
    make_result(resolved, runner)
    with open_result(run.output) as result:
        return {name: result[name].values for name in MAPS}


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**16),
    noise=st.sampled_from([0.05, 0.2, 0.3]),
    shape=st.tuples(st.integers(5, 40), st.integers(5, 40)),
    chunks=st.lists(st.sampled_from([1, 2, 3, 7, 16, 64]), min_size=2, max_size=2, unique=True),
    tile=st.sampled_from([4, 5, 9, 64]),
    workers=st.sampled_from([1, 2, 5]),
)
def test_any_chunks_tiles_and_threads_give_the_oracles_maps(
    tmp_path_factory, seed, noise, shape, chunks, tile, workers
):
    folder = tmp_path_factory.mktemp("run")
    rng = np.random.default_rng(seed)
    spectra = edges(4, rng)
    image = scene(rng, spectra, shape, noise)
    expected = oracle(image, spectra)
    first = classify(folder, image, spectra, chunks[0], tile, Runner(workers=workers))
    second = classify(folder, image, spectra, chunks[1], None, Runner(workers=1))
    for name, values in expected.items():
        np.testing.assert_array_equal(first[name], values)
    for name in MAPS:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        yield client


def test_a_cluster_of_processes_gives_the_same_bits_as_threads(tmp_path, client):
    rng = np.random.default_rng(3)
    spectra = edges(5, rng)
    image = scene(rng, spectra, (61, 83), noise=0.2)
    expected = oracle(image, spectra)
    assert 0 < (expected["kept"] == 0).sum() < expected["kept"].size
    threads = classify(tmp_path, image, spectra, 16, None, Runner(workers=2))
    processes = classify(tmp_path, image, spectra, 8, 13 * 8, Runner(client=lambda: client, workers=2))
    for name in MAPS:
        np.testing.assert_array_equal(processes[name], threads[name])
    for name, values in expected.items():
        np.testing.assert_array_equal(threads[name], values)


def test_the_states_tell_why_a_pixel_has_its_label(tmp_path):
    rng = np.random.default_rng(5)
    spectra = edges(4, rng)
    image = scene(rng, spectra, (50, 60), noise=0.2)
    found = classify(tmp_path, image, spectra, 16, None, Runner())
    site, kept, label, state = (found[name] for name in ("site", "kept", "label", "state"))
    inside = np.zeros(site.shape, bool)
    inside[2:-2, 2:-2] = True
    np.testing.assert_array_equal(state == 0, site == 0)
    np.testing.assert_array_equal(state == 1, (kept > 0) & (kept == site))
    np.testing.assert_array_equal(state == 2, (kept > 0) & (kept != site))
    np.testing.assert_array_equal(state == 3, (kept == 0) & (site > 0) & inside)
    np.testing.assert_array_equal(state == 4, (kept == 0) & (site > 0) & ~inside)
    assert set(np.unique(state)) == {0, 1, 2, 3, 4}
    assert ((label > 0) == (state > 0)).all()
