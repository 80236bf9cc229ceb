"""Count the instructions that kernels take for a pixel of a small fixed block, however busy the machine is.

Run `python scripts/bench_instructions.py`; writes docs/benchmarks/instructions.md. Valgrind's callgrind
counts, from the second call of a kernel on, so that neither Python's start nor the compiler is in it. Kernels
are compiled for a processor with AVX2, the widest that Valgrind knows: fewer, wider instructions do the work
where there is AVX-512.
"""

import ctypes
import mmap
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bench_page import table, write_page
from gigaxas.nearest import assign_block, prepare
from gigaxas.observed import NoiseLevel, observe_block
from gigaxas.spatial.cell_sums import cell_sums
from gigaxas.spatial.clean_up import CleanUp
from gigaxas.spatial.cluster_sums import sum_spectra
from gigaxas.spatial.fill import fill_map
from gigaxas.spatial.pyramid import halve_labels, rank_labels
from gigaxas.spatial.regions import tile_regions
from gigaxas.specks.windows import window_squares
from gigaxas.tiles import Box, Tile

SIDE = 128
INVALID = 65535
SIGMA = 0.037
START, STOP, DUMP = 4, 5, 0
"""Requests of callgrind: count, count no more, write what was counted."""
REQUEST = bytes.fromhex("4889f8 31d2 48c1c703 48c1c70d 48c1c73d 48c1c733 4887db 4889d0 c3".replace(" ", ""))
"""Machine code by which a program asks something of Valgrind (valgrind.h, x86-64); else it does nothing."""
TOOL = ord("C") << 24 | ord("T") << 16


def make_block(file: Path) -> None:
    """Write sites (m, E) and the codes (E, SIDE, SIDE) of a block of grains to a file."""
    from bench_nearest import SIDE as WHOLE
    from bench_nearest import grain_labels, make_codes, make_sites  # loads what takes long in Valgrind

    rng, sites = np.random.default_rng(0), make_sites()
    codes = make_codes(rng, sites, grain_labels(rng, len(sites)), SIGMA, 0.0).reshape(-1, WHOLE, WHOLE)
    np.savez(file, sites=sites, codes=codes[:, :SIDE, :SIDE])


def kernels(file: Path) -> dict[str, Callable[[], object]]:
    """Return what is counted, each of the block in a file."""
    rng = np.random.default_rng(0)
    with np.load(file) as held:
        spectra, codes = held["sites"], held["codes"]
    sites, level, clean_up = prepare(spectra), _level(spectra), CleanUp(5, 23)
    found, tile = assign_block(codes, sites, INVALID).labels, Tile(0, 0, 0, SIDE, 0, SIDE)
    effective, _ = tile_regions(found, tile, (SIDE, SIDE), clean_up)
    kept = np.where(rng.random(found.shape) < 0.1, 0, effective)
    values = rng.normal(size=(8, SIDE + 3, SIDE + 3)).astype(np.float32)
    rank = rank_labels(np.bincount(found.ravel(), minlength=len(spectra) + 1))
    return {
        f"assign to {len(spectra)} sites": lambda: assign_block(codes, sites, INVALID),
        "gather windows for observed sites": lambda: observe_block([codes], (0, 0), level, INVALID),
        "squares of windows for specks, 8 axes": lambda: window_squares(values, Box(0, SIDE, 0, SIDE)),
        "cores and regions": lambda: tile_regions(found, tile, (SIDE, SIDE), clean_up),
        "fill": lambda: fill_map(kept),
        "cluster sums": lambda: sum_spectra(codes, effective),
        "cell sums": lambda: cell_sums(codes, found > 0, 32),
        "half of a map": lambda: halve_labels(found, rank),
    }


def _level(spectra: np.ndarray) -> NoiseLevel:
    """Return the level of the noise in the codes."""
    energies = spectra.shape[1]
    length = np.mean(np.sum((spectra - spectra.mean(axis=1, keepdims=True)) ** 2, axis=1))
    variance = SIGMA**2 * energies / float(length)
    return NoiseLevel(
        k_size=5,
        p_num=23,
        error=1e-4,
        profile=np.full(energies, 1.0 / energies),
        variance=variance,
        model=variance,
        space=np.ones((1, 1)),
        energy=np.ones(1),
        contrast=1.0,
        contrast_limit=1.6,
        coherence=0.0,
        coherence_limit=0.35,
        windows=1000,
    )


def ask_valgrind(request: int) -> None:
    """Ask something of callgrind."""
    arguments = (ctypes.c_uint64 * 6)(TOOL + request)
    _REQUEST(ctypes.addressof(arguments))


def _compiled(code: bytes) -> Any:
    memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    _KEPT.append(memory)
    place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_uint64)(place)


_KEPT: list[mmap.mmap] = []
_REQUEST = _compiled(REQUEST)


def count(block: Path) -> None:
    """Call every kernel twice, the second time counted: callgrind writes a file for each."""
    for kernel in kernels(block).values():
        kernel()
        ask_valgrind(START)
        kernel()
        ask_valgrind(STOP)
        ask_valgrind(DUMP)


def main() -> None:
    """Count in a process of its own and write the page."""
    environment = {**os.environ, "NUMBA_CPU_NAME": "haswell", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        block, out = Path(folder) / "block.npz", Path(folder) / "counted"
        make_block(block)
        command = [sys.executable, __file__, str(block)]
        subprocess.run(command, env=environment, check=True)  # compiles what is not compiled yet
        options = ["--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
        subprocess.run(["valgrind", "-q", *options, *command], env=environment, check=True)
        files = sorted(Path(folder).glob("counted.*"), key=lambda file: int(file.suffix[1:]))
        totals = [_total(file) for file in files]
        names = list(kernels(block))
    rows = [[name, f"{total / SIDE**2:,.0f}"] for name, total in zip(names, totals, strict=True)]
    lines = [
        f"Instructions for a pixel of a block of {SIDE} x {SIDE} pixels x 178 energies of uint16, counted by "
        "Valgrind's callgrind, with kernels compiled for AVX2, the widest vectors that it knows. Such counts "
        "do not depend on how busy a machine is: what makes a kernel do more work shows in them."
    ]
    counted = table(["kernel", "instructions"], rows)
    write_page("instructions", "Instructions for a pixel", [*lines, "", *counted])


def _total(file: Path) -> int:
    return int(re.findall(r"^totals: (\d+)", file.read_text(), re.MULTILINE)[0])


if __name__ == "__main__":
    count(Path(sys.argv[1])) if sys.argv[1:] else main()
