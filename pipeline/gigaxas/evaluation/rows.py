"""What the verification study finds: one record for a row of its tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gigaxas.evaluation.scenes import DISTANCES, SIZES
from gigaxas.evaluation.score import Score

Z_EDGES = np.linspace(*DISTANCES, 5)


@dataclass(frozen=True)
class InsetRow:
    """One method on the published scene of `side` pixels: classes and error before and after the clean-up."""

    condition: str
    method: str
    side: int
    before: tuple[int, float]
    after: tuple[int, float] | None


@dataclass(frozen=True)
class NeedleRow:
    """One method on many needle scenes: recall by size and z; purity, labels and seconds of a scene.

    pure is NaN where composition drifts, as a phase has no one label then.
    """

    condition: str
    method: str
    scenes: int
    recall: float
    by_size: tuple[float, ...]
    by_z: tuple[float, ...]
    pure: float
    strayed: float
    false: float
    classes: float
    seconds: float


@dataclass(frozen=True)
class LimitCurve:
    """Share of square regions of one kind found (sizes,) by one method at one level of light."""

    region: str
    method: str
    light: float
    found: tuple[float, ...]


@dataclass(frozen=True)
class SweepRow:
    """The published scene at one level of light: classes and error before and after the clean-up."""

    method: str
    light: float
    before: tuple[int, float]
    after: tuple[int, float]


@dataclass(frozen=True)
class NoiseOnly:
    """How many scenes of noise alone were tried, their pixels, and the false clusters found in them."""

    condition: str
    scenes: int
    pixels: int
    false: int


@dataclass(frozen=True)
class CostRow:
    """A run from a finished cube to its report: number of sites, seconds, share of pixels that are right."""

    method: str
    sites: int
    seconds: float
    right: float


def needle_row(condition: str, method: str, scores: Sequence[tuple[Score, float]]) -> NeedleRow:
    """Sum up the scores of many scenes, with the seconds that each took."""
    found = np.concatenate([score.found for score, _ in scores])
    sizes = np.concatenate([score.sizes for score, _ in scores])
    z = np.concatenate([score.z for score, _ in scores])
    bins = np.clip(np.digitize(z, Z_EDGES) - 1, 0, Z_EDGES.size - 2)
    return NeedleRow(
        condition,
        method,
        len(scores),
        float(found.mean()),
        tuple(float(found[sizes == size].mean()) for size in SIZES),
        tuple(
            float(found[bins == k].mean()) if np.any(bins == k) else np.nan for k in range(Z_EDGES.size - 1)
        ),
        float(np.mean([score.pure for score, _ in scores])),
        float(np.mean([score.strayed for score, _ in scores])),
        float(np.mean([score.false for score, _ in scores])),
        float(np.mean([score.classes for score, _ in scores])),
        float(np.mean([seconds for _, seconds in scores])),
    )
