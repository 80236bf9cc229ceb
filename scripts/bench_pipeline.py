"""What the pipeline adds to its kernels: reading, writing and Dask, measured in turns on the same tiles.

Every row of the tables is measured once in each round, all rows in turn, so that a machine that slows down
slows them all; medians and their ratios are written to docs/benchmarks/pipeline.md.

Usage: python scripts/bench_pipeline.py FOLDER [ROUNDS]
"""

import shutil
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bench_nearest import make_sites
from bench_page import machine, table, write_page
from gigaxas.arrays import IntArray
from gigaxas.checkpoint.ledger import Ledger
from gigaxas.config.schema import Compute, Config
from gigaxas.execution.cluster import open_client
from gigaxas.execution.reduction import open_reduction
from gigaxas.execution.runner import Runner
from gigaxas.nearest import Prepared, prepare
from gigaxas.stores.cube import CubeInfo, describe_cube, read_tile
from gigaxas.stores.deferred import create_deferred
from gigaxas.stores.result import create_result
from gigaxas.stores.sites import read_sites
from gigaxas.tasks import assign as assign_tasks
from gigaxas.tasks import clusters as cluster_tasks
from gigaxas.tiles import Tile, blocks_of, flat
from gigaxas.workflow.classify import classify
from gigaxas.workflow.plan import make_plan
from gigaxas.workflow.result import clean_up_and_fill
from linked_cubes import link_cube
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

CHUNK = 256
PLANE = (8 * CHUNK, 8 * CHUNK)
BENCH = Compute(workers=2, dashboard="127.0.0.1:0")
Measured = dict[str, list[float]]

READ = "read and decode, 1 thread"
PROJECT = "read, decode, project, 1 thread"
END_TO_END = "read, decode, assign, write, 1 thread"
MANY = "the same with as many sites as the paper's"
LOOP = "as before, plain loop on 2 threads"
THREADS = "the same, Dask on 2 threads"
THREADS_JOURNAL = "the same, with the journal"
CLUSTER = "the same, local cluster of 2 processes"
CLUSTER_JOURNAL = "that, with the journal"
DEFERRED = "Dask on 2 threads, with what clusters need kept"
CLEAN_UP = "clean-up and fill, Dask on 2 threads"
SUMS = "cluster sums, Dask on 2 threads"


def main(folder: Path, rounds: int) -> None:
    """Measure and write the page."""
    config, info, sites = _material(folder)
    measured: Measured = {}
    with threadpool_limits(limits=1), open_client(BENCH, "bench", print) as client:
        rows = _rows(folder, config, info, sites, client)
        for _ in range(rounds + 1):
            for name, run in rows.items():
                start = time.perf_counter()
                run()
                measured.setdefault(name, []).append(time.perf_counter() - start)
    lines = _lines({name: seconds[1:] for name, seconds in measured.items()})
    write_page("pipeline", "The pipeline around the kernels", lines)


def _material(folder: Path) -> tuple[Config, CubeInfo, Prepared]:
    folder.mkdir(parents=True, exist_ok=True)
    source = _config(folder / "source", simulate={"shape": [4 * CHUNK, 4 * CHUNK], "seed": 7})
    classify(source)
    cube = folder / "cube.zarr"
    shutil.rmtree(cube, ignore_errors=True)
    info = describe_cube(link_cube(cube, source.output / "cube.zarr", PLANE, CHUNK))
    sites = prepare(read_sites(source.output / "sites.zarr").table.spectra)
    return _config(folder / "run", cube={"path": cube}), info, sites


def _config(output: Path, **sections: object) -> Config:
    sites = {"method": "net", "trials": 10_000}
    settings = {"title": output.name, "output": output, "references": {"modelled": True}, "sites": sites}
    return Config.model_validate({**settings, **sections})


def _own(sites: Prepared) -> IntArray:
    """Return labels that stand for every site by its own number."""
    return np.arange(1, len(sites.sites) + 1)


def _rows(
    folder: Path, config: Config, info: CubeInfo, sites: Prepared, client: Any
) -> dict[str, Callable[[], object]]:
    plan = make_plan(2, info)
    tiles = flat(plan.grid)
    blocks = [block for tile in tiles for block in blocks_of(tile, info.chunk, info.bytes_per_pixel)]
    count = sites.sites.shape[0]
    result = folder / "result.zarr"
    shutil.rmtree(result, ignore_errors=True)
    create_result(result, info.plane, plan.tile, info.pixel_um, count, "bench")
    grid, expected = (len(plan.grid), len(plan.grid[0])), config.clean_up.value
    create_deferred(result, grid, plan.tile, info.bytes_per_pixel, expected._asdict())
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(info.shape[0], 32)))[0].astype(np.float32)

    many = prepare(make_sites())

    def assign(tile: Tile, sites: Prepared = sites) -> None:
        assign_tasks.assign_tile(tile, info=info, result=result, sites=sites, classes=_own(sites))

    def on_dask(client: Any, ledger: Ledger | None = None) -> list[Any]:
        once = Runner(lambda: client, 2, ledger=ledger)
        return once.over("assign", assign_tasks.assign_tile, plan.grid, **settings)

    def recorded(client: Any) -> list[Any]:
        shutil.rmtree(folder / "journal", ignore_errors=True)
        return on_dask(client, Ledger(folder))

    def one_by_one(task: Callable[[Tile], object], parts: list[Tile]) -> None:
        for part in parts:
            task(part)

    def on_threads(task: Callable[[Tile], object]) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(task, tiles))

    runner = Runner(workers=2)
    settings: dict[str, Any] = {"info": info, "result": result, "sites": sites, "classes": _own(sites)}
    return {
        READ: lambda: one_by_one(partial(read_tile, info), blocks),
        PROJECT: lambda: one_by_one(partial(_project, info, axes=axes), blocks),
        END_TO_END: lambda: one_by_one(assign, tiles),
        MANY: lambda: one_by_one(partial(assign, sites=many), tiles),
        LOOP: lambda: on_threads(assign),
        THREADS: lambda: on_dask(None),
        THREADS_JOURNAL: lambda: recorded(None),
        CLUSTER: lambda: on_dask(client),
        CLUSTER_JOURNAL: lambda: recorded(client),
        DEFERRED: lambda: runner.over(
            "assign", assign_tasks.assign_tile, plan.grid, **settings, expected=expected
        ),
        CLEAN_UP: lambda: clean_up_and_fill(
            open_reduction(runner, plan.spatial, result), plan, config.clean_up.value, result, count
        ),
        SUMS: lambda: runner.over(
            "clusters",
            cluster_tasks.sum_tile,
            plan.spatial,
            info=info,
            result=result,
            step=plan.tile,
            sites=count,
        ),
    }


def _project(info: CubeInfo, tile: Tile, axes: NDArray[np.float32]) -> NDArray[np.float32]:
    block = read_tile(info, tile)
    return axes.T @ block.reshape(len(axes), -1).astype(np.float32)


def _lines(measured: Measured) -> list[str]:
    pixels = PLANE[0] * PLANE[1] / 1e6
    median = {name: statistics.median(seconds) for name, seconds in measured.items()}
    rates = [[name, f"{seconds:.2f}", f"{pixels / seconds:.2f}"] for name, seconds in median.items()]
    return [
        f"{pixels:.1f} Mpx x 178 energies in chunks of {CHUNK} x {CHUNK}, uint16, LZ4, on the tiles "
        f"of a run; medians of {len(next(iter(measured.values())))} interleaved rounds. Projection is "
        "NumPy's product with 32 axes in float32, conversion included.",
        "",
        f"{machine()}.",
        "",
        *table(["what", "seconds", "Mpx/s"], rates),
        "",
        *table(["ratio of times", ""], [[name, f"{ratio:.2f}"] for name, ratio in _ratios(measured)]),
    ]


def _ratios(measured: Measured) -> list[tuple[str, float]]:
    """Return the medians, over rounds, of what one row takes against another in the same round."""
    pairs = [
        ("read, decode and project against end to end, 1 thread (goal 0.7 or more)", PROJECT, END_TO_END),
        ("the same, with as many sites as the paper's", PROJECT, MANY),
        ("one thread against two", END_TO_END, LOOP),
        ("Dask threads against the plain loop (goal 1.05 or less)", THREADS, LOOP),
        ("the journal on threads", THREADS_JOURNAL, THREADS),
        ("local cluster against the plain loop (goal 1.15 or less)", CLUSTER, LOOP),
        ("the journal on a cluster", CLUSTER_JOURNAL, CLUSTER),
        ("what is kept for the clusters", DEFERRED, THREADS),
        ("clean-up and fill against assignment", CLEAN_UP, THREADS),
        ("cluster sums against assignment", SUMS, THREADS),
    ]
    found = [
        (name, statistics.median(a / b for a, b in zip(measured[first], measured[second], strict=True)))
        for name, first, second in pairs
    ]
    rounds = zip(*(measured[name] for name in (DEFERRED, CLEAN_UP, SUMS, THREADS)), strict=True)
    total = statistics.median(
        (deferred + clean + sums) / plain - 1.0 for deferred, clean, sums, plain in rounds
    )
    name = "clean-up, fill and clusters together, against assignment (goal 0.2 or less)"
    return [*found, (name, total)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
