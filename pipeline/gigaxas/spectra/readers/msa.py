"""EMSA/MAS spectra (.msa, .emsa): lines `#KEY : value`, then counts, or energies and counts.

rosettasciio reads them too, but takes the energies of a table from OFFSET and XPERCHAN, a decimal comma for a
blank, and a file cut short for a whole one.
"""

import re
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.readers.columns import as_number, numbers, read_text, split_header
from gigaxas.spectra.readers.energies import in_unit
from gigaxas.spectra.spectrum import Spectrum

MARK = re.compile(r"#FORMAT\s*:\s*EMSA/MAS", re.IGNORECASE)
"""How such a file begins."""


def read_msa(path: Path) -> list[Spectrum]:
    """Read one spectrum, energies in the unit of XUNITS. InputError: a header that does not fit the rows."""
    header, body = split_header(read_text(path))
    lines = (re.fullmatch(r"(\w+)(?:\s*-\s*\w+)?\s*:\s*(.*)", line) for line in header)
    fields = {line[1].upper(): line[2].strip() for line in lines if line}
    kind, points = fields.get("DATATYPE", "").upper(), _field(fields, "NPOINTS", path)
    if kind not in ("Y", "XY"):
        raise InputError(f"{path}: DATATYPE is {kind!r}; expected Y or XY")
    energy, signal = _pairs(body, path) if kind == "XY" else _counts(body, fields, path)
    if signal.size != points:
        raise InputError(f"{path}: {signal.size} points of {points:g} that it says it has; copy it again")
    energy, unit = in_unit(energy, fields.get("XUNITS", ""), path)
    return [Spectrum(path.stem, energy, signal, unit=unit)]


def _field(fields: dict[str, str], key: str, path: Path) -> float:
    value = as_number(fields.get(key, ""))
    if value is None:
        raise InputError(f"{path}: {key} is {fields.get(key, '')!r}; expected a number")
    return value


def _pairs(body: list[tuple[int, str]], path: Path) -> tuple[FloatArray, FloatArray]:
    table = numbers(body, path)
    if table.shape[1] != 2:
        raise InputError(f"{path}: {table.shape[1]} columns; expected two, energies and counts")
    return table[:, 0], table[:, 1]


def _counts(body: list[tuple[int, str]], fields: dict[str, str], path: Path) -> tuple[FloatArray, FloatArray]:
    """Return energies (n,) and counts (n,) of rows that may be shorter at the end, with commas or without."""
    values: list[float] = []
    for number, line in body:
        row = [as_number(cell) for cell in re.split(r"[,\s]+", line.strip().rstrip(","))]
        if None in row:
            raise InputError(f"{path}: line {number} reads {line[:60]!r}; expected a row of numbers")
        values.extend(value for value in row if value is not None)
    signal = np.array(values, dtype=np.float64)
    steps = np.arange(signal.size, dtype=np.float64)
    return _field(fields, "OFFSET", path) + _field(fields, "XPERCHAN", path) * steps, signal
