"""Spectra from wherever a user keeps them: files, folders, tables of clusters, Zarr libraries."""

from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra import Spectrum, normalise, resample, standardise
from gigaxas.spectra.readers.formats import Found, read_file, spectrum_files
from gigaxas.spectra.spectrum import NoSpectrum, described, in_order
from gigaxas.stores.library import is_store, read_library_store

Ranges = tuple[tuple[float, float], tuple[float, float]]


def read_collection(path: Path, ranges: Ranges | None = None) -> list[Found]:
    """Return every spectrum of a file, a folder, a run's output or a Zarr library, or why it cannot be used.

    With `ranges` (pre-edge, post-edge, eV) each is normalised (METHOD 1). A file without a spectrum is its
    NoSpectrum. InputError: nothing else there.
    """
    run = run_of(path)
    source = spectra_at(run / "spectra.csv" if run else path)
    items = _read(source) if isinstance(source, Path) else source
    if all(isinstance(item, NoSpectrum) for item in items):
        reasons = "".join(f"; {item}" for item in items[:3])
        raise InputError(
            f"{path}: no spectra in it; expected XDI, Athena, HDF5, CSV, column files or Zarr{reasons}"
        )
    if ranges is None:
        return items
    return [item if isinstance(item, InputError) else _normalised(item, ranges) for item in items]


def spectra_at(path: Path) -> Path | list[Found]:
    """Return the spectra of a Zarr library; the path itself where there are files to be read."""
    return [_attempt(spectrum) for spectrum in read_library_store(path)] if is_store(path) else path


def run_of(path: Path) -> Path | None:
    """Return the folder of a run whose clusters `path` stands for: the folder, or a table in it."""
    tables = ("clusters.csv", "spectra.csv")
    folder = path.parent if path.name in tables else path
    return folder if all((folder / name).is_file() for name in tables) else None


def on_grid(spectrum: Spectrum, grid: FloatArray) -> FloatArray | InputError:
    """Return a spectrum's values at the energies `grid` (E,), or why it has none that can be compared."""
    try:
        values = resample(spectrum, grid)
        standardise(values)
    except InputError as error:
        return error
    return values


def _read(path: Path) -> list[Found]:
    return [item for source, file in spectrum_files(path) for item in read_file(file, source)]


def _attempt(spectrum: Spectrum) -> Found:
    try:
        return in_order(spectrum)
    except InputError as error:
        return error


def _normalised(spectrum: Spectrum, ranges: Ranges) -> Found:
    try:
        with np.errstate(all="ignore"):
            made = normalise(spectrum, *ranges)
    except InputError as error:
        return error
    if not np.isfinite(made.mu).all():
        return InputError(f"{described(spectrum)} has no finite normalised form; look at its edge")
    return made
