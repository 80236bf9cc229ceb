"""A cluster that does nothing: tasks that return what the real ones return, workers many in a process.

Usage, by bench_scale.py alone: python scripts/scale_tasks.py scheduler | workers ADDRESS COUNT
"""

import asyncio
import sys
from types import SimpleNamespace
from typing import Any

from distributed import Scheduler, Worker
from gigaxas.locations import Location
from gigaxas.stores.io.checksums import add_checksums
from gigaxas.tiles import Tile

LOOPBACK = "127.0.0.1"
MAPS = ("site", "correlation", "void_reason", "cells", "cell_pixels")
"""Arrays of which the assignment writes a chunk a tile."""


def tell(tile: Tile, *answer: Any, value: Any, writes: Location | None = None) -> Any:
    """Return a value as if it were of this tile, with the checksums of chunks that nobody wrote."""
    if writes is not None:
        keys = [f"{name}/c/{tile.row}/{tile.column}" for name in MAPS]
        noted: Any = SimpleNamespace(chunks=[(key, 100_000, 1) for key in keys])
        add_checksums(writes, noted)
    return value


async def schedule() -> None:
    """Be a scheduler until this process is ended."""
    async with Scheduler(host=LOOPBACK, port=0, dashboard_address=f"{LOOPBACK}:0") as scheduler:
        print(scheduler.address, flush=True)
        await scheduler.finished()


async def work(address: str, count: int) -> None:
    """Be so many workers of one thread until the scheduler ends."""
    options: dict[str, Any] = {"nthreads": 1, "host": LOOPBACK, "dashboard_address": f"{LOOPBACK}:0"}
    workers: list[Any] = [Worker(address, **options, memory_limit=0) for _ in range(count)]
    await asyncio.gather(*workers)
    print(count, flush=True)
    await asyncio.gather(*(worker.finished() for worker in workers))


if __name__ == "__main__":
    asyncio.run(schedule() if sys.argv[1] == "scheduler" else work(sys.argv[2], int(sys.argv[3])))
