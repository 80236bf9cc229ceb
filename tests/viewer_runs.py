"""A small finished run with density and components, for tests of what is made of it."""

from contextlib import contextmanager

import numpy as np
import pytest
import small_runs
from gigaxas.config.paths import paths_of
from gigaxas.report.viewer import page
from gigaxas.spatial.pyramid import halve_labels, halve_values, rank_labels
from gigaxas.stores import cube
from gigaxas.stores.io import chunks, groups
from gigaxas.stores.result import open_result
from gigaxas.tasks import viewer as viewer_tasks
from gigaxas.tiles import flat, tile_grid
from gigaxas.workflow import exports, viewer
from gigaxas.workflow.classify import classify

SHAPE = (150, 83)
SIDE = 8
NEEDLE = (20, 60)
RATIOS = "ratio"


@contextmanager
def small_tiles():
    """Tiles of 8 pixels and blocks of 32, so that a small map takes several passes and ragged blocks."""
    with pytest.MonkeyPatch.context() as patch:
        for room in (viewer, exports):
            patch.setattr(room, "BLOCK", 4 * SIDE)
        for room in (viewer, viewer_tasks, exports, page):
            patch.setattr(room, "TILE", SIDE)
        yield


def finished_run(folder, shape, seed=5):
    """Classify a small cube with a map of its iron density and 81 pixels of a rare phase at NEEDLE."""
    rng = np.random.default_rng(seed)
    spectra = small_runs.edges(4, rng)
    small_runs.write_csv(folder / "references.csv", spectra)
    image = small_runs.scene(rng, spectra[:3], shape)
    y, x = NEEDLE
    image[:, y : y + 9, x : x + 9] = spectra[3][:, None, None] + rng.normal(0, 0.02, (len(spectra[3]), 9, 9))
    path = folder / "cube.zarr"
    cube.create_cube(path, small_runs.ENERGY, shape, 32, 0.5, "made by a test")
    low = rng.uniform(0.3, 0.4, shape).astype(np.float32)
    high = (low + rng.uniform(0.5, 1.5, shape)).astype(np.float32)
    for tile in flat(tile_grid([shape[0]], [shape[1]])):
        cube.write_tile(path, tile, image[:, *tile.region], mu_low=low, mu_high=high)
    config = small_runs.config(folder, path, folder / "references.csv", title="Small & <round>")
    classify(config)
    return config


def add_components(config, seed=3):
    """Write shares of two components for every pixel, as the phases of a run would; return (2, y, x)."""
    with open_result(config.output) as opened:
        labels, shape = opened.cluster.values[:2], opened.label.shape
        mark = opened.attrs["fingerprint"]
    first = np.random.default_rng(seed).uniform(0, 1, shape).astype(np.float32)
    ratios = np.stack([first, 1 - first])
    store = paths_of(config).composition
    groups.create_group(store, {"result": mark, "fingerprint": str(seed)})
    chunks.save_array(store, "component", labels, ("component",))
    chunks.save_array(store, RATIOS, ratios, ("component", "y", "x"))
    return labels, ratios


def whole_maps(config):
    """Label, site, state, density and correlation at full size, from the stores."""
    with open_result(config.output) as result:
        maps = {name: result[name].values for name in ("label", "site", "state", "correlation")}
        pixels = np.zeros(result.attrs["sites"] + 1, np.int64)
        pixels[result.cluster.values] = result.pixels.values
        states = np.array(result.attrs["states"])
    full = (slice(0, SHAPE[0]), slice(0, SHAPE[1]))
    low, high = (chunks.read(paths_of(config).cube, name, full) for name in ("mu_low", "mu_high"))
    maps["density"] = high - low
    void = maps["state"] == 0
    for name in ("density", "correlation"):
        maps[name] = np.where(void, np.float32(np.nan), maps[name])
    ranks = {
        "label": rank_labels(pixels),
        "site": rank_labels(pixels, rare_first=False),
        "state": rank_labels(states),
    }
    return maps, ranks


def halved(maps, ranks):
    return {
        name: halve_labels(values, ranks[name]) if name in ranks else halve_values(values)
        for name, values in maps.items()
    }
