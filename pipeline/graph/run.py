"""The Dask graphs: one task a tile on any scheduler, and the spatial stages for Dask arrays."""

from collections.abc import Callable, Sequence
from typing import Any

from dask.base import compute
from dask.callbacks import Callback
from dask.delayed import delayed
from distributed import Client, as_completed

from pipeline.tiles import Tile

Advance = Callable[[int], None]


def run_tiles(
    task: Callable[..., Any],
    tiles: Sequence[Tile],
    *each: Sequence[Any],
    client: Client | None,
    workers: int,
    advance: Advance,
    **constants: Any,
) -> list[Any]:
    """Run task(tile, *each, **constants) for every tile and return the results in the tiles' order.

    `each` holds sequences with one value a tile; `constants` reach every worker once. `advance` is told
    the number of pixels of every tile that is done. Without a client the threads of this process work.
    The first error of a task is raised as it is, and what has not started is dropped.
    """
    keys = [f"{task.__name__}-{tile.row}-{tile.column}" for tile in tiles]
    pixels = {key: tile.shape[0] * tile.shape[1] for key, tile in zip(keys, tiles, strict=True)}
    if client is None:
        return _on_threads(task, tiles, each, keys, workers, lambda key: advance(pixels[key]), constants)
    return _on_cluster(task, tiles, each, keys, client, lambda key: advance(pixels[key]), constants)


def _on_threads(
    task: Callable[..., Any],
    tiles: Sequence[Tile],
    each: tuple[Sequence[Any], ...],
    keys: list[str],
    workers: int,
    done: Callable[[str], None],
    constants: dict[str, Any],
) -> list[Any]:
    shared = {name: delayed(value, traverse=False) for name, value in constants.items()}
    lazy = delayed(task, pure=False, traverse=False)
    calls = [
        lazy(*arguments, dask_key_name=key, **shared)
        for key, *arguments in zip(keys, tiles, *each, strict=True)
    ]
    known = set(keys)
    with Callback(posttask=lambda key, *_: done(key) if key in known else None):
        return list(compute(*calls, scheduler="threads", num_workers=workers))


def _on_cluster(
    task: Callable[..., Any],
    tiles: Sequence[Tile],
    each: tuple[Sequence[Any], ...],
    keys: list[str],
    client: Client,
    done: Callable[[str], None],
    constants: dict[str, Any],
) -> list[Any]:
    shared = {name: client.scatter(value, broadcast=True, hash=False) for name, value in constants.items()}
    futures = client.map(task, tiles, *each, key=keys, pure=False, **shared)
    try:
        for future in as_completed(futures):
            if future.status == "error":
                raise future.exception()
            done(future.key)
        return list(client.gather(futures))
    finally:
        client.cancel(futures)
