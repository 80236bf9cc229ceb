"""Raw fields that another process writes: mapped as they come, and the same bits at the end."""

import contextlib
import json
import random
import re
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import tifffile
from browser import Page
from faults import FORK, assert_same, killed_after, maps_of, running
from gigaxas.config.schema import Config, NoiseSection
from gigaxas.errors import InputError, RunError
from gigaxas.execution.runner import Runner
from gigaxas.planning import pairs_reached
from gigaxas.raw.readers.arrivals import folders_of, images_of, look, why_not_whole
from gigaxas.raw.readers.changes import changes, network_disk
from gigaxas.raw.readers.files import find_files
from gigaxas.raw.readers.formats.hdf5 import forget_files
from gigaxas.raw.readers.images import open_stack, read_stack
from gigaxas.report import Underway, tell_pages
from gigaxas.simulate import modelled_library
from gigaxas.spectra.signal_noise import SignalNoise
from gigaxas.stores.truth import describe_truth
from gigaxas.workflow.classify import classify, simulate, simulate_slowly
from gigaxas.workflow.measurement_plan import plan_measurement
from gigaxas.workflow.report import report
from gigaxas.workflow.resolve import reopen
from gigaxas.workflow.watch import Expected, Watch, watch
from raw_files import EDGE, ENERGY, POST, PRE, counts, field_mu, ingest, spectrum, texture, write_fields

PLANE = (48, 56)
CORNERS = {"f1": (0, 0), "f2": (1, 34), "f3": (27, 2)}
STAGE = {"f1": (0.0, 0.0), "f2": (0.0, 35.0), "f3": (28.0, 0.0)}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Three whole fields, their positions and references."""
    folder = tmp_path_factory.mktemp("source")
    rng, amount = np.random.default_rng(0), texture((90, 100), 3, 2.0)
    fields = {}
    for name, (y, x) in CORNERS.items():
        fields[name] = counts(field_mu(amount[y : y + PLANE[0], x : x + PLANE[1]]), rng)
    write_fields(folder, fields, STAGE)
    rows = np.column_stack([ENERGY, spectrum(ENERGY), spectrum(ENERGY - 8)])
    np.savetxt(folder / "r.csv", rows, delimiter=",", header="energy,one,other", comments="", fmt="%.10g")
    return folder


@pytest.fixture(scope="module")
def expected(source, tmp_path_factory):
    """The maps of all fields at once."""
    run = config(source, source, tmp_path_factory.mktemp("expected") / "out")
    classify(run)
    return maps_of(run)


def config(source, folder, output, **watched):
    return Config.model_validate(
        {
            "title": "watched",
            "output": output,
            "ingest": ingest(folder, edge=EDGE, energies=list(ENERGY)),
            "references": {"path": source / "r.csv", "pre_edge": PRE, "post_edge": POST},
            "sites": {"mixtures": "none", "method": "net"},
            "watch": {"every": 0.05, "timeout": 60, **watched},
            "compute": {"cluster": "threads", "workers": 1},
        }
    )


def write_slowly(source, folder, pause, until):
    """Write the fields of a folder into another one, image by image, each in its place; whole ones stay.

    It hangs in the middle of the field `until`.
    """
    shutil.copyfile(source / "positions.csv", folder / "positions.csv")
    for name in CORNERS:
        mark = folder / f"{name}.whole"
        if mark.exists():
            continue
        with h5py.File(source / f"{name}.h5") as found, h5py.File(folder / f"{name}.h5", "w") as file:
            for key in ("data/energy", "data/dark"):
                found.copy(key, file.require_group("data"))
            arrays = [
                (file.create_dataset(k, found[k].shape, "uint16"), found[k][...])
                for k in ("data/sample", "data/open")
            ]
            for i in range(len(ENERGY)):
                for array, values in arrays:
                    array[i] = values[i]
                file.flush()
                time.sleep(3600 if name == until and i == len(ENERGY) // 2 else pause)
        mark.touch()


def fine(source, folder, output):
    """A watch by small tiles, whose noise is known."""
    run = config(source, folder, output)
    noise = NoiseSection(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)
    return run.model_copy(
        update={
            "ingest": run.ingest.model_copy(update={"chunk": 16}),
            "compute": run.compute.model_copy(update={"tile": 16}),
            "noise": noise,
        }
    )


@contextlib.contextmanager
def writer(source, folder, pause, until=None):
    folder.mkdir(exist_ok=True)
    process = FORK.Process(target=write_slowly, args=(source, folder, pause, until))
    process.start()
    try:
        yield process
    finally:
        process.kill()
        process.join()


def watched(run):
    """Watch to the end in this process; what was said."""
    said = []
    watch(run, announce=said.append)
    return said


def done_and_kept(output, stage):
    """How many tiles each round of the last watch had in a stage, and how many of them it kept."""
    lines = [json.loads(line) for line in (output / "events.jsonl").read_text().splitlines()]
    return [
        (line["tiles"], line["kept"])
        for line in lines
        if line.get("event") == "stage goes on" and line["stage"] == stage
    ]


def test_both_are_killed_and_the_map_is_that_of_all_files(source, expected, tmp_path):
    folder, run = tmp_path / "raw", config(source, tmp_path / "raw", tmp_path / "out")
    with writer(source, folder, 0.0, until="f2"):  # it is killed as f2 is half there
        assert killed_after(run, "assign", 0.02, work=watch)
    assert not (folder / "f2.whole").exists()
    with writer(source, folder, 0.0):
        said = watched(run)
    assert_same(maps_of(run), expected)
    assert any(line.startswith("taken in") and line.endswith("fields there: 3") for line in said)


def simulated(folder, scans=5, **stop):
    """A configuration of a field of two spectra that are hard to tell apart, and of its watch."""
    energy = np.linspace(7009.2, 7321.2, 200)
    names, spectra = modelled_library(energy)
    one, other = (spectra[names.index(name)] for name in ("hematite", "magnetite"))
    rows = np.column_stack([energy, one, 0.5 * one + 0.5 * other])
    folder.mkdir(exist_ok=True)
    np.savetxt(folder / "r.csv", rows, delimiter=",", header="energy,one,two", comments="", fmt="%.10g")
    inside = f"{folder}/out/raw/{{field}}_{{scan}}.h5::entry"
    return Config.model_validate(
        {
            "title": "scans",
            "output": folder / "out",
            "simulate": {
                "scene": "inset",
                "phases": ["one", "two"],
                "shape": [120, 120],
                "inset": [80, 80],
                "energies": 50,
                "noise": {"c_ref": 2000},
                "raw": {
                    "fields": [1, 1],
                    "overlap": 0,
                    "stage_error_px": 0,
                    "energy_shift_ev": 0,
                    "scans": scans,
                },
            },
            "ingest": {
                "energies": f"{folder}/out/raw/f1-1_1.h5::entry/data/energy",
                "chunk": 64,
                "fields": {
                    "transmitted": f"{inside}/data/transmitted",
                    "reference": f"{inside}/data/reference",
                    "dark": f"{inside}/data/dark",
                },
            },
            "references": {"path": folder / "r.csv", "normalise": "none"},
            "sites": {"mixtures": "none", "method": "net", "limit": 0.4},
            "plan": {"pairs": [["one", "two"]], "error": 0.018, "most_energies": 2},
            "watch": {
                "every": 0.05,
                "timeout": 1,
                "stop": {"pairs": [["one", "two"]], "error": 0.018, **stop},
            },
            "compute": {"cluster": "threads", "workers": 1},
        }
    )


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """A measurement that stopped itself, watched from its first scan on, and what was said."""
    run = simulated(tmp_path_factory.mktemp("scans"), scans=8)
    mark = run.output / "stopped"
    command = (sys.executable, "-c", f"open({str(mark)!r}, 'w')")
    stop = run.watch.stop.model_copy(update={"command": command})
    run = run.model_copy(update={"watch": run.watch.model_copy(update={"timeout": 120.0, "stop": stop})})
    said = []
    process = FORK.Process(target=simulate_slowly, args=(run, 0.0))
    process.start()
    process.join()
    names = sorted(run.output.glob("raw/*.h5"))
    aside = run.output.parent / "aside"
    aside.mkdir()
    for path in names[1:]:
        path.rename(aside / path.name)

    def next_scan(line):
        said.append(line)
        if line.endswith("needed") and (left := sorted(aside.iterdir())):
            left[0].rename(run.output / "raw" / left[0].name)

    watch(run, announce=next_scan)
    return run, said


def test_it_stops_where_the_plan_says(stopped):
    run, said = stopped
    told = json.loads((run.output / "stop.json").read_text())
    assert (run.output / "stopped").exists()
    assert 1 < told["scans"] < 8
    assert told["scans"] - 1 < told["scans_needed"] <= told["scans"]
    made = plan_measurement(run).plan
    assert abs(told["scans_needed"] * 2000 / made.c_ref - 1) < 0.1
    limits = [line for line in said if line.startswith("limit")]
    assert len(limits) == told["scans"]
    assert "more of each needed" in limits[0]
    assert limits[-1].endswith("reached")


def test_the_error_there_is_the_one_asked_for(stopped):
    run, _ = stopped
    told = json.loads((run.output / "stop.json").read_text())
    site = maps_of(run)["site"]
    two = np.zeros((120, 120), bool)
    two[20:100, 20:100] = True
    wrong = np.mean([np.mean(site[part & (site > 0)] != number) for part, number in ((~two, 1), (two, 2))])
    assert told["error"] / 2 < wrong < told["error"] * 2


def test_scans_add_up_as_the_mean_of_their_counts(stopped):
    raw = stopped[0].output / "raw"
    found = find_files(f"{raw}/{{field}}_{{scan}}.h5::entry/data/transmitted", "x")["f1-1"]
    stack = open_stack("::entry/data/transmitted", found)
    assert stack.frames == stack.scans == len(found.files) > 1
    region = slice(0, 9), slice(3, 7)
    for number, path in enumerate(found.files):
        with h5py.File(path, locking=False) as file:
            wanted = file["entry/data/transmitted"][:, *region]
        np.testing.assert_array_equal(read_stack(stack, region, frame=number), wanted)


def test_the_map_of_scans_is_that_of_classify(stopped, tmp_path):
    run = stopped[0]
    classify(run.model_copy(update={"simulate": None, "output": tmp_path / "out"}))
    assert_same(maps_of(run), maps_of(run.model_copy(update={"output": tmp_path / "out"})))


@pytest.fixture
def browser(tmp_path):
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("no Chromium here; install chromium to test the report of a watch in a browser")
    page = Page(chromium, tmp_path / "profile")
    yield page
    page.close()


def put(source, folder, *names):
    """Put files into a folder at once, in this order, each whole."""
    for name in names:
        shutil.copyfile(source / name, folder / "aside")
        (folder / "aside").rename(folder / name)


MIDDLE = "gx.viewer.viewport.viewportToImageCoordinates(gx.viewer.viewport.getCenter(true))"
ACROSS = "gx.scene.width / gx.viewer.viewport.getZoom(true)"
SHOWN = "gx.viewer.world.getItemAt(0).getFullyLoaded()"


@pytest.mark.browser
def test_an_open_page_follows_fields_that_come_last_first_and_keeps_its_place(
    source, expected, browser, tmp_path
):
    folder, run = tmp_path / "raw", config(source, tmp_path / "raw", tmp_path / "out")
    folder.mkdir()
    put(source, folder, "positions.csv", "f2.h5")
    page = run.output / "report" / "index.html"
    with running(run, work=watch) as (process, _):
        until = time.monotonic() + 240
        while not (run.output / "report" / "underway.js").exists():
            assert process.is_alive()
            assert time.monotonic() < until
            time.sleep(0.05)
        browser.open(page.as_uri())
        browser.wait(SHOWN)
        assert browser.run("gx.scene.width") == PLANE[1]
        told = browser.run("document.querySelector('#underway').innerText")
        assert re.fullmatch(r"measuring: field 1 of 3, last update \d\d:\d\d:\d\d", told)
        browser.run("document.querySelector('input[value=state]').click()")
        browser.run("document.querySelector('#clusters .pick').click()")
        browser.wait("document.querySelector('#card').children.length")  # it makes the map narrower
        browser.run("gx.viewer.viewport.zoomTo(2 * gx.viewer.viewport.getHomeZoom(), null, true); 0")
        browser.run(
            "gx.viewer.viewport.panTo(gx.viewer.viewport.imageToViewportCoordinates(30, 20), true); 0"
        )
        browser.run("gx.pin({ x: 31, y: 21 })")
        browser.run("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(go)))")
        before, across, selected = map(browser.run, (MIDDLE, ACROSS, "gx.view.selected"))
        put(source, folder, "f3.h5", "f1.h5")  # f1 lies left of f2: the corner of the map moves
        process.join(240)
        assert process.exitcode == 0
        browser.wait(f"document.querySelector('#underway').hidden && {SHOWN}")
    after = browser.run(MIDDLE)
    assert abs(after["x"] - before["x"] - STAGE["f2"][1]) < 1e-6
    assert abs(after["y"] - before["y"]) < 1e-6
    assert browser.run(ACROSS) == pytest.approx(across, rel=0.02)  # cards of other widths
    assert browser.run("gx.pinned") == {"x": 31 + STAGE["f2"][1], "y": 21}
    assert browser.run("[gx.view.layer, gx.view.selected]") == ["state", selected]
    browser.asked.clear()
    time.sleep(2.5)
    browser.run("0")
    assert not [address for address in browser.asked if "underway" in address]
    assert browser.errors == []
    assert_same(maps_of(run), expected)


@pytest.mark.browser
def test_the_summary_follows_too_and_says_when_the_watch_was_stopped(browser, viewer_run):
    def written(version, told):
        there = Underway(version, told, (0.0, 0.0), is_over=False)
        report(reopen(viewer_run), Runner(), underway=there)
        tell_pages(viewer_run.output / "report", there)
        return there

    written(1, "field 1 of 2")
    browser.open((viewer_run.output / "report.html").as_uri())
    browser.wait("document.querySelector('#underway').innerText === 'field 1 of 2'")
    button = "document.querySelector('#clusters [data-cluster]')"
    browser.run(f"{button}.click()")
    browser.run("window.old = document.documentElement.style.scrollBehavior = 'auto'; scrollTo(0, 200)")
    there = written(2, "field 2 of 2")
    browser.wait("!window.old && document.querySelector('#underway').innerText === 'field 2 of 2'")
    browser.wait("scrollY === 200")
    browser.wait(f"{button}.getAttribute('aria-pressed') === 'true'")
    tell_pages(viewer_run.output / "report", replace(there, told="stopped", is_over=True))
    browser.wait("document.querySelector('#underway').innerText === 'stopped'")
    browser.asked.clear()
    time.sleep(2.5)
    browser.run("0")
    assert browser.asked == browser.errors == []
    report(reopen(viewer_run), Runner())
    assert "underway" not in (viewer_run.output / "report.html").read_text()


def test_tiles_that_a_new_field_does_not_touch_are_not_done_again(source, tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in ("positions.csv", "f1.h5", "f2.h5"):
        shutil.copyfile(source / name, folder / name)

    def add(line):
        if line.startswith("taken in"):
            shutil.copyfile(source / "f3.h5", folder / "aside")
            (folder / "aside").rename(folder / "f3.h5")

    run = fine(source, folder, tmp_path / "out")
    watch(run, announce=lambda line: None if (folder / "f3.h5").exists() else add(line))
    for stage in ("ingest", "assign"):
        ((tiles, kept),) = done_and_kept(run.output, stage)
        assert 6 <= kept < tiles == 30  # the first row at least
    ((tiles, kept),) = done_and_kept(run.output, "edge steps")
    assert (tiles, kept) == (3, 2)
    at_once = fine(source, folder, tmp_path / "at once")
    classify(at_once)
    assert_same(maps_of(run), maps_of(at_once))
    for name in ("fields.csv", "clusters.csv", "pairs.csv"):
        assert (run.output / name).read_bytes() == (at_once.output / name).read_bytes()


def test_a_folder_that_never_fills_is_given_up(source, tmp_path):
    run = config(source, tmp_path, tmp_path / "out", timeout=0.5)
    shutil.copyfile(source / "positions.csv", tmp_path / "positions.csv")
    (tmp_path / "f1.h5").write_bytes((source / "f1.h5").read_bytes()[:3000])
    with pytest.raises(RunError) as error:
        watch(run)
    assert "nothing new came for 0.5 s; 0 of 3 scans of fields are whole" in str(error.value)
    assert "f1.h5 is still open, or torn" in str(error.value)


def test_a_measurement_that_breaks_off_is_given_up_and_its_page_says_so(source, tmp_path):
    run = config(source, tmp_path, tmp_path / "out", timeout=0.5)
    put(source, tmp_path, "positions.csv", "f2.h5")
    (tmp_path / "f1.h5").write_bytes((source / "f1.h5").read_bytes()[:3000])
    with pytest.raises(
        RunError, match=r"1 of 3 scans of fields are whole; f1: .*f1\.h5 is still open, or torn"
    ):
        watch(run)
    state = (run.output / "report" / "underway.js").read_text()
    told = json.loads(state.removeprefix("gxUnderway(").rstrip().removesuffix(")"))
    assert told["told"].startswith("the watch was stopped at ")
    assert told["over"]
    assert f'data-version="{told["version"]}"' in (run.output / "report.html").read_text()


def test_a_field_that_is_written_again_is_told_and_taken_in_anew(source, expected, tmp_path):
    folder, run = tmp_path / "raw", config(source, tmp_path / "raw", tmp_path / "out")
    shutil.copytree(source, folder)
    with h5py.File(folder / "f1.h5", "r+") as file:
        file["data/sample"][20] += 50
    watched(run)
    assert (maps_of(run)["correlation"] != expected["correlation"]).any()
    shutil.copyfile(source / "f1.h5", folder / "f1.h5")
    again = f"warning    {folder}/f1.h5 was written again after it was taken in; it is taken in anew"
    assert again in watched(run)
    assert_same(maps_of(run), expected)
    assert again not in watched(run)


def test_the_last_field_may_come_first_and_be_written_again_on_a_network_disk(
    source, expected, monkeypatch, tmp_path
):
    folder, run = tmp_path / "raw", config(source, tmp_path / "raw", tmp_path / "out")
    on_network_disk(monkeypatch, folder)
    folder.mkdir()
    other = tmp_path / "other"
    other.mkdir()
    shutil.copyfile(source / "f1.h5", other / "f1.h5")
    with h5py.File(other / "f1.h5", "r+") as file:
        file["data/sample"][20] += 50
    put(source, folder, "positions.csv", "f3.h5")
    said = []

    def go_on(line):
        said.append(line)
        if line.endswith("fields there: 1"):
            put(other, folder, "f1.h5")
        elif line.endswith("fields there: 2"):
            put(source, folder, "f1.h5", "f2.h5")

    watch(run, announce=go_on)
    named = f"{folder}: looked at every 0.05 s, since {folder} is on a network disk (nfs4)"
    assert [line for line in said if "taken in" in line or line.startswith("watching")] == [
        f"watching   {named}",
        "taken in   f3; fields there: 1",
        "taken in   f1; fields there: 2",
        f"warning    {folder}/f1.h5 was written again after it was taken in; it is taken in anew",
        "taken in   f2; fields there: 3",
    ]
    assert_same(maps_of(run), expected)


def write_images(folder, mu, taken):
    """Write two scans of one field, an image a file, in any order: all of the second, then the first.

    The first one waits until the second has been taken in.
    """
    rng, draw = np.random.default_rng(5), random.Random(5)
    for scan in (2, 1):
        images, _ = counts(mu, rng)
        for i in draw.sample(range(len(ENERGY)), len(ENERGY)):
            tifffile.imwrite(folder / f"{scan}_{ENERGY[i]:g}.tif", images[i])
        while scan == 2 and not taken.exists():
            time.sleep(0.05)


def test_energies_come_in_any_order_and_the_second_scan_first(source, tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    mu = field_mu(texture((40, 32), 3, 2.0))
    np.save(tmp_path / "open.npy", counts(mu, np.random.default_rng(6))[1])
    whole = config(source, folder, tmp_path / "out", scans=2, energies=len(ENERGY)).model_dump()
    fields = {
        "transmitted": f"{folder}/{{scan}}_{{energy}}.tif",
        "reference": f"{tmp_path}/open.npy",
        "dark": 100,
        "positions": None,
    }
    whole["ingest"] |= {"energies": None, "unit": "eV", "fields": fields}
    run = Config.model_validate(whole)
    process = FORK.Process(target=write_images, args=(folder, mu, run.output / "watch.json"))
    process.start()
    said = watched(run)
    process.join()
    assert process.exitcode == 0
    assert [line for line in said if not line.startswith(("watching", "waiting"))] == [
        "taken in   the field scan 2; fields there: 1",
        "warning    the field scan 1 came after scan 2; it counts all the same",
        "taken in   the field scan 1; fields there: 1",
    ]
    at_once = run.model_copy(update={"output": tmp_path / "at once"})
    classify(at_once)
    assert_same(maps_of(run), maps_of(at_once))


def why(folder, images=61, unit=("f1", 0), **fields):
    """Why a field of a folder is not whole."""
    section = ingest(folder, **fields)
    return why_not_whole(section, look(section), unit, images)


def test_it_is_told_why_a_field_is_not_whole(source, tmp_path):
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    assert why(tmp_path) is None
    assert why(tmp_path, 62) == "it has 61 of 62 images"
    assert why(tmp_path, reference=f"{tmp_path}/{{field}}_open.h5") == "there is no reference yet"
    forget_files()
    with h5py.File(tmp_path / "f1.h5", "r+") as file:
        file["data/sample"][30:] = 0
    assert why(tmp_path) == "image 31 of 61 is still empty"
    (tmp_path / "positions.csv").write_text("field,y_um,x_um\nf2,0,35\n")
    assert why(tmp_path) == "the table of positions does not have it yet"
    assert why(tmp_path, unit=("f2", 0)) is None


def test_a_file_counts_as_still_once_it_has_been_as_it_is_for_the_time_asked(source, tmp_path):
    shutil.copytree(source, tmp_path, dirs_exist_ok=True)
    section = ingest(tmp_path)
    first = look(section)
    one, other = first.files_of(("f1", 0)), first.files_of(("f2", 0))
    assert not first.is_stable(one, 0.05)
    assert not look(section, first).is_stable(one, 60)  # two looks that agree are not enough
    time.sleep(0.05)
    second = look(section, first)
    assert second.is_stable(one, 0.05)
    with h5py.File(tmp_path / "f1.h5", "r+") as file:
        file["more"] = 1
    third = look(section, second)
    assert not third.is_stable(one, 0.05)
    assert third.is_stable(other, 0.05)
    assert not third.is_stable(("nowhere",), 0.05)


def written_elsewhere(path):
    """Another process that writes a file after half a second."""
    code = f"import pathlib, time; time.sleep(0.5); pathlib.Path({str(path)!r}).write_text('new')"
    return subprocess.Popen([sys.executable, "-c", code])


def seconds_until(moments):
    start = time.monotonic()
    next(moments)
    return time.monotonic() - start


def test_the_system_tells_of_a_file_that_another_process_writes(tmp_path):
    said = []
    with contextlib.closing(changes([tmp_path], False, 6, said.append)) as moments:
        assert seconds_until(moments) < 1
        with written_elsewhere(tmp_path / "f1.h5") as process:
            assert 0.4 < seconds_until(moments) < 5
    assert process.returncode == 0
    assert said == [f"watching   {tmp_path}: the system tells of changes"]


def test_a_folder_in_a_folder_is_watched_where_fields_come_into_such(tmp_path):
    (tmp_path / "f1").mkdir()
    with contextlib.closing(changes([tmp_path], True, 6, print)) as moments:
        next(moments)
        with written_elsewhere(tmp_path / "f1" / "scan.h5"):
            assert seconds_until(moments) < 5


def on_network_disk(monkeypatch, folder, kind="nfs4", options="rw"):
    """Let the system say that a folder lies on a disk of the network."""
    disks = [("/dev/sda", "/", "ext4", "rw"), ("server:/data", str(folder), kind, options)]
    found = [SimpleNamespace(device=d, mountpoint=m, fstype=f, opts=o) for d, m, f, o in disks]
    monkeypatch.setattr("psutil.disk_partitions", lambda all=False: found)


def test_a_network_disk_and_a_folder_that_is_not_there_are_looked_at_in_turn(monkeypatch, tmp_path):
    on_network_disk(monkeypatch, tmp_path)
    said, folder = [], tmp_path / "raw"
    with contextlib.closing(changes([folder], False, 0.2, said.append)) as moments:
        next(moments)
        assert 0.15 < seconds_until(moments) < 2
        assert said == []
        folder.mkdir()
        assert 0.15 < seconds_until(moments) < 2
        next(moments)
    assert said == [f"watching   {folder}: looked at every 0.2 s, since {folder} is on a network disk (nfs4)"]


@pytest.mark.parametrize(
    ("kind", "options", "found"),
    [
        ("fuse.sshfs", "rw", "fuse.sshfs"),
        ("CIFS", "rw", "CIFS"),
        ("NTFS", "rw,remote", "NTFS"),
        ("xfs", "rw", None),
    ],
)
def test_it_is_known_which_disks_are_those_of_the_network(monkeypatch, tmp_path, kind, options, found):
    on_network_disk(monkeypatch, tmp_path, kind, options)
    assert network_disk(tmp_path / "raw") == found
    assert network_disk(tmp_path.parent) is None


def test_a_watch_that_the_system_refuses_looks_in_turn_and_says_so(monkeypatch, tmp_path):
    def refused(*folders, **settings):
        raise OSError("too many watches")

    monkeypatch.setattr("watchfiles.watch", refused)
    said = []
    with contextlib.closing(changes([tmp_path], False, 0.1, said.append)) as moments:
        next(moments)
        assert seconds_until(moments) > 0.09
    assert said[-1].endswith("every 0.1 s, since the system tells of no changes there (too many watches)")


@pytest.mark.parametrize(
    ("transmitted", "folder", "deep"),
    [
        ("raw/{field}_{scan}.h5::a", "raw", False),
        ("raw/{field}/a/{scan}.h5::a", "raw", True),
        ("{field}.h5::a", ".", False),
    ],
)
def test_the_folder_that_fields_come_into_is_watched(transmitted, folder, deep):
    section = ingest("x", transmitted=transmitted, reference="elsewhere/open.h5", dark=None)
    assert folders_of(section) == ([Path(folder)], deep)


def test_every_energy_may_have_a_file_of_its_own_if_their_number_is_told(tmp_path):
    for energy in (7000, 7010):
        (tmp_path / f"f1_{energy}.tif").touch()
    section = ingest(tmp_path, energies=None, transmitted=f"{tmp_path}/{{field}}_{{energy}}.tif")
    assert len(look(section).files_of(("f1", 0))) == 2
    assert images_of(section, 2) == 2
    with pytest.raises(InputError, match=r"watch\.energies: missing"):
        images_of(section, None)


def test_a_pair_without_references_ends_it_at_once(source, tmp_path):
    run = config(source, source, tmp_path / "out", stop={"pairs": [["one", "none"]]})
    with pytest.raises(InputError, match="no reference named none; the names are one, other"):
        watch(run)
    assert not (tmp_path / "out" / "cube.zarr").exists()


def test_no_exposure_tells_spectra_apart_that_are_the_same_but_for_a_gain():
    spectra = np.stack([spectrum(ENERGY), 2 * spectrum(ENERGY) + 1])
    with pytest.raises(InputError, match="no exposure can tell apart one and two"):
        pairs_reached(spectra, SignalNoise(np.array(0.1)), [("one", "two")], ["one", "two"], 0.01)


def test_what_tells_no_end_is_refused(source, tmp_path):
    run = config(source, source, tmp_path / "out")
    fields = run.ingest.fields.model_copy(update={"positions": "metadata"})
    run = run.model_copy(update={"ingest": run.ingest.model_copy(update={"fields": fields})})
    with pytest.raises(InputError, match=r"watch\.fields: missing"):
        watch(run)


def test_what_is_written_slowly_is_what_is_simulated(tmp_path):
    run = simulated(tmp_path / "slowly", scans=2)
    said = []
    simulate_slowly(run, 0.0, said.append)
    raw = run.output / "raw"
    assert [line.split()[1] for line in said if line.startswith("wrote")] == ["f1-1_1.h5,", "f1-1_2.h5,"]
    whole = {path.name: counts_of(path) for path in raw.glob("*.h5")}
    # as it is after a kill within the second file
    shutil.rmtree(raw / "scene.zarr")
    (raw / "recorded.txt").write_text("\n".join((raw / "recorded.txt").read_text().splitlines()[:2]) + "\n")
    (raw / "f1-1_2.h5").write_bytes((raw / "f1-1_2.h5").read_bytes()[:5000])
    simulate_slowly(run, 0.0, said.append)
    assert said[-1].startswith("wrote      f1-1_2.h5")
    at_once = simulated(tmp_path / "at once", scans=2)
    simulate(at_once)
    for name, values in whole.items():
        np.testing.assert_array_equal(counts_of(raw / name), values)
        np.testing.assert_array_equal(counts_of(at_once.output / "raw" / name), values)
    assert (whole["f1-1_1.h5"] != whole["f1-1_2.h5"]).any()
    assert describe_truth(raw / "scene.zarr").names == describe_truth(at_once.output / "raw/scene.zarr").names
    other = run.model_copy(update={"simulate": run.simulate.model_copy(update={"seed": 1})})
    with pytest.raises(InputError, match="holds raw fields of other settings"):
        simulate_slowly(other, 0.0)


def counts_of(path):
    with h5py.File(path, locking=False) as file:
        return file["entry/data/transmitted"][...]


@pytest.mark.parametrize(
    ("there", "before", "taken"),
    [
        ("a1 a2 b1", "", "a1 b1"),
        ("a1 a2 b1", "a1", "a1 b1"),
        ("a1 a2 a3 b1 b2", "a1 b1", "a1 a2 b1 b2"),
        ("a1 a2 b1", "a1 a2", "a1 a2 b1"),
        ("a1 a2 a3 b1 b2 b3", "a1 b1", "a1 a2 a3 b1 b2 b3"),
    ],
)
def test_scans_are_judged_in_step_unless_a_field_is_ahead(tmp_path, there, before, taken):
    run = simulated(tmp_path, scans=3)
    expected = Expected(fields=2, scans=3, images=None)
    found = Watch(run, run.ingest, expected, None, print, {}, units_of(before))
    assert found._in_step(units_of(there)) == units_of(taken)


def units_of(text):
    return frozenset((name[0], int(name[1:])) for name in text.split())


@pytest.mark.slow
def test_killed_at_random_again_and_again(source, expected, tmp_path):
    draw, kills = random.Random(3), 0
    folder, run = tmp_path / "raw", config(source, tmp_path / "raw", tmp_path / "out")
    for _ in range(24):  # the writer too is killed each time, until all is there
        with writer(source, folder, 0.02):
            stage = draw.choice(["edge steps", "ingest", "assign", "report"])
            was_killed = killed_after(run, stage, draw.uniform(0, 0.5), work=watch)
        kills += was_killed
        if kills == 6:
            break
        if not was_killed:  # it was done before: so that there is something to do again
            shutil.rmtree(run.output)
    assert kills == 6
    with writer(source, folder, 0.0):
        watched(run)
    assert_same(maps_of(run), expected)
