"""One task a tile, or for some on a large Dask cluster; apart, because `distributed` takes long to load."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from distributed import Client, as_completed
from distributed.client import FutureCancelledError
from distributed.scheduler import KilledWorker

from gigaxas.errors import RunError
from gigaxas.execution.tile_tasks import Done, Task, TileWork
from gigaxas.tiles import Tile
from gigaxas.version import code_version

RETRIES = 2
"""How often a task that failed is tried again on a cluster: its worker may be to blame."""
MOST_SENT = 4096
"""Tasks that a scheduler holds at once."""
SERVED = 64
"""Workers that a scheduler keeps busy with tasks of a single tile, a tenth of a second or so each."""
ROUNDS = 4
"""Tasks that every worker is left with at the least, so that the last ones end together."""


def run_on_cluster(work: TileWork, client: Client, workers: int, done: Done) -> None:
    """Run the tasks and call `done` in this thread for every tile that is done.

    Raises RunError where the cluster is lost; the first error of a task is raised as it is.
    """
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
