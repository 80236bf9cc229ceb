"""The whole pipeline at the paper's full size: 450 million pixels, 178 energies, on this machine.

The cubes' chunks are hard links to some distinct simulated tiles, so that they fit a small disk; all are
read, decoded and classified as any others. One cube is a sinter, with sites seen in it, with those of the
library, and with as many as the paper's; the other has gradients of composition and rare phases. Prints
stages, rates and the peak memory of all processes together, and writes them to docs/benchmarks/gigapixel.md
after each run: stopped, it leaves the page with those that are done.

Usage: python scripts/gigapixel.py FOLDER [ROWS COLUMNS], rows and columns counted in chunks.
"""

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import yaml
from bench_nearest import ENERGY, NOISE
from bench_page import machine, table, write_page
from gigaxas.cli.verbs import _bar
from gigaxas.config.schema import Config
from gigaxas.evaluation.scenes import needle_scene
from gigaxas.simulate import edge_windows, modelled_library
from gigaxas.stores.cube import WORKING_POINT, create_cube, write_tile
from gigaxas.tiles import Tile
from gigaxas.workflow.classify import classify, simulate
from linked_cubes import link_cube

CHUNK = 256
SOURCE_CHUNKS = (16, 16)
ROWS, COLUMNS = 84, 82
LIBRARY: dict[str, object] = {"method": "net", "trials": 10_000, "limit": 1e-4}
OBSERVED: dict[str, object] = {"from": "observed"}
SEEN, KNOWN = "Sites seen in the cube", "Sites of the library"
FINE = 0.06
"""A discrimination limit at which the modelled library gives as many sites as the paper used."""

VARIED_CHUNKS, VARIED_SCENES, RARE, GRADIENT = 4, 4, 128, 8.0
"""Side in chunks and number of the scenes with gradients over so much in z, and rare phases in each."""


def main(folder: Path, rows: int, columns: int) -> None:
    """Simulate the tiles, link the cubes, classify them, tell and write what it took."""
    folder.mkdir(parents=True, exist_ok=True)
    simulate(_config(folder / "source", LIBRARY, simulate=_scene()), _bar)
    plane = (rows * CHUNK, columns * CHUNK)
    sinter = _linked(folder / "cube.zarr", folder / "source" / "cube.zarr", plane)
    varied = _linked(folder / "varied.zarr", varied_cube(folder / "varied-source.zarr"), plane)
    stored = sum(file.stat().st_size for file in sinter.rglob("*") if file.is_file())
    lines = [
        f"{rows * columns * CHUNK**2 / 1e6:,.0f} million pixels x 178 energies through all stages, maps and "
        f"report written. The sinter is made of {SOURCE_CHUNKS[0] * SOURCE_CHUNKS[1]} distinct simulated "
        f"tiles, each there many times as hard links ({rows * columns:,} chunks, {stored / 1e9:,.0f} GB if "
        "each were its own), so that it fits a small disk; it is read from memory more than from the disk.",
        "",
        f"{machine()}.",
    ]
    seconds: dict[str, float] = {}
    for name, cube, sites in (
        (SEEN, sinter, OBSERVED),
        (KNOWN, sinter, LIBRARY),
        ("As many sites as the paper's", sinter, {**LIBRARY, "limit": FINE}),
        ("Gradients and rare phases, sites seen in the cube", varied, OBSERVED),
    ):
        output = folder / "run"
        shutil.rmtree(output, ignore_errors=True)
        seconds[name], told = _run(name, _config(output, sites, cube={"path": cube}))
        lines += ["", *told]
        if name == KNOWN:
            ratio = seconds[SEEN] / seconds[KNOWN]
            lines += ["", f"With sites seen in the cube a run takes {ratio:.2f} times as long."]
        write_page("gigapixel", "The gigapixel run", lines)


def varied_cube(path: Path) -> Path:
    """Make a cube of scenes in which every background drifts in composition and holds rare phases."""
    shutil.rmtree(path, ignore_errors=True)
    side = VARIED_CHUNKS * CHUNK
    references, windows = modelled_library(ENERGY)[1], edge_windows(ENERGY)
    create_cube(path, ENERGY, (side, VARIED_SCENES * side), CHUNK, 0.46, "gradients", maps=WORKING_POINT)
    for number in range(VARIED_SCENES):
        scene = needle_scene(references, NOISE, number, side=side, needles=RARE, gradient=GRADIENT)
        image = scene.measure(NOISE, np.random.default_rng(number), (windows.pre, windows.post))
        tile = Tile(0, number, 0, side, number * side, (number + 1) * side)
        low, high = (np.full(tile.shape, value, np.float32) for value in (NOISE.mu_low, NOISE.mu_high))
        write_tile(path, tile, image, mu_low=low, mu_high=high)
    return path


def _linked(path: Path, source: Path, plane: tuple[int, int]) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    return link_cube(path, source, plane, CHUNK)


def _run(name: str, config: Config) -> tuple[float, list[str]]:
    """Classify, and return the seconds and what else it took."""
    with Peak() as peak:
        start = time.monotonic()
        summary = classify(config, _bar, print)
        wall = time.monotonic() - start
    return wall, _lines(name, config, wall, peak.bytes, len(summary.clusters))


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


def _config(output: Path, sites: dict[str, object], **sections: object) -> Config:
    settings = {"title": output.name, "output": output, "references": {"modelled": True}, "sites": sites}
    return Config.model_validate({**settings, **sections})


def _lines(name: str, config: Config, wall: float, peak: int, clusters: int) -> list[str]:
    manifest = yaml.safe_load((config.output / "manifest.json").read_text(encoding="utf-8"))
    pixels, seconds = manifest["pixels"], manifest["seconds"]
    size = subprocess.run(["du", "-sb", config.output], capture_output=True, text=True, check=True)
    rows = [
        [stage, f"{took:.1f}", f"{took / wall:.0%}", f"{pixels / 1e6 / max(took, 1e-3):.2f}"]
        for stage, took in seconds.items()
    ]
    rows.append(["start, checks, end", f"{wall - sum(seconds.values()):.1f}", "", ""])
    return [
        f"**{name}: {manifest['sites']:,}, in {wall / 60:.1f} minutes**, {pixels / wall / 1e6:.2f} Mpx/s, "
        f"peak memory of all processes together {peak / 2**30:.2f} GiB, {clusters} clusters, output "
        f"{int(size.stdout.split()[0]) / 2**30:.2f} GiB.",
        "",
        *table(["stage", "seconds", "share", "Mpx/s"], rows),
    ]


if __name__ == "__main__":
    size = (int(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 3 else (ROWS, COLUMNS)
    main(Path(sys.argv[1]), *size)
