"""The samples of one tile as they are classified: masked, on common energies, without void pixels."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import Float32Array, FloatArray
from gigaxas.observed import FieldError
from gigaxas.raw.energy_shift import ShiftMap, apply_shift
from gigaxas.raw.readers.images import Stack
from gigaxas.raw.readers.open_beam import read_mask
from gigaxas.spectra.void import MASKED, NO_SAMPLES, VoidRule, mark_void, void_reasons
from gigaxas.stores import cube
from gigaxas.stores.cube import VOID_REASON, CubeInfo, read_plane
from gigaxas.stores.io.codes import INVALID
from gigaxas.tiles import Tile


@dataclass(frozen=True)
class ScreenedCube(CubeInfo):
    """A cube of which pixels without a signal are left out as it is read."""

    void: VoidRule | None = None
    """What a pixel must show to hold a signal; None where only invalid samples make it void."""
    mask: Stack | None = None
    """An image that is 0 where a pixel is void."""
    mask_identity: str = ""
    """What tells the file of the mask from others."""
    shift: ShiftMap | None = None
    """The shift of energy over the image that is taken out."""
    field: FieldError | None = None
    """The slow error of the field that is taken out."""
    stored: CubeInfo | None = None
    """The cube as it is stored, where its samples change as they are read."""

    @classmethod
    def of(cls, info: CubeInfo) -> Self:
        """Return a cube that is read as it is."""
        return cls(**{part.name: getattr(info, part.name) for part in fields(info)})

    def with_mask(self, mask: Stack, identity: str) -> Self:
        """Return the cube of which pixels outside a mask are void."""
        return replace(self, mask=mask, mask_identity=identity, invalid=self._mark)

    def with_shift(self, shift: ShiftMap) -> Self:
        """Return the cube whose energies are to be made common: its samples become floating-point ones."""
        return replace(self._changing, shift=shift)

    def with_field(self, field: FieldError) -> Self:
        """Return the cube that is freed of a slow error of the field; as `with_shift`."""
        return replace(self._changing, field=field)

    def with_rule(self, rule: VoidRule | None) -> Self:
        """Return the cube of which pixels without a signal are void."""
        return replace(self, void=rule, invalid=self._mark if rule else self.invalid)

    @property
    def _changing(self) -> Self:
        """The cube whose samples change as they are read."""
        if self.stored is not None:
            return self
        single = np.dtype(np.float32)
        return replace(self, stored=self, dtype=single, scale=1.0, offset=0.0, invalid=None)

    @property
    def _mark(self) -> int | None:
        """The sample that stands for none; whole numbers that have no such mark take their largest."""
        return INVALID if self.dtype == np.uint16 and self.invalid is None else self.invalid


def read_pixels(info: CubeInfo, tile: Tile) -> NDArray[Any]:
    """Read the samples (E, h, w) of a tile; those of void pixels are invalid."""
    return read_with_reasons(info, tile)[0]


def read_in_turn(
    info: CubeInfo, parts: list[Tile]
) -> Iterator[tuple[Tile, NDArray[Any], NDArray[np.uint8] | None]]:
    """Yield tiles with what `read_with_reasons` reads of them, all in the same memory.

    The samples of one are gone when the next is read.
    """
    energies = info.shape[0]
    held = np.empty(energies * max(part.shape[0] * part.shape[1] for part in parts), info.dtype)
    for part in parts:
        height, width = part.shape
        out = held[: energies * height * width].reshape(energies, height, width)
        yield part, *read_with_reasons(info, part, out)


def read_unmarked(info: CubeInfo, tile: Tile, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Read the samples (E, h, w) of a tile, into `out` where it is given.

    Others tell which pixels are void: none is marked.
    """
    if not isinstance(info, ScreenedCube) or not info.stored:
        return cube.read_tile(info, tile, out)
    changed = _changed(info, tile)
    if out is None:
        return changed
    out[:] = changed
    return out


def read_with_reasons(
    info: CubeInfo, tile: Tile, out: NDArray[Any] | None = None
) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Read the samples (E, h, w) of a tile, and why its pixels (h, w) are void, a number in VOID_REASONS.

    The samples are put into `out` where it is given. The reasons are None where nothing but invalid samples
    makes a pixel void.
    """
    told = read_plane(info, VOID_REASON, tile.region) if info.tells_void else None
    if not isinstance(info, ScreenedCube):
        return cube.read_tile(info, tile, out), told
    samples = np.ascontiguousarray(read_unmarked(info, tile, out))
    reasons = _reasons(samples, info)
    if told is not None:
        reasons = np.where(told > 0, told, reasons)
    if info.mask is not None:
        reasons[~read_mask(info.mask, tile.region)] = MASKED
    mark = np.nan if info.invalid is None else float(info.invalid)
    mark_void(samples.reshape(len(samples), -1), reasons.ravel(), mark)
    return samples, reasons


def reasons_of_labels(site: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the reasons (h, w) where only invalid samples leave a pixel without a site (h, w)."""
    return np.where(site == 0, NO_SAMPLES, 0).astype(np.uint8)


def signal(samples: NDArray[Any], info: CubeInfo) -> Float32Array:
    """Return samples (E, ...) of a cube in its own unit; NaN where they are invalid."""
    values = samples.astype(np.float32) * np.float32(info.scale) + np.float32(info.offset)
    if info.invalid is not None:
        values[samples == info.invalid] = np.nan
    return np.asarray(values)


def without_field(
    values: Float32Array, origin: tuple[int, int], field: FieldError, energy: FloatArray
) -> Float32Array:
    """Return spectra (E, h, w), the first of them at `origin`, without a slow error of the field."""
    ys, xs = (np.arange(start, start + side) for start, side in zip(origin, values.shape[1:], strict=True))
    if field.additive.size:
        about = values - values.mean(axis=0, dtype=np.float64)
        length = np.sqrt(np.sum(about**2, axis=0))
        values = (values - length * field.additive_at(ys, xs)).astype(np.float32)
    return apply_shift(values, field.shift_at(ys, xs), energy) if field.shift.size else values


def _changed(info: ScreenedCube, tile: Tile) -> Float32Array:
    """Read a tile, bring its spectra to the energies of the cube, free them of the field's slow error."""
    assert info.stored is not None
    values = signal(cube.read_tile(info.stored, tile), info.stored)
    if info.shift is not None:
        at = info.shift.at(*(np.arange(part.start, part.stop) for part in tile.region))
        values = apply_shift(values, at, info.energy)
    return (
        values if info.field is None else without_field(values, (tile.y0, tile.x0), info.field, info.energy)
    )


def _reasons(samples: NDArray[Any], info: ScreenedCube) -> NDArray[np.uint8]:
    plane = samples.shape[1:]
    if info.void is None:
        return np.zeros(plane, np.uint8)
    spectra = samples.reshape(len(samples), -1)
    return void_reasons(spectra, info.void, info.scale, info.offset, info.invalid).reshape(plane)
