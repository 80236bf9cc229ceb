"""The memory that this process may take, as Dask finds it, without loading Dask's cluster for one number."""

import sys
from pathlib import Path

import psutil

CONTAINER = (
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/memory/memory.soft_limit_in_bytes",
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory.high",
    "/sys/fs/cgroup/memory.low",
)
"""Files in which Linux tells what a container is held to."""


def memory_limit() -> int:
    """Return the bytes of memory that the machine has, or that its container or its user is held to."""
    limits = [_told(Path(file)) for file in CONTAINER]
    if sys.platform != "win32":
        import resource

        limits.append(resource.getrlimit(resource.RLIMIT_RSS)[1])
    return min([psutil.virtual_memory().total, *(limit for limit in limits if limit > 0)])


def _told(file: Path) -> int:
    """Return the number in a file, 0 where there is none."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0
