"""Plain tables of numbers in text, with or without names: two columns, or a spectrum a column."""

import csv
import io
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.readers.columns import as_number, read_text, split_cells, split_header, understand
from gigaxas.spectra.readers.energies import IN_EV, SHORT, in_unit, named_energy
from gigaxas.spectra.readers.measurement import I0_NAMES, MU_NAMES, is_one_measurement, mu_of
from gigaxas.spectra.spectrum import MIN_SAMPLES, NoSpectrum, Spectrum

OTHER_AXES = ("k", "q", "r", "wavelength", "lambda", "time", "angle", "theta", "index", "row", "channel")
"""Names of a first column that is no energy."""
UNTOLD = ("intensity", "counts", "signal", "y", "abs", "absorption", "normalised", "normalized", "xanes")
"""Names of a column that, like those of an absorbance, say nothing of what was measured."""
OWN = "energy_eV"
"""How gigaxas writes the energies over its sites, whatever these are called."""
SEPARATORS = (";", "\t", ",", None)


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers in columns."""

    names: tuple[str, ...]
    """A name a column; empty where there are none."""
    values: FloatArray
    """The numbers (rows, columns), an empty cell as NaN."""
    lines: tuple[int, ...]
    """The line that each row stands in."""
    separator: str | None
    """What stands between cells; None for blanks."""
    comments: tuple[str, ...]
    """The lines of comment, without their mark."""


def read_table(path: Path) -> list[Spectrum]:
    """Read a plain table.

    Columns of one measurement (mu, or i0 with what is left of it) are one spectrum, and so are two columns;
    else a column is a spectrum under its own name. Without names there are two columns: energy and mu.
    Energies are in eV or in the unit of their name. Raises NoSpectrum where there are no rows of numbers,
    InputError where they are not understood whole.
    """
    table = table_of(read_text(path), path)
    if len(table.lines) < MIN_SAMPLES:
        raise NoSpectrum(
            f"{path}: {len(table.lines)} rows of numbers; expected at least {MIN_SAMPLES}, as a spectrum has"
        )
    return spectra_of(table, path)


def table_of(text: str, path: Path) -> Table:
    """Return the table in a text. InputError as `read_table`."""
    comments, plain = split_header(text)
    start = next((i for i, (_, line) in enumerate(plain) if _is_row(line)), None)
    if start is None:
        raise NoSpectrum(f"{path}: text without rows of numbers; expected energies and absorbances")
    if len(plain) > start + 1 and _starts_blank(plain[start][1]) and not _starts_blank(plain[start + 1][1]):
        start += 1  # names that are numbers, above a first column without one
    values, notation = understand(plain[start:], path)
    _refuse_broken_row(plain[:start], values.shape[1], path)
    head = [line for _, line in plain[:start]]
    names = _names_above(head, values.shape[1], notation.separator) or _names_told(
        [*comments, *head], values.shape[1]
    )
    if head and not names and notation.separator and notation.separator in head[-1]:
        found = head[-1].count(notation.separator) + 1
        raise InputError(f"{path}: {found} names over {values.shape[1]} columns; expected one name a column")
    lines = tuple(number for number, _ in plain[start:])
    return Table(names, values, lines, notation.separator, tuple(comments))


def spectra_of(table: Table, path: Path, several: bool = False) -> list[Spectrum]:
    """Return the spectra of a table; of `several`, a column is one. InputError: columns that are unclear."""
    if not table.names:
        return [_of_two_columns(table, path)]
    energies = _columns_of_energies(table)
    if not energies:
        _refuse_other_axis(table, path)
    at = energies[0] if energies else 0
    unit = (named_energy(table.names[at]) or ("", ""))[1]
    energy, unit = in_unit(table.values[:, at], unit, path)
    others = [i for i in range(len(table.names)) if i != at and not _is_index(table, i, at)]
    labels = [_plain(table.names[i]) for i in others]
    if not several and (
        is_one_measurement(labels, table.names[at] == OWN) or (not table.separator and _has_signal(labels))
    ):
        return [Spectrum(path.stem, energy, mu_of((labels, table.values[:, others]), path), unit=unit)]
    _refuse_unclear(table, energies, others, several, path)
    wanted = [i for i in others if not is_error(table.names[i], table.names)]
    names = [table.names[i] or f"{path.stem} {i}" for i in wanted]
    if len(wanted) == 1 and not several and (not table.separator or _says_nothing(table.names[wanted[0]])):
        names = [path.stem]
    return [
        Spectrum(name, energy, table.values[:, i], unit=unit) for name, i in zip(names, wanted, strict=True)
    ]


def _columns_of_energies(table: Table) -> list[int]:
    """Return the columns of energies by their names; a short name is one only where it comes first."""
    found = [(i, named_energy(name)) for i, name in enumerate(table.names)]
    return [i for i, named in found if named and (i == 0 or not table.separator or named[0] not in SHORT)]


def is_error(name: str, names: Sequence[str]) -> bool:
    """Return whether a column of a run's spectra.csv holds the standard errors of another one."""
    match = re.fullmatch(r"error_(\d+)", name)
    return match is not None and f"label_{match[1]}" in names


def _is_row(line: str) -> bool:
    """Return whether a line holds two numbers or more, however they are written, and nothing else."""
    cells = [cell for cell in re.split(r'[\s;,"]+', line) if cell]
    return len(cells) > 1 and all(as_number(cell) is not None for cell in cells)


def _refuse_broken_row(head: Sequence[tuple[int, str]], width: int, path: Path) -> None:
    """Raise InputError where a line of the header is a row of the table but for what stands in a cell."""
    for number, line in head:
        splits = (split_cells([line], separator) for separator in SEPARATORS)
        rows = [rows[0] for rows in splits if rows and len(rows[0]) == width]
        if any(as_number(row[0].strip().replace(",", ".")) is not None for row in rows):
            raise InputError(f"{path}: line {number} reads {line[:60]!r}; expected a row of numbers")


def _starts_blank(line: str) -> bool:
    return line.startswith((",", ";", "\t"))


def _names_above(head: Sequence[str], width: int, separator: str | None) -> tuple[str, ...]:
    """Return the cells of the line above a table that has as many as the table; none where no line has."""
    for row in reversed(_rows_of(head, separator) if separator else []):
        cells = _fitted(row, width)
        if cells and (not cells[0] or any(re.search(r"[^\W\d_]", cell) for cell in cells)):
            return cells
    return ()


def _names_told(lines: Sequence[str], width: int) -> tuple[str, ...]:
    """Return the words of the last line that names so many columns; none where no line does."""
    for line in reversed(lines):
        for mark in SEPARATORS:
            words = _words(line) if mark is None else next(iter(split_cells([line], mark)), [])
            cells = _fitted(words, width)
            if cells and _is_telling(cells):
                return cells
    return ()


def _rows_of(lines: Sequence[str], separator: str) -> list[list[str]]:
    """Return the rows of cells of a header, in which a quoted name may go over lines."""
    rows: list[list[str]] = []
    with suppress(csv.Error):
        for row in csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=separator):
            rows.append(row)
    return rows


def _fitted(cells: Sequence[str], width: int) -> tuple[str, ...]:
    """Return so many cells, without blank ones at the ends; none where they are more or fewer."""
    names = [cell.strip() for cell in cells]
    while len(names) > width and not names[-1]:
        names.pop()
    while len(names) > width and not names[0]:
        names.pop(0)
    return tuple(names) if len(names) == width else ()


def _words(line: str) -> list[str]:
    """Return the words of a line, each with the unit that follows it in brackets or behind a stroke."""
    joined = re.sub(r" (?=[\[(])|(?<=[\[(]) | (?=[\])])", "", " ".join(line.split()))
    joined = re.sub(r" ?/ ?", "/", joined)
    joined = re.sub(rf"(?<=\w) (?:in )?({IN_EV})(?= |$)", r"[\1]", joined, flags=re.IGNORECASE)
    return joined.split()


def _is_telling(cells: Sequence[str]) -> bool:
    """Return whether words name columns: the energies first, or a signal among them."""
    labels = [_plain(cell) for cell in cells]
    other = labels[0] in OTHER_AXES and all(label.startswith("chi") for label in labels[1:])
    return named_energy(cells[0]) is not None or other or _has_signal(labels)


def _has_signal(labels: Sequence[str]) -> bool:
    return not {*MU_NAMES, *I0_NAMES}.isdisjoint(labels)


def _says_nothing(name: str) -> bool:
    return not name or _plain(name) in (*MU_NAMES, *UNTOLD)


def _plain(label: str) -> str:
    """Return a label in small letters without its unit."""
    return re.sub(r"\s*[\[(].*[\])]$", "", label).strip().lower()


def _refuse_unclear(
    table: Table, energies: Sequence[int], others: Sequence[int], several: bool, path: Path
) -> None:
    if len(energies) > 1:
        raise InputError(
            f"{path}: {len(energies)} columns of energies ({', '.join(table.names[i] for i in energies)}); "
            "expected one; save each spectrum as a file of its own"
        )
    if len(others) > 1 and not several and not table.separator:
        raise InputError(
            f"{path}: columns are {', '.join(table.names)}; expected mu (or xmu, mutrans, norm), i0 with "
            "itrans or ifluor, or a CSV table with a spectrum a column"
        )


def _of_two_columns(table: Table, path: Path) -> Spectrum:
    if table.values.shape[1] != 2:
        raise InputError(
            f"{path}: {table.values.shape[1]} columns without names; expected two (energy in eV, mu), or "
            "their names in the line above them"
        )
    _refuse_counting(table, path)
    return Spectrum(path.stem, table.values[:, 0], table.values[:, 1])


def _refuse_other_axis(table: Table, path: Path) -> None:
    name = _plain(table.names[0])
    if name in OTHER_AXES:
        raise InputError(f"{path}: the first column is {table.names[0]!r}; expected energies")
    _refuse_counting(table, path)


def _refuse_counting(table: Table, path: Path) -> None:
    if _counts(table.values[:, 0]):
        raise InputError(
            f"{path}: the first column counts the rows; expected energies; remove it, or name the column of "
            "energies"
        )


def _is_index(table: Table, i: int, energies: int) -> bool:
    """Return whether a column before the energies does nothing but count the rows."""
    return i < energies and _counts(table.values[:, i])


def _counts(values: FloatArray) -> bool:
    return values[0] in (0.0, 1.0) and np.array_equal(values - values[0], np.arange(values.size))
