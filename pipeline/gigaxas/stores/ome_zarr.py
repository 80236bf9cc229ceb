"""Maps as OME-Zarr 0.5: one image with a channel for each measured map, and label images, all as pyramids."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from gigaxas.locations import Location
from gigaxas.stores.io.chunks import create_array, read, write
from gigaxas.stores.io.groups import create_group
from gigaxas.tiles import Plane, Region

if TYPE_CHECKING:
    from ome_zarr_models.v05.multiscales import Multiscale
    from pydantic import BaseModel

VERSION: Literal["0.5"] = "0.5"


@dataclass(frozen=True)
class LabelImage:
    """A label map."""

    name: str
    """Name of the group that holds it."""
    dtype: np.dtype[Any]
    """Type of its samples."""
    labels: Mapping[int, tuple[str, str]]
    """Name and colour ('#rrggbb') of every label, by its value."""


@dataclass(frozen=True)
class Channel:
    """A measured map."""

    name: str
    """Name of the map in the result."""
    title: str
    """What it is called for people."""
    low: float
    """The value shown black."""
    high: float
    """The value shown white."""


def create_ome_zarr(
    path: Location,
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
    create_group(path / "labels", {"ome": _labels(labels)})
    for label in labels:
        group = path / "labels" / label.name
        create_group(group, {"ome": _label_image(label, len(shapes), pixel_um)})
        for level, shape in enumerate(shapes):
            create_array(
                group, str(level), shape=shape, chunks=(side, side), dtype=label.dtype, dims=("y", "x")
            )


def write_level(
    path: Location,
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


def read_channel(path: Location, level: int, number: int, region: Region) -> NDArray[np.float32]:
    """Read a region of one channel of one level."""
    return read(path, str(level), (slice(number, number + 1), *region))[0]


def read_label(path: Location, name: str, level: int, region: Region) -> NDArray[Any]:
    """Read a region of one level of a label image."""
    return read(path / "labels" / name, str(level), region)


# The models are imported where they are used: they take a second that runs without an export need not wait.


def _image(title: str, levels: int, pixel_um: float, channels: Sequence[Channel]) -> dict[str, Any]:
    """Return the metadata of an image whose first axis are its channels."""
    from ome_zarr_models.common.omero import Channel as ShownChannel
    from ome_zarr_models.common.omero import Omero, Window
    from ome_zarr_models.v05.image import ImageAttrs

    shown = []
    for number, channel in enumerate(channels):
        window = Window(min=channel.low, start=channel.low, end=channel.high, max=channel.high)
        more: dict[str, Any] = {"label": channel.title, "active": number == 0}
        shown.append(ShownChannel(color="FFFFFF", window=window, **more))
    omero = {"name": title, "channels": shown}
    rendering: dict[str, Any] = {"omero": Omero.model_validate(omero)}
    pyramid = _multiscale(title, levels, pixel_um, channels=True)
    return _plain(ImageAttrs(version=VERSION, multiscales=[pyramid], **rendering))


def _labels(labels: Sequence[LabelImage]) -> dict[str, Any]:
    """Return the metadata of the group that holds the label images."""
    from ome_zarr_models.v05.labels import LabelsAttrs

    return _plain(LabelsAttrs(version=VERSION, labels=[label.name for label in labels]))


def _label_image(label: LabelImage, levels: int, pixel_um: float) -> dict[str, Any]:
    """Return the metadata of a label image, with the name and the colour of every label; 0 is transparent."""
    from ome_zarr_models.v05.image_label import ImageLabelAttrs

    rows = sorted(label.labels.items())
    colours = [
        {"label-value": value, "rgba": [*bytes.fromhex(colour.removeprefix("#")), 255 if value else 0]}
        for value, (_, colour) in rows
    ]
    described = {
        "version": VERSION,
        "colors": colours,
        "properties": [{"label-value": value, "name": name} for value, (name, _) in rows],
        "source": {"image": "../../"},
    }
    pyramid = _multiscale(label.name, levels, pixel_um, channels=False)
    whole = {"version": VERSION, "multiscales": [pyramid], "image-label": described}
    return _plain(ImageLabelAttrs.model_validate(whole))


def _multiscale(name: str, levels: int, pixel_um: float, channels: bool) -> "Multiscale":
    """Describe a pyramid: a pixel of level k is the middle of 2^k x 2^k pixels, hence the translation."""
    from ome_zarr_models.v05.axes import Axis
    from ome_zarr_models.v05.multiscales import Dataset, Multiscale

    first = [Axis(name="c", type="channel")] if channels else []
    axes = [*first, *(Axis(name=axis, type="space", unit="micrometer") for axis in "yx")]
    datasets = tuple(
        Dataset.build(
            path=str(level),
            scale=[*[1.0] * channels, *[pixel_um * 2**level] * 2],
            translation=[*[0.0] * channels, *[pixel_um * (2**level - 1) / 2] * 2],
        )
        for level in range(levels)
    )
    return Multiscale(name=name, axes=axes, datasets=datasets)


def _plain(attributes: "BaseModel") -> dict[str, Any]:
    return attributes.model_dump(mode="json", by_alias=True, exclude_none=True)
