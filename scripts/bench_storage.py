"""How a cube is best stored: chunk, codec, sample type and rounding, by size, speed and changed labels.

Every way is written and read by Zarr on one thread, all in turn, round after round; labels are those of the
exact engine. Writes docs/benchmarks/storage.md.

Usage: python scripts/bench_storage.py FOLDER [ROUNDS]
"""

import shutil
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from bench_page import machine, table, write_page
from gigaxas.config.schema import Config
from gigaxas.nearest import assign_block, prepare
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores.cube import describe_cube, read_tile
from gigaxas.stores.io.codes import INVALID, OFFSET, SCALE, quantise, step_within
from gigaxas.stores.sites import read_sites
from gigaxas.tiles import Tile
from gigaxas.workflow.classify import classify
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from zarr.codecs import BloscCodec, ZstdCodec

SIDE = 512
CODECS: dict[str, Any] = {
    "LZ4, bitshuffle": BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle"),
    "LZ4, shuffle": BloscCodec(cname="lz4", clevel=5, shuffle="shuffle"),
    "zstd 3, bitshuffle": BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"),
    "zstd 3": ZstdCodec(level=3),
    "none": None,
}
SHARES = (0.1, 0.25, 0.5, 1.0)


@dataclass(frozen=True)
class Way:
    """One way to store the samples: what is written, in chunks of this side, by a codec."""

    samples: NDArray[Any]
    chunk: int
    codec: str


def main(folder: Path, rounds: int) -> None:
    """Measure and write the page."""
    codes, sites = _material(folder)
    exact = assign_block(codes, sites, INVALID).labels
    floats = np.where(codes == INVALID, np.nan, codes * SCALE + OFFSET).astype(np.float32)
    ways = {
        **{f"uint16, 256, {codec}": Way(codes, 256, codec) for codec in CODECS},
        **{
            f"uint16, {side}, LZ4, bitshuffle": Way(codes, side, "LZ4, bitshuffle") for side in (64, 128, 512)
        },
        **{f"float32, 256, {codec}": Way(floats, 256, codec) for codec in list(CODECS)[:3]},
    }
    noise = float(NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56).sigma(np.zeros(())))
    changed = {}
    for share in SHARES:
        step = step_within(share * noise)
        rounded = quantise(codes, step)
        name = f"uint16 in steps of {step * SCALE / noise:.2f} sigma, 256, LZ4, bitshuffle"
        ways[name] = Way(rounded, 256, "LZ4, bitshuffle")
        changed[name] = float(np.mean(assign_block(rounded, sites, INVALID).labels != exact))
    with threadpool_limits(1), zarr.config.set({"async.concurrency": 1, "threading.max_workers": 1}):
        write_page("storage", "Storing a cube", _lines(_measure(folder, ways, rounds), changed, rounds))


def _material(folder: Path) -> tuple[NDArray[np.uint16], Any]:
    config = Config.model_validate(
        {
            "title": "storage",
            "output": folder / "source",
            "references": {"modelled": True},
            "simulate": {"shape": [SIDE, SIDE], "seed": 7},
            "sites": {"method": "net", "trials": 10_000},
        }
    )
    classify(config)
    info = describe_cube(config.output / "cube.zarr")
    codes = read_tile(info, Tile(0, 0, 0, SIDE, 0, SIDE))
    return codes, prepare(read_sites(config.output / "sites.zarr").table.spectra)


def _measure(folder: Path, ways: dict[str, Way], rounds: int) -> dict[str, tuple[float, float, float]]:
    """Return bytes a sample, and the seconds to write and to read, of every way."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    sizes = {}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            path = folder / "way.zarr"
            shutil.rmtree(path, ignore_errors=True)
            write, read = _seconds(partial(_write, path, way)), _seconds(partial(_read, path))
            sizes[name] = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            if turn:
                spent[name].append((write, read))
    return {
        name: (sizes[name] / ways[name].samples.size, *map(statistics.median, zip(*times, strict=True)))
        for name, times in spent.items()
    }


def _write(path: Path, way: Way) -> None:
    codec = CODECS[way.codec]
    array = zarr.create_array(
        path,
        shape=way.samples.shape,
        chunks=(len(way.samples), way.chunk, way.chunk),
        dtype=way.samples.dtype,
        compressors=[codec] if codec else None,
    )
    array[:] = way.samples


def _read(path: Path) -> None:
    zarr.open_array(path, mode="r")[:]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _lines(
    measured: dict[str, tuple[float, float, float]], changed: dict[str, float], rounds: int
) -> list[str]:
    pixels = SIDE * SIDE / 1e6
    rows = [
        [name, f"{size:.2f}", f"{pixels / write:.2f}", f"{pixels / read:.2f}", _share(changed.get(name, 0.0))]
        for name, (size, write, read) in measured.items()
    ]
    return [
        f"Ways to store {pixels:.2f} Mpx of the simulated sinter (178 energies) on one thread, medians of "
        f"{rounds} interleaved rounds; the first is what gigaxas writes. Only rounding to a share of the "
        "noise (`quantise`) changes labels.",
        "",
        f"{machine()}.",
        "",
        *table(
            ["sample, chunk, codec", "bytes a sample", "write, Mpx/s", "read, Mpx/s", "labels changed"], rows
        ),
    ]


def _share(share: float) -> str:
    return f"{share:.3%}" if share else "0"


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3)
