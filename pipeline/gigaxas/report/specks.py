"""What a report says of specks: one row for each, and one for each kind."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError

LEAST_TOLD = -300
"""Decimal logarithm of the least probability that is told as a number."""


@dataclass(frozen=True)
class SpeckRow:
    """One speck."""

    number: int
    """Its number in the map, from 1: those that the map does not show first, the most significant first."""
    kind: int
    """Its kind, from 1."""
    name: str
    """What its kind is called."""
    y: int
    """First row, in pixels."""
    x: int
    """First column, in pixels."""
    height: int
    """Rows."""
    width: int
    """Columns."""
    label: int
    """Label that the map shows there."""
    distance: float
    """How far a pixel of it lies from what is around it, in z."""
    log10_p: float
    """Decimal logarithm of the probability that noise makes such a window."""
    share: float
    """Share of its kind in its pixels; what is around it is the rest."""
    hits: int
    """Samples left out."""

    @property
    def probability(self) -> str:
        """The probability in words."""
        return f"1e{self.log10_p:.0f}" if self.log10_p > LEAST_TOLD else f"below 1e{LEAST_TOLD}"

    @property
    def pixels(self) -> int:
        """How many pixels it has."""
        return self.height * self.width


@dataclass(frozen=True, eq=False)
class SpeckKind:
    """The specks of one composition."""

    number: int
    """From 1."""
    name: str
    """What it is called."""
    outside: bool
    """Whether the library does not hold it."""
    cluster: int
    """Label of the cluster whose composition it has; 0 where the map shows none."""
    specks: int
    """How many."""
    pixels: int
    """Pixels of all of them."""
    spectrum: FloatArray
    """(E,) mean spectrum."""
    standard_error: FloatArray
    """(E,) its standard error."""
    nearest: str
    """What it is shown beside: its cluster or, where it has none, the nearest reference or what is around."""
    reference: FloatArray
    """(E,) that spectrum."""
    component: str = ""
    """Of which components it is a piece, or that it is of its own; empty before components are decided."""


@dataclass(frozen=True)
class SpeckReport:
    """What the search for specks has found. Raises InputError where rows and kinds contradict each other."""

    rows: Sequence[SpeckRow]
    """Those of kinds that the map does not show, the most significant first, then the others."""
    kinds: Sequence[SpeckKind]
    """Those that the map does not show, then its clusters of which specks are pieces."""
    false_alarms: float
    """Specks that noise alone was to make in the whole image, on average."""
    hits: int
    """Windows that were a few samples alone: cosmic rays and the like."""
    explained: int
    """Windows that a mixture of what is near explains."""
    tail: float
    """Windows beyond a small probability, over what noise alone makes of them."""
    unsearched: int
    """Shapes of windows, of 16, that were not searched: too few lie inside phases to tell what noise does."""
    planted: tuple[int, int] | None
    """Of a simulated scene: planted specks that were found, and all."""

    def __post_init__(self) -> None:
        numbers = np.array([row.kind for row in self.rows], np.int64)
        count = np.bincount(numbers, minlength=len(self.kinds) + 1)[1:]
        told = [kind.specks for kind in self.kinds]
        if count.tolist() != told:
            raise InputError(
                f"the kinds of the specks tell of {told[:5]} specks, their rows of {count[:5].tolist()}; "
                "give a row for every speck"
            )

    @property
    def new(self) -> list[SpeckKind]:
        """The kinds that the map does not show."""
        return [kind for kind in self.kinds if not kind.cluster]

    @property
    def pieces(self) -> list[SpeckKind]:
        """Clusters of the map that specks are pieces of."""
        return [kind for kind in self.kinds if kind.cluster]

    def clearest(self, kind: SpeckKind) -> SpeckRow:
        """Return the most significant speck of a kind."""
        return next(row for row in self.rows if row.kind == kind.number)
