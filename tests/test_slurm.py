"""A run on a real Slurm of one node (Debian: slurm-wlm, munge), started for the test by GIGAXAS_SLURM=1."""

import os
import shutil
import socket
import subprocess
import time

import dask
import numpy as np
import pytest
from faults import assert_same, maps_of
from gigaxas.workflow.classify import classify
from small_runs import config, edges, scene, write_csv, write_cube

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("GIGAXAS_SLURM" not in os.environ, reason="set GIGAXAS_SLURM=1 to start a Slurm"),
    pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason="install slurm-wlm and munge"),
]
CONF = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=normal Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


@pytest.fixture
def slurm(tmp_path_factory):
    """The environment of a Slurm of one node: its own authentication, controller and node daemon."""
    folder = tmp_path_factory.mktemp("slurm")
    folder.chmod(0o755)
    key, conf = folder / "munge.key", folder / "slurm.conf"
    key.write_bytes(os.urandom(64))
    key.chmod(0o600)
    host = socket.gethostname().split(".")[0]
    cpus = len(os.sched_getaffinity(0))
    conf.write_text(CONF.format(host=host, ports=free_ports(2), folder=folder, cpus=cpus))
    env = {**os.environ, "SLURM_CONF": str(conf)}
    munge = [f"--{name}={folder}/munge.{name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
    daemons = [
        ["munged", "--foreground", "--force", f"--key-file={key}", *munge],
        ["slurmctld", "-D", "-f", str(conf)],
        ["slurmd", "-D", "-f", str(conf), "-N", host],
    ]
    with (folder / "log").open("w") as log:
        started = []
        for words in daemons:
            started.append(subprocess.Popen(words, env=env, stdout=log, stderr=log))
            time.sleep(1.5)
        try:
            wait_until_idle(env, folder / "log")
            yield env
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait(timeout=30)


def wait_until_idle(env, log):
    said = None
    for _ in range(60):
        said = subprocess.run(["sinfo", "-h", "-o", "%T"], env=env, capture_output=True, text=True)
        if said.stdout.strip() == "idle":
            return
        time.sleep(1)
    raise AssertionError(f"{said} {log.read_text()[-3000:]}")


def test_a_run_on_slurm(slurm, tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue")
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    rng = np.random.default_rng(4)
    spectra = edges(4, rng)
    write_csv(tmp_path / "references.csv", spectra)
    write_cube(tmp_path / "cube.zarr", scene(rng, spectra, (90, 100), noise=0.2), [16], [16])
    compute = {"cluster": "threads", "workers": 1, "tile": 16, "dashboard": "127.0.0.1:0"}
    alone = config(tmp_path, tmp_path / "cube.zarr", tmp_path / "references.csv", compute=compute)
    classify(alone)
    run = config(
        tmp_path,
        tmp_path / "cube.zarr",
        tmp_path / "references.csv",
        compute={**compute, "cluster": "slurm"},
    ).model_copy(update={"output": tmp_path / "slurm"})
    job = {"cores": 1, "memory": "1GB", "queue": "normal", "walltime": "00:10:00", "interface": "lo"}
    job |= {"local-directory": str(tmp_path), "log-directory": str(tmp_path / "logs"), "job-mem": "0"}
    told = []
    with dask.config.set({f"jobqueue.slurm.{name}": value for name, value in job.items()}):
        classify(run, announce=told.append)
    assert any("waiting for the first worker" in line for line in told)
    assert len(list((tmp_path / "logs").glob("*.out"))) + len(list((tmp_path / "logs").glob("*.err"))) >= 1
    assert_same(maps_of(run), maps_of(alone))
