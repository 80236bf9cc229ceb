"""Sites as a CSV table: the energy in eV, then one column a spectrum, as the published program has them."""

import csv
import os
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.sites.distance import as_matrix


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
    back as they are. Without a header the spectra are called "1", "2", ... Raises InputError for a table that
    cannot be read, is ragged, not of finite numbers, or whose energies do not rise.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a CSV table ({error}); give a site table") from None
    header = rows.pop(0) if rows and not _is_number(rows[0][0]) else None
    width = len(header or (rows[0] if rows else []))
    if len(rows) < 2 or width < 2:
        raise InputError(
            f"{path}: {len(rows)} rows of {width} columns; expected energies and one spectrum or more"
        )
    for line, row in enumerate(rows, start=1 if header is None else 2):
        if len(row) != width or not all(_is_number(cell) for cell in row):
            raise InputError(f"{path}, line {line}: expected {width} numbers, found {','.join(row)[:60]!r}")
    values = np.array(rows, dtype=np.float64)
    energy = values[:, 0].copy()
    if not np.all(np.diff(energy) > 0):
        raise InputError(f"{path}: the energies of the first column do not rise; sort the rows")
    names = tuple(header[1:]) if header else tuple(str(k) for k in range(1, width))
    return energy, np.ascontiguousarray(values[:, 1:].T), names


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False
