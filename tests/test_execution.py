"""Tiles run, are tried again, recorded and gone on with; one run at a time; workers of the same code."""

import errno
import fcntl
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
import uuid
from functools import partial
from types import SimpleNamespace

import gigaxas as gx
import numpy as np
import psutil
import pytest
from dask import system
from distributed import Client, LocalCluster
from gigaxas.checkpoint import identity, journal
from gigaxas.checkpoint.ledger import Ledger
from gigaxas.checkpoint.records import unpack
from gigaxas.config.schema import Compute
from gigaxas.errors import DamagedError
from gigaxas.execution import cluster, cluster_tasks, open_files
from gigaxas.execution.events import Events
from gigaxas.execution.lock import locked
from gigaxas.execution.runner import Runner
from gigaxas.execution.tile_tasks import TileWork, run_tiles
from gigaxas.stores.io import chunks, groups
from gigaxas.tiles import flat, regular_grid
from hypothesis import given, settings
from hypothesis import strategies as st

GRID = regular_grid((8, 8), (4, 4))


@pytest.fixture(scope="module")
def client():
    """A Dask cluster of one worker in this process."""
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with LocalCluster(**options) as local, Client(local) as client:
        yield client


def fail_first(tile, *, folder, times):
    """A task that fails so many times on every tile before it succeeds."""
    for number in range(times):
        failed = folder / f"{tile.row}-{tile.column}-{number}"
        if not failed.exists():
            failed.touch()
            raise OSError(f"failure {number + 1}")
    return tile.row, tile.column


def run(task, client, **constants):
    """Run a task on the grid; return what it returned, by number of the tile."""
    found = {}
    work = TileWork(uuid.uuid4().hex, task, flat(GRID), [], constants)
    run_tiles(work, client, 2, found.__setitem__)
    return found


def outcome(client, folder, times):
    """What tasks that fail so many times return in the end, or the error that they end with."""
    try:
        return run(fail_first, client, folder=folder, times=times)
    except OSError as error:
        return str(error)


def test_a_task_that_fails_twice_on_a_cluster_is_tried_a_third_time(client, tmp_path):
    assert outcome(client, tmp_path, 2) == {0: (0, 0), 1: (0, 1), 2: (1, 0), 3: (1, 1)}


def test_a_task_that_fails_three_times_ends_the_run_with_its_own_error(client, tmp_path):
    assert outcome(client, tmp_path, 9) == "failure 3"


@settings(max_examples=200)
@given(st.integers(1, 5000), st.integers(1, 2000))
def test_batches_are_all_tiles_in_order_and_leave_every_worker_its_share(tiles, workers):
    found = cluster_tasks.batches(tiles, workers)
    assert [number for batch in found for number in batch] == list(range(tiles))
    assert len(found) >= min(tiles, workers * cluster_tasks.ROUNDS)
    if workers <= cluster_tasks.SERVED:
        assert len(found) == tiles


def test_a_thousand_workers_get_tasks_of_several_tiles():
    """Fails where a scheduler is given a task for every tile, however many workers ask it for tasks."""
    assert {len(batch) for batch in cluster_tasks.batches(100_000, 1000)} == {16}


def place_of(tile):
    """Return where a tile is in its grid."""
    return tile.row, tile.column


def test_a_scheduler_is_sent_some_tasks_of_some_tiles_at_a_time_and_all_are_done(client, monkeypatch):
    """Fails where all tasks are sent at once, or none is sent after the first ones."""
    monkeypatch.setattr(cluster_tasks, "MOST_SENT", 4)
    monkeypatch.setattr(cluster_tasks, "SERVED", 1)
    tiles, found, sent, ahead = flat(regular_grid((20, 10), (1, 1))), {}, [], []
    send = client.map

    def count(task, batches, *each, **settings):
        sent.extend(batches)
        ahead.append(2 * len(sent) - len(found))
        return send(task, batches, *each, **settings)

    monkeypatch.setattr(client, "map", count)
    work = TileWork(uuid.uuid4().hex, place_of, tiles, [], {})
    run_tiles(work, client, 2, found.__setitem__)
    assert found == {number: (tile.row, tile.column) for number, tile in enumerate(tiles)}
    assert {len(batch) for batch in sent} == {2}
    assert max(ahead) == 4 * 2


def test_a_failure_on_a_thread_is_not_tried_again(tmp_path):
    assert outcome(None, tmp_path, 1) == "failure 1"


def test_a_worker_of_other_code_does_nothing(client, tmp_path, monkeypatch):
    sent = cluster_tasks.code_version()
    answers = iter([sent])  # to this process; the worker, in the same, hears of another
    monkeypatch.setattr(cluster_tasks, "code_version", lambda: next(answers, "0123456789abcdef"))
    with pytest.raises(gx.RunError, match=rf"other code of gigaxas \(0123456789abcdef\) than .* \({sent}\)"):
        run(fail_first, client, folder=tmp_path, times=0)


def test_a_cluster_of_other_code_is_refused_before_anything_runs(client, monkeypatch):
    cluster._compare_versions(client)
    monkeypatch.setattr(cluster, "code_version", partial(str, "0123456789abcdef"))
    answer = client.run
    monkeypatch.setattr(client, "run", lambda asked: answer(cluster_tasks.code_version))
    with pytest.raises(gx.InputError, match="run other code of gigaxas than this run"):
        cluster._compare_versions(client)


def test_tasks_that_a_killed_run_left_behind_are_waited_for(client, monkeypatch):
    said = []
    left = client.submit(time.sleep, 0.8, key="assign-of-this-output-1")
    (worker,) = client.nthreads()
    while not client.run(cluster._active_keys)[worker]:
        time.sleep(0.01)
    cluster._wait_for_strays(client, "another-output", said.append)
    assert not said
    cluster._wait_for_strays(client, "of-this-output", said.append)
    assert left.done()
    assert said == ["cluster    waiting for tasks that a killed run left behind"]
    monkeypatch.setattr(cluster, "STRAY_SECONDS", 0.0)
    left = client.submit(time.sleep, 0.8, key="assign-of-this-output-2")
    while not client.run(cluster._active_keys)[worker]:
        time.sleep(0.01)
    with pytest.raises(gx.RunError, match="still work after"):
        cluster._wait_for_strays(client, "of-this-output", said.append)


CONTAINERS = {
    "cgroup v1": {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000"}
    | {"/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000"},
    "cgroup v2": {"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "250000 100000\n"},
    "no quota": {"/proc/self/cgroup": "0::/\n", "/sys/fs/cgroup/cpu.max": "max 100000\n"},
}
"""What a container says of the cores that its processes may use."""


@pytest.mark.parametrize(
    ("asked", "container", "bound", "expected"),
    [
        (3, "cgroup v2", 5, 3),
        (None, "cgroup v1", 5, 3),
        (None, "cgroup v2", 5, 3),
        (None, "no quota", 5, 5),
        (None, "no quota", None, 12),
    ],
)
def test_tasks_run_at_once_are_as_many_as_asked_for_else_the_cores_there_are(
    monkeypatch, asked, container, bound, expected
):
    monkeypatch.setattr(system, "open", opener(CONTAINERS[container]), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    if bound is None:  # as on macOS
        monkeypatch.setattr(os, "process_cpu_count", os.cpu_count, raising=False)
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        monkeypatch.delattr(psutil.Process, "cpu_affinity", raising=False)
    else:
        monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(bound)), raising=False)
        monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda self: list(range(bound)), raising=False)
    assert cluster.worker_count(Compute(workers=asked)) == expected


def opener(texts):
    """An `open` for a few made files only."""

    def open_made(path):
        if path not in texts:
            raise FileNotFoundError(path)
        return io.StringIO(texts[path])

    return open_made


@pytest.mark.parametrize(
    ("soft", "hard", "expected"),
    [
        (256, 4096, 4096),
        (256, 2**20, open_files.WANTED),
        (256, resource.RLIM_INFINITY, open_files.WANTED),
        (256, 256, 256),
        (2**16, 2**20, 2**16),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, resource.RLIM_INFINITY),
    ],
)
def test_as_many_files_may_be_open_as_are_wanted_or_allowed(monkeypatch, soft, hard, expected):
    now = [soft]
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (now[0], hard))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: now.append(now.pop() and limits[0]))
    open_files.allow_open_files()
    assert now == [expected]


def test_a_system_that_allows_no_more_open_files_is_no_hindrance(monkeypatch):
    def refuse(kind, limits):
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    open_files.allow_open_files()


PAINTED = []
FAILS_AT = (4, 8, 0, 4)


def paint(tile, *, store):
    """Write the tile into a map, and take note of it."""
    if tile.box == FAILS_AT and (store.parent / "fail").exists():
        raise gx.RunError("stopped")
    PAINTED.append(tuple(tile.box))
    chunks.write(store, "map", tile.region, np.full(tile.shape, 1 + 10 * tile.y0 + tile.x0))
    return tile.y0


class Painting:
    """A stage that paints a map, gone on with by one runner after another; every tile is recorded at once."""

    boxes = ((0, 4, 0, 4), (0, 4, 4, 8), (4, 8, 0, 4), (4, 8, 4, 8))

    def __init__(self, folder):
        self.folder = folder
        self.store = folder / "map.zarr"
        self.runner = None
        groups.create_group(self.store, {"basis": "painting"})
        layout = {"shape": (8, 8), "chunks": (4, 4), "dtype": "int64", "dims": ("y", "x")}
        chunks.create_array(self.store, "map", **layout)

    def go_on(self):
        """Paint what is not painted; return which boxes were."""
        PAINTED.clear()
        self.runner = Runner(workers=1, ledger=Ledger(self.folder), events=Events(self.folder))
        assert self.runner.over("paint", paint, GRID, store=self.store) == [[0, 0], [4, 4]]
        y, x = np.mgrid[:8, :8] // 4 * 4
        found = chunks.read(self.store, "map", (slice(0, 8), slice(0, 8)))
        np.testing.assert_array_equal(found, 1 + 10 * y + x)
        return sorted(PAINTED)

    def chunk(self, number):
        return sorted(path for path in (self.store / "map" / "c").rglob("*") if path.is_file())[number]

    def records(self):
        return sorted((self.folder / "journal").glob("paint.*/*.records"))

    def last(self, event):
        """What was last told of an event."""
        lines = [json.loads(line) for line in (self.folder / "events.jsonl").read_text().splitlines()]
        return [line for line in lines if line["event"] == event][-1]


@pytest.fixture
def painting(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "EVERY_SECONDS", 0.0)
    painting = Painting(tmp_path)
    assert painting.go_on() == list(painting.boxes)
    return painting


def flip(file, place):
    """Change one bit of a file."""
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(bytes(data))


def test_what_is_done_is_not_done_again(painting):
    assert painting.go_on() == []
    told = painting.last("stage goes on")
    assert (told["tiles"], told["kept"], told["damaged_tiles"], told["damaged_records"]) == (4, 4, 0, 0)


@pytest.mark.parametrize("place", [3, 20, -20, -4, -1])
def test_the_tile_of_a_chunk_with_a_changed_bit_is_done_again_and_no_other(painting, place):
    flip(painting.chunk(1), place)
    assert painting.go_on() == [painting.boxes[1]]
    told = painting.last("stage goes on")
    assert (told["kept"], told["damaged_tiles"], told["damaged_records"]) == (3, 1, 0)
    assert painting.go_on() == []


def test_the_tile_of_a_torn_record_is_done_again_and_the_record_is_removed(painting):
    torn = painting.records()[2]
    (record,) = unpack(torn.read_bytes())
    torn.write_bytes(torn.read_bytes()[:-1])
    assert painting.go_on() == [record.tile]
    assert painting.last("stage goes on")["damaged_records"] == 1
    assert torn not in painting.records()
    assert painting.go_on() == []


def test_records_of_an_older_format_are_not_read(painting):
    for file in painting.records():
        file.write_bytes(file.read_bytes().replace(b"journal 2", b"journal 1"))
    assert painting.go_on() == list(painting.boxes)


def test_a_changed_line_of_code_has_everything_done_again(painting, monkeypatch):
    monkeypatch.setattr(identity, "code_version", lambda: "0123456789abcdef")
    assert painting.go_on() == list(painting.boxes)


def test_records_that_wait_are_published_when_a_stage_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "EVERY_SECONDS", 1e9)
    painting = Painting(tmp_path)
    (tmp_path / "fail").touch()
    with pytest.raises(gx.RunError, match="stopped"):
        painting.go_on()
    before = sorted(PAINTED)
    (tmp_path / "fail").unlink()
    assert painting.go_on() == [box for box in painting.boxes if box not in before]


def test_records_wait_a_few_seconds_for_others_and_not_longer(tmp_path, monkeypatch):
    now = iter([0.5, 1.9, 2.1, 2.1, 4.0, 4.2])  # asked for at every record, and when some are published
    monkeypatch.setattr(journal, "time", SimpleNamespace(monotonic=lambda: next(now)))
    stage = journal.StageJournal(tmp_path / "paint.key", _flushed=0.0)
    records = [Ledger(tmp_path).record(tile, None, []) for tile in flat(GRID)]
    files = []
    for record in records:
        stage.add(record)
        files.append(len(list(stage.folder.glob("*.records"))))
    assert files == [0, 0, 1, 1]
    stage.flush()
    assert stage.read() == (records, [])


def test_a_journal_looks_at_its_folder_once_however_often_it_is_written(tmp_path, monkeypatch):
    """Fails where every batch of records lists the folder, which costs the square of the batches."""
    looks, look = [], journal.StageJournal._files
    monkeypatch.setattr(journal.StageJournal, "_files", lambda self: looks.append(1) or look(self))
    record = Ledger(tmp_path).record(flat(GRID)[0], None, [])
    for _ in range(2):
        stage = journal.StageJournal(tmp_path / "paint.key", _flushed=1e18)
        for _ in range(5):
            stage.add(record)
            stage.flush()
    assert len(looks) == 2
    assert [path.name for path in stage._files()] == [f"{number:06d}.records" for number in range(1, 11)]


def test_a_store_is_intact_while_every_chunk_is_there_and_on_suspicion_while_every_byte_is(painting):
    runner, store = painting.runner, painting.store
    assert runner.is_intact(store)
    assert runner.is_intact(store, content=True)
    flip(painting.chunk(1), 20)
    assert runner.is_intact(store)
    assert not runner.is_intact(store, content=True)
    runner.suspects.add(str(store))
    assert not runner.is_intact(store)
    assert painting.last("damage found")["first"] == "map/c/0/1"
    painting.go_on()
    painting.chunk(1).unlink()
    assert not painting.runner.is_intact(store)


def test_no_store_is_intact_by_the_word_of_damaged_records(painting):
    flip(painting.records()[0], -1)
    assert not painting.runner.is_intact(painting.store)
    assert painting.last("damage found")["damaged_records"] == 1
    painting.go_on()
    assert painting.runner.is_intact(painting.store)


def test_a_suspected_store_that_no_record_tells_of_is_not_intact(painting, tmp_path):
    other = tmp_path / "other.zarr"
    assert painting.runner.is_intact(other)
    painting.runner.suspects.add(str(other))
    assert not painting.runner.is_intact(other)


def test_work_that_finds_damage_is_done_once_more_with_the_store_suspected(painting):
    runner, tries = painting.runner, []

    def work(failures):
        tries.append(sorted(runner.suspects))
        if len(tries) <= failures:
            raise DamagedError("a chunk is damaged", "cube.zarr")
        return "done"

    assert runner.mended(lambda: work(1)) == "done"
    assert tries == [[], ["cube.zarr"]]
    tries.clear()
    with pytest.raises(DamagedError, match="a chunk is damaged"):
        runner.mended(lambda: work(2))
    assert len(tries) == 2


HOLD = """
import fcntl, os, signal, sys
from pathlib import Path
from gigaxas.execution.lock import locked
if number := int(sys.argv[2]):
    def flock(*arguments): raise OSError(number, os.strerror(number))
    fcntl.flock = flock
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    "disk", [0, errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP], ids=lambda number: errno.errorcode.get(number)
)
def test_a_run_that_holds_a_folder_is_named_and_what_it_leaves_when_killed_is_no_hindrance(
    tmp_path, monkeypatch, disk
):
    if disk:
        monkeypatch.setattr(fcntl, "flock", no_locks(disk))
    command = [sys.executable, "-c", HOLD, str(tmp_path), str(disk)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        named = rf"in use by another run \(process {process.pid} on \S+ since \d{{4}}-"
        with pytest.raises(gx.InputError, match=named):
            locked(tmp_path).__enter__()
        process.communicate("\n")
    assert process.returncode == -signal.SIGKILL
    assert str(process.pid) in (tmp_path / "run.lock.json").read_text()
    for _ in range(2):
        said = []
        with locked(tmp_path, said.append):
            assert json.loads((tmp_path / "run.lock.json").read_text())["pid"] == os.getpid()
        assert [("without locks" in line) for line in said] == [True] * bool(disk)
    assert not (tmp_path / "run.lock.json").exists()


def test_a_run_on_another_machine_is_not_overruled_on_a_disk_without_locks(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", no_locks(errno.ENOLCK))
    marker = tmp_path / "run.lock.marker"
    marker.write_text("4711\nanother-machine\n")
    with pytest.raises(gx.InputError, match=rf"where it has ended on another machine, remove {marker}"):
        locked(tmp_path).__enter__()
    marker.unlink()
    with locked(tmp_path):
        assert marker.exists()


def test_a_folder_is_held_against_this_process_too_and_given_back_after_a_failure(tmp_path):
    def stop():
        with locked(tmp_path):
            with pytest.raises(gx.InputError, match="in use"):
                locked(tmp_path).__enter__()
            raise gx.RunError("stopped")

    for _ in range(2):
        with pytest.raises(gx.RunError, match="stopped"):
            stop()


def test_a_holder_that_cannot_be_read_is_said_so(tmp_path):
    with locked(tmp_path):
        (tmp_path / "run.lock.json").write_text("{")
        with pytest.raises(gx.InputError, match=r"in use by another run \(it does not say which\)"):
            locked(tmp_path).__enter__()


def no_locks(number):
    def flock(*arguments):
        raise OSError(number, os.strerror(number))

    return flock


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(gx.InputError, match="cannot be written or locked"):
        locked(tmp_path / "file").__enter__()
