"""Absorption edges by name (tabulated by xraydb), the edge of a spectrum, its pre- and post-edge ranges."""

import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.normalisation import MIN_POINTS, Method, edge_step, find_e0
from gigaxas.spectra.spectrum import EnergyRange, Spectrum

NAME = re.compile(r"([a-z]{1,2})[\s_-]*(k|[lmn][1-7]?)", re.IGNORECASE)
"""An element and a shell, with or without a space."""
LAST_ELEMENT = "Cf"
"""Californium, with which the table of xraydb ends."""
SOFT_K = 1000.0
"""eV: K edges below it are measured over so little before the edge that no line can be fitted there."""
SPLIT = 50.0
"""eV: with L2 so near, L3 has no range of its own after the white lines."""
OXIDE = 13.0
"""eV from a metal's tabulated K edge to where the edge of its oxides rises (Fe K: 7125 eV)."""

PRE_EDGE = (-102.8, -32.0)
"""eV from the edge: at Fe K 7009.2 to 7080 eV, the grid of [I]."""
POST_EDGE = (88.0, 209.2)
"""eV from the edge: at Fe K 7200 to 7321.2 eV."""
FREE_BEFORE = 0.36
"""Share of what lies before the edge that a short axis leaves free, for the foot of the edge."""
FREE_AFTER = 0.6
"""Share of what lies after the edge that a short axis leaves free, for the white line."""
WHITE_LINE = 18.0
"""eV after a K edge that its white line takes: no range begins there."""
L3_FOOT = 3.0
"""eV before L3 that the edge's foot takes."""
L3_WHITE_LINE = 4.2
"""eV from L3 over which its white line rises: far more of a signal than the step after it."""
L2_WHITE_LINE = 6.0
"""eV after L2 that its white line takes."""
SHALLOW = 40.0
"""eV: edges below it belong to valence bands."""
LEAST_SPAN: dict[Method, EnergyRange] = {"lines": (8.0, 12.0), "step": (8.0, 12.0), "constants": (1.0, 2.0)}
"""eV that the ranges before and after an edge are long at least."""
L_SPAN = (30.0, 40.0)
"""eV: the ranges of an L edge reach at most so far before L3 and after L2."""

RISES: dict[str, EnergyRange] = {"K": (-5.0, 25.0), "L": (-3.0, 8.0)}
"""eV from a tabulated edge within which a compound's edge rises."""
LEAST_SHARE: dict[Method, float] = {"lines": 0.2, "step": 0.2, "constants": 0.02}
"""Share of a spectrum's range of values that an edge step has at least; a peak has none."""


@dataclass(frozen=True)
class Edge:
    """An absorption edge."""

    name: str
    """Element and shell, as "Fe K" or "Fe L3"; the energy where it was given as a number."""
    energy: float
    """Tabulated energy in eV."""
    family: Literal["K", "L"]
    """The shell; an edge given as a number counts as a K edge."""
    l2: float | None = None
    """Energy in eV of the L2 edge that follows an L3 edge."""
    position: float = 0.0
    """Energy in eV at which the edge step is taken."""

    @property
    def setting(self) -> str | float:
        """What a configuration calls it: its name, or its energy in eV where it has none."""
        return self.energy if self.name.endswith(" eV") else self.name

    @property
    def method(self) -> Method:
        """How spectra are normalised: lines, or constants at soft edges."""
        split = self.l2 is not None and self.l2 - self.energy < SPLIT
        return "constants" if split or (self.family == "K" and self.energy < SOFT_K) else "lines"


class EdgeRanges(NamedTuple):
    """What lies before and what lies after an edge."""

    pre_edge: EnergyRange
    """Low and high in eV."""
    post_edge: EnergyRange
    """Low and high in eV."""


def parse_edge(edge: str | float) -> Edge:
    """Return an edge by its name ("Fe K", "FeL3"; "L" is L3) or its energy in eV.

    Raises InputError for a name that the table does not hold, or an energy that is not positive.
    """
    if isinstance(edge, int | float):
        if not 0 < edge < np.inf:
            raise InputError(f"edge: {edge:g}; expected a name such as Fe K, or an energy in eV above 0")
        return Edge(f"{edge:g} eV", float(edge), "K", position=float(edge))
    if re.fullmatch(r"\s*\d+(\.\d*)?\s*(eV)?\s*", edge, re.IGNORECASE):
        return parse_edge(float(re.sub(r"(?i)\s*ev", "", edge)))
    parts = NAME.fullmatch(edge.strip())
    element = parts[1].capitalize() if parts else ""
    known = _tabulated(element)
    if not parts or not known:
        raise InputError(
            f"edge: {edge!r} names no edge; expected an element from H to {LAST_ELEMENT} with its edge, such "
            "as Fe K, Ni K or Fe L3, or an energy in eV"
        )
    shell = "L3" if parts[2].upper() == "L" else parts[2].upper()
    if shell not in known:
        there = ", ".join(f"{element} {name} ({energy:g} eV)" for name, energy in known.items())
        raise InputError(f"edge: {edge!r} is not among the edges that are known here; expected {there}")
    return _edge(element, shell, known)


def edges_within(energy: FloatArray) -> list[Edge]:
    """Return the K edges, then the L3 edges, that an axis (E,) in eV has usable ranges for, by energy."""
    found = [edge for edge in _all_edges() if energy[0] < edge.energy < energy[-1] and _fits(edge, energy)]
    return sorted(found, key=lambda edge: (edge.family, edge.energy))


def find_edge(energy: FloatArray, spectrum: FloatArray) -> Edge | None:
    """Return the edge that a mean spectrum (E,) has at its steepest rise, on rising energies (E,) in eV.

    K edges come before L3 edges. None where no tabulated edge is near that rise, or no step stands out there:
    a peak that comes back to where it began is no edge.
    """
    mean = Spectrum("mean spectrum", energy, spectrum)
    try:
        rise = find_e0(mean, (float(energy[1]), float(energy[-2])))
    except InputError:
        return None
    near = [edge for edge in edges_within(energy) if _is_near(rise, edge) and _steps(mean, edge)]
    return min(near, key=lambda edge: (edge.family, abs(edge.energy - rise)), default=None)


def edge_ranges(edge: Edge, energy: FloatArray) -> EdgeRanges:
    """Return the pre- and the post-edge range of an edge on an axis (E,) of rising energies in eV.

    On an axis that is long enough they reach from 102.8 to 32 eV before a K edge and from 88 to 209.2 eV
    after it; on a shorter one they shrink with what there is. At an L edge they end 3 eV before L3 and begin
    6 eV after L2. Raises InputError where the edge lies outside the axis, or an end of the axis is so near to
    it that normalisation would rest on extrapolation.
    """
    first, last = float(energy[0]), float(energy[-1])
    if not first < edge.energy < last:
        raise InputError(
            f"edge: {edge.name} lies at {edge.energy:g} eV, the energies run from {first:g} to {last:g} eV; "
            "expected it among them; check the name of the edge and the unit of the energies"
        )
    ranges = _l_ranges if edge.method == "constants" and edge.l2 else _k_ranges
    found = ranges(edge, first, last)
    for name, span, least in zip(
        ("before", "after"), (found.pre_edge, found.post_edge), LEAST_SPAN[edge.method], strict=True
    ):
        points = int(np.count_nonzero((energy >= span[0]) & (energy <= span[1])))
        if points < MIN_POINTS or span[1] - span[0] < least:
            raise InputError(
                f"edge: {points} energies over {max(0.0, span[1] - span[0]):.3g} eV lie {name} {edge.name} "
                f"({edge.energy:g} eV) and clear of it on an axis from {first:g} to {last:g} eV; expected "
                f"{MIN_POINTS} over {least:g} eV, or normalisation rests on extrapolation; measure further, "
                "or set references.normalise: none"
            )
    return found


def _k_ranges(edge: Edge, first: float, last: float) -> EdgeRanges:
    if edge.l2:
        last = min(last, edge.l2 - L_SPAN[0])
    free = min(-PRE_EDGE[1], FREE_BEFORE * (edge.energy - first))
    after = max(WHITE_LINE, min(POST_EDGE[0], FREE_AFTER * (last - edge.energy)))
    return EdgeRanges(
        (max(first, edge.energy + PRE_EDGE[0]), edge.energy - free),
        (edge.energy + after, min(last, edge.energy + POST_EDGE[1])),
    )


def rise(edge: Edge, ranges: EdgeRanges) -> EnergyRange:
    """Return where (low, high) in eV an edge shows most: after it, or in the white line of a soft L3."""
    if edge.method == "constants" and edge.l2:
        return edge.energy, edge.energy + L3_WHITE_LINE
    return ranges.post_edge


def _l_ranges(edge: Edge, first: float, last: float) -> EdgeRanges:
    assert edge.l2 is not None
    return EdgeRanges(
        (max(first, edge.energy - L_SPAN[0]), edge.energy - L3_FOOT),
        (edge.l2 + L2_WHITE_LINE, min(last, edge.l2 + L_SPAN[1])),
    )


def _tabulated(element: str) -> dict[str, float]:
    """Return the energies in eV of an element's deep K and L3 edges; empty for what is no element."""
    found = _all_levels().get(element, {})
    energies = {shell: found[shell] for shell in ("K", "L3") if shell in found}
    return {shell: energy for shell, energy in energies.items() if energy >= SHALLOW}


@cache
def _all_levels() -> dict[str, dict[str, float]]:
    """Return the energies in eV of all levels that xraydb tabulates, by element and level.

    Its database is read as it lies there: xraydb itself loads SQLAlchemy, which takes a second.
    """
    package = find_spec("xraydb")
    assert package is not None
    assert package.submodule_search_locations is not None
    table = Path(package.submodule_search_locations[0]) / "xraydb.sqlite"
    levels: dict[str, dict[str, float]] = {}
    with closing(sqlite3.connect(f"{table.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
        rows = database.execute("SELECT element, iupac_symbol, absorption_edge FROM xray_levels ORDER BY id")
        for element, level, energy in rows:
            levels.setdefault(element, {})[level] = float(energy)
    return levels


def _edge(element: str, shell: str, known: dict[str, float]) -> Edge:
    name, energy = f"{element} {shell}", known[shell]
    if shell == "K":
        return Edge(name, energy, "K", position=energy + (OXIDE if energy >= SOFT_K else 0.0))
    return Edge(name, energy, "L", _all_levels()[element]["L2"], energy)


@cache
def _all_edges() -> tuple[Edge, ...]:
    tables = {element: _tabulated(element) for element in _all_levels()}
    return tuple(_edge(element, shell, known) for element, known in tables.items() for shell in known)


def _fits(edge: Edge, energy: FloatArray) -> bool:
    try:
        edge_ranges(edge, energy)
    except InputError:
        return False
    return True


def _is_near(rise: float, edge: Edge) -> bool:
    low, high = RISES[edge.family]
    return low <= rise - edge.energy <= high


def _steps(mean: Spectrum, edge: Edge) -> bool:
    """Return whether the step over an edge stands out of the noise and of the peaks beside it."""
    ranges = edge_ranges(edge, mean.energy)
    try:
        step = edge_step(mean, ranges.pre_edge, ranges.post_edge, edge.position, edge.method)
    except InputError:
        return False
    return step >= LEAST_SHARE[edge.method] * float(np.ptp(mean.mu))
