"""The specks of an image in memory whose maps are known: the door for notebooks."""

import json
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike
from threadpoolctl import threadpool_limits

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.specks import ImageSpecks, LabelMaps, settle_search, specks_of_image
from gigaxas.spectra.noise import Noise, NoiseModel
from gigaxas.spectra.signal_noise import SignalNoise
from gigaxas.stores.specks import MEANING, SPECK_MAP, speck_dataset
from gigaxas.tasks.specks import draw_boxes
from gigaxas.tiles import Box
from gigaxas.workflow.in_memory import Image, describe_image
from gigaxas.workflow.specks import speck_boxes, speck_columns

NEEDED = ("label", "kept", "site", "cluster", "spectrum", "name")


def find_specks(
    image: Any,
    result: xr.Dataset,
    energy: ArrayLike | None = None,
    *,
    known: ArrayLike | None = None,
    false_alarms: float = 0.1,
) -> xr.Dataset:
    """Find the phases of an image (E, y, x) smaller than the clean-up's window, down to one pixel.

    Args:
        image: (E, y, x) as `classify` takes it; a lazy image is read as a whole.
        result: What `classify` made of it, whose maps, spectra and noise are taken.
        energy: (E,) as `classify` takes it, in eV or 1/cm.
        known: Spectra (n, E), in the unit of the image, of phases that may be there beside the clusters.
        false_alarms: Specks that noise alone makes in the whole image, on average.

    Returns:
        `speck` (y, x), the number of the speck or 0; their table, `speck_*` over `number`, those of kinds
        that the map does not show first, the most significant first; and `kind_name`, `kind_cluster` (label
        of the cluster that a kind is a piece of, or 0), `kind_spectrum` and `kind_standard_error` over
        `kind`. Attributes tell what else stood out.

    Raises:
        InputError: The result is not one of this image, or a number or shape is not one that can be.
    """
    found = describe_image(image, energy)
    noise = _checked(found, result, false_alarms)
    spectra = np.full((int(result.cluster.max(initial=0)) + 1, found.energy.size), np.nan)
    sigma = spectra.copy()
    clusters = result.cluster.values
    spectra[clusters], sigma[clusters] = result.spectrum.values, noise.sigma(result.spectrum.values)
    others = _spectra(known, found.energy)
    whole = np.asarray(found.samples)
    samples = whole if whole.dtype in (np.uint8, np.uint16) else whole.astype(np.float32, copy=False)
    # a pixel without signal is none of its cluster, whatever the map was filled with
    label = np.where(result.site.values > 0, result.label.values, result.label.dtype.type(0))
    # sums that are shared out to threads differ in their last digits
    with threadpool_limits(limits=1):
        search = settle_search(spectra, others, sigma, noise.energy)
        specks = specks_of_image(samples, LabelMaps(label, result.kept.values), search, false_alarms)
    return _dataset(specks, result)


def _checked(image: Image, result: xr.Dataset, false_alarms: float) -> Noise:
    """Return the noise of a result that belongs to an image."""
    missing = [name for name in NEEDED if name not in result.variables]
    if missing or "noise" not in result.attrs:
        raise InputError(
            f"result: it lacks {', '.join(missing) or 'the attribute noise'}; give what gx.classify returns"
        )
    plane, shape = image.samples.shape[1:], result.label.shape
    if plane != shape:
        raise InputError(f"result: its maps are {shape}, the image is {plane}; give that of this image")
    if not np.array_equal(result.energy.values, image.energy):
        raise InputError("result: its energies are not those of the image; give that of this image")
    if not 0.0 < false_alarms < np.inf:
        raise InputError(f"false_alarms: {false_alarms:g}; expected a number above 0")
    record = json.loads(result.attrs["noise"])
    return NoiseModel(**record) if "c_ref" in record else SignalNoise.from_record(record)


def _spectra(known: ArrayLike | None, energy: FloatArray) -> FloatArray:
    """Return further spectra (n, E), none where none are given."""
    spectra = np.empty((0, energy.size)) if known is None else np.asarray(known, dtype=np.float64)
    if spectra.ndim != 2 or spectra.shape[1] != energy.size or not np.isfinite(spectra).all():
        raise InputError(f"known: its shape is {spectra.shape}, expected (n, {energy.size}), all finite")
    return spectra


def _dataset(found: ImageSpecks, result: xr.Dataset) -> xr.Dataset:
    """Return map, table and kinds, with what else stood out."""
    names = dict(zip(result.cluster.values.tolist(), result.name.values.tolist(), strict=True))
    kinds = found.kinds
    clusters = kinds.cluster.tolist()
    named = [names[label] if label else f"kind {number}" for number, label in enumerate(clusters, 1)]
    spectra = {"spectrum": kinds.spectrum, "standard_error": kinds.error}
    table = speck_dataset(speck_columns(found), spectra, named, clusters)
    numbers = draw_boxes(Box(0, result.sizes["y"], 0, result.sizes["x"]), speck_boxes(found))
    drawn = {SPECK_MAP: (("y", "x"), numbers, {"long_name": MEANING, "units": "1"})}
    axes = {name: result[name] for name in ("y", "x", "energy")}
    told = {"hits": found.hits, "explained": found.explained, "tail": found.tail}
    return table.assign(drawn).assign_coords(axes).assign_attrs(told)
