"""From clusters to components: which clusters others explain within the noise, and which stay (METHOD 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from scipy.special import chdtrc

from gigaxas.arrays import FloatArray, IntArray, LabelArray
from gigaxas.components.alike import (
    BACKGROUND,
    MOST_SHIFT,
    SAME,
    SELF_ABSORBED,
    SHIFTED,
    Fits,
    Likeness,
    compare,
)
from gigaxas.components.evidence import ClusterEvidence
from gigaxas.components.flattened import fit_flattened, flattened
from gigaxas.components.mixture import best_mixture
from gigaxas.errors import InputError

Like = Literal["same", "flattened", "self-absorbed", "shifted", "background"]
"""How a cluster can be another one, and with it one component."""
Kind = Literal["component", "mixture", "merged"] | Like
LIKENESSES: dict[str, Likeness] = {
    "same": SAME,
    "self-absorbed": SELF_ABSORBED,
    "shifted": SHIFTED,
    "background": BACKGROUND,
}
FREE_FLATTENED = 3
"""Free parameters of a flattened spectrum: scale, offset and leak."""


@dataclass(frozen=True)
class Explanation:
    """How other clusters explain one."""

    kind: Kind
    """What the cluster is, seen from the others."""
    members: tuple[int, ...]
    """Labels of the clusters that explain it."""
    weights: tuple[float, ...]
    """How much of each member the cluster holds."""
    chi_square: float
    """Squared differences from the model over their variance, summed over the energies."""
    freedom: int
    """Degrees of freedom of chi-square."""
    amount: float = 0.0
    """The leak f of a flattened cluster, s of a self-absorbed one, the eV that one is shifted by, else 0."""
    amount_error: float = 0.0
    """One sigma of the amount."""

    @property
    def probability(self) -> float:
        """How often noise alone gives a chi-square as large as this."""
        return float(chdtrc(self.freedom, self.chi_square))


@dataclass(frozen=True)
class Decision:
    """What became of one cluster."""

    label: int
    """The cluster's label."""
    kind: Kind
    """A component, or why it is none."""
    members: tuple[int, ...]
    """Labels of the components it belongs to, in rising order; its own where it is one."""
    weights: tuple[float, ...]
    """How much of each member it holds."""
    explanation: Explanation | None
    """What explains it: the members, or clusters that are these components themselves; None for a component,
    and where an expert merged it."""
    expert: bool = False
    """Whether an expert has overruled what would have been decided."""


@dataclass(frozen=True)
class Rules:
    """When an explanation counts."""

    level: float = 1e-3
    """The least probability of its chi-square."""
    floor: float = 0.05
    """The share of a pixel's noise that no model explains."""
    members: int = 2
    """The most members of a mixture, 2 or 3."""
    fluorescence: bool = False
    """Whether spectra are those of an intensity, whose peaks self-absorption cuts, not leaked light."""

    @property
    def likenesses(self) -> tuple[Like, ...]:
        """How a cluster can be another one, in the order in which it is tried."""
        return "same", "self-absorbed" if self.fluorescence else "flattened", "shifted", "background"


def decide(
    clusters: ClusterEvidence,
    rules: Rules,
    keep: Sequence[int] = (),
    merge: Mapping[int, int] | None = None,
) -> list[Decision]:
    """Return a decision for every cluster: the components, the largest first, then the others as they went.

    Clusters are taken up from the smallest on. One is removed when those that are left explain it, and go on
    explaining every one removed before; so each removed cluster is explained by components alone. Only where
    the cluster is one component itself, say shifted, may it go on explaining others: these are that component
    as well. Shifts add up to MOST_SHIFT at most. The labels in `keep` stay whatever explains them; those in
    `merge` belong to the component of their value, which stays as well. Labels are names and decide nothing:
    other numbers give the same decisions, bit for bit. Raises InputError for an unknown label and for a merge
    into a merged cluster.
    """
    merge = dict(merge or {})
    _check_overrules(clusters, keep, merge)
    ordered, labels = _in_order_of_content(clusters)
    row_of = {int(label): row for row, label in enumerate(labels)}
    fixed = {row_of[label] for label in (*keep, *merge.values())}
    judge = _Judge(ordered, rules)
    alive, removed = _reduce(judge, set(range(len(labels))) - {row_of[label] for label in merge}, fixed)
    decisions = [_component(int(labels[row]), row in fixed) for row in sorted(alive, reverse=True)]
    decisions += [_explained(row, removed, labels) for row in removed]
    decisions += [Decision(label, "merged", (into,), (1.0,), None, True) for label, into in merge.items()]
    return decisions


def component_map(label: LabelArray, decisions: Sequence[Decision]) -> LabelArray:
    """Return a label map (any shape) in which every cluster has the label of the component that it is.

    A mixture of several components is none of them and keeps its label, as does what no decision names.
    """
    lookup = np.arange(max([int(label.max(initial=0)), *(one.label for one in decisions)]) + 1)
    for one in decisions:
        if len(one.members) == 1:
            lookup[one.label] = one.members[0]
    return np.asarray(lookup[label], label.dtype)


def explained_spectrum(clusters: ClusterEvidence, label: int, found: Explanation, floor: float) -> FloatArray:
    """Return what an explanation makes of the spectrum (E,) of the cluster with this label."""
    row, members = (np.searchsorted(clusters.labels, of) for of in (label, found.members))
    if found.kind == "mixture":
        return np.asarray(np.array(found.weights) @ clusters.spectra[members])
    if found.kind == "flattened":
        return flattened(clusters, int(row), clusters.spectra[members[0]])
    comparison = compare(clusters, int(row), members, floor)
    return LIKENESSES[found.kind].fit(comparison, np.array([found.amount])).model[0]


def _in_order_of_content(clusters: ClusterEvidence) -> tuple[ClusterEvidence, IntArray]:
    """Return the clusters from the smallest on, numbered from 0, and their labels.

    Of equally large ones the bytes of their spectra and then all else that is known of them decide, so that
    whatever is computed from them is independent of their labels.
    """

    def content(row: int) -> tuple[Any, ...]:
        arrays = (clusters.spectra, clusters.variance, clusters.noise, clusters.low, clusters.step)
        return int(clusters.pixels[row]), *(values[row].tobytes() for values in arrays)

    order = np.array(sorted(range(len(clusters.labels)), key=content), np.int64)
    rows = {
        name: values[order]
        for name, values in vars(clusters).items()
        if name not in ("energy", "labels", "measured")
    }
    return replace(clusters, labels=np.arange(order.size), **rows), clusters.labels[order]


def _reduce(judge: "_Judge", alive: set[int], fixed: set[int]) -> tuple[set[int], dict[int, Explanation]]:
    """Return the clusters that stay, and those that went, in that order, with what explained them last."""
    removed: dict[int, Explanation] = {}
    for row in sorted(alive - fixed):
        again = _without(row, alive - {row}, removed, judge)
        if again is not None:
            removed.update(again)
            alive = alive - {row}
    return alive, removed


def _without(
    row: int, left: set[int], removed: Mapping[int, Explanation], judge: "_Judge"
) -> dict[int, Explanation] | None:
    """Return how `left` explains cluster `row` and those removed by its help; None if it does not.

    Those that only this cluster explains keep their explanation where it is one component itself.
    """
    found = judge.explain(row, left)
    if found is None:
        return None
    again = {}
    for other, explanation in removed.items():
        if row in explanation.members:
            replaced = judge.explain(other, left)
            if replaced is None and found.kind == "mixture":
                return None
            again[other] = replaced or explanation
    again[row] = found
    every = {**removed, **again}
    return again if all(abs(_shift(other, every)) <= MOST_SHIFT for other in every) else None


def _shift(row: int, removed: Mapping[int, Explanation]) -> float:
    """Return the eV between a cluster and the component that it is, by all those between."""
    found = removed.get(row)
    if found is None or found.kind == "mixture":
        return 0.0
    return (found.amount if found.kind == "shifted" else 0.0) + _shift(found.members[0], removed)


@dataclass(frozen=True)
class _Judge:
    """Explains clusters by others; both are named by their rows."""

    clusters: ClusterEvidence
    rules: Rules
    fits: dict[tuple[Like, int], Fits] = field(default_factory=dict)
    """How each cluster is the others, as far as it was asked for."""

    def explain(self, row: int, alive: set[int]) -> Explanation | None:
        """Return the first explanation of a cluster by those alive that holds within the noise."""
        others = np.array(sorted(alive), dtype=np.int64)
        if not others.size:
            return None
        for kind in self.rules.likenesses:
            found = self._as_another(kind, row, others)
            if found.probability >= self.rules.level:
                return found
        for size in range(2, self.rules.members + 1):
            mixed = self._as_mixture(row, others, size)
            if mixed is not None and mixed.probability >= self.rules.level:
                return mixed
        return None

    def _as_another(self, kind: Like, row: int, others: IntArray) -> Explanation:
        """Return the best explanation of a kind by one other cluster."""
        fits = self._fits(kind, row)
        best = int(others[np.argmin(fits.chi_square[others])])
        free = FREE_FLATTENED if kind == "flattened" else LIKENESSES[kind].free
        return Explanation(
            kind,
            (best,),
            (1.0,),
            float(fits.chi_square[best]),
            self.clusters.energy.size - free,
            float(fits.amount[best]),
            float(fits.error[best]),
        )

    def _fits(self, kind: Like, row: int) -> Fits:
        if (kind, row) not in self.fits:
            if kind == "flattened":
                found = fit_flattened(self.clusters, row, self.rules.floor)
            else:
                every = np.arange(len(self.clusters.labels))
                found = LIKENESSES[kind].search(compare(self.clusters, row, every, self.rules.floor))
            self.fits[kind, row] = found
        return self.fits[kind, row]

    def _as_mixture(self, row: int, others: IntArray, size: int) -> Explanation | None:
        """Return the best mixture of so many of the others, if there is any."""
        found = None
        if others.size >= size:
            found = best_mixture(self.clusters, row, others, size, self.rules.floor)
        if found is None:
            return None
        weights = tuple(float(weight) for weight in found.weights)
        freedom = self.clusters.energy.size - size
        return Explanation("mixture", found.members, weights, found.chi_square, freedom)


def _component(label: int, expert: bool) -> Decision:
    return Decision(label, "component", (label,), (1.0,), None, expert)


def _explained(row: int, removed: Mapping[int, Explanation], labels: IntArray) -> Decision:
    """Return the decision on a removed cluster; members get their labels, in rising order."""
    found = removed[row]
    components = _in_order(_components(row, removed), labels)
    members = _in_order(dict(zip(found.members, found.weights, strict=True)), labels)
    told = replace(found, members=tuple(members), weights=tuple(members.values()))
    return Decision(int(labels[row]), found.kind, tuple(components), tuple(components.values()), told)


def _components(row: int, removed: Mapping[int, Explanation]) -> dict[int, float]:
    """Return how much of each component a cluster holds."""
    if row not in removed:
        return {row: 1.0}
    held: dict[int, float] = {}
    found = removed[row]
    for member, weight in zip(found.members, found.weights, strict=True):
        for component, share in _components(member, removed).items():
            held[component] = held.get(component, 0.0) + weight * share
    return held


def _in_order(held: Mapping[int, float], labels: IntArray) -> dict[int, float]:
    return dict(sorted((int(labels[row]), weight) for row, weight in held.items()))


def _check_overrules(clusters: ClusterEvidence, keep: Sequence[int], merge: Mapping[int, int]) -> None:
    known = set(clusters.labels.tolist())
    unknown = sorted({*keep, *merge, *merge.values()} - known)
    if unknown:
        raise InputError(
            f"overrule: found the labels {', '.join(map(str, unknown))}, which no cluster has; the "
            "labels are those of clusters.csv"
        )
    for label, into in merge.items():
        if into in merge or label in keep:
            raise InputError(
                f"overrule: {label} is merged into {into}, but "
                + (f"{into} is merged itself" if into in merge else f"{label} is kept as well")
                + "; merge into a component, and keep or merge a cluster, not both"
            )
