"""Which reader reads which file: one table, asked from the most telling sign to the least."""

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gigaxas.errors import InputError
from gigaxas.spectra.readers.araucaria import read_hdf5
from gigaxas.spectra.readers.athena import GZIP_MAGIC, read_athena
from gigaxas.spectra.readers.columns import ENERGY_NAMES, read_columns, read_csv, read_multicolumn
from gigaxas.spectra.readers.kek import read_kek
from gigaxas.spectra.readers.lucia import read_lucia
from gigaxas.spectra.readers.stepscan import read_stepscan
from gigaxas.spectra.readers.xdi import read_xdi
from gigaxas.spectra.spectrum import Spectrum, in_order

HEAD_BYTES = 8192
"""Bytes from the start of a file by which it is recognised."""
COLUMN_ENDINGS = (
    *(".xmu", ".nor", ".dat", ".xy", ".txt", ".prn"),
    *(".t", ".r", ".xsp", ".e", ".asc", ".tsv", ".xas", ".mu", ".data"),
)
"""Endings of plain columns: of programs, and of beamlines (ALS writes .t, .r, .xsp and .e)."""
NUMBER = rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
NUMBER_ROW = re.compile(rb"^[ \t]*" + NUMBER + rb"[ \t]*[,; \t][ \t]*" + NUMBER, re.MULTILINE)
ENERGY_HEADER = re.compile(
    rb'^"?(?:' + b"|".join(map(re.escape, (n.encode() for n in ENERGY_NAMES))) + rb')"?[ \t]*[,;\t]', re.I
)

Reader = Callable[[Path], Sequence[Spectrum | InputError]]


@dataclass(frozen=True)
class Format:
    """A family of files."""

    name: str
    """What it is called."""
    recognises: Callable[[bytes, str], bool]
    """Whether a file belongs to it, by its first bytes and its ending in lower case."""
    read: Reader
    """What reads such a file."""


def _is_csv(head: bytes, suffix: str) -> bool:
    return suffix == ".csv" and bool(ENERGY_HEADER.match(head) or NUMBER_ROW.search(head))


def _is_columns(head: bytes, suffix: str) -> bool:
    known = suffix in COLUMN_ENDINGS or re.fullmatch(r"\.\d{3}", suffix)
    return bool(known) and (suffix in (".xmu", ".nor") or bool(NUMBER_ROW.search(head)))


FORMATS = (
    Format(
        "HDF5", lambda head, suffix: head[:8] == b"\x89HDF\r\n\x1a\n" or suffix in (".h5", ".hdf5"), read_hdf5
    ),
    Format(
        "Athena project",
        lambda head, suffix: (
            head.startswith(b"# Athena project") or head[:2] == GZIP_MAGIC or suffix == ".prj"
        ),
        read_athena,
    ),
    Format("EPICS step scan", lambda head, _: b"epics stepscan file" in head[:200].lower(), read_stepscan),
    Format(
        "Athena's columns",
        lambda head, suffix: b"output_filetype: multicolumn" in head,
        read_multicolumn,
    ),
    Format(
        "XDI",
        lambda head, suffix: bool(re.match(rb"#\s*XDI/", head, re.I)) or suffix in (".xdi", ".xd"),
        read_xdi,
    ),
    Format("SOLEIL LUCIA", lambda head, _: re.match(rb"#\s*XAS / LUCIA", head) is not None, read_lucia),
    Format("KEK 9809", lambda head, _: re.match(rb"\s*9809\s", head) is not None, read_kek),
    Format("CSV table", _is_csv, read_csv),
    Format("columns", _is_columns, read_columns),
)


def format_of(path: Path) -> Format | None:
    """Return the format of a file by its content and its ending; None for a file that holds no spectra."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a file of spectra") from error
    suffix = path.suffix.lower()
    return next((kind for kind in FORMATS if kind.recognises(head, suffix)), None)


def read_file(path: Path, kind: Format, source: str) -> list[Spectrum | InputError]:
    """Return the spectra of one file, in order of energy, or the InputError of each that cannot be used."""
    try:
        # Damaged counts may overflow on the way; what is not finite in the end is refused by name.
        with np.errstate(all="ignore"):
            return [_checked(item, source) for item in kind.read(path)]
    except InputError as error:
        return [error]


def _checked(item: Spectrum | InputError, source: str) -> Spectrum | InputError:
    if isinstance(item, InputError):
        return item
    try:
        return in_order(replace(item, source=source))
    except InputError as error:
        return error


def spectrum_files(path: Path) -> Iterator[tuple[str, Path, Format]]:
    """Yield source (path inside the folder), path and format of a file, or of a folder's files in order.

    Files of a folder that hold no spectra (a licence, a list) are passed over; a file given by itself is
    taken for columns where nothing else is known of it. InputError: nothing there.
    """
    if path.is_dir():
        for file in sorted(_files_below(path)):
            kind = format_of(file)
            if kind is not None:
                yield file.relative_to(path).as_posix(), file, kind
    elif path.is_file():
        yield path.name, path, format_of(path) or FORMATS[-1]
    else:
        raise InputError(f"{path}: not there; expected a file or folder of reference spectra; check the path")


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those below it, linked ones too, each folder once."""
    seen: set[str] = set()
    for parent, folders, files in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(parent))
        folders[:] = [name for name in folders if os.path.realpath(Path(parent) / name) not in seen]
        yield from (Path(parent) / name for name in files if (Path(parent) / name).is_file())


def read_spectra(path: Path | str) -> list[Spectrum]:
    """Return every spectrum of a file, or of a folder and those below it, files in order of their paths.

    Energies (n,) are in eV and increase strictly; mu (n,) is the absorbance as measured, not normalised.
    Formats: XDI, Athena projects, EPICS step scans, SOLEIL LUCIA, KEK 9809, araucaria's HDF5, CSV tables,
    plain columns. InputError: a path or file without spectra, or a spectrum that cannot be used (which
    `read_library` reports instead).
    """
    spectra: list[Spectrum] = []
    for source, file, kind in spectrum_files(Path(path)):
        for item in read_file(file, kind, source):
            if isinstance(item, InputError):
                raise item
            spectra.append(item)
    if not spectra:
        raise InputError(f"{path}: no spectra in it; expected XDI, Athena, HDF5, CSV or column files")
    return spectra
