"""What is known of each cluster before it is judged: its mean spectrum, how sure it is, and its noise."""

from dataclasses import dataclass

import numpy as np

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.errors import InputError

PRIOR_PIXELS = 10
"""The camera's noise counts as much as this many pixels where the spread of a cluster is estimated."""


@dataclass(frozen=True)
class ClusterEvidence:
    """Clusters, and what is known of them."""

    energy: FloatArray
    """Energies (E,) in eV, in rising order."""
    labels: IntArray
    """Labels (n,) in rising order."""
    pixels: IntArray
    """Kept pixels (n,) that a spectrum is the mean of."""
    spectra: FloatArray
    """Mean normalised spectra (n, E)."""
    variance: FloatArray
    """Variance of the means (n, E)."""
    noise: FloatArray
    """Sigma of a single pixel (n, E)."""
    low: FloatArray
    """Mean absorbance before the edge (n,)."""
    step: FloatArray
    """Edge step, in units of absorbance (n,)."""
    measured: bool
    """Whether low and step are the cluster's own, or those of the working point."""

    def __post_init__(self) -> None:
        if np.any(np.diff(self.labels) <= 0):
            raise InputError("the labels of the clusters do not rise; give each once, in order")
        for name in ("spectra", "variance", "noise", "low", "step"):
            if not np.all(np.isfinite(getattr(self, name))):
                raise InputError(f"the {name} of a cluster is not finite; leave that cluster out")


def mean_variance(standard_error: FloatArray, pixels: IntArray, noise: FloatArray) -> FloatArray:
    """Return the variance (n, E) of mean spectra: the measured spread, pooled with the camera's noise.

    `standard_error` (n, E) may be NaN for a single pixel, where the camera's `noise` (n, E) alone counts;
    the more pixels (n,), the more the measured spread does.
    """
    count = pixels[:, None].astype(np.float64)
    spread = np.where(count > 1, count * np.nan_to_num(standard_error) ** 2, 0.0)
    pooled = ((count - 1) * spread + PRIOR_PIXELS * noise**2) / (count - 1 + PRIOR_PIXELS)
    return np.asarray(pooled / count)
