"""Runs on a Dask cluster of real processes: workers and schedulers that die, versions that differ."""

import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import dask
import gigaxas as gx
import numpy as np
import psutil
import pytest
from faults import assert_same, maps_of, running
from gigaxas.cli import main
from gigaxas.config.load import set_scheduler
from gigaxas.execution import cluster
from gigaxas.execution.runner import silent
from gigaxas.version import code_version
from gigaxas.workflow.classify import classify
from small_runs import config, edges, scene, write_csv, write_cube

SHAPE = (90, 100)
DASK = [sys.executable, "-m", "dask"]


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("measured")
    rng = np.random.default_rng(4)
    spectra = edges(4, rng)
    write_csv(folder / "references.csv", spectra)
    write_cube(folder / "cube.zarr", scene(rng, spectra, SHAPE, noise=0.2), [16], [16])
    undisturbed = small(folder, folder / "undisturbed", {"cluster": "threads"})
    classify(undisturbed)
    return folder, maps_of(undisturbed)


def small(folder, output, compute):
    compute = {"workers": 2, "tile": 16, "dashboard": "127.0.0.1:0", **compute}
    run = config(folder, folder / "cube.zarr", folder / "references.csv", compute=compute)
    return run.model_copy(update={"output": output})


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Cluster:
    """A `dask scheduler` and its `dask worker` processes, as a user starts them."""

    def __init__(self, folder, workers=2, protocol="tcp", **env):
        self.folder = folder
        self.env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)} | env
        self.address = f"{protocol}://127.0.0.1:{free_port()}"
        port = self.address.rpartition(":")[2]
        self.scheduler = self._start(
            "scheduler", "--host", f"{protocol}://127.0.0.1", "--port", port, "--no-dashboard"
        )
        self.workers = []
        for _ in range(workers):
            self.add_worker()

    def add_worker(self):
        worker = self._start(
            "worker",
            self.address,
            "--nthreads",
            "1",
            "--no-dashboard",
            "--no-nanny",
            "--host",
            "127.0.0.1",
            "--local-directory",
            str(self.folder),
        )
        self.workers.append(worker)

    def _start(self, *words):
        return subprocess.Popen(
            [*DASK, *words], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def close(self):
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()


@pytest.fixture
def dask_cluster(tmp_path):
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.close()


def when(stage, act, seconds=0.1):
    """A progress that does something a moment after a stage has begun."""

    def progress(name, total):
        if name == stage:
            threading.Timer(seconds, act).start()
        return silent(name, total)

    return progress


def test_a_running_scheduler_gives_the_same_maps_twice(measured, tmp_path, dask_cluster):
    folder, expected = measured
    told = []
    for name in ("one", "two"):
        run = set_scheduler(small(folder, tmp_path / name, {}), dask_cluster.address)
        classify(run, announce=told.append)
        assert_same(maps_of(run), expected)
    assert any("dashboard" in line for line in told)


def test_workers_that_are_killed_lose_nothing(measured, tmp_path, dask_cluster):
    folder, expected = measured
    run = set_scheduler(small(folder, tmp_path / "out", {}), dask_cluster.address)

    def kill_all_and_start_one():
        for worker in dask_cluster.workers:
            worker.kill()
        dask_cluster.add_worker()

    classify(run, when("assign", kill_all_and_start_one))
    assert all(worker.poll() is not None for worker in dask_cluster.workers[:2])
    assert_same(maps_of(run), expected)


def test_a_scheduler_that_is_lost_ends_the_run_with_a_sentence_and_the_next_goes_on(
    measured, tmp_path, dask_cluster
):
    folder, expected = measured
    run = set_scheduler(small(folder, tmp_path / "out", {}), dask_cluster.address)
    with pytest.raises(gx.RunError, match="the scheduler was lost") as told:
        classify(run, when("assign", dask_cluster.scheduler.kill))
    assert "\n" not in str(told.value)
    assert not (run.output / "result.zarr").exists()
    again = small(folder, tmp_path / "out", {"cluster": "threads"})
    classify(again)
    assert_same(maps_of(again), expected)


def test_a_tile_that_kills_its_workers_ends_the_run_with_a_sentence(measured, tmp_path, monkeypatch):
    folder, _ = measured
    run = small(folder, tmp_path / "out", {"cluster": "local"})
    monkeypatch.setattr("gigaxas.tasks.assign.assign_tile", die)
    with pytest.raises(gx.RunError, match=r"workers that took this tile were lost"):
        classify(run)


def die(tile, **constants):
    os.kill(os.getpid(), signal.SIGKILL)


def test_an_error_on_a_worker_ends_the_command_with_a_sentence(measured, tmp_path, monkeypatch, capfd):
    folder, _ = measured
    run = small(folder, tmp_path / "out", {"cluster": "local"})
    monkeypatch.setattr("gigaxas.tasks.assign.assign_tile", fail)
    monkeypatch.setattr("gigaxas.config.load.load_config", lambda path: run)
    monkeypatch.setattr(sys, "argv", ["gigaxas", "classify", "run.yaml"])
    with pytest.raises(SystemExit, match="1"):
        main()
    said = capfd.readouterr().err
    assert said.startswith("error  gigaxas does not know what happened here: KeyError: '[bold]mu'")
    assert f"(details in {run.output / 'error.log'})" in said
    assert said.count("\n") == 1
    assert "in fail" in (run.output / "error.log").read_text()


def fail(tile, **constants):
    raise KeyError("[bold]mu")


SCRIPT = """
import gigaxas as gx
from gigaxas.config.schema import Config
run = Config.model_validate_json({settings!r})
print("begins", flush=True)
print(dict(gx.run(run).sizes))
"""


@pytest.mark.parametrize("how", ["file", pytest.param("stdin", marks=pytest.mark.slow)])
def test_a_script_that_guards_nothing_is_run_once_with_256_files_open_at_most(measured, tmp_path, how):
    folder, _ = measured
    run = small(folder, tmp_path / "out", {"cluster": "local"})
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(settings=run.model_dump_json()))
    with script.open() as stdin:
        done = subprocess.run(
            [sys.executable, *([script] if how == "file" else [])],
            stdin=stdin,
            capture_output=True,
            text=True,
            timeout=200,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256)),
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "begins"
    assert done.stdout.count("begins") == 1
    assert "'y': 90, 'x': 100" in done.stdout


def test_no_scheduler_is_told_with_the_address(measured, tmp_path, monkeypatch):
    folder, _ = measured
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    run = set_scheduler(small(folder, tmp_path / "out", {}), f"tcp://127.0.0.1:{free_port()}")
    with pytest.raises(gx.InputError, match=r"found no scheduler at tcp://127\.0\.0\.1"):
        classify(run)


def test_no_address_is_told(measured, tmp_path):
    with pytest.raises(gx.InputError, match="expected an address as tcp://"):
        set_scheduler(small(measured[0], tmp_path, {}), "localhost")


def test_versions_that_differ_are_told_before_anything_runs(measured, tmp_path):
    old = tmp_path / "old"
    (old / "gigaxas-0.0.7.dist-info").mkdir(parents=True)
    (old / "gigaxas-0.0.7.dist-info" / "METADATA").write_text("Name: gigaxas\nVersion: 0.0.7\n")
    dask_cluster = Cluster(tmp_path, workers=1, PYTHONPATH=os.pathsep.join([str(old), *sys.path]))
    try:
        run = set_scheduler(small(measured[0], tmp_path / "out", {}), dask_cluster.address)
        with pytest.raises(gx.InputError, match=r"gigaxas is 0\.0\.7 on tcp://.*; install the same"):
            classify(run)
    finally:
        dask_cluster.close()


def test_a_worker_of_edited_code_is_refused_before_anything_runs(measured, tmp_path):
    skip = shutil.ignore_patterns("__pycache__", "vendor")
    copy = shutil.copytree(Path(gx.__file__).parent, tmp_path / "edited" / "gigaxas", ignore=skip)
    with (copy / "exact.py").open("a") as file:
        file.write("# a line more\n")
    dask_cluster = Cluster(tmp_path, workers=1, PYTHONPATH=os.pathsep.join([str(copy.parent), *sys.path]))
    try:
        run = set_scheduler(small(measured[0], tmp_path / "out", {}), dask_cluster.address)
        with pytest.raises(gx.InputError, match=r"tcp://\S+ run other code of gigaxas than this run"):
            classify(run)
    finally:
        dask_cluster.close()


def test_workers_keep_machine_code_by_the_version_of_the_code(measured, tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    compute = small(measured[0], tmp_path / "out", {"cluster": "local", "workers": 1}).compute
    with cluster.open_client(compute, "test", print) as client:
        (folder,) = client.run(machine_code_folder).values()
    assert folder == str(tmp_path / "gigaxas" / "numba" / code_version())


def machine_code_folder():
    import numba

    return numba.config.CACHE_DIR


def test_workers_die_with_a_local_run_that_is_killed(measured, tmp_path):
    folder, expected = measured
    run = small(folder, tmp_path / "out", {"cluster": "local"})
    with running(run) as (process, hear):
        while hear.recv() != "assign":
            pass
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        os.kill(process.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
    classify(small(folder, tmp_path / "out", {"cluster": "threads"}))
    assert_same(maps_of(run), expected)


@pytest.mark.slow
def test_adaptive_workers_and_a_performance_report(measured, tmp_path):
    folder, expected = measured
    run = small(folder, tmp_path / "out", {"adaptive": True, "performance_report": True, "cluster": "local"})
    classify(run)
    assert_same(maps_of(run), expected)
    assert "<html" in (run.output / "performance.html").read_text()[:3000].lower()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make certificates with")
def test_a_scheduler_behind_tls_uses_dasks_own_settings(measured, tmp_path):
    folder, expected = measured
    pem = str(tmp_path / "both.pem")
    subject = ["-subj", "/CN=localhost", "-days", "2", "-keyout", pem, "-out", f"{pem}.crt"]
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject]
    subprocess.run(make, check=True, capture_output=True)
    tls = {"ca-file": f"{pem}.crt"}
    for who in ("client", "scheduler", "worker"):
        tls |= {f"{who}.cert": f"{pem}.crt", f"{who}.key": pem}
    lead = "DASK_DISTRIBUTED__COMM__TLS__"
    names = {lead + name.upper().replace(".", "__").replace("-", "_"): path for name, path in tls.items()}
    dask_cluster = Cluster(tmp_path, workers=1, protocol="tls", **names)
    try:
        run = set_scheduler(small(folder, tmp_path / "out", {}), dask_cluster.address)
        with dask.config.set({f"distributed.comm.tls.{name}": path for name, path in tls.items()}):
            classify(run)
        assert_same(maps_of(run), expected)
    finally:
        dask_cluster.close()
