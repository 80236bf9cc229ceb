"""What is to be done with the pixels of a cube as they are read: its mask, and its shift of energy."""

from typing import Literal

import numpy as np

from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.execution.cluster import Announce
from gigaxas.raw.energy_shift import Blocks, ShiftMap, fit_shift
from gigaxas.raw.normalisation import make_normaliser, normalise_spectra
from gigaxas.raw.readers.files import files_identity
from gigaxas.raw.readers.formats.zarr_store import ZARR
from gigaxas.raw.readers.images import Stack
from gigaxas.raw.readers.open_beam import open_mask
from gigaxas.stores.cube import CubeInfo, read_tile
from gigaxas.stores.io.chunks import has_array, open_array
from gigaxas.tasks.pixels import ScreenedCube, signal
from gigaxas.tiles import Tile
from gigaxas.workflow.edge import edge_of, method_of, ranges_of

BLOCK_SIDE = 8
"""Side of a block of pixels whose edge is measured: small, so that it holds one phase."""
BLOCKS = 12
"""Blocks of pixels along each side of the image."""
LARGE_ERROR_EV = 0.05
"""Standard error of the shift of energy that the user is told of."""
CLEAR_STEP = 0.3
"""Edge step that a block has at least, as a share of what the strongest tenth of blocks have."""
LEAST_FULL = 0.5
"""Share of usable pixels that a block has at least."""


def screen(config: Config, info: CubeInfo, announce: Announce) -> ScreenedCube:
    """Return a cube with its mask and its shift of energy, where the configuration asks for them.

    Raises InputError for a mask of another size, and where the shift cannot be fitted.
    """
    found = ScreenedCube.of(info)
    source = config.cube or config.ingest
    if source and source.mask is not None:
        mask = _mask(info, source.mask, "cube.mask" if config.cube else "ingest.mask")
        found = found.with_mask(mask, files_identity(mask.files))
    wanted = source.energy_shift if source else None
    if wanted is None:
        return found
    shift = _fit(config, info, wanted.degree)
    announce(
        f"energy     shift up to {shift.largest:.3f} eV over the image, known to {shift.error:.3f} eV (from "
        f"{shift.blocks} blocks), taken out"
    )
    if shift.error > LARGE_ERROR_EV:
        announce(f"warning    the shift of energy is known to {shift.error:.2f} eV only")
    return found.with_shift(shift)


def _mask(info: CubeInfo, given: str, name: str) -> Stack:
    if not has_array(info.path, given):
        return open_mask(given, name, info.plane)
    array = open_array(info.path, given)
    if tuple(array.shape) != info.plane:
        raise InputError(
            f"{name}: the map {given} is {tuple(array.shape)}, the cube {info.plane}; expected one shape"
        )
    return Stack(
        files=(str(info.path),),
        inner=given,
        format_name=ZARR.name,
        axes="YX",
        order=(0, 1),
        shape=(1, *info.plane),
        frames=1,
        dtype=np.dtype(array.dtype).newbyteorder("=").str,
        piece=info.plane,
    )


def _fit(config: Config, info: CubeInfo, degree: Literal[1, 2]) -> ShiftMap:
    edge = edge_of(config)
    method = method_of(config, "lines" if edge and edge.method == "lines" else "step")
    if edge is None or method is None:
        raise InputError("energy_shift: no edge is known whose energy could vary; name it (edge: Fe K)")
    ranges = ranges_of(config)
    normaliser = make_normaliser(info.energy, ranges.pre_edge, ranges.post_edge, edge.position, method)
    blocks = _blocks(info)
    step = blocks.spectra @ normaliser.step
    clear = step > CLEAR_STEP * np.quantile(step, 0.9)
    spectra = normalise_spectra(blocks.spectra[clear], normaliser)
    within = ranges.pre_edge[1], ranges.post_edge[0]
    return fit_shift(Blocks(spectra, blocks.positions[clear]), info.energy, within, info.plane, degree)


def _blocks(info: CubeInfo) -> Blocks:
    """Return blocks of pixels spread over the image, those without enough usable pixels left out."""
    spectra, positions = [], []
    for y in _starts(info.plane[0]):
        rows = Tile(0, 0, int(y), int(min(y + BLOCK_SIDE, info.plane[0])), 0, info.plane[1])
        strip = signal(read_tile(info, rows), info)
        for x in _starts(info.plane[1]):
            block = strip[:, :, x : x + BLOCK_SIDE]
            good = np.isfinite(block).all(axis=0)
            if good.mean() >= LEAST_FULL:
                spectra.append(block[:, good].mean(axis=1, dtype=np.float64))
                positions.append([(rows.y0 + rows.y1 - 1) / 2, x + (block.shape[2] - 1) / 2])
    if not spectra:
        raise InputError("energy_shift: no block of pixels is whole; leave it out, or look at the cube")
    return Blocks(np.array(spectra), np.array(positions))


def _starts(size: int) -> list[int]:
    """Return where the blocks start along one side of the image."""
    starts = np.linspace(0, max(size - BLOCK_SIDE, 0), BLOCKS).round().astype(int)
    return [int(start) for start in np.unique(starts)]
