"""What is in a file, and the lines of a configuration that read it."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gigaxas.config.schema import Ingest
from gigaxas.config.yaml import render_yaml
from gigaxas.errors import InputError
from gigaxas.locations import INSIDE
from gigaxas.raw.readers.described import FileArray
from gigaxas.raw.readers.files import FileSet, find_stack, split_source
from gigaxas.raw.readers.formats import format_of, recognise
from gigaxas.raw.readers.formats.hdf5 import forget_files
from gigaxas.raw.readers.formats.stxm import is_scan_header, read_scan_header
from gigaxas.raw.readers.images import every_array, open_stack
from gigaxas.raw.readers.stack import describe_stack
from gigaxas.spectra import Spectrum
from gigaxas.spectra.readers.formats import format_of as format_of_spectra
from gigaxas.spectra.readers.formats import is_zarr, read_file, spectrum_files
from gigaxas.stores.cube import MU, CubeInfo, describe_cube
from gigaxas.stores.io.chunks import has_array

ENERGIES = "  energies: energies.txt  # a file with one energy a line, or a list"
"""What a file that tells no energies needs."""


@dataclass(frozen=True)
class FileRow:
    """An array, or a spectrum, in a file."""

    name: str
    """What the file calls it; may be empty."""
    shape: tuple[int, ...]
    """Lengths of its axes."""
    dtype: str
    """Type of its numbers."""
    axes: str = ""
    """E, Y and X in the order of its axes; empty where the file does not tell."""
    energies: str = ""
    """Their number, first, last and unit; empty where the file tells none."""
    pixel_um: float | None = None
    """Size of a pixel, in um; None where the file does not tell it."""
    note: str = ""
    """What is wrong with it."""


@dataclass(frozen=True)
class FileInfo:
    """What is in a file."""

    path: str
    """The file or folder."""
    kind: str
    """What it is: the format of images, a cube, or spectra."""
    rows: tuple[FileRow, ...]
    """Its arrays or spectra."""
    settings: str
    """The lines of a configuration that read it; empty where nothing here can."""


def info(source: str | Path) -> FileInfo:
    """Say what is in a file or folder, and what lines of a configuration read it.

    Args:
        source: Path of a file or folder, or `file::array` of one array in a file.

    Returns:
        Arrays with their shapes and units, or spectra, and the lines.

    Raises:
        InputError: There is nothing, or nothing that is known.
    """
    try:
        return _found(str(source))
    finally:
        forget_files()  # the program that called may want to open them in a way of its own


def _found(text: str) -> FileInfo:
    path = Path(split_source(text)[0])
    if not path.exists():
        raise InputError(f"{path}: there is nothing; give a file or folder of images or spectra")
    if cube := _cube(path):
        return _of_cube(cube)
    if is_scan_header(text):
        return _of_scan(text)
    if recognise(path, split_source(text)[1]) is not None:
        return _of_images(text, path)
    return _of_spectra(path)


def _of_cube(cube: CubeInfo) -> FileInfo:
    energies, path = _energies(cube.energy, cube.unit), str(cube.path)
    row = FileRow(MU, cube.shape, str(cube.dtype), "EYX", energies, cube.pixel_um, cube.quantity or "")
    return FileInfo(path, "cube", (row,), _settings("cube", path=path))


def _cube(path: Path) -> CubeInfo | None:
    """Return what a cube says of itself; None for what is none, be it an array `mu` with other axes."""
    if not path.is_dir() or not has_array(path, MU):
        return None
    try:
        return describe_cube(path)
    except InputError:
        return None


def is_cube(path: Path) -> bool:
    """Return whether a folder is a cube of gigaxas."""
    return _cube(path) is not None


def _of_scan(text: str) -> FileInfo:
    """Describe the header of a scan, whose images may lie elsewhere."""
    header = read_scan_header(Path(text))
    energies = _energies(header.energy, "eV")
    try:
        found = describe_stack(Ingest(stack=text)).stack
    except InputError as error:
        row = FileRow("", (), "", energies=energies, pixel_um=header.pixel_um, note=str(error))
        settings = _settings("ingest", stack=f"{Path(text).stem}_a{{index}}.xim", energies=text)
        return FileInfo(text, "header of a scan", (row,), settings)
    row = FileRow("", found.shape, str(np.dtype(found.dtype)), "EYX", energies, header.pixel_um)
    return FileInfo(text, "scan", (row,), _settings("ingest", stack=text))


def _numbered(path: Path) -> str:
    """Return the pattern of images that are numbered as one of them is."""
    return str(path.with_name(re.sub(r"\d+(?=\D*$)", "{index}", path.name)))


def _of_images(text: str, path: Path) -> FileInfo:
    found, inner = find_stack(text, "FILE"), split_source(text)[1]
    arrays = [each for each in every_array(path, inner) if not inner or each.name == inner]
    if not arrays:
        return _of_spectra(path)
    rows = tuple(_row(found, each) for each in arrays)
    stacks = [each for each in arrays if sum(size > 1 for size in each.shape) > 2]
    main = [each for each in stacks if each.is_main] or stacks
    settings = ""
    if main:
        settings = _ingest(path, main[0], is_alone=len(arrays) == 1)
    elif len(arrays) == 1:
        settings = "\n".join([_settings("ingest", stack=_numbered(path)), ENERGIES])
    return FileInfo(str(path), format_of(path, inner).name, rows, settings)


def _row(found: FileSet, array: FileArray) -> FileRow:
    """Describe one array, with what would hinder its use."""
    notes, energies, pixel_um = [], "", None
    try:
        if array.energy:
            energies = _energies(*array.energy)
    except InputError as error:
        notes.append(str(error))
    try:
        pixel_um = array.pixel_um
    except InputError as error:
        notes.append(str(error))
    try:
        absent = open_stack(f"{found.files[0]}{INSIDE}{array.name}", found, missing="void").absent
        notes += [f"{len(absent)} parts are missing"] if absent else []
    except InputError as error:
        notes.append(str(error))
    return FileRow(
        array.name, array.shape, str(array.dtype), array.letters, energies, pixel_um, "; ".join(notes)
    )


def _ingest(path: Path, array: FileArray, is_alone: bool) -> str:
    keys: dict[str, str | float] = {"stack": str(path) if is_alone else f"{path}{INSIDE}{array.name}"}
    missing = []
    try:
        if array.energy is None:
            missing.append(ENERGIES)
    except InputError:
        missing.append(ENERGIES)
    if "E" not in array.letters and not missing:
        missing.append("  axes: EYX  # the order of its axes")
    try:
        if array.pixel_um is None:
            missing.append("  pixel_um: 1.0  # the size of a pixel")
    except InputError:
        missing.append("  pixel_um: 1.0  # the size of a pixel; the file tells two")
    if np.issubdtype(array.dtype, np.integer):
        missing.append("  # quantity: counts  # of a transmission measurement, with i0; else intensity")
    return "\n".join([_settings("ingest", **keys), *missing])


def _of_spectra(path: Path) -> FileInfo:
    rows = []
    for source, file in spectrum_files(path):
        kind = "Zarr" if is_zarr(file) else format_of_spectra(file).name
        for found in read_file(file, source):
            if isinstance(found, Spectrum):
                energies = _energies(found.energy, found.unit)
                rows.append(FileRow(found.name, found.energy.shape, kind, "E", energies))
            else:
                rows.append(FileRow(file.stem, (), kind, note=str(found)))
    if not any(row.shape for row in rows):
        reason = rows[0].note if rows else f"{path}: nothing in it is known"
        raise InputError(f"{reason}; expected images (docs/reference/files.md lists the formats) or spectra")
    return FileInfo(str(path), "spectra", tuple(rows), _settings("references", path=str(path)))


def _energies(energy: np.ndarray, unit: str) -> str:
    return f"{len(energy)} from {energy.min():.6g} to {energy.max():.6g} {unit}"


def _settings(section: str, **keys: str | float) -> str:
    return render_yaml({section: keys})
