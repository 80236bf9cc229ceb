"""Maps as OME-Zarr 0.5: one image with a channel for each measured map, and label images, all as pyramids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.locations import Place
from gigaxas.stores.io.chunks import create_array, read, write
from gigaxas.stores.io.groups import create_group

VERSION = "0.5"
Plane = tuple[int, int]
Region = tuple[slice, slice]


@dataclass(frozen=True)
class LabelImage:
    """A label map: its sample type and, by value, the name and the colour ('#rrggbb') of every label."""

    name: str
    dtype: np.dtype[Any]
    labels: Mapping[int, tuple[str, str]]


@dataclass(frozen=True)
class Channel:
    """A measured map and the range in which it is shown."""

    name: str
    title: str
    low: float
    high: float


def create_ome_zarr(
    path: Place,
    title: str,
    shapes: Sequence[Plane],
    side: int,
    pixel_um: float,
    channels: Sequence[Channel],
    labels: Sequence[LabelImage],
) -> None:
    """Make the empty levels, of `shapes` (rows, columns), the finest first, in chunks of `side` pixels."""
    create_group(path, {"ome": _image(title, len(shapes), pixel_um, channels)})
    for level, shape in enumerate(shapes):
        create_array(
            path,
            str(level),
            shape=(len(channels), *shape),
            chunks=(1, side, side),
            dtype=np.float32,
            dims=("c", "y", "x"),
            fill_value=np.nan,
        )
    create_group(path / "labels", {"ome": {"version": VERSION, "labels": [label.name for label in labels]}})
    for label in labels:
        group = path / "labels" / label.name
        create_group(group, {"ome": _label_image(label, len(shapes), pixel_um)})
        for level, shape in enumerate(shapes):
            create_array(
                group, str(level), shape=shape, chunks=(side, side), dtype=label.dtype, dims=("y", "x")
            )


def write_level(
    path: Place,
    level: int,
    region: Region,
    channels: Sequence[NDArray[Any]],
    labels: Mapping[str, NDArray[Any]],
) -> None:
    """Write a region of whole chunks of one level: the channels in their order, the labels by their name."""
    for number, values in enumerate(channels):
        write(path, str(level), (slice(number, number + 1), *region), values[None])
    for name, values in labels.items():
        write(path / "labels" / name, str(level), region, values)


def read_channel(path: Place, level: int, number: int, region: Region) -> NDArray[np.float32]:
    """Read a region of one channel of one level."""
    return read(path, str(level), (slice(number, number + 1), *region))[0]


def read_label(path: Place, name: str, level: int, region: Region) -> NDArray[Any]:
    """Read a region of one level of a label image."""
    return read(path / "labels" / name, str(level), region)


def _image(title: str, levels: int, pixel_um: float, channels: Sequence[Channel]) -> dict[str, Any]:
    return {
        "version": VERSION,
        "multiscales": [_multiscale(title, levels, pixel_um, channels=True)],
        "omero": {
            "name": title,
            "channels": [
                {
                    "label": channel.title,
                    "color": "FFFFFF",
                    "active": number == 0,
                    "window": {
                        "min": channel.low,
                        "start": channel.low,
                        "end": channel.high,
                        "max": channel.high,
                    },
                }
                for number, channel in enumerate(channels)
            ],
        },
    }


def _label_image(label: LabelImage, levels: int, pixel_um: float) -> dict[str, Any]:
    return {
        "version": VERSION,
        "multiscales": [_multiscale(label.name, levels, pixel_um, channels=False)],
        "image-label": {
            "version": VERSION,
            "colors": [
                {
                    "label-value": value,
                    "rgba": [*bytes.fromhex(colour.removeprefix("#")), 255 if value else 0],
                }
                for value, (_, colour) in sorted(label.labels.items())
            ],
            "properties": [
                {"label-value": value, "name": name} for value, (name, _) in sorted(label.labels.items())
            ],
            "source": {"image": "../../"},
        },
    }


def _multiscale(name: str, levels: int, pixel_um: float, channels: bool) -> dict[str, Any]:
    """Describe a pyramid: a pixel of level k is the middle of 2^k x 2^k pixels, hence the translation."""
    lead = [1.0] if channels else []
    rest = [0.0] if channels else []
    axes = [{"name": "c", "type": "channel"}] if channels else []
    axes += [{"name": axis, "type": "space", "unit": "micrometer"} for axis in "yx"]
    return {
        "name": name,
        "axes": axes,
        "datasets": [
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [*lead, *[pixel_um * 2**level] * 2]},
                    {"type": "translation", "translation": [*rest, *[pixel_um * (2**level - 1) / 2] * 2]},
                ],
            }
            for level in range(levels)
        ],
    }
