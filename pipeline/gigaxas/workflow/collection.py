"""Spectra from wherever a user keeps them: files, folders, tables of clusters, Zarr libraries."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra import Spectrum, normalise, resample, standardise
from gigaxas.spectra.readers.columns import read_csv
from gigaxas.spectra.readers.formats import read_file, spectrum_files
from gigaxas.spectra.spectrum import described, in_order
from gigaxas.stores.library import is_store, read_library_store

Ranges = tuple[tuple[float, float], tuple[float, float]]
Item = Spectrum | InputError


def read_collection(path: Path, ranges: Ranges | None = None) -> list[Item]:
    """Return every spectrum of a file, a folder, a run's output or a Zarr library, or why it cannot be used.

    With `ranges` (pre-edge, post-edge, eV) each is normalised (METHOD 1). InputError: nothing there.
    """
    if is_store(path):
        items: list[Item] = [_attempt(spectrum) for spectrum in read_library_store(path)]
    else:
        run = run_of(path)
        items = list(_from_files(path if run is None else run / "spectra.csv"))
    if not items:
        raise InputError(f"{path}: no spectra in it; expected XDI, Athena, HDF5, CSV, column files or Zarr")
    if ranges is None:
        return items
    return [item if isinstance(item, InputError) else _normalised(item, ranges) for item in items]


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


def _from_files(path: Path) -> Iterator[Item]:
    for source, file, kind in spectrum_files(path):
        if kind.read is not read_csv:
            yield from read_file(file, kind, source)
            continue
        try:
            columns = read_csv(file)
        except InputError as error:
            yield error
            continue
        names = {spectrum.name for spectrum in columns}
        for spectrum in columns:
            if not _is_error(spectrum.name, names):
                yield _attempt(replace(spectrum, source=source))


def _is_error(name: str, names: set[str]) -> bool:
    """Say whether a column of a run's spectra.csv holds the standard errors of another one."""
    match = re.fullmatch(r"error_(\d+)", name)
    return match is not None and f"label_{match[1]}" in names


def _attempt(spectrum: Spectrum) -> Item:
    try:
        return in_order(spectrum)
    except InputError as error:
        return error


def _normalised(spectrum: Spectrum, ranges: Ranges) -> Item:
    try:
        with np.errstate(all="ignore"):
            made = normalise(spectrum, *ranges)
    except InputError as error:
        return error
    if not np.isfinite(made.mu).all():
        return InputError(f"{described(spectrum)} has no finite normalised form; look at its edge")
    return made
