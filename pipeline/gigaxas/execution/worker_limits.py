"""What a worker of a cluster is held to."""

from typing import Any

from distributed import WorkerPlugin
from threadpoolctl import threadpool_limits

from gigaxas.execution.open_files import allow_open_files


class WorkerLimits(WorkerPlugin):
    """Holds BLAS and OpenMP of a worker to one thread, for Dask owns the cores; lets it open many files."""

    name = "gigaxas-worker-limits"

    def setup(self, worker: Any) -> None:
        """Set the limits for as long as the worker lives."""
        threadpool_limits(limits=1)
        allow_open_files()
