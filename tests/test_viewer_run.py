"""The tiles of a finished run at every size, against the whole maps."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import viewer_runs
from gigaxas.errors import RunError
from gigaxas.execution.runner import Runner
from gigaxas.spatial.pyramid import level_shapes
from gigaxas.stores.io import chunks, groups
from gigaxas.stores.result import open_result
from gigaxas.workflow.report import report
from gigaxas.workflow.resolve import reopen
from test_viewer_parts import unpack
from viewer_runs import SHAPE, SIDE, halved, whole_maps


def scene_of(folder):
    text = (folder / "scene.js").read_text()
    return json.loads(text.removeprefix("gx.scene="))


def level_of(folder, group, level, shape, types):
    """Put the tiles of one level together."""
    planes = [np.zeros(shape, np.uint64) for _ in types]
    for y in range(0, shape[0], SIDE):
        for x in range(0, shape[1], SIDE):
            key = f"tiles/{group}/{level}/{x // SIDE}_{y // SIDE}"
            cut = (min(SIDE, shape[0] - y), min(SIDE, shape[1] - x))
            named, parts = unpack((folder / f"{key}.js").read_bytes(), [(cut, kind) for kind in types])
            assert named == key
            for plane, part in zip(planes, parts, strict=True):
                plane[y : y + cut[0], x : x + cut[1]] = part
    return planes


def test_tiles_of_every_level_are_the_whole_map_halved(viewer_run, small_tiles):
    report(reopen(viewer_run), Runner())
    folder = viewer_run.output / "report"
    scene = scene_of(folder)
    maps, ranks = whole_maps(viewer_run)
    shapes = level_shapes(SHAPE, SIDE)
    assert len(shapes) == scene["levels"] == 6
    ranges = {layer["name"]: (layer["low"], layer["high"]) for layer in scene["values"]}
    for level, shape in enumerate(shapes):
        label, code, state = level_of(folder, "map", level, shape, (np.uint16, np.uint16, np.uint8))
        np.testing.assert_array_equal(label, maps["label"])
        np.testing.assert_array_equal(label ^ code, maps["site"])
        np.testing.assert_array_equal(state, maps["state"])
        for name, (low, high) in ranges.items():
            (code,) = level_of(folder, name, level, shape, (np.uint8,))
            known = np.isfinite(maps[name])
            np.testing.assert_array_equal(code > 0, known)
            back = low + (code[known].astype(float) - 1) / 254 * (high - low)
            np.testing.assert_allclose(
                back, np.clip(maps[name][known], low, high), atol=0.6 * (high - low) / 254
            )
        maps = halved(maps, ranks)
    assert not list(folder.glob("*.partial"))


def test_boxes_are_those_of_the_whole_map(viewer_run, small_tiles):
    folder = viewer_run.output / "report"
    shutil.rmtree(folder, ignore_errors=True)
    report(reopen(viewer_run), Runner())
    boxes = json.loads((folder / "tiles" / "boxes.js").read_text().removeprefix("gx.boxes="))
    label = whole_maps(viewer_run)[0]["label"]
    assert set(boxes) == {str(one) for one in np.unique(label) if one}
    for one, (whole, *_) in boxes.items():
        y, x = np.nonzero(label == int(one))
        assert whole == [x.min(), y.min(), x.max() + 1, y.max() + 1]


def test_tiles_are_the_same_for_any_number_of_workers_and_made_once(viewer_run, small_tiles):
    folder = viewer_run.output / "report"
    shutil.rmtree(folder)
    report(reopen(viewer_run), Runner())
    first = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    stamp = (folder / "tiles" / "boxes.js").stat().st_mtime_ns
    runner = Runner()
    report(reopen(viewer_run), runner)
    assert "map tiles" not in runner.seconds
    assert (folder / "tiles" / "boxes.js").stat().st_mtime_ns == stamp
    shutil.rmtree(folder)
    report(reopen(viewer_run), Runner(workers=3))
    again = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert first == again


def test_components_become_a_layer_and_renew_the_tiles(viewer_run, small_tiles):
    folder = viewer_run.output / "report"
    labels, ratios = viewer_runs.add_components(viewer_run)
    try:
        report(reopen(viewer_run), Runner())
        scene = scene_of(folder)
        layers = [layer for layer in scene["values"] if layer["group"] == "components"]
        assert [layer["label"] for layer in layers] == labels.tolist()
        assert [layer["plane"] for layer in layers] == [0, 1]
        planes = level_of(folder, "components", 0, SHAPE, (np.uint8, np.uint8))
        with open_result(viewer_run.output) as result:
            there = result.state.values > 0
        for plane, ratio in zip(planes, ratios, strict=True):
            np.testing.assert_array_equal(plane[there], 1 + np.rint(254 * ratio[there]))
            assert not plane[~there].any()
        assert 'value="components"' in (folder / "index.html").read_text()
        _, others = viewer_runs.add_components(viewer_run, seed=4)
        report(reopen(viewer_run), Runner())
        first, _ = level_of(folder, "components", 0, SHAPE, (np.uint8, np.uint8))
        np.testing.assert_array_equal(first[there], 1 + np.rint(254 * others[0][there]))
    finally:
        shutil.rmtree(viewer_run.output / "phases.zarr")
    report(reopen(viewer_run), Runner())
    assert 'value="components"' not in (folder / "index.html").read_text()
    assert not (folder / "tiles" / "components").exists()


def test_any_other_measured_map_of_the_result_becomes_a_layer(viewer_run, small_tiles):
    store, folder = viewer_run.output / "result.zarr", viewer_run.output / "report"
    odds = np.random.default_rng(2).uniform(0, 0.5, SHAPE).astype(np.float32)
    meaning = "probability that the runner-up is the right site"
    chunks.save_array(store, "runner_up", odds, ("y", "x"), long_name=meaning)
    try:
        report(reopen(viewer_run), Runner())
        layer = next(layer for layer in scene_of(folder)["values"] if layer["name"] == "runner_up")
        assert (layer["title"], layer["meaning"]) == ("Runner up", meaning)
        assert 0 <= layer["low"] < 0.01
        assert 0.49 < layer["high"] <= 0.5
        (code,) = level_of(folder, "runner_up", 0, SHAPE, (np.uint8,))
        assert code.max() == 255
        assert meaning in (folder / "index.html").read_text()
    finally:
        shutil.rmtree(store / "runner_up")


def test_components_of_another_result_are_left_out(viewer_run, small_tiles):
    viewer_runs.add_components(viewer_run)
    try:
        groups.create_group(viewer_run.output / "phases.zarr", {"result": "another", "fingerprint": "1"})
        report(reopen(viewer_run), Runner())
        assert 'value="components"' not in (viewer_run.output / "report" / "index.html").read_text()
    finally:
        shutil.rmtree(viewer_run.output / "phases.zarr")


def test_the_page_holds_what_it_needs_and_asks_for_nothing_else(viewer_run, small_tiles):
    report(reopen(viewer_run), Runner())
    folder = viewer_run.output / "report"
    html = (folder / "index.html").read_text()
    assert "Small &amp; &lt;round&gt;" in html
    assert "default-src 'none'" in html
    for script in (line.split('"')[1] for line in html.splitlines() if line.startswith("<script")):
        assert (folder / script).is_file()
    with open_result(viewer_run.output) as result:
        labels = result.cluster.values.tolist()
    assert sorted(int(card.stem) for card in (folder / "cards").iterdir()) == labels
    assert "CodePlex Foundation" in (folder / "openseadragon-LICENSE.txt").read_text()
    assert 'href="report/index.html"' in (viewer_run.output / "report.html").read_text()


def test_a_tile_that_cannot_be_written_ends_the_run_and_keeps_what_was_there(
    viewer_run, small_tiles, monkeypatch
):
    report(reopen(viewer_run), Runner())
    tiles = viewer_run.output / "report" / "tiles"
    before = sorted(path.name for path in (tiles / "map" / "0").iterdir())
    (tiles / "made.json").write_text("{}")

    def full(self, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(RunError, match=r"No space left on device.*free the disk"):
            report(reopen(viewer_run), Runner())
    assert sorted(path.name for path in (tiles / "map" / "0").iterdir()) == before
    report(reopen(viewer_run), Runner())
    assert not (viewer_run.output / "report" / "tiles.partial").exists()
