"""What is known of sites that were observed: how often, where, what explains them, and the noise found."""

from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import BoolArray, FloatArray, IntArray
from gigaxas.observed.explanation import SiteExplanation
from gigaxas.observed.sites import ObservedSites
from gigaxas.observed.window_groups import MOST_GROUPS, RESOLUTION


@dataclass(frozen=True)
class NoiseFound:
    """The noise of the data beside the camera model's."""

    scale: float
    """Ratio of the standard deviations, measured over modelled."""
    sharing: float
    """Variance of a window's mean over that of independent noise in its pixels."""
    coherence: float
    """Correlation of the noise at one energy with that at the next two, summed."""
    windows: int
    """Number of sample windows."""


@dataclass(frozen=True)
class Evidence:
    """What speaks for each of m sites; those from the library, which come last, have no windows."""

    windows: IntArray
    """(m,) uniform windows nearest to the site."""
    first: IntArray
    """(m, 2) place (y, x) of one of these windows, or -1."""
    loss: FloatArray
    """(m,) probability that a window of the site is deleted all the same."""
    chi_square: FloatArray
    """(m,) of the best explanation from the library, NaN without a library."""
    freedom: FloatArray
    """(m,) degrees of freedom of this explanation."""
    p_value: FloatArray
    """(m,) probability of a chi-square at least as large."""
    outside: BoolArray
    """(m,) True where the library has no explanation."""
    noise: NoiseFound
    """The noise by which the sites were found."""
    resolution: float
    """z below which two compositions were one, as `ObservedSites` has it."""

    @property
    def coarsened(self) -> str:
        """What is to be said of a resolution that was made coarser, nothing of the usual one."""
        if self.resolution <= RESOLUTION:
            return ""
        return (
            f"more than {MOST_GROUPS:,} compositions differ by a z of {RESOLUTION:g}, too many to choose "
            f"sites for: those nearer to each other than {self.resolution:.3g} were taken for one, and a "
            "small phase as near as this to a larger one has no site of its own"
        )


def gather_evidence(observed: ObservedSites, explained: list[SiteExplanation]) -> Evidence:
    """Return the evidence of observed sites; `explained` has one explanation each, or none at all."""
    count = len(observed.windows)
    found = np.full((3, count), np.nan)
    for k, best in enumerate(explained):
        found[:, k] = best.chi_square, best.freedom, best.p_value
    level = observed.level
    return Evidence(
        windows=observed.windows,
        first=observed.first,
        loss=observed.loss,
        chi_square=found[0],
        freedom=found[1],
        p_value=found[2],
        outside=np.array([best.outside for best in explained] or [False] * count),
        noise=NoiseFound(level.scale, level.spread, level.coherence, level.windows),
        resolution=observed.resolution,
    )


def with_library(evidence: Evidence, more: int) -> Evidence:
    """Return the evidence with `more` sites of the library behind those observed."""
    nothing = np.full(more, np.nan)
    return Evidence(
        windows=np.concatenate([evidence.windows, np.zeros(more, np.int64)]),
        first=np.concatenate([evidence.first, np.full((more, 2), -1)]),
        loss=np.concatenate([evidence.loss, nothing]),
        chi_square=np.concatenate([evidence.chi_square, nothing]),
        freedom=np.concatenate([evidence.freedom, nothing]),
        p_value=np.concatenate([evidence.p_value, nothing]),
        outside=np.concatenate([evidence.outside, np.zeros(more, np.bool_)]),
        noise=evidence.noise,
        resolution=evidence.resolution,
    )
