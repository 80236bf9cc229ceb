"""Clusters and components as rows of a table: names, sizes, references, decisions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.components.decide import Decision, explained_spectrum
from gigaxas.components.decision_file import Decisions
from gigaxas.components.evidence import ClusterEvidence
from gigaxas.report import ClusterRow
from gigaxas.report.palette import cluster_colours
from gigaxas.sites.distance import cross_distance
from gigaxas.sites.table import distinct_names
from gigaxas.spatial.extents import Extents
from gigaxas.spectra import standardise
from gigaxas.spectra.noise import Noise
from gigaxas.stores.sites import StoredSites
from gigaxas.tiles import Box

NEAREST = 2
AMOUNTS = {"flattened": "leak", "self-absorbed": "self_absorption", "shifted": "shift_ev"}
"""What the tables call the amount of an explanation."""


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
    """What the result calls it, or an expert; that of a component is distinct from those of the others."""
    outside: bool
    """Whether the components that it is, itself or others, lie outside the library."""
    explained: str
    """How other clusters explain it, in words; empty for a component but a continuum without ends."""
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

    @property
    def name(self) -> str:
        """Its name, distinct from those of the others."""
        return self.row.name


def make_rows(
    clusters: ClusterEvidence,
    decided: Sequence[Decision],
    told: Sequence[ClusterRow],
    extents: Extents,
    sites: StoredSites,
    noise: Noise,
    floor: float,
    decisions: Decisions,
) -> list[DecidedCluster]:
    """Return a row for every decision, in their order; `told` says what each cluster is by itself."""
    near = nearest_references(clusters.spectra, sites, noise)
    by_label = {row.label: row for row in told}
    names = _names(decided, {label: row.title for label, row in by_label.items()}, decisions)
    rows = []
    for decision in decided:
        i = int(np.searchsorted(clusters.labels, decision.label))
        at = int(np.searchsorted(extents.labels, decision.label))
        rows.append(
            DecidedCluster(
                label=decision.label,
                name=names[decision.label],
                outside=any(by_label[member].outside for member in decision.members),
                explained=told_explanation(decision, names) or _told_without_ends(decision, sites),
                pixels=by_label[decision.label].pixels,
                kept_pixels=int(clusters.pixels[i]),
                share=by_label[decision.label].share,
                area_um2=by_label[decision.label].area_um2,
                spectrum=clusters.spectra[i],
                standard_error=np.sqrt(clusters.variance[i]),
                near=near[i],
                regions=int(extents.regions[at]),
                box=Box(*extents.box[at].tolist()),
                largest=int(extents.largest[at]),
                largest_box=Box(*extents.largest_box[at].tolist()),
                decision=decision,
                fit_error=_fit_error(clusters, decision, i, noise, floor),
            )
        )
    return rows


def told_explanation(decision: Decision, names: Mapping[int, str]) -> str:
    """Return in words how clusters of these names, by label, explain one; nothing for a component."""
    found = decision.explanation
    if decision.kind == "merged":
        return f"merged into {names[decision.members[0]]} as you decided"
    if found is None:
        return ""
    if found.kind in ("mixture", "continuum"):
        parts = zip(found.weights, found.members, strict=True)
        mixed = " + ".join(f"{weight:.2f} {names[member]}" for weight, member in parts)
        said = f"{'mixture' if found.kind == 'mixture' else 'continuum of its ends, on average'}: {mixed}"
    else:
        amount, error = found.amount, found.amount_error
        how = {
            "same": "the same as {} within the noise",
            "flattened": f"{{}} flattened by {amount:.1%} of leaked light",
            "self-absorbed": f"{{}} self-absorbed by {amount:.2g}",
            "shifted": f"{{}} shifted by {amount:+.2f} +- {error:.2f} eV",
            "background": "{} with another background",
        }[found.kind]
        said = how.format(names[found.members[0]])
    through = [names[member] for member in decision.members]
    return said if found.members == decision.members else f"{said}, and so {' + '.join(through)}"


def _told_without_ends(decision: Decision, sites: StoredSites) -> str:
    """Return a sentence on a continuum that stays a component although nobody asked for that."""
    if decision.expert or all(one.site + 1 != decision.label for one in sites.continua):
        return ""
    return "a continuum, fewer than two of its ends have pixels of their own: no composition can be given"


def _names(decided: Sequence[Decision], told: Mapping[int, str], decisions: Decisions) -> dict[int, str]:
    """Return the name of every cluster by its label; those of components are distinct."""
    names = dict(told)
    names |= {label: wish.name for label, wish in decisions.overrule.items() if wish.name}
    own = [one.label for one in decided if one.kind == "component"]
    return names | dict(zip(own, distinct_names([names[label] for label in own]), strict=True))


def make_components(
    rows: Sequence[DecidedCluster], amounts: FloatArray, main: IntArray, pixel_um: float, decisions: Decisions
) -> list[Component]:
    """Return the components among the rows, in their order, with the sums of their ratios (K,)."""
    own = [row for row in rows if row.decision.kind == "component"]
    components = []
    for i, (row, colour) in enumerate(zip(own, cluster_colours(len(own)), strict=True)):
        wish = decisions.overrule.get(row.label)
        components.append(
            Component(
                row=row,
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
        "outside": row.outside,
        "pixels": row.pixels,
    }
    if decision.kind != "component":
        record["of"] = {
            member: round(weight, 6)
            for member, weight in zip(decision.members, decision.weights, strict=True)
        }
    if found is not None:
        if found.members != decision.members:
            record["through"] = list(found.members)
        if found.kind in AMOUNTS:
            name = AMOUNTS[found.kind]
            record |= {
                name: float(f"{found.amount:.6g}"),
                f"{name}_error": float(f"{found.amount_error:.3g}"),
            }
        record |= {
            "chi_square": float(f"{found.chi_square:.6g}"),
            "freedom": found.freedom,
            "probability": float(f"{found.probability:.4g}"),
            "s_error": float(f"{row.fit_error:.4g}"),
        }
    return record


def _fit_error(clusters: ClusterEvidence, decision: Decision, i: int, noise: Noise, floor: float) -> float:
    """Return the s_error between a cluster's spectrum and its explanation."""
    if decision.explanation is None:
        return float("nan")
    model = explained_spectrum(clusters, decision.label, decision.explanation, floor)
    there, back = cross_distance(clusters.spectra[[i]], model[None], noise)
    return float(0.5 * (ndtr(-there) + ndtr(-back))[0, 0])
