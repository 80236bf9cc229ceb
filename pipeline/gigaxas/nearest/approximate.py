"""The approximate option: a neighbour graph of the sites, its recall measured against the exact engine."""

from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import label_dtype
from gigaxas.errors import InputError
from gigaxas.nearest.assignment import Assignment, assign_block
from gigaxas.nearest.full import centre_tile, make_centred
from gigaxas.nearest.prepared import Prepared

BATCH = 4096
NEIGHBOURS = 30
# An index searches in scratch memory of its own, which two threads must not share.
_searching = Lock()


def build_index(prepared: Prepared, seed: int = 0) -> Any:
    """Return a pynndescent index of the sites; raises InputError for fewer than three sites.

    Building it uses threads, querying does not: build it once, before any worker starts.
    """
    from pynndescent import NNDescent

    count = len(prepared.sites)
    if count < 3:
        raise InputError(f"{count} sites make no neighbour graph; expected at least 3; use the exact engine")
    units = prepared.sites[:, : prepared.energies].astype(np.float32)
    index = NNDescent(units, metric="euclidean", n_neighbors=min(NEIGHBOURS, count - 1), random_state=seed)
    index.prepare()
    return index


def assign_approximately(
    block: np.ndarray, prepared: Prepared, index: Any, invalid: int | None = None
) -> Assignment:
    """Assign like `assign_block` an energy-first block (E, ...): most labels right, voids all right."""
    pixels = np.ascontiguousarray(block.reshape(prepared.energies, -1))
    labels = np.zeros(pixels.shape[1], label_dtype(len(prepared.sites)))
    correlation = np.zeros(pixels.shape[1], np.float32)
    for start in range(0, labels.size, BATCH):
        units, void = _units(pixels, start, min(BATCH, labels.size - start), prepared, invalid)
        if not void.all():
            with _searching:
                nearest, distance = index.query(units[~void], k=1)
            labels[start : start + BATCH][~void] = nearest[:, 0] + 1
            correlation[start : start + BATCH][~void] = 1.0 - distance[:, 0] ** 2 / 2.0
    shape = block.shape[1:]
    return Assignment(labels.reshape(shape), correlation.reshape(shape))


def count_right(
    block: np.ndarray,
    labels: np.ndarray,
    prepared: Prepared,
    invalid: int | None = None,
    sample: int = 2000,
    seed: int = 0,
) -> tuple[int, int]:
    """Count the right ones among the labels (...) of at most `sample` pixels of a block (E, ...).

    Returns these and the pixels compared; pixels without signal are not.
    """
    pixels = block.reshape(prepared.energies, -1)
    size = min(sample, pixels.shape[1])
    chosen = np.sort(np.random.default_rng(seed).choice(pixels.shape[1], size, replace=False))
    exact = assign_block(np.ascontiguousarray(pixels[:, chosen]), prepared, invalid).labels
    some = exact > 0
    return int(np.count_nonzero(labels.ravel()[chosen][some] == exact[some])), int(np.count_nonzero(some))


def _units(
    pixels: np.ndarray, start: int, count: int, prepared: Prepared, invalid: int | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    tile = make_centred(count, prepared.energies, prepared.sites.shape[1])
    code = np.nan if invalid is None else float(invalid)
    centre_tile(pixels, start, count, code, tile)
    return tile.units, tile.lengths == 0.0
