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
from gigaxas.components.evidence import Clusters
from gigaxas.components.flattened import flattened
from gigaxas.report import DIFFERS_BELOW
from gigaxas.report.palette import hue_colours
from gigaxas.sites.distance import cross_distance
from gigaxas.sites.table import distinct_names
from gigaxas.spatial.extents import Extents
from gigaxas.spectra import standardise
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores.sites import StoredSites

NEAREST = 2


@dataclass(frozen=True)
class Near:
    """A reference near to a spectrum: Pearson's r, and the s_error of [I] Eq. 1."""

    name: str
    correlation: float
    error: float


@dataclass(frozen=True, eq=False)
class Row:
    """A cluster: its size, its reach, its spectrum (E,), the references nearest to it, its decision.

    `fit_error` is the s_error between the spectrum and its explanation; NaN for a component and where an
    expert merged it.
    """

    label: int
    name: str
    pixels: int
    kept_pixels: int
    share: float
    area_um2: float
    spectrum: FloatArray
    standard_error: FloatArray
    near: tuple[Near, ...]
    regions: int
    box: tuple[int, ...]
    largest: int
    largest_box: tuple[int, ...]
    decision: Decision
    fit_error: float


@dataclass(frozen=True, eq=False)
class Component:
    """A component: its cluster, its name and colour, and how much of the field it is.

    `amount` is the sum of its ratios over all pixels, `main_pixels` counts those where it is the largest.
    """

    row: Row
    name: str
    colour: str
    amount: float
    share: float
    area_um2: float
    main_pixels: int


def make_rows(
    clusters: Clusters,
    decided: Sequence[Decision],
    result: xr.Dataset,
    extents: Extents,
    sites: StoredSites,
    pixel_um: float,
    noise: NoiseModel,
    decisions: Decisions,
) -> list[Row]:
    """Return a row for every decision, in their order."""
    pixels = result.pixels.values
    near = nearest_references(clusters.spectra, sites, noise)
    rows = []
    for decision in decided:
        i = int(np.searchsorted(clusters.labels, decision.label))
        reach = int(np.searchsorted(extents.labels, decision.label))
        wish = decisions.overrule.get(decision.label)
        rows.append(
            Row(
                label=decision.label,
                name=(wish and wish.name) or _name(near[i][0]),
                pixels=int(pixels[i]),
                kept_pixels=int(clusters.pixels[i]),
                share=float(pixels[i] / pixels.sum()),
                area_um2=float(pixels[i] * pixel_um**2),
                spectrum=clusters.spectra[i],
                standard_error=np.sqrt(clusters.variance[i]),
                near=near[i],
                regions=int(extents.regions[reach]),
                box=tuple(extents.box[reach].tolist()),
                largest=int(extents.largest[reach]),
                largest_box=tuple(extents.largest_box[reach].tolist()),
                decision=decision,
                fit_error=_fit_error(clusters, decision, i, noise),
            )
        )
    return rows


def make_components(
    rows: Sequence[Row], amounts: FloatArray, main: IntArray, pixel_um: float, decisions: Decisions
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


def nearest_references(spectra: FloatArray, sites: StoredSites, noise: NoiseModel) -> list[tuple[Near, ...]]:
    """Return, for each spectrum (n, E), the references of the largest Pearson correlation, the best first."""
    correlation = standardise(spectra) @ standardise(sites.references).T
    there, back = cross_distance(spectra, sites.references, noise)
    error = 0.5 * (ndtr(-there) + ndtr(-back))
    order = np.argsort(-correlation, axis=1, kind="stable")[:, :NEAREST]
    return [
        tuple(Near(sites.table.standards[k], float(correlation[i, k]), float(error[i, k])) for k in order[i])
        for i in range(len(spectra))
    ]


def step_record(row: Row) -> dict[str, Any]:
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


def _fit_error(clusters: Clusters, decision: Decision, i: int, noise: NoiseModel) -> float:
    """Return the s_error between a cluster's spectrum and its explanation."""
    if decision.explanation is None:
        return float("nan")
    members = clusters.spectra[np.searchsorted(clusters.labels, decision.members)]
    model = np.array(decision.weights) @ members
    if decision.kind == "flattened":
        model = flattened(clusters, i, members[0])
    there, back = cross_distance(clusters.spectra[[i]], model[None], noise)
    return float(0.5 * (ndtr(-there) + ndtr(-back))[0, 0])
