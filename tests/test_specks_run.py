"""Whole runs that search for specks: in the sinter and in cubes, over any tiles, stopped and gone on."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from gigaxas.cli.outcome import show_summary
from gigaxas.config.load import load_config
from gigaxas.config.schema import Config, Simulate
from gigaxas.errors import InputError
from gigaxas.simulate import inset_scene, plant_specks
from gigaxas.stores.specks import create_specks, read_speck_map
from gigaxas.tasks import specks as tasks
from gigaxas.tiles import flat, regular_grid
from gigaxas.workflow.classify import classify
from gigaxas.workflow.products import products_of
from gigaxas.workflow.resolve import resolve
from pydantic import ValidationError
from rich.console import Console
from small_runs import ENERGY, config, edges, write_csv, write_cube

ROOT = Path(__file__).parents[1]
SIGMA = 0.03
PLACES = [(20, 30, 1), (60, 90, 2), (90, 40, 3)]


def opened(folder, store="specks.zarr"):
    with xr.open_zarr(folder / store, consolidated=False) as found:
        return found.load()


@pytest.mark.parametrize("plane", [(90, 2100), (600, 4000), (2050, 1040), (5000, 3000)])
def test_every_pixel_is_searched_once(plane):
    times = np.zeros(plane, np.uint8)
    for tile in flat(tasks.search_grid(plane, (256, 512))):
        times[tile.region] += 1
    assert (times == 1).all()


@pytest.fixture(scope="module")
def sinter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("specks")
    asked = load_config(ROOT / "configs/specks.yaml")
    asked = asked.model_copy(update={"output": folder / "run"})
    return asked, classify(asked)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A folder with references and an image of two phases with squares of a third."""
    folder = tmp_path_factory.mktemp("cube")
    rng = np.random.default_rng(2)
    spectra = edges(3, rng)
    phase = np.zeros((120, 130), np.int64)
    phase[:, 70:] = 1
    for y, x, size in PLACES:
        phase[y : y + size, x : x + size] = 2
    mu = np.moveaxis(spectra[phase], -1, 0) + rng.normal(0, SIGMA, (ENERGY.size, 120, 130))
    mu[:, 100:110, 100:110] = np.nan
    write_csv(folder / "references.csv", spectra)
    return folder, mu.astype(np.float32)


def settings(folder, image, chunk=64, **sections):
    path = write_cube(folder / "cube.zarr", image, [chunk, 120 - chunk], [chunk, 130 - chunk])
    asked = {"noise": {"sigma": SIGMA}, "specks": {}, **sections}
    return config(folder, path, folder.parent / "references.csv", **asked)


def test_three_pixels_of_chromite_are_found_in_the_sinter(sinter):
    _, summary = sinter
    found = summary.specks
    (chromite,) = (kind for kind in found.kinds if kind.name == "chromite")
    assert (chromite.specks, chromite.pixels, chromite.cluster, chromite.outside) == (3, 3, 0, False)
    assert found.planted == (3, 3)
    assert 0.7 < found.tail < 1.4
    text = Console(record=True, width=200, force_terminal=False)
    show_summary(text, summary)
    printed = text.export_text()
    assert "3 of chromite, the clearest at row" in printed
    assert "3 of 3 planted specks were found" in printed
    assert "warning" not in printed


def test_an_image_that_varies_by_more_than_noise_is_warned_of(sinter):
    _, summary = sinter
    for changed, said in (
        ({"tail": 2.5}, "varies by more than noise"),
        ({"unsearched": 4}, "4 of 16 shapes"),
    ):
        text = Console(record=True, width=200, force_terminal=False)
        show_summary(text, replace(summary, specks=replace(summary.specks, **changed)))
        assert said in text.export_text()


def test_no_speck_of_the_sinter_is_false(sinter):
    """The map shows another phase there than the truth: a planted one, or a grain too small for the map."""
    asked, summary = sinter
    truth, label = opened(asked.output, "truth.zarr"), opened(asked.output, "result.zarr").label.values
    names = {row.label: row.name for row in summary.clusters}
    for row in summary.specks.rows:
        here = np.s_[row.y : row.y + row.height, row.x : row.x + row.width]
        true = np.array([truth.attrs["names"][number] for number in truth.phase.values[here].ravel()])
        shown = np.array([names[number] for number in label[here].ravel()])
        assert np.mean(true != shown) > 0.25, row


def test_the_map_and_the_tables_tell_the_same(sinter):
    asked, summary = sinter
    store = opened(asked.output)
    with (asked.output / "specks.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(summary.specks.rows) == store.sizes["number"]
    drawn = np.zeros(store.speck.shape, np.uint32)
    for row in rows:
        y, x, height, width = (int(row[name]) for name in ("y", "x", "height", "width"))
        assert np.all(drawn[y : y + height, x : x + width] == 0)
        drawn[y : y + height, x : x + width] = int(row["number"])
    assert np.array_equal(store.speck.values, drawn)
    for kind in summary.specks.kinds:
        (file,) = (asked.output / "specks").glob(f"{kind.number:02d}-*.xdi")
        assert f"gigaxas.pixels: {kind.pixels}" in file.read_text().lower()
        assert np.allclose(np.loadtxt(file)[:, 1], kind.spectrum, rtol=1e-5, atol=1e-6)


def test_the_label_map_stays_as_it_is_without_specks(image):
    folder, mu = image
    maps = []
    for name, specks in (("with", {}), ("without", None)):
        (folder / name).mkdir()
        asked = settings(folder / name, mu, specks=specks)
        summary = classify(asked)
        assert (summary.specks is None) == (specks is None)
        assert (asked.output / "specks.zarr").exists() == (specks is not None)
        maps.append(opened(asked.output, "result.zarr"))
    for name in ("site", "kept", "label", "state"):
        assert np.array_equal(maps[0][name].values, maps[1][name].values)


def test_specks_are_the_same_for_any_chunks_tiles_and_workers(image):
    folder, mu = image
    found = []
    for number, (chunk, compute) in enumerate(
        [
            (64, {"cluster": "threads", "workers": 2}),
            (24, {"cluster": "local", "workers": 2, "tile": 48}),
            (120, {"cluster": "threads", "workers": 1}),
        ]
    ):
        place = folder / f"tiles{number}"
        place.mkdir()
        asked = settings(place, mu, chunk, compute=compute)
        classify(asked)
        found.append(opened(asked.output))
    assert found[0].sizes["number"] >= len(PLACES)
    for y, x, size in PLACES:
        assert np.any(found[0].speck.values[y : y + size, x : x + size] > 0)
    assert np.all(found[0].speck.values[100:110, 100:110] == 0)
    for other in found[1:]:
        for name, values in found[0].data_vars.items():
            assert np.array_equal(values.values, other[name].values), name


def test_another_rate_of_false_alarms_searches_again_and_nothing_else(image):
    folder, mu = image
    place = folder / "again"
    place.mkdir()
    asked = settings(place, mu)
    classify(asked)
    before = opened(asked.output)
    lenient = asked.model_copy(update={"specks": asked.specks.model_copy(update={"false_alarms": 500.0})})
    made = {product.name: product.is_made for product in products_of(resolve(lenient))}
    assert made["result"]
    assert not made["specks"]
    classify(lenient)
    assert opened(asked.output).sizes["number"] > before.sizes["number"]


def test_a_search_that_was_stopped_goes_on(image, monkeypatch):
    folder, mu = image
    place = folder / "stopped"
    place.mkdir()
    asked = settings(place, mu, 40, compute={"cluster": "threads", "workers": 1, "tile": 40})
    write, written = tasks.write_speck_map, []

    def stops(*given):
        if len(written) == 4:
            raise RuntimeError("stopped")
        written.append(given)
        return write(*given)

    monkeypatch.setattr(tasks, "write_speck_map", stops)
    with pytest.raises(RuntimeError):
        classify(asked)
    assert not (asked.output / "specks.zarr").exists()
    written.clear()
    monkeypatch.setattr(tasks, "write_speck_map", lambda *given: (written.append(given), write(*given)))
    classify(asked)
    assert len(written) == 12 - 4
    speck = opened(asked.output).speck.values
    for y, x, size in PLACES:
        assert np.any(speck[y : y + size, x : x + size] > 0)


def test_void_pixels_that_are_filled_are_not_searched(image):
    folder, mu = image
    place = folder / "filled"
    place.mkdir()
    mu, bump = mu.copy(), 0.5 * np.exp(-(((ENERGY - 7140) / 15) ** 2))
    noise = np.random.default_rng(3).normal(0, SIGMA, (ENERGY.size, 10, 10))
    mu[:, 100:110, 100:110] = bump[:, None, None] + noise
    asked = settings(place, mu, clean_up={"fill_void": True})
    classify(asked)
    assert np.all(opened(asked.output, "result.zarr").label.values[100:110, 100:110] > 0)
    assert np.all(opened(asked.output).speck.values[100:110, 100:110] == 0)


def test_a_speck_over_a_border_of_tiles_is_drawn_whole(tmp_path):
    create_specks(tmp_path / "specks.zarr", (20, 24), (10, 8), 1.0, "a", "b")
    boxes = np.array([[8, 12, 6, 10], [0, 1, 0, 1]])
    for tile in flat(regular_grid((20, 24), (10, 8))):
        tasks.draw_tile(tile, store=tmp_path / "specks.zarr", boxes=boxes)
    drawn = read_speck_map(tmp_path / "specks.zarr", (slice(0, 20), slice(0, 24)))
    expected = np.zeros((20, 24), np.uint32)
    expected[8:12, 6:10], expected[0, 0] = 1, 2
    assert np.array_equal(drawn, expected)


def test_specks_are_planted_inside_their_host_and_apart():
    scene = plant_specks(inset_scene((60, 60), (10, 10)), 3, 0, side=2, count=6, seed=1)
    assert len(scene.specks) == 6
    assert np.count_nonzero(scene.phase == 3) == 24
    for box in scene.specks:
        around = scene.phase[box.widened(5, (60, 60)).region]
        assert around.shape == (12, 12)
        assert np.count_nonzero(around == 0) == 140
    assert np.array_equal(
        scene.phase, plant_specks(inset_scene((60, 60), (10, 10)), 3, 0, side=2, count=6, seed=1).phase
    )
    with pytest.raises(InputError, match="found room for"):
        plant_specks(scene, 3, 0, side=4, count=100, seed=1)


def test_what_is_asked_wrongly_is_refused():
    with pytest.raises(ValidationError, match="false_alarms"):
        Config.model_validate({"title": "x", "output": "x", "specks": {"false_alarms": 0}})
    with pytest.raises(ValidationError, match="pixels"):
        Simulate.model_validate({"specks": [{"phase": "chromite", "host": "hematite", "pixels": 9}]})
