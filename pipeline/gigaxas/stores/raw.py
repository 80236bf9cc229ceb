"""Raw fields in HDF5 files, one a field, laid out as NeXus does."""

from collections.abc import Iterable
from pathlib import Path

import h5py

from gigaxas.arrays import CountArray, FloatArray

IMAGES = ("transmitted", "reference")


def write_field(
    path: Path,
    energy: FloatArray,
    stage_um: tuple[float, float],
    dark: CountArray,
    images: Iterable[tuple[CountArray, CountArray]],
) -> None:
    """Write a field: dark images (n, h, w), and the image pairs (h, w) of every energy (E,) as they come."""
    shape = (len(energy), *dark.shape[1:])
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        data = entry.create_group("data")
        data.attrs["NX_class"] = "NXdata"
        arrays = [data.create_dataset(name, shape, dtype="uint16") for name in IMAGES]
        for i, pair in enumerate(images):
            for array, image in zip(arrays, pair, strict=True):
                array[i] = image
        data.create_dataset("energy", data=energy).attrs["units"] = "eV"
        data.create_dataset("dark", data=dark)
        for axis, value in zip("yx", stage_um, strict=True):
            entry.create_dataset(f"stage/{axis}", data=value).attrs["units"] = "um"
