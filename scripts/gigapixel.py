"""The whole pipeline at the paper's full size: 450 million pixels, 178 energies, on this machine.

The cube's chunks are hard links to a few hundred distinct simulated tiles, so that it fits a small disk; all
are read, decoded and classified as any others. Prints stages, rates and the peak memory of all processes
together, and writes them to docs/benchmarks/gigapixel.md.

Usage: python scripts/gigapixel.py FOLDER [ROWS COLUMNS], rows and columns counted in chunks.
"""

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import yaml
from bench_page import machine, table, write_page
from gigaxas.cli.verbs import _bar
from gigaxas.config.schema import Config
from gigaxas.workflow.classify import classify, simulate
from linked_cubes import link_cube

CHUNK = 256
SOURCE_CHUNKS = (16, 16)
ROWS, COLUMNS = 84, 82
LIMIT = 1e-4
FINE = 0.06
"""A discrimination limit at which the modelled library gives as many sites as the paper used."""


def main(folder: Path, rows: int, columns: int) -> None:
    """Simulate the tiles, link the cube, classify it, tell and write what it took."""
    folder.mkdir(parents=True, exist_ok=True)
    simulate(_config(folder / "source", LIMIT, simulate=_scene()), _bar)
    cube = folder / "cube.zarr"
    shutil.rmtree(cube, ignore_errors=True)
    link_cube(cube, folder / "source" / "cube.zarr", (rows * CHUNK, columns * CHUNK), CHUNK)
    stored = sum(file.stat().st_size for file in cube.rglob("*") if file.is_file())
    lines = [
        f"{rows * columns * CHUNK**2 / 1e6:,.0f} million pixels x 178 energies through all stages, maps "
        "and report written: once with the sites that the modelled library gives, once with as many as the "
        f"paper's. The cube is made of {SOURCE_CHUNKS[0] * SOURCE_CHUNKS[1]} distinct simulated tiles, each "
        f"there many times as hard links ({rows * columns:,} chunks, {stored / 1e9:,.0f} GB if each were its "
        "own), so that it fits a small disk; it is read from memory more than from the disk.",
        "",
        f"{machine()}.",
    ]
    for limit in (LIMIT, FINE):
        output = folder / "run"
        shutil.rmtree(output, ignore_errors=True)
        lines += ["", *_run(_config(output, limit, cube={"path": cube}))]
    write_page("gigapixel", "The gigapixel run", lines)


def _run(config: Config) -> list[str]:
    """Classify, and return what it took."""
    with Peak() as peak:
        start = time.monotonic()
        summary = classify(config, _bar, print)
        wall = time.monotonic() - start
    return _lines(config, wall, peak.bytes, len(summary.clusters))


class Peak:
    """The largest sum of memory (proportional set size) of this process and its children, sampled."""

    def __enter__(self) -> "Peak":
        self.bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        me = psutil.Process()
        while not self._stop.wait(0.5):
            total = 0
            for process in (me, *me.children(recursive=True)):
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    continue
            self.bytes = max(self.bytes, total)


def _scene() -> dict[str, object]:
    shape = [CHUNK * side for side in SOURCE_CHUNKS]
    return {"scene": "sinter", "shape": shape, "seed": 7, "chunk": CHUNK}


def _config(output: Path, limit: float, **sections: object) -> Config:
    sites = {"method": "net", "trials": 10_000, "limit": limit}
    settings = {"title": output.name, "output": output, "references": {"modelled": True}, "sites": sites}
    return Config.model_validate({**settings, **sections})


def _lines(config: Config, wall: float, peak: int, clusters: int) -> list[str]:
    manifest = yaml.safe_load((config.output / "manifest.json").read_text(encoding="utf-8"))
    pixels, seconds = manifest["pixels"], manifest["seconds"]
    size = subprocess.run(["du", "-sb", config.output], capture_output=True, text=True, check=True)
    rows = [
        [stage, f"{took:.1f}", f"{took / wall:.0%}", f"{pixels / 1e6 / max(took, 1e-3):.2f}"]
        for stage, took in seconds.items()
    ]
    rows.append(["start, checks, end", f"{wall - sum(seconds.values()):.1f}", "", ""])
    return [
        f"**{manifest['sites']:,} sites: {wall / 60:.1f} minutes**, {pixels / wall / 1e6:.2f} Mpx/s, peak "
        f"memory of all processes together {peak / 2**30:.2f} GiB, {clusters} clusters, output "
        f"{int(size.stdout.split()[0]) / 2**30:.2f} GiB.",
        "",
        *table(["stage", "seconds", "share", "Mpx/s"], rows),
    ]


if __name__ == "__main__":
    size = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 3 else (ROWS, COLUMNS)
    main(Path(sys.argv[1]), *size)
