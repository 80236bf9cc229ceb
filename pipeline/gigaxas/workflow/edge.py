"""The absorption edge of a run, its ranges, and how spectra are normalised there, settled once."""

from typing import Literal

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.schema import Config, Ingest, References
from gigaxas.errors import InputError
from gigaxas.spectra.edges import (
    POST_EDGE,
    PRE_EDGE,
    Edge,
    EdgeRanges,
    edge_ranges,
    edges_within,
    find_edge,
    parse_edge,
)
from gigaxas.spectra.library import typical_spectrum
from gigaxas.spectra.normalisation import MIN_POINTS, Method, check_ranges
from gigaxas.spectra.spectrum import EV, EnergyRange
from gigaxas.stores.cube import CubeInfo, read_tile
from gigaxas.tiles import Tile
from gigaxas.workflow.collection import spectra_at

SLACK = 0.5
"""eV by which an axis may be shorter than the ranges of an edge and still hold them."""
Setting = Literal["lines", "step", "none"]


def resolve_edge(config: Config, energy: FloatArray, cube: CubeInfo | None) -> Config:
    """Return the configuration with its edge, ranges and normalisation, on the energies (E,) of the cube.

    Where there is no edge, or the energies are no photon energies, the ranges stay open and the references
    are taken as they are. Raises InputError for an edge outside the energies, ranges that hold too few of
    them or rest on extrapolation, and a normalisation without an edge.
    """
    edge = _edge_of(config, energy, cube)
    ranges = _ranges_of(config.references, edge, energy)
    wanted = config.references.normalise
    if ranges is None and wanted in ("lines", "step"):
        raise InputError(
            f"references.normalise: {wanted} needs an absorption edge, and none was found from "
            f"{energy[0]:g} to {energy[-1]:g}; name it (edge: Fe K), or give pre_edge and post_edge"
        )
    method = wanted or _setting(edge, ranges)
    settled: dict[str, object] = {"normalise": method}
    if ranges:
        settled |= {"pre_edge": ranges.pre_edge, "post_edge": ranges.post_edge}
    known: dict[str, object] = {
        "edge": edge.setting if edge else None,
        "references": config.references.model_copy(update=settled),
    }
    if config.ingest and config.ingest.is_normalised:
        known["ingest"] = _ingest_at(config.ingest, edge, ranges)
    return config.model_copy(update=known)


def told_edge(config: Config) -> str:
    """Return in words the edge of a settled configuration, its ranges, and how references are normalised."""
    wanted = config.references
    if wanted.pre_edge is None or wanted.post_edge is None:
        return "none in the energies; references are taken as they are"
    name = f"{config.edge:g} eV" if isinstance(config.edge, float) else config.edge
    (a, b), (c, d) = wanted.pre_edge, wanted.post_edge
    return (
        f"{name or 'by its ranges'}: pre-edge {a:g} to {b:g} eV, post-edge {c:g} to {d:g} eV, normalisation "
        f"{wanted.normalise}"
    )


def edge_of(config: Config) -> Edge | None:
    """Return the edge of a settled configuration; None where it has none."""
    return None if config.edge is None else parse_edge(config.edge)


def ranges_of(config: Config) -> EdgeRanges:
    """Return the ranges of a settled configuration. Raises InputError where it has none."""
    before, after = config.references.pre_edge, config.references.post_edge
    if before is None or after is None:
        raise InputError(
            "edge: none was found in the energies, and absorbance is simulated or normalised at one; name it "
            "(edge: Fe K), or give references.pre_edge and references.post_edge"
        )
    return EdgeRanges(before, after)


def method_of(config: Config, setting: Setting | None) -> Method | None:
    """Return how spectra are normalised by a setting, at the edge of the run; None for not at all."""
    assert setting is not None, "the edge is settled first"
    if setting == "none":
        return None
    edge = edge_of(config)
    return "constants" if setting == "step" and edge and edge.method == "constants" else setting


def _edge_of(config: Config, energy: FloatArray, cube: CubeInfo | None) -> Edge | None:
    if config.edge is not None:
        edge = parse_edge(config.edge)
        if not energy[0] < edge.energy < energy[-1]:
            edge_ranges(edge, energy)
        return edge
    if unit_of(config, cube) != EV:
        return None
    before, after = config.references.pre_edge, config.references.post_edge
    if before and after:
        between = [edge for edge in edges_within(energy) if before[1] < edge.energy < after[0]]
        return between[0] if len(between) == 1 else None
    spectrum = _typical(config, energy, cube)
    found = None if spectrum is None else find_edge(energy, spectrum)
    return found or (_only_edge(energy) if _has_edge(config) or _is_around_iron(energy) else None)


def unit_of(config: Config, cube: CubeInfo | None) -> str:
    """Return the unit of a run's energies: eV or 1/cm."""
    if cube:
        return cube.unit
    return (config.ingest and config.ingest.unit) or EV


def _has_edge(config: Config) -> bool:
    """Return whether there is an edge by what the cube is: simulated or normalised absorbance."""
    ingested = config.ingest is not None and config.ingest.is_normalised
    return ingested or config.simulate is not None or config.references.modelled


def _is_around_iron(energy: FloatArray) -> bool:
    """Return whether the axis is that of an iron K measurement: it holds both ranges, and no other K edge."""
    iron = parse_edge("Fe K")
    first, last = iron.energy + PRE_EDGE[0], iron.energy + POST_EDGE[1]
    inside = energy[0] <= first + SLACK and energy[-1] >= last - SLACK
    if not inside or [edge.name for edge in edges_within(energy) if edge.family == "K"] != [iron.name]:
        return False
    try:
        edge_ranges(iron, energy)
    except InputError:
        return False
    return True


def _only_edge(energy: FloatArray) -> Edge | None:
    """Return the one K edge of the axis or, where there is none, its one L3 edge."""
    every = edges_within(energy)
    first = [edge for edge in every if edge.family == every[0].family]
    return first[0] if len(first) == 1 else None


def _typical(config: Config, energy: FloatArray, cube: CubeInfo | None) -> FloatArray | None:
    """Return a spectrum (E,) that shows the edge: of the references' files, or of the middle of a cube."""
    if config.references.path is not None:
        try:
            return typical_spectrum(spectra_at(config.references.path), energy)
        except InputError:
            return None
    return None if cube is None or config.simulate else _middle(cube)


def _middle(cube: CubeInfo) -> FloatArray | None:
    """Return the mean spectrum (E,) of the chunk in the middle of a cube; None where it holds no signal."""
    (height, width), (rows, columns) = cube.plane, cube.chunk
    y, x = height // 2 // rows * rows, width // 2 // columns * columns
    samples = read_tile(cube, Tile(0, 0, y, min(y + rows, height), x, min(x + columns, width)))
    values = samples.reshape(len(samples), -1).astype(np.float64) * cube.scale + cube.offset
    void = samples.reshape(len(samples), -1) == cube.invalid if cube.invalid is not None else False
    good = (np.isfinite(values) & ~np.asarray(void)).all(axis=0)
    return values[:, good].mean(axis=1) if good.any() else None


def _ranges_of(references: References, edge: Edge | None, energy: FloatArray) -> EdgeRanges | None:
    before, after = references.pre_edge, references.post_edge
    if before is None or after is None:
        if edge is None:
            if before or after:
                raise InputError(
                    "references: found one of pre_edge and post_edge, and no edge in the energies; expected "
                    "both, or an edge by its name (edge: Fe K)"
                )
            return None
        found = _where_wanted(references, edge, energy)
        if found is None:
            return None
        before, after = before or found.pre_edge, after or found.post_edge
    check_ranges(before, after)
    for name, span in (("pre_edge", before), ("post_edge", after)):
        _check_range(name, span, energy)
    return EdgeRanges(before, after)


def _where_wanted(references: References, edge: Edge, energy: FloatArray) -> EdgeRanges | None:
    """Return the ranges of an edge; None where nothing is to be normalised and the axis has none."""
    try:
        return edge_ranges(edge, energy)
    except InputError:
        if references.normalise == "none":
            return None
        raise


def _check_range(name: str, span: EnergyRange, energy: FloatArray) -> None:
    points = int(np.count_nonzero((energy >= span[0]) & (energy <= span[1])))
    if points < MIN_POINTS:
        raise InputError(
            f"references.{name}: {points} of the energies from {energy[0]:g} to {energy[-1]:g} eV lie in "
            f"{span[0]:g} to {span[1]:g} eV; expected at least {MIN_POINTS}; leave it out, to have it follow "
            "from the edge, or give a range within the energies"
        )


def _setting(edge: Edge | None, ranges: EdgeRanges | None) -> Setting:
    if ranges is None:
        return "none"
    return "step" if edge and edge.method == "constants" else "lines"


def _ingest_at(ingest: Ingest, edge: Edge | None, ranges: EdgeRanges | None) -> Ingest:
    """Return how pixels are normalised as the cube is made. Raises InputError where there is no edge."""
    fields = ingest.fields
    given = fields.edge if fields else None
    position = given if given is not None or edge is None else edge.position
    if position is None or ranges is None:
        raise InputError(
            f"ingest{'.fields' if fields else ''}: pixels are normalised at an absorption edge, and none was "
            "found in the energies; name it (edge: Fe K)"
        )
    if fields is None:
        return ingest
    soft = edge is not None and edge.method == "constants"
    # one field at a soft edge needs no registration by its edge step, and its white line is all of its signal
    usual = "none" if soft and fields.positions is None else _setting(edge, ranges)
    settled = {"edge": position, "normalise": fields.normalise or usual}
    return ingest.model_copy(update={"fields": fields.model_copy(update=settled)})
