"""A run that was stopped goes on: nothing is done twice, nothing is lost, and the maps are the same bits."""

import json
import os
import random
import shutil

import gigaxas as gx
import numpy as np
import pytest
from faults import assert_same, killed_after, killed_at, maps_of, running
from gigaxas.execution.runner import silent
from gigaxas.workflow.classify import classify
from small_runs import config, edges, scene, write_csv, write_cube

SHAPE = (90, 100)
TILES = 6 * 7
STAGES = ("assign", "regions", "clean-up", "fill", "clusters")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A cube of four phases, references for it, and the maps of an undisturbed run."""
    folder = tmp_path_factory.mktemp("measured")
    rng = np.random.default_rng(2)
    spectra = edges(4, rng)
    write_csv(folder / "references.csv", spectra)
    write_cube(folder / "cube.zarr", scene(rng, spectra, SHAPE, noise=0.2), [16], [16])
    undisturbed = small(folder, folder / "undisturbed")
    classify(undisturbed)
    return folder, maps_of(undisturbed)


def small(folder, output, compute=None, **sections):
    compute = {"cluster": "threads", "workers": 2, "tile": 16, **(compute or {})}
    run = config(folder, folder / "cube.zarr", folder / "references.csv", compute=compute, **sections)
    return run.model_copy(update={"output": output})


@pytest.fixture(scope="module")
def killed(measured, tmp_path_factory):
    """The output of a run killed while it assigned, with most of its tiles done."""
    run = small(measured[0], tmp_path_factory.mktemp("killed") / "out")
    killed_at(run, "assign", 30)
    return run.output


@pytest.fixture
def stopped(measured, killed, tmp_path):
    """A run that was killed, and the maps it should have made."""
    folder, expected = measured
    shutil.copytree(killed, tmp_path / "out")
    return small(folder, tmp_path / "out"), expected


def kept(run):
    """How many tiles the last run found done, by stage."""
    lines = [json.loads(line) for line in (run.output / "events.jsonl").read_text().splitlines()]
    start = max(number for number, line in enumerate(lines) if line["event"] == "run started")
    return {line["stage"]: line["kept"] for line in lines[start:] if line["event"] == "stage goes on"}


def test_what_was_done_is_kept_and_the_rest_is_done(stopped):
    run, expected = stopped
    assert not (run.output / "result.zarr").exists()
    with pytest.raises(gx.InputError, match="no finished result"):
        gx.open_result(run.output)
    classify(run)
    assert 0 < kept(run)["assign"] <= TILES
    assert_same(maps_of(run), expected)


@pytest.mark.parametrize("stage", ["clean-up", "clusters"])
def test_a_run_killed_in_a_later_stage_keeps_the_earlier_ones(measured, tmp_path, stage):
    folder, expected = measured
    run = small(folder, tmp_path / "out")
    assert killed_after(run, stage, 0.02)
    classify(run)
    assert kept(run)["assign"] == TILES
    assert_same(maps_of(run), expected)


@pytest.mark.slow
def test_a_run_killed_twenty_times_at_random_loses_nothing(measured, tmp_path):
    folder, expected = measured
    draw = random.Random(5)
    kills, number = 0, 0
    run = small(folder, tmp_path / "out0")
    while kills < 20:
        if killed_after(run, draw.choice(["sites", *STAGES, "report"]), draw.uniform(0, 0.3)):
            kills += 1
        else:
            assert_same(maps_of(run), expected)
            number += 1
            run = small(folder, tmp_path / f"out{number}")
    classify(run)
    assert_same(maps_of(run), expected)


def test_a_run_goes_on_with_other_workers_and_another_cluster(stopped):
    run, expected = stopped
    elsewhere = run.compute.model_copy(update={"workers": 1, "cluster": "local", "dashboard": "127.0.0.1:0"})
    classify(run.model_copy(update={"compute": elsewhere}))
    assert kept(run)["assign"] > 0
    assert_same(maps_of(run), expected)


@pytest.mark.parametrize(("tile", "aligned"), [(32, True), (48, True), (24, False)])
def test_a_run_goes_on_with_other_tiles(stopped, tile, aligned):
    run, expected = stopped
    classify(run.model_copy(update={"compute": run.compute.model_copy(update={"tile": tile})}))
    assert (kept(run).get("assign", 0) > 0) == aligned
    assert_same(maps_of(run), expected)


def test_a_folder_that_was_moved_goes_on(stopped, tmp_path):
    run, expected = stopped
    run.output.rename(tmp_path / "moved")
    run = run.model_copy(update={"output": tmp_path / "moved"})
    classify(run)
    assert kept(run)["assign"] > 0
    assert_same(maps_of(run), expected)


def test_a_clock_that_jumps_changes_nothing(stopped):
    run, expected = stopped
    for number, path in enumerate(sorted(run.output.rglob("*"))):
        os.utime(path, (0, 0) if number % 2 else (4e9, 4e9))
    classify(run)
    assert kept(run)["assign"] > 0
    assert_same(maps_of(run), expected)


def test_a_changed_clean_up_keeps_the_assignment_and_nothing_else(measured, tmp_path):
    folder, expected = measured
    classify(small(folder, tmp_path / "out"))
    other = small(folder, tmp_path / "out", clean_up={"p_num": 25})
    classify(other)
    assert kept(other) == {"assign": TILES}
    assert (maps_of(other)["kept"] != expected["kept"]).any()
    again = small(folder, tmp_path / "out")
    classify(again)
    assert_same(maps_of(again), expected)


def test_a_changed_site_setting_recomputes_everything(measured, tmp_path):
    folder, _ = measured
    classify(small(folder, tmp_path / "out"))
    other = small(folder, tmp_path / "out", sites={"mixtures": "pairs", "method": "net"})
    classify(other)
    assert kept(other) == {}
    fresh = small(folder, tmp_path / "other", sites={"mixtures": "pairs", "method": "net"})
    classify(fresh)
    assert_same(maps_of(other), maps_of(fresh))


def test_fresh_starts_over(stopped):
    run, expected = stopped
    classify(run, fresh=True)
    assert kept(run) == {}
    assert_same(maps_of(run), expected)


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_record_is_not_trusted(stopped, damage):
    run, expected = stopped
    records = sorted((run.output / "journal").glob("assign.*/*.records"))
    for path in records:
        data = path.read_bytes()
        path.write_bytes({"cut": data[:-3], "changed": data[:-3] + b"xyz", "empty": b""}[damage])
    classify(run)
    assert kept(run)["assign"] == 0
    assert_same(maps_of(run), expected)


def test_a_chunk_torn_by_a_power_cut_is_done_again(stopped):
    run, expected = stopped
    chunks = [
        path for path in (run.output / "result.zarr.partial" / "site" / "c").rglob("*") if path.is_file()
    ]
    for path in chunks[:3]:
        path.write_bytes(path.read_bytes()[:-5])
    chunks[-1].write_bytes(b"")
    classify(run)
    assert_same(maps_of(run), expected)


def test_two_runs_on_one_output_and_a_lock_left_behind(measured, tmp_path):
    folder, expected = measured
    run = small(folder, tmp_path / "out")
    with running(run) as (process, hear):
        while hear.recv() != "assign":
            pass
        with pytest.raises(gx.InputError, match=rf"in use by another run \(process {process.pid} on "):
            classify(run)
    assert str(process.pid) in (run.output / "run.lock.json").read_text()
    classify(run)
    assert_same(maps_of(run), expected)


def test_log_and_events_tell_every_stage(measured, tmp_path):
    folder, _ = measured
    run = small(folder, tmp_path / "out")
    stages = []
    classify(run, lambda stage, total: (stages.append(stage), silent(stage, total))[1])
    lines = [json.loads(line) for line in (run.output / "events.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines if line["event"] == "stage finished"] == stages
    assert lines[0]["event"] == "run started"
    assert (lines[-1]["event"], lines[-1]["status"]) == ("run ended", "finished")
    log = (run.output / "run.log").read_text().splitlines()
    assert all(any(f"stage={stage}" in line and "seconds=" in line for line in log) for stage in stages)
