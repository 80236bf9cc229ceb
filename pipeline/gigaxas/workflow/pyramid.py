"""Which maps the report folder and OME-Zarr show of a result, and where they lie."""

from typing import TYPE_CHECKING

import numpy as np

from gigaxas.errors import InputError
from gigaxas.locations import Location
from gigaxas.spatial.pyramid import rank_labels
from gigaxas.stores.cube import WORKING_POINT
from gigaxas.stores.io import chunks
from gigaxas.stores.io.groups import attributes_of
from gigaxas.stores.specks import specks_are_of
from gigaxas.tasks.pyramid import Layers
from gigaxas.workflow.resolve import Resolved

if TYPE_CHECKING:
    import xarray as xr

DENSITY = "mean absorbance after the edge less that before it"
RATIO = "share of a component in the pixel's spectrum"


def find_layers(run: Resolved, result: "xr.Dataset") -> Layers:
    """Return the layers that there are: maps of the result, density of the cube, component shares, specks."""
    store, components, info = run.paths.result, run.paths.composition, run.info
    pixels = np.zeros(int(result.attrs["sites"]) + 1, np.int64)
    pixels[result.cluster.values] = result.pixels.values
    ranks = {
        "label": rank_labels(pixels),
        "site": rank_labels(pixels, rare_first=False),
        "state": rank_labels(np.asarray(result.attrs["states"])),
    }
    density = {"density": DENSITY} if set(WORKING_POINT) <= set(info.maps) else {}
    labels, composed = component_labels(components, result.attrs["fingerprint"])
    ratios = {f"ratio_{label}": place for place, label in enumerate(labels)}
    values = density | _measured_maps(result) | dict.fromkeys(ratios, RATIO)
    searched = run.config.specks and specks_are_of(run.paths.specks, result.attrs["fingerprint"])
    specks = run.paths.specks if searched else None
    return Layers(store, info.path, components, values, ratios, composed, specks, ranks)


def _measured_maps(result: "xr.Dataset") -> dict[str, str]:
    """Return the maps of the result that hold no labels, the correlation first, with their meanings."""
    names = [n for n, v in result.data_vars.items() if v.dims == ("y", "x") and v.dtype.kind == "f"]
    order = sorted(map(str, names), key=lambda name: (name != "correlation", name))
    return {name: str(result[name].attrs.get("long_name", name)) for name in order}


def component_labels(components: Location, fingerprint: str) -> tuple[list[int], str]:
    """Return the labels of the components and their store's mark; none where they are of another result."""
    try:
        made = attributes_of(components)
        labels = chunks.read(components, "component", (slice(None),))
    except InputError:
        return [], ""
    if made.get("result") != fingerprint:
        return [], ""
    return [int(label) for label in labels], str(made["fingerprint"])
