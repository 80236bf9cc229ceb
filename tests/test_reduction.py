"""Summaries of tiles joined block by block: the same bits as at once, gone on with, nothing left behind."""

import json

import numpy as np
import pytest
from faults import assert_same, killed_at, maps_of
from gigaxas.checkpoint.journal import stage_journals
from gigaxas.execution import reduction
from gigaxas.execution.runner import silent
from gigaxas.workflow import plan
from gigaxas.workflow.classify import classify
from gigaxas.workflow.products import products_of, report_stages
from gigaxas.workflow.resolve import resolve
from small_runs import config, edges, scene, write_csv, write_cube

SHAPE = (90, 100)
TILES, BLOCKS = 6 * 7, 3 * 4 + 2 * 2


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A cube with many regions, references for it, and its maps made as one block of tiles."""
    folder = tmp_path_factory.mktemp("measured")
    rng = np.random.default_rng(2)
    spectra = edges(4, rng)
    write_csv(folder / "references.csv", spectra)
    write_cube(folder / "cube.zarr", scene(rng, spectra, SHAPE, noise=0.2), [16], [16])
    at_once = small(folder, folder / "at-once")
    classify(at_once)
    return folder, maps_of(at_once)


def small(folder, output, **compute):
    compute = {"cluster": "threads", "workers": 2, "tile": 16, **compute}
    run = config(folder, folder / "cube.zarr", folder / "references.csv", compute=compute)
    return run.model_copy(update={"output": output})


def in_blocks(run, progress=silent):
    """Classify in tiles of 16 pixels, blocks of 2 x 2 tiles and blocks of 2 x 2 of these."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "SPATIAL_SIDE", 32)
        patch.setattr(reduction, "BLOCK_SIDE", 2)
        classify(run, progress)


def kept(run):
    """How many tiles the last run found done, by stage."""
    lines = [json.loads(line) for line in (run.output / "events.jsonl").read_text().splitlines()]
    start = max(number for number, line in enumerate(lines) if line["event"] == "run started")
    return {line["stage"]: line["kept"] for line in lines[start:] if line["event"] == "stage goes on"}


@pytest.mark.parametrize("compute", [{}, {"cluster": "local", "workers": 1, "dashboard": "127.0.0.1:0"}])
def test_maps_made_in_blocks_are_those_made_at_once(measured, tmp_path, compute):
    folder, expected = measured
    run = small(folder, tmp_path / "out", **compute)
    in_blocks(run)
    assert_same(maps_of(run), expected)
    assert not list((run.output / "result.zarr").glob("summaries*"))


def test_no_summary_of_a_tile_comes_to_the_process_that_runs_the_stages(measured, tmp_path):
    folder, _ = measured
    run = small(folder, tmp_path / "out")
    in_blocks(run)
    found = {j.folder.name.partition(".")[0]: j.read()[0] for j in stage_journals(run.output / "journal")}
    for stage in ("regions", "clean-up", "fill", "clusters"):
        assert [type(record.value) for record in found[stage]] == [int] * TILES


def test_the_stages_of_blocks_are_listed(measured, tmp_path, monkeypatch):
    folder, _ = measured
    monkeypatch.setattr(plan, "SPATIAL_SIDE", 32)
    monkeypatch.setattr(reduction, "BLOCK_SIDE", 2)
    run, stages = small(folder, tmp_path / "out"), []
    listed = [stage for product in products_of(resolve(run)) for stage in product.stages]
    classify(run, lambda stage, total: (stages.append(stage), silent(stage, total))[1])
    names = [stage.name for stage in [*listed, *report_stages(resolve(run))]]
    assert list(dict.fromkeys(stages)) == names
    assert {s.name: s.tiles for s in listed if "join" in s.name or "answer" in s.name} == dict.fromkeys(
        ("join regions", "answer regions", "join fill", "answer fill", "join counts", "join sums"), BLOCKS
    )


@pytest.mark.parametrize(
    ("stage", "records", "earlier"),
    [
        pytest.param("join-regions", 5, {"regions": TILES}, marks=pytest.mark.slow),
        ("answer-regions", 1, {"regions": TILES}),
        pytest.param("clean-up", 20, {"regions": TILES}, marks=pytest.mark.slow),
        pytest.param("join-fill", 2, {"regions": TILES, "clean-up": TILES}, marks=pytest.mark.slow),
        pytest.param("fill", 20, {"regions": TILES, "clean-up": TILES}, marks=pytest.mark.slow),
        ("join-sums", 2, {"clean-up": TILES, "fill": TILES, "clusters": TILES}),
    ],
)
def test_a_run_killed_among_its_blocks_goes_on(measured, tmp_path, stage, records, earlier):
    """Fails where a stage takes the place of another's records, or summaries are not found again."""
    folder, expected = measured
    run = small(folder, tmp_path / "out")
    killed_at(run, stage, records, in_blocks)
    in_blocks(run)
    assert {name: kept(run)[name] for name in earlier} == earlier
    assert_same(maps_of(run), expected)


@pytest.mark.parametrize(
    "place", [0, pytest.param(-1, marks=pytest.mark.slow), pytest.param(-9, marks=pytest.mark.slow)]
)
def test_a_damaged_summary_is_made_anew(measured, tmp_path, place):
    folder, expected = measured
    run = small(folder, tmp_path / "out")
    killed_at(run, "clean-up", 20, in_blocks)
    summary = run.output / "result.zarr.partial" / "summaries.partial" / "regions" / "0" / "2.3"
    data = bytearray(summary.read_bytes())
    data[place] ^= 1
    summary.write_bytes(bytes(data))
    in_blocks(run)
    assert kept(run)["regions"] == TILES - 1
    assert_same(maps_of(run), expected)
