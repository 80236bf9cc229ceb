"""What a library of reference spectra covers: edges, ranges, copies, and spectra that do not fit."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError, unwritable
from gigaxas.report.references import EdgePanel, write_references_picture
from gigaxas.search.product import fit_product
from gigaxas.sites.table import distinct_names
from gigaxas.spectra import Spectrum, normalise, standardise
from gigaxas.spectra.edges import Edge, edge_ranges, edges_within, find_edge
from gigaxas.spectra.library import SAME
from gigaxas.spectra.normalisation import edge_step, find_e0, is_normalised
from gigaxas.spectra.quality import refuse_cut_out, refuse_noise
from gigaxas.spectra.spectrum import EV, NoSpectrum
from gigaxas.stores.io.files import Columns, publish_table
from gigaxas.workflow.collection import read_collection

Status = Literal["fits", "copy", "misfit", "refused"]
NEAR_EDGE, STEP_EV = (-20.0, 80.0), 0.5
"""Where spectra of one edge are compared, in eV about it, and how finely."""
ABOUT_EDGE = (-150.0, 250.0)
"""eV about the steepest rise in which an edge is looked for."""
LEAST_LIKE = 0.8
"""Correlation with the nearest other spectrum below which one is a misfit; metal and oxide have 0.88."""
COARSEST = 2.5
"""eV between samples at the edge; more is too coarse for the shape of an edge."""
FEWEST = 3
"""Spectra of an edge of which one can be the odd one out."""


@dataclass(frozen=True)
class CoverRow:
    """What one record of a library holds."""

    name: str
    """Its name, made unique."""
    source: str
    """Its file."""
    status: Status
    """Whether it fits the others, is the copy of one, does not fit, or cannot be read."""
    edge: str = ""
    """Its absorption edge, as Fe K; empty where none was found."""
    e0_ev: float | None = None
    """Energy of its steepest rise, eV."""
    first: float = np.nan
    """First energy, in the unit of its file; NaN where it cannot be read."""
    last: float = np.nan
    """Last energy."""
    points: int = 0
    """Number of energies."""
    spacing_ev: float | None = None
    """Median step of the energies at the edge, eV."""
    edge_step: float | None = None
    """Edge step as measured."""
    normalised: bool = False
    """Whether it was normalised already."""
    nearest: str = ""
    """The most similar other spectrum of its edge."""
    correlation: float | None = None
    """Pearson correlation with it, from 20 eV before the edge to 80 eV after it."""
    reason: str = ""
    """Why it does not fit, or what it is a copy of."""


@dataclass(frozen=True, eq=False)
class Coverage:
    """What a library covers."""

    path: str
    """Its file or folder."""
    rows: tuple[CoverRow, ...]
    """Its records, edge by edge."""
    panels: tuple[EdgePanel, ...]
    """Normalised spectra of every edge."""


@dataclass(frozen=True, eq=False)
class _Known:
    """A spectrum whose edge is known."""

    row: CoverRow
    edge: Edge
    normal: Spectrum


def cover(path: Path) -> Coverage:
    """Look at every spectrum of a file, folder or Zarr library. Raises InputError where there is none."""
    found = [item for item in read_collection(path) if not isinstance(item, NoSpectrum)]
    names = distinct_names([item.name if isinstance(item, Spectrum) else "" for item in found])
    looked = [_look(item, name) for item, name in zip(found, names, strict=True)]
    known = [each for each in looked if isinstance(each, _Known)]
    rows: list[CoverRow] = []
    panels: list[EdgePanel] = []
    for edge in sorted({each.edge.name for each in known}):
        members = [each for each in known if each.edge.name == edge]
        judged = _judged(members)
        rows += judged
        panels.append(_panel(edge, members, judged))
    rows += [each for each in looked if isinstance(each, CoverRow)]
    return Coverage(str(path), tuple(rows), tuple(panels))


def write_coverage(folder: Path, found: Coverage) -> list[Path]:
    """Write references.csv and, where there are edges, references.png and .svg. RunError: they cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    table = folder / "references.csv"
    publish_table(table, COLUMNS, found.rows)
    pictures = [folder / f"references.{ending}" for ending in ("png", "svg")] if found.panels else []
    for picture in pictures:
        write_references_picture(picture, found.panels)
    return [table, *pictures]


COLUMNS: Columns[CoverRow] = {
    "name": lambda row: row.name,
    "source": lambda row: row.source,
    "status": lambda row: row.status,
    "element": lambda row: row.edge.partition(" ")[0],
    "edge": lambda row: row.edge,
    "e0_ev": lambda row: "" if row.e0_ev is None else f"{row.e0_ev:.2f}",
    "first": lambda row: f"{row.first:.6g}" if row.points else "",
    "last": lambda row: f"{row.last:.6g}" if row.points else "",
    "points": lambda row: row.points,
    "spacing_ev": lambda row: "" if row.spacing_ev is None else f"{row.spacing_ev:.3g}",
    "edge_step": lambda row: "" if row.edge_step is None else f"{row.edge_step:.4g}",
    "normalised": lambda row: "yes" if row.normalised else "no",
    "nearest": lambda row: row.nearest,
    "correlation": lambda row: "" if row.correlation is None else f"{row.correlation:.6f}",
    "reason": lambda row: row.reason,
}


def _look(item: Spectrum | InputError, name: str) -> CoverRow | _Known:
    """Return a spectrum with its edge, or the row of one that has none or cannot be read."""
    if isinstance(item, InputError):
        place, _, why = str(item).partition(": ")
        return CoverRow(Path(place).name, place, "refused", reason=why)
    energy, source = item.energy, Path(item.source).name
    row = CoverRow(name, source, "fits", "", None, float(energy[0]), float(energy[-1]), energy.size)
    if item.unit != EV:
        return replace(row, reason=f"energies in {item.unit}")
    edge = _edge_of(item)
    if edge is None:
        return replace(row, status="misfit", reason=_why_no_edge(item))
    row = replace(row, edge=edge.name)
    try:
        return _normalised(row, edge, item)
    except InputError as error:
        return replace(row, status="refused", reason=str(error).partition(": ")[2] or str(error))


def _edge_of(spectrum: Spectrum) -> Edge | None:
    """Return the edge at the steepest rise; a background far beyond it counts as no part of its shape."""
    energy = spectrum.energy
    try:
        rise = find_e0(spectrum, (float(energy[1]), float(energy[-2])))
    except InputError:
        return None
    near = (energy >= rise + ABOUT_EDGE[0]) & (energy <= rise + ABOUT_EDGE[1])
    return find_edge(energy[near], spectrum.mu[near])


def _why_no_edge(spectrum: Spectrum) -> str:
    energy = spectrum.energy
    known = edges_within(energy)
    if not known:
        return f"no tabulated edge between {energy[0]:g} and {energy[-1]:g} eV with room before and after it"
    try:
        rise = find_e0(spectrum, (float(energy[1]), float(energy[-2])))
    except InputError:
        return "falls where an edge would rise; look at its columns"
    near = min(known, key=lambda edge: abs(edge.energy - rise))
    return (
        f"rises most steeply at {rise:.1f} eV, {rise - near.energy:+.1f} eV from {near.name}, and has no "
        "edge there; look at its energies and for jumps"
    )


def _normalised(row: CoverRow, edge: Edge, spectrum: Spectrum) -> _Known:
    ranges = edge_ranges(edge, spectrum.energy)
    e0 = find_e0(spectrum, (ranges.pre_edge[1], ranges.post_edge[0]))
    step = edge_step(spectrum, *ranges, e0, edge.method)
    refuse_cut_out(spectrum, step)
    done = is_normalised(spectrum, *ranges)
    normal = spectrum if done else normalise(spectrum, *ranges, e0, edge.method)
    refuse_noise(normal, *ranges, float(np.ptp(normal.mu)) if edge.method == "constants" else 1.0)
    near = np.abs(spectrum.energy - e0) <= -NEAR_EDGE[0]
    spacing = float(np.median(np.diff(spectrum.energy[near]))) if near.sum() > 1 else np.inf
    row = replace(row, e0_ev=e0, edge_step=step, normalised=done, spacing_ev=spacing)
    return _Known(row, edge, normal)


def _judged(members: list[_Known]) -> list[CoverRow]:
    """Return the rows of the spectra of one edge: nearest others, copies, and what does not fit."""
    edge = members[0].edge.energy
    grid = np.arange(edge + NEAR_EDGE[0], edge + NEAR_EDGE[1], STEP_EV)
    values = np.array([np.interp(grid, each.normal.energy, each.normal.mu) for each in members])
    nearest, correlation = _nearest(values)
    rows = []
    for i, each in enumerate(members):
        row = each.row
        if nearest is not None and correlation is not None:
            other = members[int(nearest[i])].row.name
            row = replace(row, nearest=other, correlation=float(correlation[i]))
        same = np.flatnonzero(np.abs(values[:i] - values[i]).max(axis=1) <= SAME) if i else np.empty(0, int)
        if same.size:
            row = replace(row, status="copy", reason=f"the same data as {members[int(same[0])].row.name!r}")
        elif why := _why_misfit(row, len(members)):
            row = replace(row, status="misfit", reason=why)
        rows.append(row)
    return rows


def _nearest(values: FloatArray) -> tuple[FloatArray | None, FloatArray | None]:
    """Return the nearest other spectrum (n,) of every one of values (n, E), and the correlation with it."""
    if len(values) < 2:
        return None, None
    shapes = standardise(values)
    found = fit_product(shapes).query(shapes, k=2)
    own = np.arange(len(values))
    nearest = np.where(found.index[:, 0] == own, found.index[:, 1], found.index[:, 0])
    return nearest, np.einsum("ne,ne->n", shapes, shapes[nearest])


def _why_misfit(row: CoverRow, count: int) -> str:
    if row.spacing_ev is not None and row.spacing_ev > COARSEST:
        return f"steps of {row.spacing_ev:.2g} eV at the edge; too coarse for its shape"
    if count < FEWEST:
        return ""
    if row.correlation is not None and row.correlation < LEAST_LIKE:
        return f"unlike every other of {row.edge}; look at its edge and its normalisation"
    return ""


def _panel(edge: str, members: list[_Known], rows: list[CoverRow]) -> EdgePanel:
    middle = float(np.median([row.e0_ev for row in rows if row.e0_ev is not None]))
    curves = tuple((each.normal.energy, each.normal.mu) for each in members)
    return EdgePanel(edge, middle, tuple(row.name for row in rows), curves, tuple(row.status for row in rows))
