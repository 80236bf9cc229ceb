"""The result: maps over (y, x) and clusters over energy that xarray opens with names, units and meanings."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray, label_dtype
from gigaxas.errors import DamagedError, InputError
from gigaxas.locations import Location, location
from gigaxas.nearest import certainty
from gigaxas.spatial.cluster_sums import ClusterSpectra
from gigaxas.spectra.void import VOID_REASONS
from gigaxas.stores.io.checksums import WholeStore
from gigaxas.stores.io.chunks import create_array, open_array, read, save_array, write
from gigaxas.stores.io.folders import exists
from gigaxas.stores.io.groups import UNFINISHED, add_attributes, attributes_of, create_group, open_store
from gigaxas.stores.specks import with_speck_map
from gigaxas.tiles import Tile

if TYPE_CHECKING:
    import xarray as xr

CLUSTER_TABLE = "clusters.csv"
"""The table of the clusters in an output folder."""
STATES = ("void", "kept", "core_of_another_label", "filled", "filled_border")
CLUSTERS = ("y", "x", "energy", "cluster", "pixels", "kept_pixels", "spectrum", "standard_error")
MAPS = {
    "site": "site of the largest correlation, as assigned; 0 is no label",
    "kept": "label after the clean-up; 0 where it was removed",
    "label": "final label; 0 is void",
    "state": "why a pixel has its label",
    "correlation": "Pearson correlation with the assigned site",
    "void_reason": "why a pixel holds no signal",
}
TYPES: dict[str, Any] = {
    "state": np.uint8,
    "void_reason": np.uint8,
    **dict.fromkeys(("correlation", *certainty.MAPS), np.float32),
}

# What programs that know the CF conventions look for beside name and units.
GLOBAL = {
    "Conventions": "CF-1.11",
    "title": "gigaxas result",
    "source": "X-ray absorption spectral image, assigned to sites, cleaned up and filled by gigaxas",
    "references": "Ito et al., Sci. Rep. 14, 22549 (2024)",
}
MORE: dict[str, dict[str, Any]] = {
    "label": {"ancillary_variables": "state correlation"},
    "site": {"ancillary_variables": "correlation"},
    "state": {"flag_values": list(range(len(STATES))), "flag_meanings": " ".join(STATES)},
    "correlation": {"valid_range": [-1.0, 1.0]},
    "void_reason": {"flag_values": list(range(len(VOID_REASONS))), "flag_meanings": " ".join(VOID_REASONS)},
}


class PixelCounts(NamedTuple):
    """Pixels of the maps of a result."""

    labels: IntArray
    """(n,) pixels of the final label of every cluster."""
    states: IntArray
    """Pixels of each of STATES."""
    void: IntArray
    """Pixels of each of VOID_REASONS."""


def create_result(
    path: Location,
    plane: tuple[int, int],
    tile: tuple[int, int],
    pixel_um: float,
    sites: int,
    basis: str,
    more: Sequence[str] = (),
    grows: bool = False,
) -> None:
    """Make the maps of a result, one chunk a tile; `basis` tells the cube and the sites they come from.

    `more` names the maps of single pixels' certainty that are wanted. One that `grows` keeps the chunks of
    another cube.
    """
    create_group(path, {**GLOBAL, "basis": basis, "sites": sites}, changing=("basis",) if grows else ())
    for axis, size in zip("yx", plane, strict=True):
        meaning = f"position of the pixel's middle along {axis}, from that of the first pixel"
        save_array(
            path, axis, np.arange(size) * pixel_um, (axis,), units="um", axis=axis.upper(), long_name=meaning
        )
    for name, meaning in {**MAPS, **{name: certainty.MAPS[name] for name in more}}.items():
        attributes: dict[str, Any] = {"long_name": meaning, "units": "1", **MORE.get(name, {})}
        create_array(
            path,
            name,
            shape=plane,
            chunks=tile,
            dtype=TYPES.get(name, label_dtype(sites)),
            dims=("y", "x"),
            attributes=attributes,
        )


def read_map(path: Location, name: str, region: tuple[slice, slice]) -> NDArray[Any]:
    """Read the part of a map that the slices (y, x) cut out."""
    return read(path, name, region)


def write_maps(path: Location, tile: Tile, **maps: NDArray[Any]) -> None:
    """Write the values (h, w) of one tile into the maps of these names."""
    for name, values in maps.items():
        write(path, name, tile.region, values)


def write_clusters(
    path: Location,
    energy: FloatArray,
    spectra: ClusterSpectra,
    counts: PixelCounts,
    fingerprint: str,
    shares: Mapping[str, tuple[int, int]],
) -> None:
    """Add the clusters (label, pixels, kept pixels, mean spectrum and error), counts and the mark.

    `shares` tells of labels that are not exact: pixels, of so many.
    """
    told = {"states": counts.states.tolist(), "void_reasons": counts.void.tolist()}
    add_attributes(path, **told, fingerprint=fingerprint, shares=dict(shares))
    per_cluster, per_sample = ("cluster",), ("cluster", "energy")
    save_array(path, "energy", energy, ("energy",), units="eV", long_name="photon energy")
    for name, values, meaning in (
        ("cluster", spectra.labels, "label of the cluster"),
        ("pixels", counts.labels, "pixels with this final label"),
        ("kept_pixels", spectra.pixels, "pixels the spectrum is a mean of"),
    ):
        save_array(path, name, values, per_cluster, units="1", long_name=meaning)
    save_array(
        path,
        "spectrum",
        spectra.mean,
        per_sample,
        units="1",
        long_name="mean spectrum of the kept pixels: normalised X-ray absorbance",
        cell_methods="area: mean",
        ancillary_variables="standard_error kept_pixels",
    )
    save_array(
        path,
        "standard_error",
        spectra.standard_error,
        per_sample,
        units="1",
        long_name="standard error of the mean spectrum",
    )


def open_result(path: str | Location) -> "xr.Dataset":
    """Open the maps of a finished run.

    Args:
        path: Its output folder, or the result store, or the address of either.

    Returns:
        The maps over (y, x), y and x in um, read lazily, and for each cluster its mean `spectrum` over
        `energy` in eV; of an output folder also the `name` of each, and with specks `speck` (y, x).

    Raises:
        InputError: There is no finished result.
    """
    import xarray as xr  # takes longer to load than a run that finds everything made

    given = location(path)
    inside = given / "result.zarr"
    store = inside if exists(inside) else given
    if not exists(store / "label" / "zarr.json") or UNFINISHED in attributes_of(store):
        raise InputError(f"{given}: found no finished result, expected result.zarr; run gigaxas classify")
    dataset = xr.open_zarr(WholeStore(open_store(store)), consolidated=False)
    for values in dataset.variables.values():
        for name in {"flag_values", "valid_range"} & set(values.attrs):
            # JSON forgets the type, which must be the variable's own.
            values.attrs[name] = np.asarray(values.attrs[name], values.dtype)
    if store != inside:
        return dataset
    return with_names(with_speck_map(dataset, given / "specks.zarr"), given / CLUSTER_TABLE)


def with_names(result: "xr.Dataset", table: Location) -> "xr.Dataset":
    """Return a result with the coordinate `name` of its clusters, where `table` is the one of this result."""
    if not isinstance(table, Path) or not table.is_file():
        return result
    with table.open(encoding="utf-8", newline="") as file:
        rows = {int(row["label"]): row for row in csv.DictReader(file)}
    pixels = dict(zip(result.cluster.values.tolist(), result.pixels.values.tolist(), strict=True))
    if pixels != {label: int(row["pixels"]) for label, row in rows.items()}:
        return result
    names = np.array([rows[label]["name"] for label in pixels], dtype=object)
    meaning = {"long_name": "what the cluster is called", "units": "1"}
    return result.assign_coords(name=("cluster", names, meaning))


def clusters_are_whole(path: Location) -> bool:
    """Return whether the arrays of the clusters can be read."""
    try:
        for name in CLUSTERS:
            array = open_array(path, name)
            read(path, name, (slice(None),) * array.ndim)
    except (InputError, DamagedError):
        return False
    return True
