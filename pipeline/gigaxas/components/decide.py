"""From clusters to components: which clusters others explain within the noise, and which stay (METHOD 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.special import chdtrc

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.components.evidence import ClusterEvidence
from gigaxas.components.flattened import Leaks, fit_leaks
from gigaxas.components.mixture import best_mixture
from gigaxas.errors import InputError

Kind = Literal["component", "same", "flattened", "mixture", "merged"]
FREE = {"same": 2, "flattened": 3}
"""Free parameters of a model with one member: scale and offset, and the leak."""


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
    leak: float = 0.0
    """The share f of leaked light of a flattened cluster, else 0."""
    leak_error: float = 0.0
    """One sigma of the leak."""

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
    """How the members explain it; None for a component, and where an expert merged it."""
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
    flattened: bool = True
    """Whether a cluster may be another one flattened, as only absorbance can be."""


def decide(
    clusters: ClusterEvidence,
    rules: Rules,
    keep: Sequence[int] = (),
    merge: Mapping[int, int] | None = None,
) -> list[Decision]:
    """Return a decision for every cluster: the components, the largest first, then the others as they went.

    Clusters are taken up from the smallest on. One is removed when those that are left explain it, and go on
    explaining every one removed before; so each removed cluster is explained by components alone. The labels
    in `keep` stay whatever explains them; those in `merge` belong to the component of their value, which
    stays as well. Labels are names and decide nothing: other numbers give the same decisions, bit for bit.
    Raises InputError for an unknown label and for a merge into a merged cluster.
    """
    merge = dict(merge or {})
    _check_overrules(clusters, keep, merge)
    ordered, labels = _in_order_of_content(clusters)
    row_of = {int(label): row for row, label in enumerate(labels)}
    fixed = {row_of[label] for label in (*keep, *merge.values())}
    judge = _Judge(ordered, rules, fit_leaks(ordered, rules.floor))
    alive, removed = _reduce(judge, set(range(len(labels))) - {row_of[label] for label in merge}, fixed)
    decisions = [_component(int(labels[row]), row in fixed) for row in sorted(alive, reverse=True)]
    for row in removed:
        found = judge.explain(row, alive)
        assert found is not None
        decisions.append(_explained(int(labels[row]), found, labels))
    decisions += [Decision(label, "merged", (into,), (1.0,), None, True) for label, into in merge.items()]
    return decisions


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
        name: values[order] for name, values in vars(clusters).items() if name not in ("labels", "measured")
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
    """Return how `left` explains cluster `row` and those removed by its help; None if it does not."""
    found = judge.explain(row, left)
    if found is None:
        return None
    again = {}
    for other, explanation in removed.items():
        if row in explanation.members:
            replaced = judge.explain(other, left)
            if replaced is None:
                return None
            again[other] = replaced
    return {**again, row: found}


@dataclass(frozen=True)
class _Judge:
    """Explains clusters by others; both are named by their rows."""

    clusters: ClusterEvidence
    rules: Rules
    leaks: Leaks

    def explain(self, row: int, alive: set[int]) -> Explanation | None:
        """Return the simplest explanation of a cluster by those alive that holds within the noise.

        The same spectrum comes first; of a flattened one and a mixture of two the one that fits better.
        """
        others = np.array(sorted(alive), dtype=np.int64)
        if not others.size:
            return None
        same = self._single("same", row, others, self.leaks.same)
        if self._holding([same]):
            return same
        single = (
            [self._single("flattened", row, others, self.leaks.chi_square)] if self.rules.flattened else []
        )
        held = self._holding([*single, *self._mixtures(row, others, 2)])
        if held:
            return min(held, key=lambda found: found.chi_square / found.freedom)
        three = self._mixtures(row, others, 3) if self.rules.members == 3 else []
        return next(iter(self._holding(three)), None)

    def _holding(self, found: Sequence[Explanation]) -> list[Explanation]:
        return [one for one in found if one.probability >= self.rules.level]

    def _single(self, kind: Kind, row: int, others: IntArray, table: FloatArray) -> Explanation:
        """Return the best explanation by one other cluster."""
        best = int(others[np.argmin(table[row, others])])
        freedom = self.clusters.spectra.shape[1] - FREE[kind]
        leak = float(self.leaks.share[row, best]), float(self.leaks.error[row, best])
        no_leak = (0.0, 0.0)
        return Explanation(
            kind,
            (best,),
            (1.0,),
            float(table[row, best]),
            freedom,
            *(leak if kind == "flattened" else no_leak),
        )

    def _mixtures(self, row: int, others: IntArray, size: int) -> list[Explanation]:
        """Return the best mixture of so many of the others, if there is any."""
        found = None
        if others.size >= size:
            found = best_mixture(self.clusters, row, others, size, self.rules.floor)
        if found is None:
            return []
        freedom = self.clusters.spectra.shape[1] - size
        weights = tuple(float(weight) for weight in found.weights)
        return [Explanation("mixture", found.members, weights, found.chi_square, freedom)]


def _component(label: int, expert: bool) -> Decision:
    return Decision(label, "component", (label,), (1.0,), None, expert)


def _explained(label: int, found: Explanation, labels: IntArray) -> Decision:
    """Return the decision on a removed cluster; its members get their labels, in rising order."""
    pairs = sorted(zip(labels[list(found.members)].tolist(), found.weights, strict=True))
    members, weights = tuple(member for member, _ in pairs), tuple(weight for _, weight in pairs)
    return Decision(label, found.kind, members, weights, replace(found, members=members, weights=weights))


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
