"""Where the tasks run: a local cluster with its dashboard, or the threads of this process."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from dask.utils import parse_bytes
from distributed import Client, LocalCluster
from threadpoolctl import threadpool_limits

from pipeline.config import Compute

LOOPBACK = "127.0.0.1"


def worker_count(compute: Compute) -> int:
    """Return how many tasks run at once: as asked, else one for every core this process may use."""
    return compute.workers or len(os.sched_getaffinity(0))


@contextmanager
def open_client(compute: Compute) -> Iterator[Client | None]:
    """Yield a client of a local cluster, one single-threaded process a worker; None for `threads`.

    BLAS and OpenMP are held to one thread: Dask owns the cores. The cluster listens on loopback only
    and ends with the context; a dashboard port that is taken is replaced by a free one.
    """
    if compute.cluster == "threads":
        with threadpool_limits(limits=1):
            yield None
        return
    workers = worker_count(compute)
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            host=LOOPBACK,
            memory_limit=parse_bytes(compute.memory) // workers if compute.memory else "auto",
            dashboard_address=compute.dashboard,
            silence_logs=logging.CRITICAL,
            env={"DASK_LOGGING__DISTRIBUTED": "critical"},
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
