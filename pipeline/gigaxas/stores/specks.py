"""The store of the specks: a map of their numbers, a table of them, and the spectra of their kinds."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.locations import Location
from gigaxas.stores.io.checksums import WholeStore
from gigaxas.stores.io.chunks import create_array, read, save_array, write
from gigaxas.stores.io.groups import UNFINISHED, add_attributes, attributes_of, create_group, open_store
from gigaxas.tiles import Tile

if TYPE_CHECKING:
    import xarray as xr

SPECK_MAP = "speck"
MEANING = "number of the speck, from 1, in the order of specks.csv; 0 is none"
COLUMNS = {
    "y": "first row of the speck",
    "x": "first column of the speck",
    "height": "rows of the speck",
    "width": "columns of the speck",
    "label": "label that the map shows there",
    "kind": "kind of the speck, from 1",
    "distance": "z of METHOD 2 between a pixel of the speck and what is around it",
    "log_p": "natural logarithm of the probability that noise makes such a window",
    "share": "share of the kind in the pixels of the speck, what is around it being the rest",
    "hits": "samples left out as hit by a cosmic ray or the like",
}
KIND_CLUSTER = "label of the cluster whose composition a kind has; 0 where the map shows none"
SPECTRA = {"spectrum": "mean spectrum of each kind", "standard_error": "its standard error"}


def create_specks(
    path: Location,
    plane: tuple[int, int],
    tile: tuple[int, int],
    pixel_um: float,
    fingerprint: str,
    result: str,
) -> None:
    """Make the empty map, one chunk a tile; `result` is the fingerprint of the result that was searched."""
    create_group(path, {"title": "gigaxas specks", "fingerprint": fingerprint, "result": result})
    for axis, size in zip("yx", plane, strict=True):
        save_array(path, axis, np.arange(size) * pixel_um, (axis,), units="um", axis=axis.upper())
    create_array(
        path,
        SPECK_MAP,
        shape=plane,
        chunks=tile,
        dtype=np.uint32,
        dims=("y", "x"),
        attributes={"long_name": MEANING, "units": "1"},
    )


def write_speck_map(path: Location, tile: Tile, numbers: NDArray[np.uint32]) -> None:
    """Write the numbers (h, w) of one tile."""
    write(path, SPECK_MAP, tile.region, numbers)


def read_speck_map(path: Location, region: tuple[slice, slice]) -> NDArray[np.uint32]:
    """Read the part of the map that the slices (y, x) cut out."""
    return read(path, SPECK_MAP, region)


def save_specks(
    path: Location,
    energy: FloatArray,
    columns: Mapping[str, NDArray[Any]],
    spectra: Mapping[str, FloatArray],
    names: Sequence[str],
    outside: Sequence[bool],
    clusters: Sequence[int],
    told: Mapping[str, Any],
) -> None:
    """Add the table (COLUMNS, (n,) each), the kinds (SPECTRA, (k, E) each) with their names, and figures.

    `outside` tells which kinds the library does not hold, `clusters` the label of the cluster that has the
    composition of each, 0 where none has, `told` what else was found.
    """
    add_attributes(
        path,
        kinds=list(names),
        outside=[bool(one) for one in outside],
        clusters=[int(one) for one in clusters],
        told=dict(told),
    )
    save_array(path, "energy", energy, ("energy",), units="eV", long_name="photon energy")
    for name, values in columns.items():
        save_array(path, f"speck_{name}", values, ("number",), long_name=COLUMNS[name], units="1")
    for name, values in spectra.items():
        save_array(path, name, values, ("kind", "energy"), long_name=SPECTRA[name], units="1")


def read_specks(path: Location) -> tuple[dict[str, NDArray[Any]], dict[str, FloatArray], dict[str, Any]]:
    """Read the table, the spectra of the kinds, and the attributes."""
    columns = {name: read(path, f"speck_{name}", (slice(None),)) for name in COLUMNS}
    spectra = {name: read(path, name, (slice(None), slice(None))) for name in SPECTRA}
    return columns, spectra, attributes_of(path)


def specks_are_of(path: Location, result: str) -> bool:
    """Return whether there are specks of the result with this fingerprint, whole."""
    try:
        attributes = attributes_of(path)
    except InputError:
        return False
    return UNFINISHED not in attributes and attributes.get("result") == result


def with_speck_map(result: "xr.Dataset", path: Location) -> "xr.Dataset":
    """Add the map `speck` (y, x), lazily, to an opened result, where the store holds the specks of it."""
    if not specks_are_of(path, str(result.attrs.get("fingerprint"))):
        return result
    import xarray as xr

    opened = xr.open_zarr(WholeStore(open_store(path)), consolidated=False)
    return result.assign({SPECK_MAP: opened[SPECK_MAP]})


def speck_dataset(
    columns: Mapping[str, NDArray[Any]],
    spectra: Mapping[str, FloatArray],
    names: Sequence[str],
    clusters: Sequence[int],
) -> "xr.Dataset":
    """Return the table (`speck_*` over `number`, from 1) and the kinds (`kind_*` over `kind`, from 1)."""
    import xarray as xr

    table = {
        f"speck_{name}": ("number", columns[name], {"long_name": meaning, "units": "1"})
        for name, meaning in COLUMNS.items()
    }
    kinds: dict[str, Any] = {
        "kind_name": ("kind", np.array(names, dtype=object)),
        "kind_cluster": ("kind", np.array(clusters, np.int64), {"long_name": KIND_CLUSTER, "units": "1"}),
    }
    for name, meaning in SPECTRA.items():
        kinds[f"kind_{name}"] = (("kind", "energy"), spectra[name], {"long_name": meaning, "units": "1"})
    numbers = {"number": np.arange(1, len(columns["y"]) + 1), "kind": np.arange(1, len(names) + 1)}
    return xr.Dataset({**table, **kinds}, coords=numbers)
