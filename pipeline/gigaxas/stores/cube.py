"""The spectral cube: absorbance over (energy, y, x), with its energies in eV and its pixels in um."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.locations import Location
from gigaxas.spectra.quantity import QUANTITIES, Quantity
from gigaxas.stores.io.cf import NO_MARKS, Marks, Packing, text_of, zarr_packing
from gigaxas.stores.io.chunks import (
    MOST_CHUNKS,
    create_array,
    dimension_names,
    has_array,
    missing_chunks,
    open_array,
    outer_chunks,
    read,
    save_array,
    write,
)
from gigaxas.stores.io.codes import CODED, INVALID, encode, quantise
from gigaxas.stores.io.folders import stamps
from gigaxas.stores.io.groups import UNFINISHED, attributes_of, create_group
from gigaxas.tiles import Tile
from gigaxas.units import ev_per, is_wavenumber, um_per

MU = "mu"
DIMS = ("energy", "y", "x")
WORKING_POINT = ("mu_low", "mu_high")
VOID_REASON = "void_reason"
MAPS: dict[str, tuple[str, str]] = {
    "mu_low": ("float32", "mean absorbance before the edge"),
    "mu_high": ("float32", "mean absorbance after the edge"),
    "c_ref": ("float32", "mean counts of the open beam"),
    "edge_step": ("float32", "edge step in absorbance"),
    "edge_step_noise": ("float32", "standard deviation of the edge step"),
    VOID_REASON: ("uint8", "why a pixel holds no signal, as in a result"),
    "field": ("uint16", "number of the field a pixel comes from; 0 is none"),
}
UNITS = ("eV", "1/cm")
LOSSLESS = "lossless"
QUANTISED = "quantised_step"
QUANTITY = "quantity"
LARGEST_CHUNK = 4 * 2**30
MOST_ENERGIES = 100_000
LEAST_EV = 100.0
LONGEST_SIDE = 1_000_000


@dataclass(frozen=True)
class CubeInfo:
    """What a cube says of itself."""

    path: Location
    """Location of the store."""
    shape: tuple[int, int, int]
    """Energies, rows and columns."""
    energy: FloatArray
    """Energies (E,) in eV, or 1/cm."""
    chunk: tuple[int, int]
    """Rows and columns of what is one file: a chunk, or a shard where there are shards."""
    dtype: np.dtype[Any]
    """Type of the samples."""
    scale: float
    """A sample s stands for the absorbance s * scale + offset."""
    offset: float
    """See `scale`."""
    invalid: int | None
    """The sample that stands for none; None for samples that are not finite then."""
    pixel_um: float
    """Side of a pixel, in um."""
    maps: tuple[str, ...]
    """Those of WORKING_POINT that the cube has."""
    fingerprint: str | None
    """What it was made of, where gigaxas made it."""
    sparse: bool = False
    """Whether a missing chunk holds no signal; otherwise it is an error."""
    quantity: Quantity | None = None
    """What `mu` says that it holds: normalised, absorbance or intensity."""
    marks: Marks = NO_MARKS
    """Which stored numbers stand for no sample, besides those that are not finite."""
    tells_void: bool = False
    """Whether it has a map of why pixels are void."""
    step: int = 1
    """Samples are multiples of it, but for one row of pixels in every row of chunks, which is there twice."""
    unit: str = "eV"
    """Unit of the energies: eV, or 1/cm."""

    @property
    def plane(self) -> tuple[int, int]:
        """Rows and columns, in pixels."""
        return self.shape[1], self.shape[2]

    @property
    def bytes_per_pixel(self) -> int:
        """Bytes of one spectrum, decoded."""
        return self.shape[0] * self.dtype.itemsize


def create_cube(
    path: Location,
    energy: FloatArray,
    plane: tuple[int, int],
    chunk: int,
    pixel_um: float,
    fingerprint: str,
    *,
    maps: Sequence[str] = WORKING_POINT,
    plain: np.dtype[Any] | None = None,
    unit: str = "eV",
    step: int = 1,
    quantity: Quantity | None = None,
    grows: bool = False,
) -> None:
    """Make an empty cube with these of MAPS; what it does not hold yet counts as invalid.

    One that `grows` keeps the chunks of what was made of other files.

    Samples are absorbance coded in uint16, rounded to multiples of `step`, or anything, as it is, of the type
    `plain` (uint16 or float32); `quantity` says what they are.
    """
    marks = {"title": "gigaxas cube", "fingerprint": fingerprint}
    create_group(path, marks, changing=("fingerprint",) if grows else ())
    save_array(path, "energy", energy, ("energy",), units=unit, long_name="photon energy")
    for axis, size in zip("yx", plane, strict=True):
        save_array(path, axis, np.arange(size) * pixel_um, (axis,), units="um")
    create_array(
        path,
        MU,
        shape=(len(energy), *plane),
        chunks=(len(energy), chunk, chunk),
        dtype=plain or "uint16",
        dims=DIMS,
        fill_value=0 if plain else INVALID,
        attributes=_named(plain, step) | ({QUANTITY: quantity} if quantity else {}),
    )
    if step > 1:
        create_array(
            path,
            LOSSLESS,
            shape=(len(energy), -(-plane[0] // chunk), plane[1]),
            chunks=(len(energy), 1, chunk),
            dtype="uint16",
            dims=("energy", "row_of_chunks", "x"),
            fill_value=INVALID,
            attributes={**CODED, "long_name": "first row of pixels of every row of chunks, not rounded"},
        )
    for name in maps:
        dtype, meaning = MAPS[name]
        create_array(
            path,
            name,
            shape=plane,
            chunks=(chunk, chunk),
            dtype=dtype,
            dims=("y", "x"),
            attributes={"long_name": meaning},
        )


def _named(plain: np.dtype[Any] | None, step: int) -> dict[str, Any]:
    return {"long_name": "signal"} if plain else {**CODED, QUANTISED: step}


def write_tile(path: Location, tile: Tile, mu: NDArray[np.float32], **maps: NDArray[Any]) -> None:
    """Write the spectra (E, h, w) of one tile and its maps (h, w)."""
    codes, array = encode(mu), open_array(path, MU)
    step, height = int(dict[str, Any](array.attrs).get(QUANTISED, 1)), outer_chunks(array)[1]
    if step > 1:
        bands = slice(tile.y0 // height, -(-tile.y1 // height))
        write(path, LOSSLESS, (slice(0, len(codes)), bands, tile.region[1]), codes[:, ::height])
        codes = quantise(codes, step)
    write_samples(path, tile, codes)
    write_maps(path, tile, **maps)


def write_maps(path: Location, tile: Tile, **maps: NDArray[Any]) -> None:
    """Write maps (h, w) of one tile."""
    for name, values in maps.items():
        write(path, name, tile.region, values)


def write_samples(path: Location, tile: Tile, samples: NDArray[Any]) -> None:
    """Write the samples (E, h, w) of one tile as they are stored."""
    write(path, MU, (slice(0, samples.shape[0]), *tile.region), samples)


def read_tile(info: CubeInfo, tile: Tile, out: NDArray[Any] | None = None) -> NDArray[Any]:
    """Read the samples (E, h, w) of one tile, into `out` where it is given.

    Those that stand for none become NaN, or `info.invalid`.
    """
    samples = read(info.path, MU, (slice(0, info.shape[0]), *tile.region), info.sparse, out)
    if info.marks and info.marks != Marks((info.invalid,) if info.invalid is not None else ()):
        samples[info.marks.found_in(samples)] = np.nan if info.invalid is None else info.invalid
    return samples


def read_lossless(info: CubeInfo, tile: Tile) -> tuple[NDArray[np.uint16], list[int]]:
    """Read the samples (E, n, w) of the rows of a tile that are kept as they were, and their numbers."""
    height = info.chunk[0]
    first, last = -(-tile.y0 // height), -(-tile.y1 // height)
    samples = read(info.path, LOSSLESS, (slice(0, info.shape[0]), slice(first, last), tile.region[1]))
    return samples, [band * height - tile.y0 for band in range(first, last)]


def read_plane(info: CubeInfo, name: str, region: tuple[slice, slice]) -> NDArray[Any]:
    """Read the part of a map over (y, x) beside the spectra that the slices cut out."""
    return read(info.path, name, region, info.sparse)


def describe_cube(path: Location, sparse: bool = False) -> CubeInfo:
    """Read what a cube says of itself, and check it before anything is computed.

    Raises InputError with one line for everything that is wrong.
    """
    root = attributes_of(path)
    if UNFINISHED in root:
        raise InputError(f"{path}: found a cube in the making, expected a whole one; let its run end first")
    array = open_array(path, MU)
    wrong = list(_layout_errors(array))
    if wrong:
        raise InputError("\n".join(f"{path}: {line}" for line in wrong))
    energy, unit, wrong_energy = _energy(path, array.shape[0], is_ours="fingerprint" in root)
    pixel_um, wrong_pixel = _pixel_um(path, root, array.shape[1:])
    wrong = wrong_energy + wrong_pixel
    if wrong:
        raise InputError("\n".join(f"{path}: {line}" for line in wrong))
    packing = _packing(path, array)
    attributes: dict[str, Any] = dict(array.attrs)
    quantity = attributes.get(QUANTITY)
    if quantity not in (None, *QUANTITIES):
        raise InputError(f"{path}: {MU} holds {quantity!r}, expected one of {', '.join(QUANTITIES)}")
    return CubeInfo(
        path=path,
        shape=(array.shape[0], array.shape[1], array.shape[2]),
        energy=energy,
        chunk=(outer_chunks(array)[1], outer_chunks(array)[2]),
        dtype=np.dtype(array.dtype),
        scale=packing.scale,
        offset=packing.offset,
        invalid=_invalid(packing.marks) if array.dtype.kind == "u" else None,
        marks=packing.marks,
        pixel_um=pixel_um,
        maps=tuple(name for name in WORKING_POINT if has_array(path, name)),
        fingerprint=root.get("fingerprint"),
        sparse=sparse,
        quantity=quantity,
        tells_void=has_array(path, VOID_REASON),
        step=int(attributes.get(QUANTISED, 1)),
        unit=unit,
    )


def _packing(path: Location, array: Any) -> Packing:
    try:
        return zarr_packing(array)
    except InputError as error:
        raise InputError(f"{path}/{MU}: {error}; correct the attribute") from None


def _invalid(marks: Marks) -> int | None:
    """Return the one code that is to stand for every sample that is none; None where there are no marks."""
    if not marks:
        return None
    return int(marks.values[-1]) if marks.values else INVALID if marks.high < INVALID else 0


def check_chunks(info: CubeInfo) -> None:
    """Raise InputError that names chunks the cube should hold and does not."""
    for array in (MU, *info.maps):
        missing = missing_chunks(info.path, array)
        if missing:
            names = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            raise InputError(
                f"{info.path}/{array}: found {len(missing)} missing chunk(s) ({names}), expected them all; "
                "copy them again, or set cube.missing: void to treat their pixels as void"
            )


def _layout_errors(array: Any) -> list[str]:
    wrong = []
    if array.ndim != 3:
        return [f"{MU} has {array.ndim} axes, expected 3: energy, y, x"]
    names = dimension_names(array)
    if names is not None and names != DIMS:
        wrong.append(f"{MU} has the axes {names}, expected {DIMS}; transpose it")
    if np.dtype(array.dtype) not in (np.uint16, np.float32, np.float64):
        wrong.append(f"{MU} holds {array.dtype}, expected uint16, float32 or float64")
    if array.shape[0] > MOST_ENERGIES or max(array.shape[1:]) > LONGEST_SIDE:
        wrong.append(
            f"{MU} has {array.shape[0]} energies and {array.shape[1]} x {array.shape[2]} pixels, expected "
            f"at most {MOST_ENERGIES} and {LONGEST_SIDE} a side"
        )
    if min(array.shape) < 1:
        wrong.append(f"{MU} has the shape {array.shape}, expected at least one sample on every axis")
    elif array.nchunks > MOST_CHUNKS:
        wrong.append(f"{MU} has {array.nchunks:,} chunks, expected at most {MOST_CHUNKS:,}; rechunk it")
    size = int(np.prod(outer_chunks(array), dtype=float)) * array.dtype.itemsize
    if size > LARGEST_CHUNK:
        wrong.append(
            f"a chunk of {MU} takes {size / 2**30:.1f} GiB, expected at most "
            f"{LARGEST_CHUNK / 2**30:.0f}; rechunk it"
        )
    return wrong


def _energy(path: Location, length: int, is_ours: bool) -> tuple[FloatArray, str, list[str]]:
    """Return the energies in eV or 1/cm, that unit, and what is wrong with them."""
    nothing = np.empty(0), UNITS[0]
    try:
        array = open_array(path, "energy")
    except InputError:
        return *nothing, ["found no array 'energy', expected one energy in eV for every plane of mu"]
    if array.shape != (length,):
        return *nothing, [f"found {array.size} energies for {length} planes of mu, expected one each"]
    if array.dtype.kind not in "fiu":
        return *nothing, [f"energy holds {array.dtype}, expected numbers"]
    energy = np.asarray(read(path, "energy", (slice(None),)), dtype=np.float64)
    given = str(text_of(dict(array.attrs).get("units", UNITS[0])))
    unit = UNITS[1] if is_wavenumber(given) else UNITS[0]
    try:
        energy = energy if is_wavenumber(given) else energy * ev_per(given)
    except InputError:
        return *nothing, [f"energy is in {given!r}, expected {' or '.join(map(repr, UNITS))}; convert it"]
    if not np.all(np.isfinite(energy)) or np.any(np.diff(energy) <= 0):
        return energy, unit, ["the energies do not rise strictly; sort them, and the planes of mu with them"]
    if unit == "eV" and not is_ours and energy[-1] < LEAST_EV:
        return energy, unit, [f"the energies end at {energy[-1]:g}, which looks like keV; expected eV"]
    return energy, unit, []


def _pixel_um(path: Location, root: dict[str, Any], plane: tuple[int, ...]) -> tuple[float, list[str]]:
    if "pixel_um" in root:
        given = root["pixel_um"]
        size = float(given) if isinstance(given, int | float) else 0.0
        return size, [] if size > 0 else [f"pixel_um is {given!r}, expected a length above 0"]
    steps = []
    for axis, length in zip("yx", plane, strict=True):
        if not has_array(path, axis):
            return 0.0, ["the pixel size is unknown; set the attribute pixel_um, or add y and x in um"]
        array = open_array(path, axis)
        if array.shape != (length,) or array.dtype.kind not in "fiu":
            return 0.0, [f"{axis} has the shape {array.shape}, expected {length} numbers in um"]
        values = np.asarray(read(path, axis, (slice(None),)), dtype=np.float64)
        given = str(text_of(dict(array.attrs).get("units", "um")))
        try:
            worth = um_per(given)
        except InputError:
            return 0.0, [f"{axis} has {values.size} values in {given!r}, expected {length} in um"]
        steps.append(worth * abs(values[-1] - values[0]) / (length - 1) if length > 1 else 0.0)
    size = max(steps)
    if not np.isfinite(size) or size <= 0:
        return 0.0, ["y and x do not rise, so the pixel size is unknown; expected positions in um"]
    return size, []


def cube_identity(info: CubeInfo) -> str:
    """Return what tells one cube from another: its fingerprint, else size and time of every chunk file."""
    if info.fingerprint is not None and not info.sparse:
        return info.fingerprint
    mark = hashlib.sha256()
    for name, (size, stamp) in sorted(stamps(info.path / MU).items()):
        mark.update(f"{name} {size} {stamp}\n".encode())
    return mark.hexdigest()
