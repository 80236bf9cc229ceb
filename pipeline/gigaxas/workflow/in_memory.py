"""An image of an array classified without a configuration file: the door for notebooks."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple
from warnings import warn

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from gigaxas.arrays import FloatArray
from gigaxas.config.load import validated
from gigaxas.config.paths import paths_of
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.execution.bars import bars
from gigaxas.execution.runner import Progress
from gigaxas.execution.session import open_session
from gigaxas.sites import write_columns
from gigaxas.spectra.noise import NoiseModel
from gigaxas.spectra.quantity import Quantity
from gigaxas.stores.cube import DIMS, create_cube, write_samples
from gigaxas.stores.io.chunks import save_array
from gigaxas.stores.result import open_result
from gigaxas.stores.specks import MEANING, SPECK_MAP, read_speck_map, read_specks, speck_dataset
from gigaxas.tiles import flat, regular_grid
from gigaxas.workflow.naming import cluster_rows
from gigaxas.workflow.products import Listener, make_products, products_of
from gigaxas.workflow.resolve import Resolved, resolve

CHUNK = 256
"""Side of a chunk of the cube that the image is written to, in pixels."""
MASK = "mask"
SOURCES = ("library", "observed", "both")


class Image(NamedTuple):
    """An image with its axes."""

    samples: Any
    """(E, y, x) array, NumPy or lazy."""
    energy: FloatArray
    """(E,) in eV or 1/cm, rising."""
    pixel_um: float
    """Side of a pixel, in um; 1 where nothing tells it."""


def classify(
    image: Any,
    energy: ArrayLike | None = None,
    *,
    quantity: Quantity | None = None,
    references: str | Path | Mapping[str, ArrayLike] | None = None,
    noise: float | Sequence[float] | NoiseModel | Mapping[str, Any] | None = None,
    sites: str | Path | NDArray[Any] | Mapping[str, Any] | None = None,
    mask: ArrayLike | None = None,
    align: Literal["report", "apply", "off"] = "report",
    specks: bool | Mapping[str, Any] = False,
    progress: bool | None = None,
    **settings: Any,
) -> xr.Dataset:
    """Classify an image in memory, or a lazy one, without a configuration file.

    What a run would have warned of is warned of. A lazy image is read chunk by chunk, through a cube in the
    folder for temporary files.

    Args:
        image: NumPy or Dask array (E, y, x), or an xarray with the dimensions energy, y and x.
        energy: (E,) in eV, or 1/cm for Raman, rising; left out, the coordinate of an xarray.
        quantity: What the samples are; left out, it is guessed.
        references: A file or folder of spectra, or spectra (E,) on the image's energies by name; left out,
            phases are numbered.
        noise: A standard deviation in the unit of the image, one for each energy, a camera's working point,
            or the keys of the section `noise`; left out, it is measured in the image.
        sites: Site spectra (m, E), "library", "observed" or "both", a file, or the keys of the section.
        mask: (y, x), zero where a pixel is void.
        align: Whether the references are moved by the shift of energy at which they agree best with the
            image.
        specks: Whether phases smaller than the window of the clean-up are searched, or the keys of the
            section `specks`.
        progress: Whether a bar is shown for each stage; left out, on a terminal and in a notebook alone.
        settings: Further sections of a configuration, such as clean_up={"k_size": 7} or edge="Fe K".

    Returns:
        The maps over (y, x), in um, and for each cluster `spectrum` (cluster, energy) in the unit of the
        image, with its error and `name`, all in memory; attributes tell the quantity, the noise and the
        shift, and whatever else a run would have told. Where specks are searched, `speck` (y, x) holds their
        numbers, `speck_*` over `number` their table, `kind_name`, `kind_cluster`, `kind_spectrum` and
        `kind_standard_error` over `kind` what they are.

    Raises:
        InputError: Everything that a configuration would be refused for.
        RunError: The folder for temporary files is full.
    """
    found = describe_image(image, energy)
    with TemporaryDirectory(prefix="gigaxas-") as folder:
        cube = Path(folder) / "cube.zarr"
        _write_cube(cube, found, quantity, mask)
        asked: dict[str, Any] = {
            "title": "image",
            "output": str(Path(folder) / "run"),
            "cube": {"path": str(cube), **({} if mask is None else {"mask": MASK})},
            "sites": _sites_section(sites, found.energy, Path(folder), references is not None),
            "noise": _noise_section(noise),
            "compute": {"cluster": "threads"},
        }
        if references is not None:
            path = _reference_path(references, found.energy, Path(folder))
            asked["references"] = {"path": str(path), "align": align}
        if specks is not False:
            asked["specks"] = {} if specks is True else specks
        return _run(validated({**asked, **settings}), bars(progress))


def _run(config: Config, progress: Progress) -> xr.Dataset:
    told: list[str] = []
    run = resolve(config, told.append)
    with open_session(run.paths, config, "classify", progress) as runner:
        run = make_products(products_of(run), run, runner, Listener(told.append))
    for line in told:
        if line.startswith("warning"):
            warn(line.removeprefix("warning").strip(), stacklevel=3)
    with open_result(paths_of(config).result) as result:
        return _described_result(result.load(), run).assign_attrs(told=told)


def _described_result(result: xr.Dataset, run: Resolved) -> xr.Dataset:
    """Return the maps with the names of the clusters, and what the image told."""
    names = {row.label: row.title for row in cluster_rows(run, result)}
    named = [names[int(label)] for label in result.cluster.values]
    told = {"quantity": run.quantity, "noise": json.dumps(run.noise.record())}
    if run.sites.shift is not None:
        told["shift"] = json.dumps(dict(run.sites.shift))
    known = result.assign_coords(name=("cluster", np.array(named, dtype=object))).assign_attrs(told)
    return known.merge(_specks(run)) if run.config.specks else known


def _specks(run: Resolved) -> xr.Dataset:
    """Return the map of the specks, their table and their kinds."""
    whole = (slice(0, run.info.plane[0]), slice(0, run.info.plane[1]))
    columns, spectra, attributes = read_specks(run.paths.specks)
    found = speck_dataset(columns, spectra, attributes["kinds"], attributes["clusters"])
    numbers = read_speck_map(run.paths.specks, whole)
    return found.assign({SPECK_MAP: (("y", "x"), numbers, {"long_name": MEANING, "units": "1"})})


def describe_image(image: Any, energy: ArrayLike | None) -> Image:
    """Return an image (E, y, x), an array or an xarray, with its axes; InputError where these do not fit."""
    samples, pixel_um = image, 1.0
    if isinstance(image, xr.DataArray):
        if set(image.dims) != set(DIMS):
            raise InputError(f"image: its axes are {image.dims}, expected {DIMS}; rename them")
        ordered = image.transpose(*DIMS)
        samples, pixel_um = ordered.data, _pixel_um(ordered)
        if energy is None and "energy" in ordered.coords:
            energy = ordered.coords["energy"].values
    if getattr(samples, "ndim", 0) != 3:
        raise InputError(f"image: its shape is {np.shape(samples)}, expected energy, y and x")
    if energy is None:
        raise InputError("energy: missing; give one for every image, or an xarray with that coordinate")
    axis = np.asarray(energy, dtype=np.float64)
    if axis.shape != samples.shape[:1]:
        raise InputError(f"energy: found {axis.size} for {samples.shape[0]} images, expected one each")
    if not np.all(np.isfinite(axis)) or np.any(np.diff(axis) <= 0):
        raise InputError("energy: the energies do not rise strictly; sort them, and the images with them")
    if np.dtype(samples.dtype).kind not in "uif":
        raise InputError(f"image: it holds {samples.dtype}, expected whole or floating-point numbers")
    return Image(samples, axis, pixel_um)


def _pixel_um(image: xr.DataArray) -> float:
    steps = [
        abs(float(image.coords[axis][1] - image.coords[axis][0]))
        for axis in ("y", "x")
        if axis in image.coords and image.sizes[axis] > 1
    ]
    return max(steps, default=1.0) or 1.0


def _write_cube(path: Path, image: Image, quantity: Quantity | None, mask: ArrayLike | None) -> None:
    plane = (int(image.samples.shape[1]), int(image.samples.shape[2]))
    small = np.dtype(image.samples.dtype) in (np.uint8, np.uint16)
    sample = np.dtype(np.uint16 if small else np.float32)
    create_cube(
        path,
        image.energy,
        plane,
        CHUNK,
        image.pixel_um,
        path.parent.name,
        maps=(),
        plain=sample,
        quantity=quantity,
    )
    for tile in flat(regular_grid(plane, (CHUNK, CHUNK))):
        write_samples(path, tile, np.asarray(image.samples[:, *tile.region]).astype(sample, copy=False))
    if mask is not None:
        used = np.asarray(mask)
        if used.shape != plane:
            raise InputError(
                f"mask: its shape is {used.shape}, that of the image {plane}; expected one shape"
            )
        save_array(path, MASK, (used != 0).astype(np.uint8), ("y", "x"))


def _reference_path(given: str | Path | Mapping[str, ArrayLike], energy: FloatArray, folder: Path) -> Path:
    """Return where the references lie; spectra in memory are written to a folder, a file each."""
    if isinstance(given, str | Path):
        return Path(given)
    place = folder / "references"
    place.mkdir()
    for name, values in given.items():
        spectrum = np.asarray(values, dtype=np.float64)
        if spectrum.shape != energy.shape:
            raise InputError(
                f"references: {name} has {spectrum.size} samples, the image {energy.size} energies; expected "
                "one each"
            )
        if not name or "/" in name or name.startswith("."):
            raise InputError(f"references: {name!r} cannot be the name of a file; expected a name without /")
        np.savetxt(
            place / f"{name}.txt", np.column_stack([energy, spectrum]), header="energy mu", fmt="%.17g"
        )
    return place


def _sites_section(given: Any, energy: FloatArray, folder: Path, named: bool) -> Mapping[str, Any]:
    if given is None:
        return {} if named else {"from": "observed"}
    if isinstance(given, Mapping):
        return given
    if isinstance(given, str | Path):
        return {"from": given} if given in SOURCES else {"file": str(given)}
    spectra = np.asarray(given, dtype=np.float64)
    if spectra.ndim != 2 or spectra.shape[1] != energy.size:
        raise InputError(f"sites: their shape is {spectra.shape}, expected (m, {energy.size})")
    path = folder / "sites.csv"
    write_columns(path, energy, spectra, tuple(f"site {k + 1}" for k in range(len(spectra))))
    return {"file": str(path)}


def _noise_section(given: Any) -> Mapping[str, Any]:
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return given
    if isinstance(given, NoiseModel):
        return given.record()
    sigma = np.asarray(given, dtype=np.float64)
    return {"sigma": float(sigma) if sigma.ndim == 0 else sigma.tolist()}
