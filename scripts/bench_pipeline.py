"""What the pipeline adds to its kernels: reading, writing and Dask, measured in turns on the same tiles.

Every row of the tables is measured once in each round, all rows in turn, so that a machine that slows down
slows them all; medians and their ratios are written to docs/benchmarks/pipeline.md.

Usage: python scripts/bench_pipeline.py FOLDER [ROUNDS]
"""

import os
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from linked_cubes import link_cube
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline import stages
from pipeline.cluster import open_client
from pipeline.config import Compute, Config
from pipeline.nearest import Prepared, prepare
from pipeline.stores.cube import CubeInfo, describe_cube, read_tile
from pipeline.stores.result import create_result
from pipeline.stores.sites import read_sites
from pipeline.tiles import Tile, flat, regular_grid
from pipeline.workflow import classify
from pipeline.workflow.plan import make_plan
from pipeline.workflow.result import clean_up_and_fill
from pipeline.workflow.resume import Ledger
from pipeline.workflow.runner import Runner

CHUNK = 256
PLANE = (8 * CHUNK, 8 * CHUNK)
PAGE = Path(__file__).parents[1] / "docs" / "benchmarks" / "pipeline.md"
BENCH = Compute(workers=2, dashboard="127.0.0.1:0")
Measured = dict[str, list[float]]


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
    page = _page({name: seconds[1:] for name, seconds in measured.items()})
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page, encoding="utf-8")
    print(page)


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


def _rows(
    folder: Path, config: Config, info: CubeInfo, sites: Prepared, client: Any
) -> dict[str, Callable[[], object]]:
    tiles = flat(regular_grid(info.plane, (CHUNK, CHUNK)))
    plan = make_plan(config, 2, info)
    count = sites.sites.shape[0]
    result = folder / "result.zarr"
    create_result(result, info.plane, (CHUNK, CHUNK), info.pixel_um, count, "bench")
    axes = np.linalg.qr(np.random.default_rng(0).normal(size=(info.shape[0], 32)))[0].astype(np.float32)

    def assign(tile: Tile) -> None:
        stages.assign_tile(tile, info=info, result=result, sites=sites)

    def on_dask(client: Any, ledger: Ledger | None = None) -> list[Any]:
        once = Runner(client, 2, ledger=ledger)
        return once.over("assign", stages.assign_tile, plan.grid, info=info, result=result, sites=sites)

    def recorded(client: Any) -> list[Any]:
        shutil.rmtree(folder / "journal", ignore_errors=True)
        return on_dask(client, Ledger(folder))

    def on_one_thread(task: Callable[[Tile], object]) -> None:
        for tile in tiles:
            task(tile)

    def on_threads(task: Callable[[Tile], object]) -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(task, tiles))

    runner = Runner(workers=2)
    return {
        "read and decode, 1 thread": lambda: [read_tile(info, tile) for tile in tiles],
        "read, decode, project, 1 thread": lambda: [_project(info, tile, axes) for tile in tiles],
        "read, decode, assign, write, 1 thread": lambda: on_one_thread(assign),
        "the same, plain loop on 2 threads": lambda: on_threads(assign),
        "the same, Dask on 2 threads": lambda: on_dask(None),
        "the same, with the journal": lambda: recorded(None),
        "the same, local cluster of 2 processes": lambda: on_dask(client),
        "that, with the journal": lambda: recorded(client),
        "clean-up and fill, Dask on 2 threads": lambda: clean_up_and_fill(
            config, plan, result, count, runner
        ),
        "cluster sums, Dask on 2 threads": lambda: runner.over(
            "clusters", stages.sum_tile, plan.spatial, info=info, result=result, step=plan.tile, sites=count
        ),
    }


def _project(info: CubeInfo, tile: Tile, axes: NDArray[np.float32]) -> NDArray[np.float32]:
    block = read_tile(info, tile)
    return axes.T @ block.reshape(len(axes), -1).astype(np.float32)


def _page(measured: Measured) -> str:
    pixels = PLANE[0] * PLANE[1] / 1e6
    median = {name: statistics.median(seconds) for name, seconds in measured.items()}
    names = list(median)
    ratios = [
        ("end to end against read, decode and project, 1 thread", median[names[1]] / median[names[2]]),
        ("two threads against one", median[names[2]] / median[names[3]]),
        ("Dask threads against the plain loop, time", median[names[4]] / median[names[3]]),
        ("the journal on threads, time", median[names[5]] / median[names[4]]),
        ("local cluster against the plain loop, time", median[names[6]] / median[names[3]]),
        ("the journal on a cluster, time", median[names[7]] / median[names[6]]),
        ("clean-up and fill against assignment, time", median[names[8]] / median[names[4]]),
        ("cluster sums against assignment, time", median[names[9]] / median[names[4]]),
    ]
    lines = [
        "# The pipeline around the kernels",
        "",
        f"`make bench`: {pixels:.1f} Mpx x 178 energies in chunks of {CHUNK} x {CHUNK}, uint16, LZ4; "
        f"medians of {len(next(iter(measured.values())))} interleaved rounds. "
        f"{os.cpu_count()} cores, {_processor()}, Python {platform.python_version()}.",
        "",
        "| what | seconds | Mpx/s |",
        "|---|---:|---:|",
        *(f"| {name} | {seconds:.2f} | {pixels / seconds:.2f} |" for name, seconds in median.items()),
        "",
        "| ratio | |",
        "|---|---:|",
        *(f"| {name} | {ratio:.2f} |" for name, ratio in ratios),
    ]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5)
