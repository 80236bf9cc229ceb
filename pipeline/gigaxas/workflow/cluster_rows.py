"""Clusters and components as rows of a table: names, sizes, references, decisions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from scipy.special import ndtr

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.components.decide import Decision
from gigaxas.components.decision_file import Decisions
from gigaxas.components.evidence import ClusterEvidence
from gigaxas.components.flattened import flattened
from gigaxas.report import DIFFERS_BELOW
from gigaxas.report.palette import hue_colours
from gigaxas.sites.distance import cross_distance
from gigaxas.sites.table import distinct_names
from gigaxas.spatial.extents import Extents
from gigaxas.spectra import standardise
from gigaxas.spectra.noise import Noise
from gigaxas.stores.sites import StoredSites
from gigaxas.tiles import Box

NEAREST = 2


@dataclass(frozen=True)
class Near:
    """A reference near to a spectrum."""

    name: str
    """Its name."""
    correlation: float
    """Pearson's r."""
    error: float
    """The s_error of [I] Eq. 1."""


@dataclass(frozen=True, eq=False)
class DecidedCluster:
    """A cluster of the result, as a row of the tables."""

    label: int
    """Its label."""
    name: str
    """That of the nearest reference, or what an expert calls it."""
    pixels: int
    """Pixels of its final label."""
    kept_pixels: int
    """Pixels that its spectrum is the mean of."""
    share: float
    """Its share of all labelled pixels."""
    area_um2: float
    """Its area, in um2."""
    spectrum: FloatArray
    """Its spectrum (E,), normalised absorbance."""
    standard_error: FloatArray
    """The standard error of the spectrum (E,)."""
    near: tuple[Near, ...]
    """The references nearest to it, the nearest first."""
    regions: int
    """Number of its 8-connected regions."""
    box: Box
    """Box round all its pixels."""
    largest: int
    """Pixels of its largest region."""
    largest_box: Box
    """Box round its largest region."""
    decision: Decision
    """What became of it."""
    fit_error: float
    """The s_error between its spectrum and its explanation; NaN where there is none."""


@dataclass(frozen=True, eq=False)
class Component:
    """A component, and how much of the field it is."""

    row: DecidedCluster
    """The cluster that it is."""
    name: str
    """Its name, distinct from those of the others."""
    colour: str
    """Its colour in figure and report, such as #3d8b7d."""
    amount: float
    """The sum of its ratios over all pixels."""
    share: float
    """Its share of the amounts of all components."""
    area_um2: float
    """Its area, in um2: of `amount` pixels."""
    main_pixels: int
    """Pixels in which its ratio is the largest."""


def make_rows(
    clusters: ClusterEvidence,
    decided: Sequence[Decision],
    result: xr.Dataset,
    extents: Extents,
    sites: StoredSites,
    pixel_um: float,
    noise: Noise,
    decisions: Decisions,
) -> list[DecidedCluster]:
    """Return a row for every decision, in their order."""
    pixels = result.pixels.values
    near = nearest_references(clusters.spectra, sites, noise)
    rows = []
    for decision in decided:
        i = int(np.searchsorted(clusters.labels, decision.label))
        at = int(np.searchsorted(extents.labels, decision.label))
        wish = decisions.overrule.get(decision.label)
        rows.append(
            DecidedCluster(
                label=decision.label,
                name=(wish and wish.name) or _name(near[i][0]),
                pixels=int(pixels[i]),
                kept_pixels=int(clusters.pixels[i]),
                share=float(pixels[i] / pixels.sum()),
                area_um2=float(pixels[i] * pixel_um**2),
                spectrum=clusters.spectra[i],
                standard_error=np.sqrt(clusters.variance[i]),
                near=near[i],
                regions=int(extents.regions[at]),
                box=Box(*extents.box[at].tolist()),
                largest=int(extents.largest[at]),
                largest_box=Box(*extents.largest_box[at].tolist()),
                decision=decision,
                fit_error=_fit_error(clusters, decision, i, noise),
            )
        )
    return rows


def make_components(
    rows: Sequence[DecidedCluster], amounts: FloatArray, main: IntArray, pixel_um: float, decisions: Decisions
) -> list[Component]:
    """Return the components among the rows, in their order, with the sums of their ratios (K,)."""
    own = [row for row in rows if row.decision.kind == "component"]
    names = distinct_names([row.name for row in own])
    components = []
    for i, (row, colour) in enumerate(zip(own, hue_colours(len(own)), strict=True)):
        wish = decisions.overrule.get(row.label)
        components.append(
            Component(
                row=row,
                name=names[i],
                colour=(wish and wish.colour) or colour,
                amount=float(amounts[i]),
                share=float(amounts[i] / max(amounts.sum(), 1e-300)),
                area_um2=float(amounts[i] * pixel_um**2),
                main_pixels=int(main[i]),
            )
        )
    return components


def nearest_references(spectra: FloatArray, sites: StoredSites, noise: Noise) -> list[tuple[Near, ...]]:
    """Return, for each spectrum (n, E), the references of the largest Pearson correlation, the best first."""
    correlation = standardise(spectra) @ standardise(sites.references).T
    there, back = cross_distance(spectra, sites.references, noise)
    error = 0.5 * (ndtr(-there) + ndtr(-back))
    order = np.argsort(-correlation, axis=1, kind="stable")[:, :NEAREST]
    return [
        tuple(Near(sites.table.standards[k], float(correlation[i, k]), float(error[i, k])) for k in order[i])
        for i in range(len(spectra))
    ]


def step_record(row: DecidedCluster) -> dict[str, Any]:
    """Return what the decision file says of a cluster, in plain numbers."""
    decision, found = row.decision, row.decision.explanation
    record: dict[str, Any] = {
        "label": row.label,
        "name": row.name,
        "decision": decision.kind,
        "by": "you" if decision.expert else "gigaxas",
        "pixels": row.pixels,
    }
    if decision.kind != "component":
        record["of"] = {
            member: round(weight, 6)
            for member, weight in zip(decision.members, decision.weights, strict=True)
        }
    if found is not None:
        if found.kind == "flattened":
            record |= {"leak": float(f"{found.leak:.6g}"), "leak_error": float(f"{found.leak_error:.3g}")}
        record |= {
            "chi_square": float(f"{found.chi_square:.6g}"),
            "freedom": found.freedom,
            "probability": float(f"{found.probability:.4g}"),
            "s_error": float(f"{row.fit_error:.4g}"),
        }
    return record


def _name(near: Near) -> str:
    """Return the name of a reference, "near" it where noise does not explain the difference."""
    return f"near {near.name}" if near.error < DIFFERS_BELOW else near.name


def _fit_error(clusters: ClusterEvidence, decision: Decision, i: int, noise: Noise) -> float:
    """Return the s_error between a cluster's spectrum and its explanation."""
    if decision.explanation is None:
        return float("nan")
    members = clusters.spectra[np.searchsorted(clusters.labels, decision.members)]
    model = np.array(decision.weights) @ members
    if decision.kind == "flattened":
        model = flattened(clusters, i, members[0])
    there, back = cross_distance(clusters.spectra[[i]], model[None], noise)
    return float(0.5 * (ndtr(-there) + ndtr(-back))[0, 0])
