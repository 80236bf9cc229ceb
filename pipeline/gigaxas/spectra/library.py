"""A folder of reference spectra made into a library on the cube's grid, and a report of every record."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from operator import attrgetter
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.edges import Edge, edge_ranges
from gigaxas.spectra.normalisation import (
    POST_EDGE,
    PRE_EDGE,
    Method,
    check_ranges,
    edge_step,
    find_e0,
    is_normalised,
    normalise,
)
from gigaxas.spectra.quality import refuse_cut_out, refuse_noise
from gigaxas.spectra.readers.formats import Found, read_file, spectrum_files
from gigaxas.spectra.resampling import checked_grid, missing_ends, resample
from gigaxas.spectra.spectrum import EV, WAVENUMBER, EnergyRange, NoSpectrum, Spectrum, described

Status = Literal["read", "refused", "duplicate", "no spectrum"]
Source = Path | str | Sequence[Found]
"""Where references come from: a file, a folder, or what has been read already."""

SAME = 1e-3
"""Share of the edge step: repeats of a measurement differ by 6 times that, copies of a file by 1e-11."""


@dataclass(frozen=True)
class ReadRow:
    """What became of one record of the files."""

    name: str
    """Name of the record, made unique; of a file without a spectrum, the file's."""
    source: str
    """Path of its file in the folder."""
    status: Status
    """Whether it was read, refused, the same as an earlier one, or a file that holds no spectrum."""
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
    own: tuple[Spectrum, ...]
    """The same spectra (n,) on their own energies."""
    table: list[ReadRow]
    """A row of every record that was found."""


@dataclass(frozen=True)
class _Grid:
    """What records are brought to."""

    energy: FloatArray
    """Energies (E,) in `unit`."""
    unit: str
    """eV, or 1/cm."""
    pre_edge: EnergyRange
    """Low and high in eV."""
    post_edge: EnergyRange
    """Low and high in eV."""
    method: Method | None
    """How they are normalised; None for not at all."""
    edge: Edge | None
    """The edge; None where nothing but its ranges is known."""
    extrapolate: bool
    """Whether the end values of a spectrum stand for energies that it does not cover."""


@dataclass(frozen=True)
class _Record:
    name: str
    """Its own name or that of its file, made unique among all records."""
    source: str
    """Path of its file in the folder."""
    found: Found
    """What was read, or why nothing was."""


def read_library(
    source: Source,
    grid: ArrayLike,
    *,
    unit: str = EV,
    pre_edge: EnergyRange = PRE_EDGE,
    post_edge: EnergyRange = POST_EDGE,
    method: Method | None = "lines",
    edge: Edge | None = None,
    shifts: Mapping[str, float] | None = None,
    select: Sequence[str] | None = None,
    extrapolate: bool = False,
) -> Library:
    """Return the references of a source, normalised (METHOD 1), on the energies `grid` (E,) in `unit`.

    `method` None takes them as they are. One that is normalised already, as its own ranges about `edge` show,
    is left alone: a short grid would show its EXAFS as a slope.
    `shifts` adds eV to the energies of the records that a pattern names; `select` keeps the records that any
    of its patterns names. A pattern is a folder, or a glob (`*`, `?`) of a file's path in the folder or of a
    record's name. Records come in the order of their paths; equal names get their file's name, then a number.
    A record that cannot be used, or holds the data of an earlier one, is left out and says why in the table,
    and so does a file that holds no spectrum. InputError: a grid or ranges out of order, a pattern that names
    nothing, shifts that contradict each other, or no record left.
    """
    on = _Grid(checked_grid(grid), unit, pre_edge, post_edge, method, edge, extrapolate)
    check_ranges(pre_edge, post_edge)
    records = _records(source)
    if select is not None:
        records = _with_unique_names(_selected(records, select))
    shifts_ev = _shifts_of(records, shifts or {})
    names: list[str] = []
    kept: list[FloatArray] = []
    own: list[Spectrum] = []
    table: list[ReadRow] = []
    for record, shift in zip(records, shifts_ev, strict=True):
        row, usable = _prepared(record, shift, on)
        if usable is not None:
            normal, values = usable
            limit = SAME * (1.0 if method else float(np.ptp(values)))
            same = next((i for i, other in enumerate(kept) if np.abs(other - values).max() <= limit), None)
            if same is None:
                names.append(record.name)
                kept.append(values)
                own.append(normal)
            else:
                row = _with_reason(row, "duplicate", f"the same data as {names[same]!r}")
        table.append(row)
    if not kept:
        raise InputError(_nothing_left(source, table))
    return Library(tuple(names), np.array(kept), tuple(own), table)


def typical_spectrum(source: Source, grid: FloatArray) -> FloatArray | None:
    """Return the median (E,) of a library's spectra, each scaled to 0 to 1, on the energies (E,) in eV.

    They are not normalised, and held at their ends where they are shorter. None where no record spans half of
    the grid.
    """
    found = [record.found for record in _records(source)]
    spectra = [item for item in found if isinstance(item, Spectrum) and item.unit == EV and np.ptp(item.mu)]
    ends = [(max(grid[0], item.energy[0]), min(grid[-1], item.energy[-1])) for item in spectra]
    values = [
        np.interp(grid, item.energy, (item.mu - item.mu.min()) / np.ptp(item.mu))
        for item, (low, high) in zip(spectra, ends, strict=True)
        if high - low >= (grid[-1] - grid[0]) / 2
    ]
    return np.median(values, axis=0) if values else None


def _records(source: Source) -> list[_Record]:
    """Return the records of a source, and its files without a spectrum, under names that are unique."""
    if isinstance(source, Path | str):
        found = [
            (inside, item)
            for inside, file in spectrum_files(Path(source))
            for item in read_file(file, inside)
        ]
    else:
        found = [(item.source if isinstance(item, Spectrum) else "", item) for item in source]
    records = [_Record(_own_name(inside, item), inside, item) for inside, item in found]
    if all(isinstance(item, NoSpectrum) for _, item in found):
        reasons = "".join(f"; {item}" for _, item in found[:3])
        raise InputError(
            f"{source}: no spectra in it; expected XDI, Athena, HDF5, CSV or column files{reasons}"
        )
    return _with_unique_names(records)


def _own_name(source: str, found: Found) -> str:
    if isinstance(found, Spectrum):
        return found.name
    path = PurePosixPath(source)
    return path.name if isinstance(found, NoSpectrum) else path.stem


def _with_unique_names(records: list[_Record]) -> list[_Record]:
    """Give equal names what tells their files apart, and a number where they come from one file."""
    named = [replace(record, name=_own_name(record.source, record.found)) for record in records]
    alike: dict[str, set[str]] = defaultdict(set)
    times = Counter(record.name for record in named)
    for record in named:
        alike[record.name].add(record.source)
    taken: set[str] = set()
    unique: list[_Record] = []
    for record in named:
        name, number = record.name, 1
        if times[name] > 1:
            name = f"{name} ({_telling(record.source, alike[name])})"
        longer = name
        while name in taken:
            number += 1
            name = f"{longer} {number}"
        taken.add(name)
        unique.append(replace(record, name=name))
    return unique


def _telling(source: str, alike: Set[str]) -> str:
    """Return the shortest that tells a file from the others: its stem, its name, or its path."""
    path = PurePosixPath(source)
    for short in (attrgetter("stem"), attrgetter("name")):
        if sum(short(PurePosixPath(other)) == short(path) for other in alike) == 1:
            return str(short(path))
    return source


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
        first = min(records, key=lambda record: isinstance(record.found, NoSpectrum))
        raise InputError(
            f"{purpose} {', '.join(map(repr, unmatched))} names no reference; expected a folder, or a glob "
            f"of a file's path or a record's name, such as {first.source!r} or {first.name!r}"
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


def _prepared(record: _Record, shift: float, on: _Grid) -> tuple[ReadRow, tuple[Spectrum, FloatArray] | None]:
    """Return what became of a record, and its spectrum as it is to be compared, on both energies."""
    row = ReadRow(record.name, record.source, "refused", shift, None, None, "")
    if isinstance(record.found, InputError):
        status: Status = "no spectrum" if isinstance(record.found, NoSpectrum) else "refused"
        return _with_reason(row, status, str(record.found)), None
    if record.found.unit == WAVENUMBER != on.unit:
        return _with_reason(
            row, "refused", f"energies in {WAVENUMBER}; expected {on.unit}, as the image has"
        ), None
    spectrum = replace(record.found, energy=record.found.energy + shift)
    try:
        if on.method:
            e0 = find_e0(spectrum, (on.pre_edge[1], on.post_edge[0]))
            step = edge_step(spectrum, on.pre_edge, on.post_edge, e0, on.method)
            row = replace(row, e0_ev=e0, edge_step=step)
        normal, note = _normalised(spectrum, row, on)
        values = resample(normal, on.energy, on.extrapolate)
        if on.method:
            refuse_noise(normal, on.pre_edge, on.post_edge, _height(normal, on.method))
    except InputError as error:
        return _with_reason(row, "refused", str(error), described(spectrum)), None
    held = _held(spectrum, on.energy)
    brief = held.replace("held over", "held").replace("the grid's ", "")
    reason, brief = ("; ".join(filter(None, (note, text))) for text in (held, brief))
    return replace(row, status="read", reason=reason, brief=brief), (normal, values)


def _normalised(spectrum: Spectrum, row: ReadRow, on: _Grid) -> tuple[Spectrum, str]:
    """Return the spectrum as it is to be compared, and a note where it was normalised already."""
    if on.method is None or row.edge_step is None:
        if np.ptp(spectrum.mu) == 0:
            raise InputError(f"{described(spectrum)}: the same at every energy; expected a spectrum")
        return spectrum, ""
    refuse_cut_out(spectrum, row.edge_step)
    if is_normalised(spectrum, *_own_ranges(spectrum, on)):
        return spectrum, "normalised already"
    return normalise(spectrum, on.pre_edge, on.post_edge, row.e0_ev, on.method), ""


def _own_ranges(spectrum: Spectrum, on: _Grid) -> tuple[EnergyRange, EnergyRange]:
    """Return the ranges that the edge has on a spectrum's own energies, else those of the grid."""
    try:
        return edge_ranges(on.edge, spectrum.energy) if on.edge else (on.pre_edge, on.post_edge)
    except InputError:
        return on.pre_edge, on.post_edge


def _height(normal: Spectrum, method: Method) -> float:
    """Return what noise is held against: the edge step, or the much higher white line of a soft edge."""
    return float(np.ptp(normal.mu)) if method == "constants" else 1.0


def _with_reason(row: ReadRow, status: Status, reason: str, subject: str = "") -> ReadRow:
    """Give a row its status and reason; in brief that is the first clause, without file and subject."""
    own = reason.removeprefix(subject) if subject else reason
    _, at_file, after = own.partition(f"{PurePosixPath(row.source).name}: ")
    brief = (after if at_file else own).split("; ")[0].removeprefix(":").strip()
    return replace(row, status=status, reason=reason, brief=brief)


def _held(spectrum: Spectrum, grid: FloatArray) -> str:
    ends = zip(("start", "end"), missing_ends(spectrum, grid), strict=True)
    return "; ".join(f"held over {gap:.1f} eV at the grid's {end}" for end, gap in ends if gap > 0)


def _nothing_left(source: Source, table: list[ReadRow]) -> str:
    place = source if isinstance(source, Path | str) else table[0].source
    table = [row for row in table if row.status != "no spectrum"] or table
    reasons = "; ".join(row.reason for row in table[:3])
    more = f"; and {len(table) - 3} more" if len(table) > 3 else ""
    return f"{place}: none of {len(table)} references can be used; expected at least one ({reasons}{more})"
