"""The composition store: how much of each component every pixel holds, in chunks that one task writes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.locations import Location
from gigaxas.stores.io.chunks import create_array, read, save_array, write
from gigaxas.stores.io.groups import create_group
from gigaxas.tiles import Tile

RATIO_MAPS = {
    "ratio": "share of each component in the spectrum of a pixel",
    "ratio_sigma": "one sigma of the share; NaN where the pixel was not fitted",
}

GLOBAL = {
    "Conventions": "CF-1.11",
    "title": "gigaxas components",
    "source": "components of a gigaxas result, with their ratios by non-negative least squares",
}
MORE = {"ratio": {"ancillary_variables": "ratio_sigma residual"}}


def create_composition(
    path: Location,
    plane: tuple[int, int],
    tile: tuple[int, int],
    pixel_um: float,
    components: IntArray,
    dtype: Any,
    fingerprint: str,
    result: str,
) -> None:
    """Make the empty maps, one chunk a tile and component; `components` (K,) are the labels of the latter.

    `result` is the fingerprint of the result whose clusters they are.
    """
    create_group(path, {**GLOBAL, "fingerprint": fingerprint, "result": result})
    for axis, size in zip("yx", plane, strict=True):
        meaning = f"position of the pixel's middle along {axis}, from that of the first pixel"
        save_array(
            path, axis, np.arange(size) * pixel_um, (axis,), units="um", axis=axis.upper(), long_name=meaning
        )
    meaning = "label of the component"
    save_array(path, "component", components, ("component",), long_name=meaning, units="1")
    for name, meaning in RATIO_MAPS.items():
        create_array(
            path,
            name,
            shape=(len(components), *plane),
            chunks=(1, *tile),
            dtype=np.float32,
            dims=("component", "y", "x"),
            attributes={"long_name": meaning, "units": "1", **MORE.get(name, {})},
        )
    for name, kind, meaning in (
        ("residual", np.float32, "root mean square residual of the fit; NaN where the pixel was not fitted"),
        ("main", dtype, "label of the component with the largest share; 0 is void"),
    ):
        create_array(
            path,
            name,
            shape=plane,
            chunks=tile,
            dtype=kind,
            dims=("y", "x"),
            attributes={"long_name": meaning, "units": "1"},
        )


def write_composition(path: Location, tile: Tile, **maps: NDArray[Any]) -> None:
    """Write the maps (h, w) and (K, h, w) of one tile."""
    for name, values in maps.items():
        region = (slice(0, len(values)), *tile.region) if values.ndim == 3 else tile.region
        write(path, name, region, values)


def save_components(
    path: Location,
    energy: FloatArray,
    spectra: FloatArray,
    error: FloatArray,
    amounts: FloatArray,
    main_pixels: IntArray,
) -> None:
    """Add the components: spectra (K, E) and standard errors over energies (E,) in eV, and sizes (K,)."""
    each, per_sample = ("component",), ("component", "energy")
    save_array(path, "energy", energy, ("energy",), units="eV", long_name="photon energy")
    save_array(path, "spectrum", spectra, per_sample, long_name="normalised absorbance", units="1")
    save_array(path, "standard_error", error, per_sample, long_name="standard error", units="1")
    save_array(path, "amount", amounts, each, long_name="sum of the shares over all pixels", units="1")
    save_array(path, "main_pixels", main_pixels, each, long_name="pixels of which it is the most", units="1")


def read_sizes(path: Location) -> tuple[FloatArray, IntArray]:
    """Read the sum of its shares and the main pixels (K,) of every component."""
    whole = (slice(None),)
    return np.asarray(read(path, "amount", whole)), np.asarray(read(path, "main_pixels", whole))
