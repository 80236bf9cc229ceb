"""What scheduler, journal and merging cost beyond one machine: all tasks of a large image, without work.

The tasks return what those of a small run returned. They run through the project's own runner, journal and
merging on a scheduler with up to 1,000 workers, of which one process holds hundreds: a worker speaks the
scheduler's protocol as any other does, and has nothing else to do. Each measurement has its own processes.

Usage: python scripts/bench_scale.py FOLDER
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from bench_page import machine, table, write_page
from distributed import Client
from gigaxas.checkpoint.journal import stage_journals
from gigaxas.checkpoint.ledger import Ledger
from gigaxas.config.schema import Config
from gigaxas.execution import cluster_tasks
from gigaxas.execution.reduction import Reduction, gather, reduction_grids
from gigaxas.execution.runner import Runner
from gigaxas.observed import level_of_samples, merge_groups
from gigaxas.spatial.cluster_sums import join_sums
from gigaxas.spatial.fill import fill_edges
from gigaxas.spatial.regions import region_edges, tile_regions
from gigaxas.stores.io.groups import create_group
from gigaxas.stores.result import read_map
from gigaxas.tiles import Grid, Tile, regular_grid
from gigaxas.workflow.classify import classify
from gigaxas.workflow.resolve import resolve
from gigaxas.workflow.result import COUNTS, FILL, REGIONS, SUMS
from scale_tasks import tell

PLANES = {1: (16, 15), 10: (48, 50), 100: (154, 155)}
"""Rows and columns of tiles of SIDE pixels for so many Gpx."""
SIDE = 2048
HOSTS = 2
"""Processes that hold the workers."""
SOURCE = (2048, 2048)
WHAT = {
    "assign": "assign",
    "assign all at once": "assign, a task for every tile, all sent at once",
    "observe": "observe windows, merge their groups in one process",
    "clean-up": "clean-up, fill and clusters, joined block by block",
    "clean-up at once": "the same, merged in one process",
}
MEASURED = {
    "main_cpu": "stages, s",
    "scheduler_cpu": "scheduler, s",
    "main_peak": "stages, GiB",
    "scheduler_peak": "scheduler, GiB",
    "journal": "journal, MiB",
}
RUNS = [
    *(("assign", gpx, workers) for gpx, workers in ((1, 10), (1, 100), (1, 1000), (10, 100), (10, 1000))),
    *(("assign all at once", gpx, 100) for gpx in (1, 10)),
    *((kind, gpx, 10) for kind in ("observe", "clean-up", "clean-up at once") for gpx in (1, 10)),
]
"""What is run, for so many Gpx, by so many workers."""


def main(folder: Path) -> None:
    """Measure every row in processes of its own and write the page."""
    _source(folder)
    found = []
    for kind, gpx, workers in RUNS:
        command = [sys.executable, __file__, str(folder), kind, str(gpx), str(workers)]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        print(told, end="", flush=True)
        found.append(json.loads(told.splitlines()[-1]))
    write_page("scale", "Beyond one machine", _lines(found))


def measure(folder: Path, kind: str, gpx: int, workers: int) -> dict[str, Any]:
    """Run the tasks of a kind; return what the processes took."""
    values = _values(folder)
    output = folder / "run"
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir()
    with _cluster(workers) as (client, scheduler):
        runner = Runner(lambda: client, workers, ledger=Ledger(output))
        start, before = time.perf_counter(), (_cpu(psutil.Process()), _cpu(scheduler))
        tasks = _run(kind, gpx, runner, values, output)
        seconds = time.perf_counter() - start
        after = (_cpu(psutil.Process()), _cpu(scheduler))
        peaks = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, _peak(scheduler))
    main_cpu, scheduler_cpu = (b - a for a, b in zip(before, after, strict=True))
    size = sum(file.stat().st_size for file in (output / "journal").rglob("*.records"))
    return {
        "kind": kind,
        "gpx": gpx,
        "workers": workers,
        "tasks": tasks,
        "seconds": seconds,
        "main_cpu": main_cpu,
        "scheduler_cpu": scheduler_cpu,
        "main_peak": peaks[0],
        "scheduler_peak": peaks[1],
        "journal": size / 2**20,
    }


def _run(kind: str, gpx: int, runner: Runner, values: dict[str, Any], output: Path) -> int:
    tiles = _grid(gpx, SIDE)
    if kind == "assign all at once":
        cluster_tasks.MOST_SENT = cluster_tasks.SERVED = 10**9
    if kind.startswith("assign"):
        grid = _grid(gpx, SIDE // 4)
        runner.over("assign", tell, grid, value=None, writes=output / "result.zarr")
        return len(grid) * len(grid[0])
    if kind == "observe":
        grid = _grid(gpx, SIDE // 2)
        parts = runner.over("observe", tell, grid, value=values["groups"])
        merge_groups([part for row in parts for part in row], values["level"])
        return len(grid) * len(grid[0])
    store = output / "summaries.partial"
    create_group(store, {"basis": "bench"})
    grids = [tiles] if kind.endswith("at once") else reduction_grids(tiles)
    reduction, before = Reduction(runner, grids, store), None
    for stage, name in (("regions", REGIONS), ("clean-up", FILL), ("fill", COUNTS)):
        before = gather(reduction, stage, tell, name, before, value=values[stage])
    gather(reduction, "clusters", tell, SUMS, None, value=values["clusters"])
    return 4 * len(tiles) * len(tiles[0])


def _source(folder: Path) -> Any:
    """Make a small run, unless it is there, and return it resolved."""
    settings = {
        "title": "source",
        "output": folder / "source",
        "simulate": {"shape": SOURCE, "seed": 7},
        "references": {"modelled": True},
        "sites": {"from": "observed"},
        "compute": {"workers": 2, "dashboard": "127.0.0.1:0"},
    }
    config = Config.model_validate(settings)
    if not (folder / "source" / "result.zarr").exists():
        classify(config)
    return resolve(config)


def _values(folder: Path) -> dict[str, Any]:
    """Return what tasks of a small run returned, by stage, of one tile of SIDE pixels."""
    run = _source(folder)
    told = {
        journal.folder.name.partition(".")[0]: [record.value for record in journal.read()[0]]
        for journal in stage_journals(folder / "source" / "journal")
    }
    tile, whole, info = Tile(0, 0, 0, SIDE, 0, SIDE), (slice(0, SIDE),) * 2, run.info
    site, kept = (read_map(folder / "source" / "result.zarr", name, whole) for name in ("site", "kept"))
    rule = run.config.clean_up.value
    level = level_of_samples(
        told["sample"], run.noise, rule.k_size, rule.p_num, run.config.sites.limit, info.scale, info.offset
    )
    return {
        "regions": region_edges(*tile_regions(site, tile, SOURCE, rule)),
        "clean-up": fill_edges(kept),
        "fill": COUNTS.join([told["fill"]]),
        "clusters": join_sums([told["clusters"]]),
        "groups": told["observe"][0],
        "level": level,
    }


def _grid(gpx: int, side: int) -> Grid:
    rows, columns = PLANES[gpx]
    return regular_grid((rows * SIDE, columns * SIDE), (side, side))


@contextmanager
def _cluster(workers: int) -> Iterator[tuple[Client, psutil.Process]]:
    """Yield a client of a scheduler with so many workers, and the process of the scheduler; end them all."""
    command = [sys.executable, str(Path(__file__).with_name("scale_tasks.py"))]
    quiet = os.environ | {"DASK_LOGGING__DISTRIBUTED": "critical"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True, "env": quiet}
    processes = [subprocess.Popen([*command, "scheduler"], **pipes)]
    try:
        address = _line(processes[0])
        hosts = min(HOSTS, workers)
        for _ in range(hosts):
            processes.append(subprocess.Popen([*command, "workers", address, str(workers // hosts)], **pipes))
        for host in processes[1:]:
            _line(host)
        with Client(address) as client:  # type: ignore[no-untyped-call]
            yield client, psutil.Process(processes[0].pid)
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _cpu(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


def _peak(process: psutil.Process) -> float:
    """Return the largest memory that a process has held so far, in GiB."""
    told = Path(f"/proc/{process.pid}/status").read_text()
    return int(told.split("VmHWM:")[1].split()[0]) / 2**20


def _lines(found: Sequence[dict[str, Any]]) -> list[str]:
    head = ["what", "Gpx", "workers", "tiles", *MEASURED.values()]
    rows = [
        [WHAT[one["kind"]], f"{one['gpx']}", f"{one['workers']:,}", f"{one['tasks']:,}", *_told(one)]
        for one in found
    ]
    pairs = [
        (one, ten)
        for one in found
        for ten in found
        if (one["gpx"], ten["gpx"]) == (1, 10) and all(one[k] == ten[k] for k in ("kind", "workers"))
    ]
    further = [[WHAT[one["kind"]], f"{one['workers']:,}", *_told(_at_100(one, ten))] for one, ten in pairs]
    return [
        "What scheduler, journal and merging cost for images of 1 and 10 Gpx: every task is there and none "
        "does any work, it returns what the same task returned in a run over 4 Mpx of the simulated sinter. "
        f"Workers are simulated: {HOSTS} processes hold all of them, each worker with a connection, a thread "
        "and heartbeats of its own, so that the scheduler sees as many.",
        "",
        f"{machine()}. Processor seconds; memory is the largest that a process has held, with all packages "
        "loaded (0.45 GiB of it in the process that runs the stages). Clean-up, fill and clusters are four "
        "passes over tiles of 2048 x 2048 pixels.",
        "",
        *table(head, rows),
        "",
        "Straight lines through the two sizes, at 100 Gpx; nobody has run these:",
        "",
        *table(["what", "workers", *MEASURED.values()], further),
    ]


def _told(one: dict[str, Any]) -> list[str]:
    return [f"{one[name]:.{0 if name == 'journal' else 2 if 'peak' in name else 1}f}" for name in MEASURED]


def _at_100(one: dict[str, Any], ten: dict[str, Any]) -> dict[str, Any]:
    """Return what two measurements, of 1 and 10 Gpx, lead to at 100, where that is not less."""
    return {name: max(ten[name] + 10.0 * (ten[name] - one[name]), ten[name]) for name in MEASURED}


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(measure(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
    else:
        main(Path(sys.argv[1]))
