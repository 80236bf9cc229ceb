"""What is given up for speed is measured in the run and told: approximate labels, and rounded samples."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from gigaxas.config.schema import Config, NoiseSection
from gigaxas.stores import cube
from gigaxas.stores.io.codes import INVALID, quantise
from gigaxas.stores.result import open_result
from gigaxas.tiles import flat, regular_grid
from gigaxas.workflow.classify import classify, simulate
from small_runs import config, edges, scene, write_csv, write_cube

THREADS = {"cluster": "threads", "workers": 2}


def manifest(output):
    return json.loads((output / "manifest.json").read_text(encoding="utf-8"))


def site_map(output):
    with open_result(output) as result:
        return result["site"].values


def simulated(output, **sections):
    """A small scene whose labels a coarse rounding of the samples changes here and there."""
    settings = {
        "title": output.name,
        "output": output,
        "references": {"modelled": True},
        "simulate": {"shape": [136, 128], "chunk": 32, "energies": 40},
        "sites": {"method": "net"},
        "compute": THREADS,
    }
    return Config.model_validate({**settings, **sections})


class RoughIndex:
    """Stands for pynndescent, which compiles for a minute: the second nearest for every fifth query."""

    def __init__(self, units, **settings):
        self.units = units

    def prepare(self):
        pass

    def query(self, units, k):
        distance = np.linalg.norm(units[:, None] - self.units, axis=2)
        order = np.argsort(distance, axis=1)
        rank = np.arange(len(units)) % 5 // 4
        found = order[np.arange(len(units)), rank][:, None]
        return found, np.take_along_axis(distance, found, 1)


def test_the_approximate_engine_tells_its_recall(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pynndescent", SimpleNamespace(NNDescent=RoughIndex))
    rng = np.random.default_rng(4)
    spectra = edges(12, rng)
    write_csv(tmp_path / "references.csv", spectra)
    write_cube(tmp_path / "cube.zarr", scene(rng, spectra, (40, 48), noise=0.1), [16], [16])
    arguments = tmp_path, tmp_path / "cube.zarr", tmp_path / "references.csv"
    classify(config(*arguments, output=tmp_path / "exact"))
    classify(config(*arguments, output=tmp_path / "fast", engine="approximate"))
    exact, fast = site_map(tmp_path / "exact"), site_map(tmp_path / "fast")
    recall = manifest(tmp_path / "fast")["recall"]
    assert recall["pixels"] == np.count_nonzero(exact)
    assert recall["share"] == pytest.approx(np.mean(fast[exact > 0] == exact[exact > 0]))
    assert recall["share"] == pytest.approx(0.8, abs=0.01)
    np.testing.assert_array_equal(fast == 0, exact == 0)
    assert manifest(tmp_path / "exact")["recall"] is None
    assert "recall" in (tmp_path / "fast" / "report.html").read_text(encoding="utf-8")


def test_a_quantised_cube_tells_the_share_of_labels_it_changed(tmp_path):
    classify(simulated(tmp_path / "lossless"))
    classify(simulated(tmp_path / "rounded", quantise=2.0))
    lossless, rounded = site_map(tmp_path / "lossless"), site_map(tmp_path / "rounded")
    changed = manifest(tmp_path / "rounded")["changed_labels"]
    rows = lossless[::32], rounded[::32]
    assert changed["pixels"] == np.count_nonzero((rows[0] > 0) | (rows[1] > 0))
    assert changed["share"] == pytest.approx(np.count_nonzero(rows[0] != rows[1]) / changed["pixels"])
    assert 0 < changed["share"] < 0.5
    assert manifest(tmp_path / "lossless")["changed_labels"] is None


def test_codes_of_a_quantised_cube_are_multiples_of_a_share_of_the_noise(tmp_path):
    run = simulated(tmp_path / "out", quantise=0.25)
    classify(run)
    info = cube.describe_cube(run.output / "cube.zarr")
    noise = run.noise.camera().sigma(0.0)
    assert info.step in (2, 4, 8, 16, 32, 64, 128)
    assert info.step * info.scale <= 0.25 * noise < 2 * info.step * info.scale
    plain = simulated(tmp_path / "plain")
    classify(plain)
    original = cube.describe_cube(plain.output / "cube.zarr")
    for tile in flat(regular_grid(info.plane, (32, 32))):
        codes, exact = cube.read_tile(info, tile), cube.read_tile(original, tile)
        np.testing.assert_array_equal(codes, quantise(exact, info.step))
        kept, rows = cube.read_lossless(info, tile)
        np.testing.assert_array_equal(kept, exact[:, rows])


def test_codes_are_rounded_by_the_noise_that_is_measured(tmp_path):
    """Repeated frames tell of a camera ten times as noisy: codes are rounded more coarsely."""
    rng = np.random.default_rng(1)
    level = np.geomspace(2e3, 4e4, 2000).reshape(40, 50)
    np.save(tmp_path / "frames.npy", rng.normal(level, np.sqrt(931.0 * level - 3e5), (60, 40, 50)))
    run = simulated(tmp_path / "out", quantise=0.25, noise={"frames": str(tmp_path / "frames.npy")})
    simulate(run)
    info = cube.describe_cube(run.output / "cube.zarr")
    counts = 2.7e4 * np.exp([0.0, -0.36])
    sigma = np.sqrt(np.sum((931.0 * counts - 3e5) / counts**2)) / 1.2
    assert sigma > 8 * NoiseSection().camera().sigma(np.zeros(1))[0]
    assert info.step * info.scale <= 0.25 * sigma * 1.05
    assert 2 * info.step * info.scale > 0.25 * sigma / 1.05


def test_rounding_keeps_what_is_invalid_and_nothing_else_becomes_so():
    codes = np.array([0, 1, 2, 3, INVALID - 1, INVALID], np.uint16)
    np.testing.assert_array_equal(quantise(codes, 4), [0, 0, 4, 4, 65532, INVALID])
    np.testing.assert_array_equal(quantise(codes, 1), codes)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"engine": "approximate", "maps": ["runner_up"]}, "no runner-up"),
        ({"quantise": 0.0}, "greater than 0"),
        ({"quantise": 0.25, "simulate": None, "cube": {"path": "a.zarr"}}, "as a cube is made"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, sections, words):
    with pytest.raises(ValueError, match=words):
        simulated(tmp_path, **sections)
