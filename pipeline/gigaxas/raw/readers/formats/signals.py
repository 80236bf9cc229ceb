"""Files of instruments and of HyperSpy, through rosettasciio: Renishaw, Bruker, Gatan, EMD and many more."""

import importlib
import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.errors import InputError
from gigaxas.raw.readers.described import Axis, FileArray, Format

LAYOUTS_OF_OTHERS = (".hspy", ".emd", ".prz")
"""Endings of files that are HDF5 or NumPy by their first bytes, of a layout that rosettasciio knows."""
ENDINGS = (
    *LAYOUTS_OF_OTHERS,
    *(
        ".wdf",
        ".bcf",
        ".spx",
        ".dm3",
        ".dm4",
        ".msa",
        ".emsa",
        ".spd",
        ".spc",
        ".ser",
        ".emi",
        ".mrc",
        ".blo",
    ),
    *(".rpl", ".unf", ".sur", ".pro", ".elid", ".tvf", ".sac", ".mib", ".mrcz", ".app5", ".pts", ".asw"),
)
"""Endings that are known without rosettasciio, to name it where it is missing."""


def _reader(path: Path) -> Any:
    """Return the module of rosettasciio that reads files of an ending. InputError where there is none."""
    ending = path.suffix.lower()
    try:
        from rsciio import IO_PLUGINS
    except ImportError:
        raise InputError(
            f"{path}: files {ending} need rosettasciio; pip install 'gigaxas[formats]'"
        ) from None
    logging.getLogger("rsciio").setLevel(logging.ERROR)
    for plugin in IO_PLUGINS:
        if (
            ending.removeprefix(".") in map(str.lower, plugin["file_extensions"])
            and plugin["name"] != "Image"
        ):
            return importlib.import_module(plugin["api"])
    raise InputError(f"{path}: no reader of rosettasciio knows files {ending}")


@lru_cache(4)
def _signals(path: Path, stamp: int) -> dict[str, Mapping[str, Any]]:
    """Return the signals of a file by their titles, made unique by a number."""
    reader = _reader(path)
    try:
        try:
            found = reader.file_reader(str(path), lazy=True)
        except (NotImplementedError, TypeError):
            found = reader.file_reader(str(path))
    except InputError:
        raise
    except Exception as error:  # the readers of instruments' files raise whatever they stumble over
        raise ValueError(f"{type(error).__name__}: {error}") from error
    signals: dict[str, Mapping[str, Any]] = {}
    for signal in found:
        title = str(signal.get("metadata", {}).get("General", {}).get("title") or "") or "signal"
        name = title if title not in signals else f"{title} {len(signals) + 1}"
        signals[name] = signal
    return signals


class _Signal:
    """The numbers of a signal, which may be lazy: computed in this thread, whatever cluster there is."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self.shape: tuple[int, ...] = tuple(data.shape)
        self.dtype = np.dtype(data.dtype)
        self.chunks = tuple(max(sizes) for sizes in data.chunks) if hasattr(data, "dask") else None

    def __getitem__(self, cut: Any) -> NDArray[Any]:
        part = self._data[cut]
        return np.asarray(part.compute(scheduler="synchronous") if hasattr(part, "dask") else part)


def open_signal(path: Path, inner: str) -> _Signal:
    """Open a signal by its title. Raises KeyError where there is none, ValueError for a damaged file."""
    signals = _signals(path, path.stat().st_mtime_ns)
    if inner not in signals:
        raise KeyError(f"there is no signal {inner!r} in it")
    return _Signal(signals[inner]["data"])


def describe_signals(path: Path) -> list[FileArray]:
    """Tell every signal of numbers with at least two axes."""
    signals = _signals(path, path.stat().st_mtime_ns)
    return [
        FileArray(name, tuple(signal["data"].shape), np.dtype(signal["data"].dtype), _axes(signal))
        for name, signal in signals.items()
        if len(signal["data"].shape) >= 2 and np.dtype(signal["data"].dtype).kind in "uifb"
    ]


def _axes(signal: Mapping[str, Any]) -> list[Axis]:
    axes = signal["axes"]
    if all("index_in_array" in axis for axis in axes):
        axes = sorted(axes, key=lambda axis: axis["index_in_array"])
    return [_axis(axis) for axis in axes]


def _axis(axis: Mapping[str, Any]) -> Axis:
    if axis.get("axis") is not None:
        values = np.asarray(axis["axis"], dtype=np.float64)
    else:
        steps = np.arange(int(axis["size"]), dtype=np.float64)
        values = float(axis.get("offset", 0.0)) + float(axis.get("scale", 1.0)) * steps
    unit = axis.get("units")
    return Axis(
        str(axis.get("name") or ""), values, unit if isinstance(unit, str) and unit != "<undefined>" else ""
    )


SIGNALS = Format(
    "signal",
    lambda head, path: path.suffix.lower() in ENDINGS,
    open_signal,
    describe_signals,
    is_read_whole=False,
)
