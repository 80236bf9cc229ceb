"""One task a tile, or for a few on a large cluster: on the threads of this process or on Dask's workers."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from dask.base import compute
from dask.callbacks import Callback
from dask.delayed import delayed
from distributed import Client, as_completed
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from gigaxas.errors import RunError
from gigaxas.tiles import Tile
from gigaxas.version import code_version

Advance = Callable[[int], None]
Task = Callable[..., Any]
Done = Callable[[int, Any], None]
"""Given the number of a tile and what its task returned, as soon as that is known."""

RETRIES = 2
"""How often a task that failed is tried again on a cluster: its worker may be to blame."""
MOST_SENT = 4096
"""Tasks that a scheduler holds at once."""
SERVED = 64
"""Workers that a scheduler keeps busy with tasks of a single tile, a tenth of a second or so each."""
ROUNDS = 4
"""Tasks that every worker is left with at the least, so that the last ones end together."""


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


def run_tiles(work: TileWork, client: Client | None, workers: int, done: Done) -> None:
    """Run the tasks, on the threads of this process without a client, and call `done` in this thread.

    The first error of a task is raised as it is, and what has not started is dropped. Raises RunError where
    the cluster is lost, a worker runs other code than this process, or a tile kills all workers that take it.
    """
    if not work.tiles:
        return
    if client is None:
        _on_threads(work, workers, done)
    else:
        _on_cluster(work, client, workers, done)


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


def _on_cluster(work: TileWork, client: Client, workers: int, done: Done) -> None:
    keys, waiting = work.keys, iter(batches(len(work.tiles), workers))
    running = as_completed(loop=client.loop, with_results=True, raise_errors=False)
    sent: dict[str, tuple[range, Any]] = {}

    def refill() -> None:
        """Send as many tasks as the scheduler may hold: no more, however large the image."""
        if running.count() > MOST_SENT // 2:
            return
        some = list(islice(waiting, MOST_SENT - running.count()))
        if some:
            parts = ([values[b.start : b.stop] for b in some] for values in (work.tiles, *work.each))
            names = [keys[batch.start] for batch in some]
            futures = client.map(run_same_code, *parts, key=names, pure=False, retries=RETRIES, **shared)
            sent.update(zip(names, zip(some, futures, strict=True), strict=True))
            running.update(futures)

    def received(key: str, values: list[Any]) -> None:
        batch, future = sent.pop(key)
        future.release()
        for number, value in zip(batch, values, strict=True):
            done(number, value)
        refill()

    try:
        # A task of its own for each constant, not scattered data: it is made again when its worker is lost.
        shared: dict[str, Any] = {
            name: client.submit(_same, value, key=f"{name}-{keys[0]}", pure=False)
            for name, value in work.constants.items()
        }
        shared |= {"the_call": work.task, "the_code": code_version()}
        refill()
        failure = _first_error(running, received)
    except (FutureCancelledError, OSError) as error:
        raise RunError(
            f"the scheduler was lost ({type(error).__name__}); see that it runs and run the same command "
            "again: it goes on from the last finished tile"
        ) from None
    finally:
        if client.status == "running":
            client.cancel([future for _, future in sent.values()])
    if failure is not None:
        raise failure


def batches(tiles: int, workers: int) -> list[range]:
    """Cut so many tiles into what one task does: a tile, and more where a scheduler could not keep up."""
    size = max(1, min(-(-workers // SERVED), tiles // (workers * ROUNDS)))
    return [range(start, min(start + size, tiles)) for start in range(0, tiles, size)]


def run_same_code(
    tiles: Sequence[Tile], *each: Sequence[Any], the_call: Task, the_code: str, **constants: Any
) -> list[Any]:
    """Run a task on some tiles, on a worker. Raises RunError where that runs other code than this run."""
    if code_version() != the_code:
        raise RunError(
            f"a worker runs other code of gigaxas ({code_version()}) than this run ({the_code}); install the "
            "same everywhere, start the workers anew and run the same command again"
        )
    return [the_call(tile, *values, **constants) for tile, *values in zip(tiles, *each, strict=True)]


def _first_error(running: Any, received: Callable[[str, Any], None]) -> BaseException | None:
    for future, value in running:
        if future.status == "finished":
            received(future.key, value)
        elif future.status == "error":
            error: BaseException = value[1]
            return _explained(error).with_traceback(value[2])
        else:
            raise value
    return None


def _explained(error: BaseException) -> BaseException:
    if not isinstance(error, KilledWorker):
        return error
    return RunError(
        f"{error.task}: {error.allowed_failures + 1} workers that took this tile were lost, most likely for "
        "want of memory; give them more, or set a smaller compute.tile, and run the same command again"
    )


def _same(value: Any) -> Any:
    return value
