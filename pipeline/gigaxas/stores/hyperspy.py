"""Maps and spectra as HyperSpy signals (.hspy), through rosettasciio."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError, unwritable


class SignalAxis(NamedTuple):
    """An axis of a signal."""

    name: str
    """What it is called."""
    values: FloatArray
    """Its coordinates."""
    unit: str
    """What they are in; may be empty."""
    is_navigation: bool = False
    """Whether it goes from one signal to the next, rather than along a signal."""


def write_signal(path: Path, data: Any, axes: Sequence[SignalAxis], title: str) -> None:
    """Write an array, which may be lazy, as a HyperSpy signal; whole or not at all.

    Raises InputError without rosettasciio, and RunError where it cannot be written.
    """
    try:
        from rsciio.hspy import file_writer
    except ImportError:
        raise InputError("HyperSpy signals need rosettasciio; pip install 'gigaxas[formats]'") from None
    signal = {
        **signal_record(data, axes, title),
        "attributes": {"_lazy": False, "ragged": False},
        "original_metadata": {},
        "tmp_parameters": {},
        "learning_results": {},
        "models": None,
        "package_info": {"package": "hyperspy", "package_version": "2.0"},
    }
    partial = path.with_name(f".{path.stem}.part.hspy")
    try:
        file_writer(str(partial), signal)
        partial.replace(path)
    except OSError as error:
        raise unwritable(path, error) from None
    finally:
        partial.unlink(missing_ok=True)


def signal_record(data: Any, axes: Sequence[SignalAxis], title: str) -> dict[str, Any]:
    """Return what HyperSpy makes a signal of: array, axes and title."""
    return {
        "data": data,
        "axes": [_described(axis) for axis in axes],
        "metadata": {"General": {"title": title}, "Signal": {"signal_type": ""}},
    }


def _described(axis: SignalAxis) -> dict[str, Any]:
    return {
        "_type": "DataAxis",
        "name": axis.name,
        "axis": axis.values,
        "units": axis.unit,
        "navigate": axis.is_navigation,
        "is_binned": False,
    }
