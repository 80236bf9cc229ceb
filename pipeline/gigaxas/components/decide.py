"""From clusters to components: which clusters others explain within the noise, and which stay (METHOD 8)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import chi2

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.components.evidence import Clusters
from gigaxas.components.flattened import Leaks, fit_leaks
from gigaxas.components.mixture import best_mixture
from gigaxas.errors import InputError

Kind = Literal["component", "same", "flattened", "mixture", "merged"]
FREE = {"same": 2, "flattened": 3}


@dataclass(frozen=True)
class Explanation:
    """How other clusters, by label, explain one: chi-square, its degrees of freedom, its probability.

    `leak` and `leak_error` are f and one sigma of a flattened cluster, else 0.
    """

    kind: Kind
    members: tuple[int, ...]
    weights: tuple[float, ...]
    chi_square: float
    freedom: int
    leak: float = 0.0
    leak_error: float = 0.0

    @property
    def probability(self) -> float:
        """How often noise alone gives a chi-square as large as this."""
        return float(chi2.sf(self.chi_square, self.freedom))


@dataclass(frozen=True)
class Decision:
    """What became of one cluster: `explanation` is None for a component, or where an expert merged it."""

    label: int
    kind: Kind
    members: tuple[int, ...]
    weights: tuple[float, ...]
    explanation: Explanation | None
    expert: bool = False


@dataclass(frozen=True)
class Rules:
    """When an explanation counts: probability of at least `level`, `floor` noise left unexplained."""

    level: float = 1e-3
    floor: float = 0.05
    members: int = 2


def decide(
    clusters: Clusters,
    rules: Rules,
    keep: Sequence[int] = (),
    merge: Mapping[int, int] | None = None,
) -> list[Decision]:
    """Return a decision for every cluster: first the components, then the others in the order they went.

    Clusters are taken up from the smallest on. One is removed when those that are left explain it, and go on
    explaining every one removed before; so each removed cluster is explained by components alone. The labels
    in `keep` stay whatever explains them; those in `merge` belong to the component of their value, which
    stays as well. Raises InputError for an unknown label and for a merge into a merged cluster.
    """
    merge = dict(merge or {})
    _check_overrules(clusters, keep, merge)
    row_of = {int(label): row for row, label in enumerate(clusters.labels)}
    fixed = {row_of[label] for label in (*keep, *merge.values())}
    alive = set(range(len(clusters.labels))) - {row_of[label] for label in merge}
    judge = _Judge(clusters, rules, fit_leaks(clusters, rules.floor))
    removed: dict[int, Explanation] = {}
    for row in sorted(alive - fixed, key=lambda row: (clusters.pixels[row], clusters.labels[row])):
        again = _without(row, alive - {row}, removed, judge)
        if again is not None:
            removed.update(again)
            alive.discard(row)
    decisions = [_component(clusters, row, row in fixed) for row in _by_size(clusters, alive)]
    for row in removed:
        found = judge.explain(row, alive)
        assert found is not None
        label = int(clusters.labels[row])
        decisions.append(Decision(label, found.kind, found.members, found.weights, found))
    decisions += [Decision(label, "merged", (into,), (1.0,), None, True) for label, into in merge.items()]
    return decisions


def _without(
    row: int, left: set[int], removed: Mapping[int, Explanation], judge: "_Judge"
) -> dict[int, Explanation] | None:
    """Return how `left` explains cluster `row` and those removed by its help; None if it does not."""
    label = int(judge.clusters.labels[row])
    found = judge.explain(row, left)
    if found is None:
        return None
    again = {}
    for other, explanation in removed.items():
        if label in explanation.members:
            replaced = judge.explain(other, left)
            if replaced is None:
                return None
            again[other] = replaced
    return {**again, row: found}


@dataclass(frozen=True)
class _Judge:
    clusters: Clusters
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
        flattened = self._single("flattened", row, others, self.leaks.chi_square)
        held = self._holding([flattened, *self._mixtures(row, others, 2)])
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
        return Explanation(
            kind,
            (int(self.clusters.labels[best]),),
            (1.0,),
            float(table[row, best]),
            freedom,
            *(leak if kind == "flattened" else (0.0, 0.0)),
        )

    def _mixtures(self, row: int, others: IntArray, size: int) -> list[Explanation]:
        """Return the best mixture of so many of the others, if there is any."""
        found = None
        if others.size >= size:
            found = best_mixture(self.clusters, row, others, size, self.rules.floor)
        if found is None:
            return []
        members = tuple(int(self.clusters.labels[member]) for member in found.members)
        freedom = self.clusters.spectra.shape[1] - size
        weights = tuple(float(weight) for weight in found.weights)
        return [Explanation("mixture", members, weights, found.chi_square, freedom)]


def _component(clusters: Clusters, row: int, expert: bool) -> Decision:
    label = int(clusters.labels[row])
    return Decision(label, "component", (label,), (1.0,), None, expert)


def _by_size(clusters: Clusters, rows: set[int]) -> list[int]:
    return sorted(rows, key=lambda row: (-clusters.pixels[row], clusters.labels[row]))


def _check_overrules(clusters: Clusters, keep: Sequence[int], merge: Mapping[int, int]) -> None:
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
