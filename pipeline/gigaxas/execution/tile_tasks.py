"""One task a tile, or for a few on a large cluster: on the threads of this process or on Dask's workers."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dask.base import compute
from dask.callbacks import Callback
from dask.delayed import delayed

from gigaxas.tiles import Tile

if TYPE_CHECKING:
    from distributed import Client

Advance = Callable[[int], None]
Task = Callable[..., Any]
Done = Callable[[int, Any], None]
"""Given the number of a tile and what its task returned, as soon as that is known."""


@dataclass(frozen=True)
class TileWork:
    """A task for every tile: task(tile, *each, **constants)."""

    name: str
    """Marks the tasks: on a cluster that others use too, no two works may share one."""
    task: Task
    """A function that workers can import."""
    tiles: Sequence[Tile]
    """What it is run on."""
    each: Sequence[Sequence[Any]]
    """Sequences with one value a tile."""
    constants: Mapping[str, Any]
    """What every tile is given; reaches every worker once."""

    @property
    def keys(self) -> list[str]:
        """The names of the tasks, one a tile."""
        return [f"{self.name}-{tile.row}-{tile.column}" for tile in self.tiles]


def run_tiles(work: TileWork, client: "Client | None", workers: int, done: Done) -> None:
    """Run the tasks, on the threads of this process without a client, and call `done` in this thread.

    The first error of a task is raised as it is, and what has not started is dropped. Raises RunError where
    the cluster is lost, a worker runs other code than this process, or a tile kills all workers that take it.
    """
    if not work.tiles:
        return
    if client is None:
        _on_threads(work, workers, done)
    else:
        from gigaxas.execution.cluster_tasks import run_on_cluster

        run_on_cluster(work, client, workers, done)


def _on_threads(work: TileWork, workers: int, done: Done) -> None:
    shared = {name: delayed(value, traverse=False) for name, value in work.constants.items()}
    task = delayed(work.task, pure=False, traverse=False)
    calls = [
        task(*arguments, dask_key_name=key, **shared)
        for key, *arguments in zip(work.keys, work.tiles, *work.each, strict=True)
    ]
    numbers = {key: number for number, key in enumerate(work.keys)}
    # A pool of its own: when a task fails, those that run are waited for before the error goes on.
    with (
        ThreadPoolExecutor(workers) as pool,
        Callback(posttask=lambda key, value, *_: done(numbers[key], value) if key in numbers else None),
    ):
        compute(*calls, scheduler="threads", pool=pool, num_workers=workers)
