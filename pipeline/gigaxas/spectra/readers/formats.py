"""Which reader reads which file: one table, asked from the most telling sign to the least."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gigaxas.errors import InputError
from gigaxas.spectra.readers.athena import GZIP_MAGIC, read_athena
from gigaxas.spectra.readers.columns import UTF_16, decode
from gigaxas.spectra.readers.hdf5 import read_hdf5
from gigaxas.spectra.readers.instruments import READERS, read_instrument
from gigaxas.spectra.readers.kek import read_kek
from gigaxas.spectra.readers.lucia import read_lucia
from gigaxas.spectra.readers.msa import MARK as MSA_MARK
from gigaxas.spectra.readers.msa import read_msa
from gigaxas.spectra.readers.multicolumn import MARK as MULTICOLUMN_MARK
from gigaxas.spectra.readers.multicolumn import read_multicolumn
from gigaxas.spectra.readers.stepscan import read_stepscan
from gigaxas.spectra.readers.tables import read_table
from gigaxas.spectra.readers.xdi import read_xdi
from gigaxas.spectra.spectrum import NoSpectrum, Spectrum, in_order

HEAD_BYTES = 8192
"""Bytes from the start of a file by which it is recognised."""
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
ZARR_MARKS = ("zarr.json", ".zgroup", ".zarray")
"""Files that make a folder a Zarr group or array."""
BINARY = {
    **dict.fromkeys((b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*"), "an image"),
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive",
}
"""What common files are that hold no spectrum, by their first bytes."""
WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods")
"""Endings of spreadsheets."""

Found = Spectrum | InputError
Reader = Callable[[Path], Sequence[Found]]


@dataclass(frozen=True)
class Head:
    """What a file is recognised by."""

    raw: bytes
    """Its first bytes."""
    text: str
    """The same as text; empty where they are none."""
    suffix: str
    """Its ending, in small letters."""


@dataclass(frozen=True)
class Format:
    """A family of files."""

    name: str
    """What it is called."""
    recognises: Callable[[Head], bool]
    """Whether a file belongs to it."""
    read: Reader
    """What reads such a file."""


def _refuse_workbook(path: Path) -> Sequence[Found]:
    raise InputError(f"{path}: a workbook of a spreadsheet; expected text; save the sheet as CSV")


def _refuse_binary(path: Path) -> Sequence[Found]:
    with path.open("rb") as file:
        raw = file.read(8)
    kind = next((name for magic, name in BINARY.items() if raw.startswith(magic)), "binary data")
    raise NoSpectrum(f"{path}: {kind if raw else 'empty'}; expected a file of spectra")


FORMATS = (
    Format("workbook", lambda head: head.suffix in WORKBOOKS, _refuse_workbook),
    Format(
        "instrument",
        lambda head: head.suffix in READERS and (not head.text or head.text.lstrip().startswith("<")),
        read_instrument,
    ),
    Format(
        "HDF5", lambda head: head.raw.startswith(HDF5_MAGIC) or head.suffix in (".h5", ".hdf5"), read_hdf5
    ),
    Format(
        "Athena project",
        lambda head: (
            head.text.startswith("# Athena project")
            or head.raw.startswith(GZIP_MAGIC)
            or head.suffix == ".prj"
        ),
        read_athena,
    ),
    Format("EPICS step scan", lambda head: "epics stepscan file" in head.text[:200].lower(), read_stepscan),
    Format("Athena's columns", lambda head: MULTICOLUMN_MARK in head.text.lower(), read_multicolumn),
    Format(
        "XDI",
        lambda head: bool(re.match(r"#\s*XDI/", head.text, re.I)) or head.suffix in (".xdi", ".xd"),
        read_xdi,
    ),
    Format("SOLEIL LUCIA", lambda head: bool(re.match(r"#\s*XAS / LUCIA", head.text)), read_lucia),
    Format("KEK 9809", lambda head: bool(re.match(r"\s*9809\s", head.text)), read_kek),
    Format("EMSA/MAS", lambda head: bool(MSA_MARK.match(head.text)), read_msa),
    Format("binary data", lambda head: not head.text, _refuse_binary),
    Format("table", lambda head: True, read_table),
)


def format_of(path: Path) -> Format:
    """Return the format of a file by its content and its ending. InputError: it cannot be opened."""
    try:
        with path.open("rb") as file:
            raw = file.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a file of spectra") from error
    head = Head(raw, _text(raw, path), path.suffix.lower())
    return next(kind for kind in FORMATS if kind.recognises(head))


def _text(raw: bytes, path: Path) -> str:
    """Return the first bytes of a file as text; nothing where they are binary."""
    if raw.startswith((HDF5_MAGIC, GZIP_MAGIC, *BINARY)) or (b"\0" in raw and not raw.startswith(UTF_16)):
        return ""
    return decode(raw, path)


def read_file(path: Path, source: str) -> list[Found]:
    """Return the spectra of one file, in order of energy, or the InputError of each that cannot be used.

    A file that holds none is one NoSpectrum.
    """
    if path.is_dir():
        return [NoSpectrum(f"{path}: a Zarr store among files; give its path by itself")]
    try:
        # Damaged counts may overflow on the way; what is not finite in the end is refused by name.
        with np.errstate(all="ignore"):
            return [_checked(item, source) for item in format_of(path).read(path)]
    except InputError as error:
        return [error]


def _checked(item: Found, source: str) -> Found:
    if isinstance(item, InputError):
        return item
    try:
        return in_order(replace(item, source=source))
    except InputError as error:
        return error


def spectrum_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield source (path inside the folder) and path of a file, or of a folder's files in order.

    A Zarr group in a folder counts as a file; names that begin with a dot are passed over. InputError:
    nothing there.
    """
    if path.is_dir() and not is_zarr(path):
        for file in sorted(_files_below(path)):
            yield file.relative_to(path).as_posix(), file
    elif path.exists():
        yield path.name, path
    else:
        raise InputError(f"{path}: not there; expected a file or folder of reference spectra; check the path")


def is_zarr(path: Path) -> bool:
    """Return whether a folder is a Zarr group or array."""
    return any((path / mark).is_file() for mark in ZARR_MARKS)


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those below it, linked ones too, each folder once."""
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(parent))
        inside = [Path(parent) / name for name in folders if not name.startswith(".")]
        stores = [place for place in inside if is_zarr(place)]
        folders[:] = [p.name for p in inside if p not in stores and os.path.realpath(p) not in seen]
        found = (Path(parent) / name for name in files if not name.startswith("."))
        yield from stores
        yield from (file for file in found if file.is_file())


def read_spectra(path: Path | str) -> list[Spectrum]:
    """Return every spectrum of a file, or of a folder and those below it, files in order of their paths.

    Formats: XDI, Athena projects, EPICS step scans, SOLEIL LUCIA, KEK 9809, EMSA/MAS, HDF5 (araucaria, Larch,
    NeXus), tables in text, and files of instruments by rosettasciio.

    Args:
        path: The file or folder; files of a folder that hold no spectrum are passed over.

    Returns:
        Spectra with their `name`, `energy` (n,) in eV, or in 1/cm where the file says so, strictly
        increasing, and `mu` (n,), the absorbance as measured, not normalised.

    Raises:
        InputError: A path or file without spectra, or a spectrum that cannot be used (which `read_library`
            reports instead).
    """
    spectra: list[Spectrum] = []
    alone = not Path(path).is_dir()
    for source, file in spectrum_files(Path(path)):
        for item in read_file(file, source):
            if isinstance(item, Spectrum):
                spectra.append(item)
            elif alone or not isinstance(item, NoSpectrum):
                raise item
    if not spectra:
        raise InputError(f"{path}: no spectra in it; expected XDI, Athena, HDF5, CSV or column files")
    return spectra
