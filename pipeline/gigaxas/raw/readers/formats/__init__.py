"""Which reader opens which file of images: by what it holds, else by its ending."""

from pathlib import Path

from gigaxas.errors import InputError
from gigaxas.raw.readers.described import Format
from gigaxas.raw.readers.formats.axis2000 import AXIS2000
from gigaxas.raw.readers.formats.hdf5 import HDF5
from gigaxas.raw.readers.formats.netcdf3 import NETCDF3
from gigaxas.raw.readers.formats.signals import LAYOUTS_OF_OTHERS, SIGNALS
from gigaxas.raw.readers.formats.tiff import TIFF
from gigaxas.raw.readers.formats.whole_files import LETTERS, MAT, NUMPY, PNG, TEXT
from gigaxas.raw.readers.formats.zarr_store import ZARR
from gigaxas.raw.readers.formats.zeiss import ZEISS

HEAD_BYTES = 512
FORMATS = (TIFF, HDF5, ZARR, NUMPY, MAT, NETCDF3, PNG, ZEISS, TEXT, LETTERS, AXIS2000, SIGNALS)
"""In the order in which they are asked: those that files tell by their first bytes come first."""


def format_of(path: Path, inner: str = "") -> Format:
    """Return the format of a file or folder of images, in which an array `inner` is looked for.

    Raises InputError where it is none of them.
    """
    found = recognise(path, inner)
    if found is None:
        raise InputError(
            f"{path}: is no file of images that is known; expected TIFF, HDF5, Zarr, netCDF, NumPy, MATLAB, "
            "PNG, Zeiss, aXis2000 or STXM files, or those of an instrument that rosettasciio reads"
        )
    return found


def recognise(path: Path, inner: str = "") -> Format | None:
    """Return the format of a file or folder of images; None where it is none of them."""
    if path.suffix.lower() in LAYOUTS_OF_OTHERS and "/" not in inner:
        return SIGNALS
    head = b""
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    return next((each for each in FORMATS if each.recognises(head, path)), None)
