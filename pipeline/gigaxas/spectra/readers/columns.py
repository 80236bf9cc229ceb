"""Text taken apart: comment lines, and rows of numbers that are understood whole or refused."""

import csv
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError

MAX_BYTES = 64 * 2**20
"""The largest measured file of this kind has 0.3 MB; more is not a spectrum."""
COMMENT = ("#", "%", ";", "!", "*", "=")
"""What a line of comment starts with."""
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
"""How UTF-16 begins, as spreadsheets write it."""
NUMBER = re.compile(
    r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[ed][-+]?[0-9]+)?|[-+]?(?:nan|inf|infinity)", re.IGNORECASE
)
"""A number with a point; the D before an exponent is Fortran's."""


@dataclass(frozen=True)
class Notation:
    """How a table writes its rows."""

    separator: str | None
    """What stands between two cells; None for blanks."""
    decimal: str
    """What stands before the decimals."""


NOTATIONS = tuple(Notation(separator, decimal) for separator in (";", "\t", ",", None) for decimal in ".,")
"""The most telling separator first: where two understand a table alike, names may hold blanks."""


def read_text(path: Path) -> str:
    """Return the text of a file, as `decode` does; InputError where it is unreadable, binary or too large."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a file of spectra") from error
    if len(raw) > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES // 2**20} MiB; expected a file of spectra")
    return decode(raw, path)


def decode(raw: bytes, path: Path) -> str:
    """Return bytes as text: UTF-16 where they say so, UTF-8, or else Windows' Latin. InputError: binary."""
    if raw.startswith(UTF_16):
        return raw.decode("utf-16", errors="replace")
    if b"\0" in raw:
        raise InputError(f"{path}: holds binary data; expected text, an Athena project or HDF5")
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("latin-1")


def split_header(text: str) -> tuple[list[str], list[tuple[int, str]]]:
    """Return the comment lines without their mark, and the other non-blank lines with their line numbers."""
    header: list[str] = []
    body: list[tuple[int, str]] = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        stripped = line.strip()
        if stripped.startswith(COMMENT):
            header.append(stripped.lstrip("".join(COMMENT)).strip())
        elif stripped:
            body.append((number, line.strip(" ")))
    return header, body


def as_number(cell: str) -> float | None:
    """Return the number that a cell is, written with a point; None where it is none."""
    return float(re.sub("[dD]", "e", cell)) if NUMBER.fullmatch(cell) else None


def numbers(body: Sequence[tuple[int, str]], path: Path) -> FloatArray:
    """Return the lines of a table as (rows, columns), as `understand` does."""
    return understand(body, path)[0]


def understand(body: Sequence[tuple[int, str]], path: Path) -> tuple[FloatArray, Notation]:
    """Return the lines of a table as (rows, columns), and how they are written.

    Cells are set apart by semicolons, tabs, commas or blanks, and decimals by a point or a comma: whichever
    way every line is understood, an empty cell as NaN. InputError: the first line that does not fit, or lines
    that are understood in two ways.
    """
    if not body:
        raise InputError(f"{path}: no rows of numbers; expected energy and absorbance, a row an energy")
    attempts = [_attempt(body, notation) for notation in _notations_for("\n".join(line for _, line in body))]
    whole = [attempt for attempt in attempts if not attempt.fault]
    # A table has two columns; a number with a decimal comma would be two without a second reading.
    whole = [attempt for attempt in whole if len(attempt.rows[0]) > 1] or whole
    if not whole:
        raise InputError(f"{path}: {max(attempts, key=lambda attempt: len(attempt.rows)).fault}")
    found = [np.array(attempt.rows, dtype=np.float64) for attempt in whole]
    # Instruments set columns apart by several tabs, which are no empty columns.
    found = [values[:, ~np.isnan(values).all(axis=0)] if len(found) > 1 else values for values in found]
    if not all(np.array_equal(found[0], other, equal_nan=True) for other in found[1:]):
        raise InputError(
            f"{path}: line {body[0][0]} reads {body[0][1][:60]!r}, which can be understood as "
            f"{' or as '.join(_told(values[0]) for values in found)}; expected numbers with a decimal point"
        )
    return found[0], whole[0].notation


@dataclass(frozen=True)
class _Attempt:
    notation: Notation
    rows: list[list[float]]
    """The rows that were understood."""
    fault: str
    """What is wrong with the next one; empty where there is none."""


def _notations_for(text: str) -> list[Notation]:
    """Return the notations that a text can have by its characters."""
    return [
        notation
        for notation in NOTATIONS
        if (notation.separator is None or notation.separator in text)
        and (notation.decimal == "." or ("," in text and (notation.separator != "," or '"' in text)))
    ]


def _attempt(body: Sequence[tuple[int, str]], notation: Notation) -> _Attempt:
    rows: list[list[float]] = []
    lines = _without_edges([line for _, line in body], notation.separator)
    for (number, _), cells in zip(body, split_cells(lines, notation.separator), strict=False):
        row = [_value(cell.strip(), notation) for cell in cells]
        if None in row:
            break
        if rows and len(row) != len(rows[0]):
            fault = f"line {number} has {len(row)} columns; expected {len(rows[0])} as above it"
            return _Attempt(notation, rows, fault)
        rows.append([value for value in row if value is not None])
    else:
        if len(rows) == len(body):
            return _Attempt(notation, rows, "")
    number, line = body[len(rows)]
    return _Attempt(notation, rows, f"line {number} reads {line[:60]!r}; expected a row of numbers")


def _without_edges(lines: Sequence[str], separator: str | None) -> Sequence[str]:
    """Return lines without the separator that all of them begin or end with."""
    if separator and all(line.startswith(separator) for line in lines):
        lines = [line[1:] for line in lines]
    if separator and all(line.endswith(separator) for line in lines):
        lines = [line[:-1] for line in lines]
    return lines


def split_cells(lines: Sequence[str], separator: str | None) -> list[list[str]]:
    """Return the cells of each line; quotes hold a cell together. Ends before quotes that do not close."""
    if separator is None:
        return [line.split() for line in lines]
    rows: list[list[str]] = []
    reader = csv.reader(lines, delimiter=separator, strict=True)
    with suppress(csv.Error):
        for row in reader:
            rows.append(row)
    return rows


def _value(cell: str, notation: Notation) -> float | None:
    if not cell and notation.separator is not None:
        return float("nan")
    if notation.decimal == ",":
        return None if "." in cell else as_number(cell.replace(",", ".", 1))
    return as_number(cell)


def _told(row: FloatArray) -> str:
    return ", ".join(f"{value:.10g}" for value in row[:4])
