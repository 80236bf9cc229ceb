"""Sites as a CSV table: the energy in eV, then one column a spectrum, as the published program has them."""

import csv
import os
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.sites.distance import as_matrix
from gigaxas.spectra.readers.columns import read_text
from gigaxas.spectra.readers.energies import in_unit, named_energy
from gigaxas.spectra.readers.tables import is_error, table_of


def write_columns(path: Path | str, energy: FloatArray, spectra: FloatArray, names: tuple[str, ...]) -> None:
    """Write spectra (m, E) at energies (E,) in eV under their names, every digit kept.

    The file appears whole or not at all. Raises InputError when the three do not fit together.
    """
    matrix = as_matrix(spectra)
    if matrix.shape != (len(names), np.size(energy)):
        raise InputError(
            f"spectra {matrix.shape} do not fit {len(names)} names and {np.size(energy)} energies"
        )
    target = Path(path)
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    with aside.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["energy_eV", *names])
        table.writerows(np.column_stack([energy, matrix.T]).tolist())
    aside.replace(target)


def read_columns(path: Path | str) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Return energies (E,) in eV, spectra (m, E) and names of a table like that of `write_columns`.

    The published program's tables number the rows 0, 1, ... in the place of the energies; these numbers come
    back as they are. Without a header the spectra are called "1", "2", ... The standard errors in a run's
    spectra.csv are left out. Raises InputError for a table that cannot be read, is ragged, not of finite
    numbers, or whose energies do not rise.
    """
    place = Path(path)
    table = table_of(read_text(place), place)
    rows, width = table.values.shape
    if rows < 2 or width < 2:
        raise InputError(
            f"{path}: {rows} rows of {width} columns; expected energies and one spectrum or more"
        )
    broken = ~np.isfinite(table.values).all(axis=1)
    if broken.any():
        line = table.lines[int(np.argmax(broken))]
        raise InputError(f"{path}, line {line}: expected {width} numbers, found a gap or what is not finite")
    names = table.names or ("", *(str(k) for k in range(1, width)))
    _, unit = named_energy(names[0]) or ("", "")
    energy, _ = in_unit(table.values[:, 0], unit, path)
    if not np.all(np.diff(energy) > 0):
        raise InputError(f"{path}: the energies of the first column do not rise; sort the rows")
    kept = [k for k in range(1, width) if not is_error(names[k], names)]
    spectra = np.ascontiguousarray(table.values[:, kept].T)
    return energy.copy(), spectra, tuple(names[k] for k in kept)
