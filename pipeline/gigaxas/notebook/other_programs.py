"""A result as objects of other programs: layers of napari, signals of HyperSpy."""

from typing import Any

import xarray as xr

from gigaxas.errors import InputError
from gigaxas.notebook.phases import phases, pixel_size
from gigaxas.stores.hyperspy import SignalAxis, signal_record

PLANE = ("y", "x")
OF_CLUSTERS = ("label", "kept")
"""Maps that hold labels of clusters."""


def signals(result: xr.Dataset) -> dict[str, Any]:
    """Return HyperSpy's signals of the maps and of the spectra, by name. InputError without HyperSpy."""
    try:
        from hyperspy import api
    except ImportError:
        raise InputError("to_hyperspy: HyperSpy is not installed; pip install hyperspy") from None
    plane = [SignalAxis(name, result[name].values, "um") for name in PLANE]
    found = {
        name: api.signals.Signal2D(**signal_record(result[name].values, plane, _title(result, name)))
        for name in _maps(result)
    }
    axes = [
        SignalAxis("cluster", result.cluster.values, "", is_navigation=True),
        SignalAxis("Energy", result.energy.values, str(result.energy.attrs.get("units", "eV"))),
    ]
    record = signal_record(result.spectrum.values, axes, _title(result, "spectrum"))
    return {**found, "spectrum": api.signals.Signal1D(**record)}


def layers(result: xr.Dataset) -> list[tuple[Any, dict[str, Any], str]]:
    """Return napari's layers of the maps, those of labels last, the final one on top."""
    found = phases(result)
    names = {phase.label: phase.name for phase in found}
    colours = {phase.label: phase.colour for phase in found}
    shown: list[tuple[Any, dict[str, Any], str]] = []
    for name in sorted(
        _maps(result), key=lambda name: (result[name].dtype.kind == "u", name == "label", name)
    ):
        values = result[name]
        settings: dict[str, Any] = {
            "name": name,
            "scale": pixel_size(result),
            "translate": tuple(float(result[axis].values[0]) for axis in PLANE),
            "units": ("um", "um"),
            "visible": name == "label",
        }
        if values.dtype.kind != "u":
            shown.append((values.data, settings, "image"))
            continue
        if name in OF_CLUSTERS:
            settings["colormap"] = {None: "transparent", 0: "transparent", **colours}
            settings["features"] = {"index": list(names), "name": list(names.values())}
        shown.append((values.data, settings, "labels"))
    return shown


def _maps(result: xr.Dataset) -> list[str]:
    return [str(name) for name, values in result.data_vars.items() if values.dims == PLANE]


def _title(result: xr.Dataset, name: str) -> str:
    return str(result[name].attrs.get("long_name", name))
