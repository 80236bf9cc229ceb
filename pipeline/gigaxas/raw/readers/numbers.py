"""Lists of numbers in files: arrays with their unit, and the first column of a text."""

import re
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.raw.readers.formats import format_of
from gigaxas.spectra.readers.columns import read_text
from gigaxas.stores.io.cf import text_of, unpack
from gigaxas.units import energy_of, is_wavenumber

SEPARATORS = (";", "\t", " ", ",")
"""What stands between columns: the first of these that a file has."""
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")
UNIT = re.compile(r"[(\[/,]\s*([^\s()\[\],;/]+)")
"""A unit behind the name of a column: energy (keV), energy [eV], energy / eV."""


def stored_numbers(path: Path, inner: str) -> tuple[FloatArray, str]:
    """Return an array of a file and its attribute `units` (may be empty).

    Raises InputError: no such array, no numbers, or numbers that are not there.
    """
    kind = format_of(path, inner)
    try:
        array = kind.open(path, inner)
        absent, packing = kind.absent(path, array), kind.packing(path, array)
        values = np.asarray(array[...])
    except InputError:
        raise
    except Exception as error:  # libraries raise whatever they stumble over
        reason = error.args[0] if isinstance(error, KeyError) and error.args else error
        raise InputError(f"{path}: found no numbers at {inner!r} ({reason})") from None
    if values.dtype.kind not in "uifb":
        raise InputError(f"{path}: {inner} holds {values.dtype}, expected numbers")
    if absent:
        raise InputError(f"{path}: {inner} is not whole: {absent[0].what} is missing; copy the file again")
    unit = str(text_of(getattr(array, "attrs", {}).get("units", "")))
    samples = values if packing.is_plain else unpack(values, packing)
    return np.asarray(samples, dtype=np.float64), unit


def first_column(path: Path, name: str) -> tuple[FloatArray, str]:
    """Return the numbers that the lines of a text file start with, and the unit that their name tells.

    Lines that start with # and one line of names are left out. Raises InputError about the key `name` where a
    number may be read in part, or counts the lines.
    """
    try:
        lines = [line.strip() for line in read_text(path).splitlines()]
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    separator = next(
        (mark for mark in SEPARATORS if any(mark in line for line in lines if line[:1].isdigit())), " "
    )
    rows = [
        (i, _cells(line, separator)) for i, line in enumerate(lines, 1) if line and not line.startswith("#")
    ]
    if rows and not _is_number(rows[0][1][0]):
        rows = rows[1:]
    _refuse_unclear([cells for _, cells in rows], separator, name)
    for i, cells in rows:
        if not _is_number(cells[0]):
            raise InputError(f"{name}: {path}, line {i} starts with {cells[0]!r}, no number")
    heads = [re.split(r"[;,\t]", line)[0] for line in lines if line and not line[0].isdigit()]
    return np.array([float(cells[0]) for _, cells in rows]), _unit_in(heads)


def _cells(line: str, separator: str) -> list[str]:
    cells = [
        cell.strip().rstrip(",") for cell in (line.split() if separator == " " else line.split(separator))
    ]
    decimal = separator != ","
    return [cell.replace(",", ".") if decimal and DECIMAL_COMMA.fullmatch(cell) else cell for cell in cells]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _refuse_unclear(rows: list[list[str]], separator: str, name: str) -> None:
    """Raise InputError where the first number of a line may be a part of one, or counts the lines."""
    if (
        separator == ","
        and rows
        and all(len(row) == 2 and row[0].isdigit() and row[1].isdigit() for row in rows)
    ):
        raise InputError(
            f"{name}: found {','.join(rows[0])!r}: a comma may part two columns, or be a decimal mark; write "
            "decimals with a point"
        )
    if (
        len(rows) < 2
        or min(map(len, rows)) < 2
        or not all(row[0].isdigit() and _is_number(row[1]) for row in rows)
    ):
        return
    count, second = np.array([int(row[0]) for row in rows]), np.array([float(row[1]) for row in rows])
    if np.all(np.diff(count) == 1) and np.all(np.diff(second) > 0) and np.all(second > count):
        raise InputError(
            f"{name}: the first column counts the lines ({count[0]}, {count[1]}, ...) and the second rises "
            f"from {second[0]:g}; expected the energies first; remove the column before them"
        )


def _unit_in(heads: list[str]) -> str:
    """Return the unit of an energy that the name of a column tells; empty where none does."""
    for word in (word for head in heads for word in UNIT.findall(head)):
        if is_wavenumber(word):
            return word
        try:
            energy_of(np.ones(1), word, wavelengths=False)
        except InputError:
            continue
        return word
    return ""
