"""The maps of a finished result in the formats of other programs: OME-Zarr, TIFF and HyperSpy."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gigaxas.execution.runner import Runner
from gigaxas.report import STATE_NAMES, ReportData
from gigaxas.report.palette import state_colours
from gigaxas.report.viewer import TILE
from gigaxas.report.views import by_size, colours_by_label, speck_colours
from gigaxas.spatial.pyramid import level_shapes
from gigaxas.stores.hyperspy import SignalAxis, write_signal
from gigaxas.stores.io import chunks
from gigaxas.stores.io.groups import partial_of, publish
from gigaxas.stores.ome_zarr import Channel, LabelImage, create_ome_zarr
from gigaxas.stores.result import MAPS, read_map
from gigaxas.stores.specks import MEANING, SPECK_MAP, read_speck_map, with_speck_map
from gigaxas.stores.tiff import write_tiff
from gigaxas.tasks import exports as tasks
from gigaxas.tasks.pyramid import BLOCK, CLIMB, LABELS, Layers, read_values
from gigaxas.tiles import Region, regular_grid
from gigaxas.workflow.pyramid import find_layers
from gigaxas.workflow.resolve import Resolved
from gigaxas.workflow.viewer import value_layers

if TYPE_CHECKING:
    import xarray as xr

Export = Literal["ome-zarr", "tiff", "hyperspy"]
"""A format of other programs."""
OTHER_SITE = "#a8a49c"
"""Colour of a site that names no cluster."""


def write_ome_zarr(run: Resolved, result: "xr.Dataset", data: ReportData, runner: Runner) -> Path:
    """Write maps.ome.zarr: the measured maps as channels; label, kept, site, state, speck as label images."""
    final = run.paths.output / "maps.ome.zarr"
    store = partial_of(final)
    layers = find_layers(run, result)
    shapes = level_shapes(run.info.plane, TILE)
    channels = [Channel(v.name, v.title, v.low, v.high) for v in value_layers(layers, data)]
    create_ome_zarr(store, data.title, shapes, TILE, run.info.pixel_um, channels, _label_images(layers, data))
    for level in range(0, max(1, len(shapes) - 1), CLIMB):
        runner.over(
            "ome-zarr",
            tasks.export_block,
            regular_grid(shapes[level], (BLOCK, BLOCK)),
            layers=layers,
            channels=tuple(channel.name for channel in channels),
            store=store,
            level=level,
            levels=len(shapes),
        )
    publish(store, final)
    return final


def write_tiffs(run: Resolved, result: "xr.Dataset", data: ReportData, runner: Runner) -> list[Path]:
    """Write every map as tiff/NAME.tif, void pixels of the measured ones as NaN; return their paths."""
    folder = run.paths.output / "tiff"
    folder.mkdir(exist_ok=True)
    layers = find_layers(run, result)
    meanings = {layer.name: layer.meaning for layer in value_layers(layers, data)}
    maps = {name: meaning for name, meaning in MAPS.items() if name not in meanings}
    kinds = {name: np.float32 if name in meanings else result[name].dtype for name in (maps | meanings)}
    if layers.specks is not None:
        maps, kinds = maps | {SPECK_MAP: MEANING}, kinds | {SPECK_MAP: np.dtype(np.uint32)}
    with runner.step("tiff", len(maps) + len(meanings)) as advance:
        for name, meaning in (maps | meanings).items():
            read = _value_reader(layers, name) if name in meanings else _map_reader(layers, name)
            write_tiff(folder / f"{name}.tif", run.info.plane, kinds[name], read, run.info.pixel_um, meaning)
            advance(1)
    return [folder / f"{name}.tif" for name in (maps | meanings)]


def write_signals(run: Resolved, result: "xr.Dataset", runner: Runner) -> list[Path]:
    """Write every map, and the spectra of the clusters, as hyperspy/NAME.hspy; return their paths."""
    folder = run.paths.output / "hyperspy"
    folder.mkdir(exist_ok=True)
    result = with_speck_map(result, run.paths.specks) if run.config.specks else result
    plane = [SignalAxis(name, result[name].values, "um") for name in ("y", "x")]
    maps = [name for name in result.data_vars if result[name].dims == ("y", "x")]
    energy = SignalAxis("Energy", result.energy.values, run.info.unit)
    with runner.step("hyperspy", len(maps) + 1) as advance:
        for name in maps:
            title = result[name].attrs["long_name"]
            write_signal(folder / f"{name}.hspy", result[name].data, plane, title)
            advance(1)
        clusters = SignalAxis("cluster", result.cluster.values, "", is_navigation=True)
        spectra = folder / "spectrum.hspy"
        write_signal(spectra, result.spectrum.data, [clusters, energy], "mean spectra of the clusters")
        advance(1)
    return [*(folder / f"{name}.hspy" for name in maps), spectra]


def _map_reader(layers: Layers, name: str) -> Callable[[Region], NDArray[Any]]:
    if name == SPECK_MAP and layers.specks is not None:
        specks = layers.specks
        return lambda region: read_speck_map(specks, region)
    return lambda region: read_map(layers.result, name, region)


def _value_reader(layers: Layers, name: str) -> Callable[[Region], NDArray[Any]]:
    def read(region: Region) -> NDArray[Any]:
        void = read_map(layers.result, "state", region) == 0
        return np.where(void, np.float32(np.nan), read_values(layers, name, region))

    return read


def _label_images(layers: Layers, data: ReportData) -> list[LabelImage]:
    """Name and colour the labels as the report does; a site that names no cluster is grey."""
    rows = by_size(data.clusters)
    colours = colours_by_label(data)
    clusters = {row.label: (row.title, colours[row.label]) for row in rows}
    sites = {n: (name, colours.get(n, OTHER_SITE)) for n, name in enumerate(data.site_names, start=1)}
    states = dict(enumerate(zip(STATE_NAMES, state_colours(), strict=True)))
    kind = {name: chunks.open_array(layers.result, name).dtype for name in LABELS}
    images = [
        LabelImage("label", kind["label"], clusters),
        LabelImage("kept", kind["label"], clusters),
        LabelImage("site", kind["site"], sites),
        LabelImage("state", kind["state"], states),
    ]
    if layers.specks is None or data.specks is None:
        return images
    hues = speck_colours(data)
    specks = {row.number: (row.name, hues[row.kind]) for row in data.specks.rows}
    return [*images, LabelImage(SPECK_MAP, np.dtype(np.uint32), specks)]
