"""The scratch memory of the pruned search, made once a call so that its loops allocate nothing."""

from typing import NamedTuple

import numpy as np

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.nearest.pixels import PITCH, TILE
from gigaxas.nearest.prepared import Prepared
from gigaxas.nearest.screening import BATCH, FACTORS, WIDTH

FEW = 4  # sites left to eight pixels together, up to which these are settled side by side


class Work(NamedTuple):
    """Scratch of one call: for a tile of pixels (tile to floors), and for a batch of eight."""

    tile: np.ndarray
    sums: FloatArray
    means: np.ndarray
    scales: FloatArray
    lengths: FloatArray
    kinds: np.ndarray
    alive: IntArray
    points: np.ndarray
    places: np.ndarray
    factors: np.ndarray
    seeds: IntArray
    floors: np.ndarray
    masks: np.ndarray
    ends: np.ndarray
    candidates: IntArray
    uppers: np.ndarray
    found: IntArray
    row: FloatArray
    r: FloatArray
    rows: FloatArray
    dots: FloatArray
    union: IntArray


def work_for(prepared: Prepared, axes: int, whole: bool, ranks: int) -> Work:
    """Return scratch for so many axes and ranks; whole: the samples are integers that float32 holds."""
    sites, padded = prepared.sites.shape
    return Work(
        tile=np.zeros((prepared.energies, PITCH), np.float32 if whole else np.float64),
        sums=np.zeros((3, PITCH)),
        means=np.zeros(PITCH, np.float32),
        scales=np.zeros(PITCH),
        lengths=np.zeros((2, PITCH)),
        kinds=np.zeros(TILE, np.uint8),
        alive=np.zeros(TILE, np.int64),
        points=np.zeros((axes, PITCH), np.float32),
        places=np.zeros((TILE, axes), np.float32),
        factors=np.zeros((TILE, FACTORS), np.float32),
        seeds=np.zeros(TILE, np.int64),
        floors=np.zeros((ranks, TILE), np.float32),
        masks=np.zeros(BATCH, np.uint16),
        ends=np.zeros((2, WIDTH), np.float32),
        candidates=np.zeros((BATCH, sites), np.int64),
        uppers=np.zeros((BATCH, sites), np.float32),
        found=np.zeros(BATCH, np.int64),
        row=np.zeros((1, padded)),
        r=np.zeros(sites),
        rows=np.zeros((prepared.energies, BATCH)),
        dots=np.zeros((FEW + 1, BATCH)),
        union=np.zeros(FEW, np.int64),
    )
