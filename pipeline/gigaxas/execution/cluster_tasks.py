"""One task a tile, on a Dask cluster; apart, because `distributed` takes long to load."""

from collections.abc import Callable
from typing import Any

from distributed import Client, as_completed
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from gigaxas.errors import RunError
from gigaxas.execution.tile_tasks import Task, TileWork
from gigaxas.tiles import Tile
from gigaxas.version import code_version

RETRIES = 2
"""How often a task that failed is tried again on a cluster: its worker may be to blame."""


def run_on_cluster(work: TileWork, client: Client, done: Callable[[str, Any], None]) -> None:
    """Run the tasks and call `done` in this thread with the key of each and what it returned.

    Raises RunError where the cluster is lost; the first error of a task is raised as it is.
    """
    futures: list[Any] = []
    try:
        # A task of its own for each constant, not scattered data: it is made again when its worker is lost.
        shared: dict[str, Any] = {
            name: client.submit(_same, value, key=f"{name}-{work.keys[0]}", pure=False)
            for name, value in work.constants.items()
        }
        shared |= {"the_call": work.task, "the_code": code_version()}
        tasks: dict[str, Any] = {"key": work.keys, "pure": False, "retries": RETRIES}
        futures = client.map(run_same_code, work.tiles, *work.each, **tasks, **shared)
        failure = _first_error(futures, done)
    except (FutureCancelledError, OSError) as error:
        raise RunError(
            f"the scheduler was lost ({type(error).__name__}); see that it runs and run the same command "
            "again: it goes on from the last finished tile"
        ) from None
    finally:
        if client.status == "running":
            client.cancel(futures)
    if failure is not None:
        raise failure


def run_same_code(tile: Tile, *each: Any, the_call: Task, the_code: str, **constants: Any) -> Any:
    """Run a task on a worker. Raises RunError where the worker runs other code than the run that sent it."""
    if code_version() != the_code:
        raise RunError(
            f"a worker runs other code of gigaxas ({code_version()}) than this run ({the_code}); install the "
            "same everywhere, start the workers anew and run the same command again"
        )
    return the_call(tile, *each, **constants)


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
