"""Where the tasks run: threads of this process, a cluster of this machine, a running one, a batch system."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import spawn
from typing import TYPE_CHECKING, Any

import dask
from dask.system import cpu_count
from dask.utils import parse_bytes
from threadpoolctl import threadpool_limits

from gigaxas.config.schema import Compute
from gigaxas.errors import InputError, RunError
from gigaxas.execution.memory import memory_limit
from gigaxas.execution.open_files import allow_open_files
from gigaxas.version import code_version

if TYPE_CHECKING:
    from distributed import Client

LOOPBACK = "127.0.0.1"
BATCH = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "oar": "OARCluster",
    "htcondor": "HTCondorCluster",
}
COMPARED = ("gigaxas", "dask", "distributed", "numpy", "numba", "zarr", "numcodecs")
CONNECT_SECONDS = 20
STRAY_SECONDS = 300
SPAWN = "distributed.nanny.pre-spawn-environ"
ROOMY = {
    # What a stage is given goes through the scheduler once, whatever its size.
    "distributed.admin.large-graph-warning-threshold": "2GB",
    # A worker keeps the memory of a block for the next one: to give it back and fetch it anew costs a sixth.
    f"{SPAWN}.MALLOC_MMAP_THRESHOLD_": 32 * 2**20,
    f"{SPAWN}.MALLOC_TRIM_THRESHOLD_": 256 * 2**20,
}

Announce = Callable[[str], None]


def worker_count(compute: Compute) -> int:
    """Return how many tasks run at once: as asked, else one for every core this process may use.

    The cores that a container is held to count, as does a set of cores that the process is bound to.
    """
    return compute.workers or cpu_count()


def is_local(compute: Compute) -> bool:
    """Return whether tasks run in processes of this machine that belong to the run."""
    return compute.scheduler is None and compute.cluster == "local"


def memory_of(compute: Compute) -> int:
    """Return the bytes that tasks of this machine may take: as asked, else what it, or its container, has."""
    return parse_bytes(compute.memory) if compute.memory else memory_limit()


@contextmanager
def open_client(compute: Compute, mark: str, announce: Announce) -> "Iterator[Client | None]":
    """Yield a client of the cluster that is asked for, None for `threads`; it ends with the context.

    BLAS and OpenMP are held to one thread. `announce` is told where the dashboard is and what is waited
    for. Raises InputError where there is no such cluster or its versions differ from these here.
    """
    allow_open_files()
    if compute.cluster == "threads" and compute.scheduler is None:
        with threadpool_limits(limits=1):
            yield None
        return
    from gigaxas.execution import worker_limits

    with dask.config.set(ROOMY), _quiet("distributed"), _connected(compute) as client:
        announce(f"dashboard  {client.dashboard_link}")
        _wait_for_workers(client, compute, announce)
        if compute.scheduler is not None or compute.cluster in BATCH:
            _compare_versions(client)
            _wait_for_strays(client, mark, announce)
        client.register_plugin(worker_limits.WorkerLimits())
        yield client


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    # What goes wrong there reaches the user as one sentence of this program.
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _connected(compute: Compute) -> "Iterator[Client]":
    from distributed import Client  # takes longer to load than all else of a run that finds everything made

    if compute.scheduler is not None:
        try:
            client = Client(compute.scheduler, timeout=CONNECT_SECONDS)
        except (OSError, TypeError, ValueError) as error:  # TypeError: no certificates for tls://
            raise InputError(
                f"compute.scheduler: found no scheduler at {compute.scheduler} ({error}); start one with "
                "`dask scheduler`, or correct the address"
            ) from None
        with client:
            yield client
        return
    own = _batch_cluster if compute.cluster in BATCH else _local_cluster
    with _without_script(), own(compute) as cluster, Client(cluster) as client:
        yield client


@contextmanager
def _without_script() -> Iterator[None]:
    """Let worker processes start without the user's script, which each of them would run from its top."""
    prepare = spawn.get_preparation_data

    def without_script(name: str) -> dict[str, Any]:
        return {key: value for key, value in prepare(name).items() if not key.startswith("init_main")}

    spawn.get_preparation_data = without_script
    try:
        yield
    finally:
        spawn.get_preparation_data = prepare


def _local_cluster(compute: Compute) -> Any:
    from distributed import LocalCluster

    workers = worker_count(compute)
    try:
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host=LOOPBACK,
            memory_limit=memory_of(compute) // workers,
            dashboard_address=compute.dashboard,
            silence_logs=logging.CRITICAL,
            env={"DASK_LOGGING__DISTRIBUTED": "critical"},
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise RunError(
            f"compute.cluster: the {workers} worker processes of this machine cannot be started "
            f"({error.__cause__ or error}); set fewer compute.workers, another compute.dashboard, or "
            "compute.cluster: threads"
        ) from None
    return _scaled(cluster, compute)


def _batch_cluster(compute: Compute) -> Any:
    try:
        import dask_jobqueue
    except ImportError:
        raise InputError(
            f"compute.cluster: {compute.cluster} needs dask-jobqueue; install gigaxas[jobqueue]"
        ) from None
    kind = getattr(dask_jobqueue, BATCH[compute.cluster])
    try:
        cluster = kind(scheduler_options={"dashboard_address": compute.dashboard})
    except (TypeError, ValueError) as error:
        raise InputError(
            f"compute.cluster: {compute.cluster} cannot be started ({error}); give cores, memory and such "
            "in Dask's own file jobqueue.yaml, as docs/how-to/cluster.md shows"
        ) from None
    return _scaled(cluster, compute)


def _scaled(cluster: Any, compute: Compute) -> Any:
    if compute.adaptive:
        cluster.adapt(minimum=1, maximum=worker_count(compute))
    else:
        cluster.scale(worker_count(compute))
    return cluster


def _wait_for_workers(client: "Client", compute: Compute, announce: Announce) -> None:
    if client.nthreads():
        return
    announce("cluster    waiting for the first worker")
    try:
        client.wait_for_workers(1, timeout=None if compute.cluster in BATCH else CONNECT_SECONDS)
    except TimeoutError:
        raise InputError(
            f"compute.scheduler: {compute.scheduler or 'the cluster'} has no workers; start some with "
            "`dask worker`, with gigaxas installed"
        ) from None


def _compare_versions(client: "Client") -> None:
    found: Any = client.get_versions(packages=list(COMPARED))
    here = _versions(found["client"])
    wrong = [
        f"{name} is {there.get(name) or 'missing'} on {address}, {here[name]} here"
        for address, entry in {"the scheduler": found["scheduler"], **found["workers"]}.items()
        for there in [_versions(entry)]
        for name in (*COMPARED, "python")
        if there.get(name) != here[name] and not (address == "the scheduler" and there.get(name) is None)
    ]
    if wrong:
        raise InputError(
            f"compute.scheduler: versions differ: {'; '.join(wrong[:6])}; install the same environment "
            "everywhere"
        )
    here_code = code_version()
    other = sorted(address for address, code in client.run(code_version).items() if code != here_code)
    if other:
        raise InputError(
            f"compute.scheduler: {', '.join(other[:6])} run other code of gigaxas than this run; install the "
            "same everywhere and start the workers anew"
        )


def _versions(entry: dict[str, Any]) -> dict[str, Any]:
    python = ".".join(entry["host"]["python"].split(".")[:2])
    return {"python": python, **entry["packages"]}


def _wait_for_strays(client: "Client", mark: str, announce: Announce) -> None:
    end = time.monotonic() + STRAY_SECONDS
    told = False
    while any(mark in str(key) for keys in client.run(_active_keys).values() for key in keys):
        if not told:
            announce("cluster    waiting for tasks that a killed run left behind")
            told = True
        if time.monotonic() > end:
            raise RunError(
                f"tasks of an earlier run on this output still work after {STRAY_SECONDS} s; "
                "restart the workers"
            )
        time.sleep(0.5)


def _active_keys(dask_worker: Any) -> list[str]:
    return [str(key) for key in dask_worker.active_keys]
