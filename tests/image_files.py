"""One small stack (E, y, x) as every format holds it, with its energies and the size of a pixel."""

import struct
from pathlib import Path

import h5py
import numpy as np
import tifffile
import xarray as xr
import zarr
from PIL import Image
from scipy import io

ENERGY = np.array([7100.0, 7101.5, 7103.0, 7106.0])
IMAGES = (np.arange(4 * 6 * 5).reshape(4, 6, 5) + 1).astype("f4")
PIXEL_UM = 0.25
Y, X = PIXEL_UM * np.arange(6), PIXEL_UM * np.arange(5)


def nexus(path: Path) -> None:
    """An NXstxm file: the signal and its axes are named by the group."""
    with h5py.File(path, "w") as file:
        group = file.create_group("entry/counter0")
        group.attrs.update(
            {"NX_class": "NXdata", "signal": "data", "axes": ["energy", "sample_y", "sample_x"]}
        )
        group["data"], group["other"] = IMAGES, IMAGES + 1
        for name, values, unit in (("energy", ENERGY, "eV"), ("sample_y", Y, "um"), ("sample_x", X, "um")):
            group[name] = values
            group[name].attrs["units"] = unit


def old_nexus(path: Path) -> None:
    """A signal marked by its own attribute, energies in keV behind it, spectra last."""
    with h5py.File(path, "w") as file:
        group = file.create_group("entry1/Counter1")
        group["data"] = np.moveaxis(IMAGES, 0, 2)
        group["data"].attrs["signal"] = 1
        group["energy"] = ENERGY / 1e3
        group["energy"].attrs["units"] = np.bytes_("keV")


def data_exchange(path: Path) -> None:
    """What MANTiS writes: (x, y, energy)."""
    with h5py.File(path, "w") as file:
        group = file.create_group("exchange")
        group["data"] = np.transpose(IMAGES, (2, 1, 0))
        group["data"].attrs["axes"] = "x:y"
        for name, values, unit in (("energy", ENERGY, "ev"), ("y", Y, "um"), ("x", X, "um")):
            group[name] = values
            group[name].attrs["units"] = unit


def dataset() -> xr.Dataset:
    coordinates = {"energy": ("energy", ENERGY, {"units": "eV"}), "y": ("y", Y * 1e3, {"units": "nm"})}
    coordinates["x"] = ("x", X * 1e3, {"units": "nm"})
    return xr.Dataset({"mu": (("y", "x", "energy"), np.moveaxis(IMAGES, 0, 2))}, coordinates)


def netcdf4(path: Path) -> None:
    """Dimension scales, as netCDF4 attaches them."""
    with h5py.File(path, "w") as file:
        file["mu"] = np.moveaxis(IMAGES, 0, 2)
        for i, (name, values, unit) in enumerate((("y", Y, "um"), ("x", X, "um"), ("energy", ENERGY, "eV"))):
            file[name] = values
            file[name].attrs["units"] = unit
            file[name].make_scale(name)
            file["mu"].dims[i].attach_scale(file[name])


def matlab(path: Path) -> None:
    io.savemat(path, {"stack": IMAGES, "note": "made by hand"})


def zeiss(path: Path) -> None:
    """Streams of an OLE file, which olefile reads and does not write."""
    streams = {
        "ImageInfo/ImageHeight": struct.pack("<i", 6),
        "ImageInfo/ImageWidth": struct.pack("<i", 5),
        "ImageInfo/NoOfImages": struct.pack("<i", 4),
        "ImageInfo/DataType": struct.pack("<i", 10),
        "ImageInfo/Energy": ENERGY.astype("<f4").tobytes(),
        "ImageInfo/PixelSize": struct.pack("<f", PIXEL_UM),
        **{f"ImageData1/Image{i + 1}": image.astype("<f4").tobytes() for i, image in enumerate(IMAGES)},
    }
    path.write_bytes(compound_file(streams))


def compound_file(streams: dict[str, bytes]) -> bytes:
    """Return an OLE compound file (MS-CFB, version 3) that holds streams in folders of one level.

    Every stream is padded to 4,096 bytes, above which it lies in sectors of its own.
    """
    end, free, fat_mark = 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFD
    folders = list(dict.fromkeys(name.split("/")[0] for name in streams))
    entries: list[tuple[str, int, list[int], int, int]] = [("Root Entry", 5, [], end, 0)]
    sectors: list[bytes] = []
    chains: list[list[int]] = []
    for folder in folders:
        entries[0][2].append(len(entries))
        children: list[int] = []
        entries.append((folder, 1, children, 0, 0))
        for name, content in streams.items():
            if name.split("/")[0] == folder:
                children.append(len(entries))
                whole = content.ljust(max(4096, -(-len(content) // 512) * 512), b"\0")
                chain = list(range(len(sectors), len(sectors) + len(whole) // 512))
                sectors += [whole[i : i + 512] for i in range(0, len(whole), 512)]
                chains.append(chain)
                entries.append((name.split("/")[1], 2, [], chain[0], len(whole)))
    links = [(free, free, free)] * len(entries)
    for _, _, children, _, _ in list(entries):
        ordered = sorted(children, key=lambda i: (len(entries[i][0]), entries[i][0].upper()))
        for here, right in zip(ordered, [*ordered[1:], free], strict=False):
            links[here] = (free, right, links[here][2])
    for i, (_, _, children, _, _) in enumerate(entries):
        first = min(children, key=lambda j: (len(entries[j][0]), entries[j][0].upper())) if children else free
        links[i] = (*links[i][:2], first)
    directory = b"".join(_entry(entry, link) for entry, link in zip(entries, links, strict=True))
    directory += b"".join(_entry(("", 0, [], 0, 0), (free, free, free)) for _ in range(-len(entries) % 4))
    chain = list(range(len(sectors), len(sectors) + len(directory) // 512))
    sectors += [directory[i : i + 512] for i in range(0, len(directory), 512)]
    fat_sectors = -(-(len(sectors) + 8) // 128)
    fat = [free] * (128 * fat_sectors)
    for each in [*chains, chain]:
        for here, following in zip(each, [*each[1:], end], strict=True):
            fat[here] = following
    places = list(range(len(sectors), len(sectors) + fat_sectors))
    for place in places:
        fat[place] = fat_mark
    header = struct.pack(
        "<8s16sHHHHH6xIIIIIIIII",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        b"",
        0x3E,
        3,
        0xFFFE,
        9,
        6,
        0,
        fat_sectors,
        chain[0],
        0,
        0,
        end,
        0,
        end,
        0,
    )
    header += struct.pack("<109I", *places, *[free] * (109 - len(places)))
    return header + b"".join(sectors) + struct.pack(f"<{len(fat)}I", *fat)


def _entry(entry: tuple[str, int, list[int], int, int], link: tuple[int, int, int]) -> bytes:
    name, kind, _, start, size = entry
    text = (name + "\0").encode("utf-16-le") if name else b""
    return struct.pack(
        "<64sHBBIII16sIQQIQ", text, len(text), kind, 1, *link, b"", 0, 0, 0, start & 0xFFFFFFFF, max(size, 0)
    )


def axis2000(path: Path) -> None:
    (path.with_suffix(".dat")).write_text("5 6 10\n0 1.0\n0 1.25\n4\n" + "\n".join(map(str, ENERGY)) + "\n")
    path.write_bytes((10 * IMAGES).astype("<i2").tobytes())


def scan(path: Path) -> None:
    points = {"PAxis": X, "QAxis": Y, "StackAxis": ENERGY}
    path.write_text(
        "\n".join(
            f'{name} = {{ Name = "n"; Unit = "{"eV" if name == "StackAxis" else "um"}"; '
            f"Points = ({len(values)}, {', '.join(map(str, values))}); }};"
            for name, values in points.items()
        )
    )
    for i, image in enumerate(IMAGES):
        np.savetxt(path.with_name(f"{path.stem}_a{i:03d}.xim"), image, fmt="%g", delimiter="\t")


def hyperspy(path: Path) -> None:
    """A HyperSpy signal: two navigation axes, and one of energies in keV."""
    from rsciio.hspy import file_writer

    axes: list[dict[str, object]] = [
        {"name": name, "size": size, "scale": PIXEL_UM, "offset": 0.0, "units": "um", "navigate": True}
        for name, size in (("y", 6), ("x", 5))
    ]
    axes.append({"name": "Energy", "axis": ENERGY / 1e3, "units": "keV", "navigate": False})
    kinds = ("UniformDataAxis", "UniformDataAxis", "DataAxis")
    content = {
        "data": np.moveaxis(IMAGES, 0, 2),
        "axes": [{**axis, "_type": kind} for axis, kind in zip(axes, kinds, strict=True)],
        "metadata": {"General": {"title": "map"}, "Signal": {}},
        "attributes": {"_lazy": False},
        **{key: {} for key in ("learning_results", "original_metadata", "tmp_parameters")},
        "models": None,
        "package_info": {"package": "hyperspy", "package_version": "2.0"},
    }
    file_writer(str(path), content)


def hyperspy_zarr(path: Path) -> None:
    """The same in a Zarr store of the second format."""
    root = zarr.create_group(str(path), zarr_format=2)
    group = root.create_group("Experiments/map")
    group.create_array("data", data=np.moveaxis(IMAGES, 0, 2))
    for i, name in enumerate("yx"):
        group.create_group(
            f"axis-{i}", attributes={"name": name, "scale": PIXEL_UM, "offset": 0, "units": "um"}
        )
    energy = group.create_group("axis-2", attributes={"name": "Energy", "units": "keV"})
    energy.create_array("axis", data=ENERGY / 1e3)


def page_by_page(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        for image in IMAGES:
            writer.write(image)


def ome(path: Path) -> None:
    sizes = {
        "PhysicalSizeX": 250.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 250.0,
        "PhysicalSizeYUnit": "nm",
    }
    tifffile.imwrite(path, IMAGES, metadata={"axes": "ZYX", **sizes})


TELLING = {
    "NXstxm": ("a.nxs", nexus),
    "NXstxm, any ending": ("a.stk", nexus),
    "older NeXus": ("a.cxi", old_nexus),
    "Data Exchange": ("a.hdf5", data_exchange),
    "netCDF4": ("a.nc", netcdf4),
    "netCDF3": ("a.cdf", lambda path: dataset().to_netcdf(path, format="NETCDF3_CLASSIC", engine="scipy")),
    "Zarr 3": ("a.zarr", lambda path: dataset().to_zarr(path, zarr_format=3, consolidated=False)),
    "Zarr 2": ("a.zarr", lambda path: dataset().to_zarr(path, zarr_format=2, consolidated=False)),
    "Zeiss": ("a.txrm", zeiss),
    "aXis2000": ("a.ncb", axis2000),
    "STXM": ("a.hdr", scan),
    "HyperSpy": ("a.hspy", hyperspy),
    "HyperSpy, Zarr": ("a.zspy", hyperspy_zarr),
}
"""Files that tell energies: name, and what writes one."""
SILENT = {
    "TIFF": ("a.tif", lambda path: tifffile.imwrite(path, IMAGES, photometric="minisblack")),
    "TIFF, page by page": ("a.tif", page_by_page),
    "TIFF, zstd": (
        "a.tif",
        lambda path: tifffile.imwrite(path, IMAGES, photometric="minisblack", compression="zstd"),
    ),
    "TIFF, LERC": (
        "a.tif",
        lambda path: tifffile.imwrite(path, IMAGES, photometric="minisblack", compression="lerc"),
    ),
    "OME-TIFF": ("a.ome.tif", ome),
    "NumPy": ("a.npy", lambda path: np.save(path, IMAGES)),
    "MATLAB": ("a.mat", matlab),
    "HDF5": ("a.h5", lambda path: h5py.File(path, "w").create_dataset("d", data=IMAGES).file.close()),
    "Zarr array": ("a.zarr", lambda path: zarr.create_array(str(path), data=IMAGES)),
}
"""Files that tell none."""
IMAGES_ALONE = {
    "PNG": ("a.png", lambda path: Image.fromarray(IMAGES[0].astype("u1")).save(path)),
    "text image": ("a.xim", lambda path: np.savetxt(path, IMAGES[0], fmt="%g")),
    "mask of letters": ("a.msk", lambda path: path.write_text("xx  \nx\n")),
}
"""Files of one image."""
