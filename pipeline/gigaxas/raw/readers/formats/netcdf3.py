"""netCDF files of the classic format, as EELSLab and old beamlines write them."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import netcdf_file

from gigaxas.raw.readers.described import Axis, FileArray, Format
from gigaxas.stores.io.cf import Packing, packing_of, text_of


@lru_cache(16)
def _file(path: Path, stamp: int) -> Any:
    return netcdf_file(path, "r", mmap=False, maskandscale=False)


def open_variable(path: Path, inner: str) -> Any:
    """Return the numbers of a variable. Raises KeyError where there is none."""
    return _file(path, path.stat().st_mtime_ns).variables[inner].data


def describe_variables(path: Path) -> list[FileArray]:
    """Tell every variable of numbers with at least two axes, and the coordinates of its dimensions."""
    variables = _file(path, path.stat().st_mtime_ns).variables
    return [
        FileArray(
            name,
            variable.data.shape,
            variable.data.dtype,
            [_axis(variables, each) for each in variable.dimensions],
        )
        for name, variable in sorted(variables.items())
        if variable.data.ndim >= 2 and variable.data.dtype.kind in "uif"
    ]


def _axis(variables: Any, name: str) -> Axis:
    found = variables.get(name)
    if found is None or found.data.ndim != 1 or found.data.dtype.kind not in "uif":
        return Axis(name, None, "")
    return Axis(
        name,
        np.array(found.data, dtype=np.float64),
        str(text_of(getattr(found, "units", ""))),
    )


def _packing(path: Path, array: Any) -> Packing:
    variables = _file(path, path.stat().st_mtime_ns).variables.values()
    found = next(each for each in variables if each.data is array)
    return packing_of(found._attributes, array.dtype)


NETCDF3 = Format(
    "netCDF",
    lambda head, path: head.startswith(b"CDF"),
    open_variable,
    describe_variables,
    packing=_packing,
    is_read_whole=True,
)
