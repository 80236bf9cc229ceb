"""One task a tile, on the threads of this process or on a Dask cluster."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dask.base import compute
from dask.callbacks import Callback
from dask.delayed import delayed
from distributed import Client, as_completed
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from gigaxas.errors import RunError
from gigaxas.tiles import Tile

Advance = Callable[[int], None]
Done = Callable[[int, Any], None]
"""Told the number of a tile and what its task returned, as soon as that is known."""

RETRIES = 2


def run_tiles(
    name: str,
    task: Callable[..., Any],
    tiles: Sequence[Tile],
    each: Sequence[Sequence[Any]],
    constants: dict[str, Any],
    client: Client | None,
    workers: int,
    done: Done,
) -> None:
    """Run task(tile, *each, **constants) for every tile and tell `done` of each as it ends, in this thread.

    `name` marks the tasks: on a cluster that others use too, no two calls may share one. `each` holds
    sequences with one value a tile; `constants` reach every worker once. Without a client the
    threads of this process work. The first error of a task is raised as it is, and what has not started is
    dropped. Raises RunError where the cluster is lost, or a tile kills every worker that takes it.
    """
    if not tiles:
        return
    numbers = {f"{name}-{tile.row}-{tile.column}": number for number, tile in enumerate(tiles)}
    calls = (task, tiles, each, list(numbers), constants)
    if client is None:
        _on_threads(*calls, workers, lambda key, value: done(numbers[key], value))
    else:
        _on_cluster(*calls, client, lambda key, value: done(numbers[key], value))


def _on_threads(
    task: Callable[..., Any],
    tiles: Sequence[Tile],
    each: Sequence[Sequence[Any]],
    keys: list[str],
    constants: dict[str, Any],
    workers: int,
    done: Callable[[str, Any], None],
) -> None:
    shared = {name: delayed(value, traverse=False) for name, value in constants.items()}
    lazy = delayed(task, pure=False, traverse=False)
    calls = [
        lazy(*arguments, dask_key_name=key, **shared)
        for key, *arguments in zip(keys, tiles, *each, strict=True)
    ]
    known = set(keys)
    # A pool of its own: when a task fails, those that run are waited for before the error goes on.
    with (
        ThreadPoolExecutor(workers) as pool,
        Callback(posttask=lambda key, value, *_: done(key, value) if key in known else None),
    ):
        compute(*calls, scheduler="threads", pool=pool, num_workers=workers)


def _on_cluster(
    task: Callable[..., Any],
    tiles: Sequence[Tile],
    each: Sequence[Sequence[Any]],
    keys: list[str],
    constants: dict[str, Any],
    client: Client,
    done: Callable[[str, Any], None],
) -> None:
    futures: list[Any] = []
    try:
        # A task of its own for each constant, not scattered data: it is made again when its worker is lost.
        shared: dict[str, Any] = {
            name: client.submit(_same, value, key=f"{name}-{keys[0]}", pure=False)
            for name, value in constants.items()
        }
        futures = client.map(task, tiles, *each, key=keys, pure=False, retries=RETRIES, **shared)
        failure = _first_error(futures, done)
    except (FutureCancelledError, OSError, TimeoutError):
        raise RunError(
            "the scheduler was lost; see that it runs and run the same command again: it goes on from the "
            "last finished tile"
        ) from None
    finally:
        if client.status == "running":
            client.cancel(futures)
    if failure is not None:
        raise failure


def _first_error(futures: list[Any], done: Callable[[str, Any], None]) -> BaseException | None:
    for future, value in as_completed(futures, with_results=True, raise_errors=False):
        if future.status == "finished":
            done(future.key, value)
            future.release()
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
