"""Single spectra in files of instruments and their programs, read by rosettasciio where it is installed."""

import importlib
import importlib.util
import logging
import struct
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.readers.columns import MAX_BYTES
from gigaxas.spectra.readers.energies import in_unit
from gigaxas.spectra.spectrum import Spectrum

READERS = {
    **dict.fromkeys((".dm3", ".dm4"), "digitalmicrograph"),
    **dict.fromkeys((".spd", ".spc"), "edax"),
    **dict.fromkeys((".ser", ".emi"), "tia"),
    **dict.fromkeys((".sur", ".pro"), "digitalsurf"),
    ".wdf": "renishaw",
    ".spx": "bruker",
    ".hspy": "hspy",
    ".emd": "emd",
    ".eds": "jeol",
    ".elid": "phenom",
    ".prz": "pantarhei",
    ".tvf": "trivista",
}
"""The reader of each ending that a single spectrum may have."""
EDAX_VERSIONS = (0.61, 0.70)
"""What EDAX's .spc begins with; the .spc of other makers is another format."""
WDF_BLOCK = struct.Struct("<8xQ")
"""Head of a block of Renishaw's .wdf: name, number, length."""


def read_instrument(path: Path) -> list[Spectrum]:
    """Read the spectra of a file, energies in the unit that it names.

    Raises InputError: a file that rosettasciio does not read, an image or map, an axis that is no energy.
    """
    if importlib.util.find_spec("rsciio") is None:
        raise InputError(f"{path}: needs rosettasciio; pip install gigaxas[formats]")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES // 2**20} MiB; expected a file of single spectra")
    if path.suffix.lower() in CHECKS:
        CHECKS[path.suffix.lower()](path)
    reader = importlib.import_module(f"rsciio.{READERS[path.suffix.lower()]}")
    try:
        with _quiet():
            return _spectra(reader.file_reader(str(path)), path)
    except InputError:
        raise
    except Exception as error:  # whatever a reader of another project meets in damaged bytes
        raise InputError(
            f"{path}: cannot be read by rosettasciio ({type(error).__name__}: {error}); expected a whole file"
        ) from error


def _spectra(signals: Sequence[Mapping[str, Any]], path: Path) -> list[Spectrum]:
    found = [signal for signal in signals if np.ndim(np.squeeze(signal["data"])) == 1]
    if not found:
        shapes = ", ".join(" x ".join(map(str, np.shape(signal["data"]))) for signal in signals)
        raise InputError(
            f"{path}: holds {shapes or 'no'} samples; expected a single spectrum, no map or image"
        )
    return [_spectrum(signal, name, path) for signal, name in zip(found, _names(found, path), strict=True)]


def _names(signals: Sequence[Mapping[str, Any]], path: Path) -> list[str]:
    """Return the name of each spectrum: the file's, with its title where there are several."""
    titles = [str(signal.get("metadata", {}).get("General", {}).get("title") or "") for signal in signals]
    return [f"{path.stem} {title}".strip() for title in titles] if len(signals) > 1 else [path.stem]


def _spectrum(signal: Mapping[str, Any], name: str, path: Path) -> Spectrum:
    values = np.squeeze(signal["data"])
    axes = [axis for axis in signal["axes"] if _points(axis) == values.size]
    if values.dtype.kind not in "iuf" or not axes:
        raise InputError(
            f"{path}: holds {values.size} samples of type {values.dtype}; expected one an energy"
        )
    told = signal.get("original_metadata", {}).get("spc_header", {}).get("numPts", values.size)
    if int(told) != values.size:
        raise InputError(f"{path}: {values.size} points of {told} that it says it has; copy it again")
    unit = str(axes[-1].get("units") or "none")
    energy, unit = in_unit(_energies(axes[-1]), unit, path)
    return Spectrum(name, energy, values.astype(np.float64), unit=unit)


def _points(axis: Mapping[str, Any]) -> int:
    return len(axis["axis"]) if "axis" in axis else int(axis["size"])


def _energies(axis: Mapping[str, Any]) -> FloatArray:
    if "axis" in axis:
        return np.asarray(axis["axis"], dtype=np.float64)
    return float(axis["offset"]) + float(axis["scale"]) * np.arange(axis["size"], dtype=np.float64)


def _refuse_other_spc(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(4)
    version = float(np.frombuffer(head, "<f4")[0]) if len(head) == 4 else 0.0
    if not any(abs(version - known) < 1e-3 for known in EDAX_VERSIONS):
        raise InputError(f"{path}: no .spc of EDAX; expected one, or the spectrum exported as text")


def _refuse_broken_wdf(path: Path) -> None:
    """Refuse what rosettasciio reads in part, a file cut short, or for ever, a block without a length."""
    size, at = path.stat().st_size, 0
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(WDF_BLOCK.size)
            length = WDF_BLOCK.unpack(head)[0] if len(head) == WDF_BLOCK.size else 0
            if length < WDF_BLOCK.size:
                raise InputError(f"{path}: a block of {length} bytes at byte {at}; expected a whole file")
            at += length
    if at > size:
        raise InputError(f"{path}: ends {at - size} bytes before its last block does; copy it again")


CHECKS = {".spc": _refuse_other_spc, ".wdf": _refuse_broken_wdf}
"""What is looked at before a file of each ending is read."""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what rosettasciio logs and warns of off the screen: what matters is looked at here."""
    log = logging.getLogger("rsciio")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.filterwarnings("error", message="string or file could not be read to its end")
            yield
    finally:
        log.setLevel(level)
