"""A folder of reference spectra made into a library on the cube's grid, and a report of every record."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.normalisation import (
    POST_EDGE,
    PRE_EDGE,
    check_ranges,
    edge_step,
    find_e0,
    normalise,
)
from gigaxas.spectra.quality import refuse_cut_out, refuse_noise
from gigaxas.spectra.readers.formats import read_file, spectrum_files
from gigaxas.spectra.resampling import checked_grid, missing_ends, resample
from gigaxas.spectra.spectrum import EnergyRange, Spectrum, described

Status = Literal["read", "refused", "duplicate"]

SAME = 1e-3
"""Share of the edge step: repeats of a measurement differ by 6 times that, copies of a file by 1e-11."""


@dataclass(frozen=True)
class ReadRow:
    """What became of one record of the files."""

    name: str
    """Name of the record, made unique."""
    source: str
    """Path of its file in the folder."""
    status: Status
    """Whether it was read, refused, or holds the same data as an earlier one."""
    shift_ev: float
    """What was added to its energies, in eV."""
    e0_ev: float | None
    """Energy of the steepest rise in eV, shifted; None where none was found."""
    edge_step: float | None
    """Edge step as measured, in mu; None where none was found."""
    reason: str
    """Why it was not used, or what was held at an end of the grid; empty where there is nothing to say."""
    brief: str = ""
    """The reason in a few words without the record's name, equal for records refused alike."""


@dataclass(frozen=True, eq=False)
class Library:
    """Reference spectra on one grid of energies."""

    names: tuple[str, ...]
    """Unique names (n,)."""
    spectra: FloatArray
    """Normalised absorbance (n, E)."""
    table: list[ReadRow]
    """A row of every record that was found."""


@dataclass(frozen=True)
class _Record:
    name: str
    """Its own name or that of its file, made unique."""
    source: str
    """Path of its file in the folder."""
    found: Spectrum | InputError
    """What was read, or why nothing was."""


def read_library(
    path: Path | str,
    grid: ArrayLike,
    *,
    pre_edge: EnergyRange = PRE_EDGE,
    post_edge: EnergyRange = POST_EDGE,
    shifts: Mapping[str, float] | None = None,
    select: Sequence[str] | None = None,
    extrapolate: bool = False,
) -> Library:
    """Return the references in a file or folder, normalised (METHOD 1), on the energies `grid` (E,) in eV.

    `shifts` adds eV to the energies of the records that a pattern names; `select` keeps the records that any
    of its patterns names. A pattern is a folder, or a glob (`*`, `?`) of a file's path in the folder or of a
    record's name. Records come in the order of their paths; equal names get their file's name, then a number.
    A record that cannot be used, or holds the data of an earlier one, is left out and says why in the table.
    InputError: a grid or ranges out of order, a pattern that names nothing, shifts that contradict each
    other, or no record left.
    """
    energies = checked_grid(grid)
    check_ranges(pre_edge, post_edge)
    records = _records(Path(path))
    if select is not None:
        records = _selected(records, select)
    shifts_ev = _shifts_of(records, shifts or {})
    names: list[str] = []
    kept: list[FloatArray] = []
    table: list[ReadRow] = []
    for record, shift in zip(records, shifts_ev, strict=True):
        row, values = _prepared(record, shift, energies, pre_edge, post_edge, extrapolate)
        if values is not None:
            same = next((i for i, other in enumerate(kept) if np.abs(other - values).max() <= SAME), None)
            if same is None:
                names.append(record.name)
                kept.append(values)
            else:
                row = _with_reason(row, "duplicate", f"the same data as {names[same]!r}")
        table.append(row)
    if not kept:
        raise InputError(_nothing_left(path, table))
    return Library(tuple(names), np.array(kept), table)


def _records(path: Path) -> list[_Record]:
    records: list[_Record] = []
    for source, file, kind in spectrum_files(path):
        for found in read_file(file, kind, source):
            name = found.name if isinstance(found, Spectrum) else file.stem
            records.append(_Record(name, source, found))
    if not records:
        raise InputError(f"{path}: no spectra in it; expected XDI, Athena, HDF5, CSV or column files")
    return _with_unique_names(records)


def _with_unique_names(records: list[_Record]) -> list[_Record]:
    times = Counter(record.name for record in records)
    longer = [
        replace(r, name=f"{r.name} ({PurePosixPath(r.source).stem})") if times[r.name] > 1 else r
        for r in records
    ]
    taken: set[str] = set()
    unique: list[_Record] = []
    for record in longer:
        name, number = record.name, 1
        while name in taken:
            number += 1
            name = f"{record.name} {number}"
        taken.add(name)
        unique.append(replace(record, name=name))
    return unique


def _names(pattern: str, record: _Record) -> bool:
    own = (record.source, record.name) + ((record.found.name,) if isinstance(record.found, Spectrum) else ())
    return (
        pattern in own
        or record.source.startswith(pattern.rstrip("/") + "/")
        or any(fnmatchcase(text, pattern) for text in own)
    )


def _refuse_unmatched(patterns: Sequence[str], records: list[_Record], purpose: str) -> None:
    unmatched = [pattern for pattern in patterns if not any(_names(pattern, record) for record in records)]
    if unmatched:
        raise InputError(
            f"{purpose} {', '.join(map(repr, unmatched))} names no reference; expected a folder, or a glob "
            f"of a file's path or a record's name, such as {records[0].source!r} or {records[0].name!r}"
        )


def _selected(records: list[_Record], select: Sequence[str]) -> list[_Record]:
    if not select:
        raise InputError(
            "select is empty; expected at least one pattern, or none at all to take every reference"
        )
    _refuse_unmatched(select, records, "select pattern")
    return [record for record in records if any(_names(pattern, record) for pattern in select)]


def _shifts_of(records: list[_Record], shifts: Mapping[str, float]) -> list[float]:
    _refuse_unmatched(tuple(shifts), records, "energy shift pattern")
    unfit = [pattern for pattern, shift in shifts.items() if not np.isfinite(shift)]
    if unfit:
        raise InputError(f"energy shift of {unfit[0]!r} is {shifts[unfit[0]]}; expected a number of eV")
    chosen: list[float] = []
    for record in records:
        found = {pattern: shift for pattern, shift in shifts.items() if _names(pattern, record)}
        if len(set(found.values())) > 1:
            raise InputError(
                f"{record.source}: energy shifts {found} all name {record.name!r}; expected one; make the "
                "patterns narrower"
            )
        chosen.append(float(next(iter(found.values()), 0.0)))
    return chosen


def _prepared(
    record: _Record,
    shift: float,
    grid: FloatArray,
    pre_edge: EnergyRange,
    post_edge: EnergyRange,
    extrapolate: bool,
) -> tuple[ReadRow, FloatArray | None]:
    row = ReadRow(record.name, record.source, "refused", shift, None, None, "")
    if isinstance(record.found, InputError):
        return _with_reason(row, "refused", str(record.found)), None
    spectrum = replace(record.found, energy=record.found.energy + shift)
    try:
        e0 = find_e0(spectrum, (pre_edge[1], post_edge[0]))
        step = edge_step(spectrum, pre_edge, post_edge, e0)
        row = replace(row, e0_ev=e0, edge_step=step)
        refuse_cut_out(spectrum, step)
        normal = normalise(spectrum, pre_edge, post_edge, e0)
        values = resample(normal, grid, extrapolate)
        refuse_noise(normal, pre_edge, post_edge)
    except InputError as error:
        return _with_reason(row, "refused", str(error), described(spectrum)), None
    held = _held(spectrum, grid)
    return replace(
        row, status="read", reason=held, brief=held.replace("held over", "held").replace("the grid's ", "")
    ), values


def _with_reason(row: ReadRow, status: Status, reason: str, subject: str = "") -> ReadRow:
    """Give a row its status and reason; in brief that is the first clause, without file and subject."""
    own = reason.removeprefix(subject) if subject else reason
    _, at_file, after = own.partition(f"{PurePosixPath(row.source).name}: ")
    brief = (after if at_file else own).split("; ")[0].removeprefix(":").strip()
    return replace(row, status=status, reason=reason, brief=brief)


def _held(spectrum: Spectrum, grid: FloatArray) -> str:
    ends = zip(("start", "end"), missing_ends(spectrum, grid), strict=True)
    return "; ".join(f"held over {gap:.1f} eV at the grid's {end}" for end, gap in ends if gap > 0)


def _nothing_left(path: Path | str, table: list[ReadRow]) -> str:
    reasons = "; ".join(row.reason for row in table[:3])
    more = f"; and {len(table) - 3} more" if len(table) > 3 else ""
    return f"{path}: none of {len(table)} references can be used; expected at least one ({reasons}{more})"
