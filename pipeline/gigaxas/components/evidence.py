"""What is known of each cluster before it is judged: its mean spectrum, how sure it is, and its noise."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import FloatArray, IntArray, LabelArray
from gigaxas.errors import InputError
from gigaxas.spectra.noise import Noise, NoiseModel

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


def evidence_of_image(
    image: NDArray[Any], kept: LabelArray, energy: FloatArray, noise: Noise, shared: float = 1.0
) -> ClusterEvidence:
    """Return what an image (E, h, w) of normalised absorbance tells of the clusters of a map (h, w).

    `kept` is 0 where a pixel counts for no cluster. `shared` is the variance of the mean of many pixels over
    what it is where their noise is independent. Pixels with a sample that is not finite are left out; raises
    InputError where a cluster has no other.
    """
    flat, pixels = kept.ravel(), image.reshape(len(image), -1)
    flat = np.where(np.isfinite(pixels).all(axis=0), flat, 0)
    labels = np.unique(kept[kept > 0]).astype(np.int64)
    members = [pixels[:, flat == label].astype(np.float64) for label in labels]
    count = np.array([one.shape[1] for one in members], np.int64)
    if np.any(count == 0):
        raise InputError(f"cluster {labels[count == 0][0]} has no whole spectrum; leave that cluster out")
    spectra = np.array([one.mean(axis=1) for one in members]).reshape(-1, len(image))
    error = np.array([one.std(axis=1) for one in members]).reshape(spectra.shape)
    error /= np.sqrt(np.maximum(count - 1, 1))[:, None]
    low, step = np.zeros(labels.size), np.ones(labels.size)
    if isinstance(noise, NoiseModel):
        low, step = low + noise.mu_low, step * noise.edge_step
    sigma = noise.sigma_at(spectra, low[:, None], step[:, None])
    variance = shared * mean_variance(error, count, sigma)
    return ClusterEvidence(energy, labels, count, spectra, variance, sigma, low, step, measured=False)


def without_field(clusters: ClusterEvidence, added: FloatArray, left: FloatArray) -> ClusterEvidence:
    """Return clusters without what a field adds to their means (n, E); a variance (E,) of it may be left.

    Both are of spectra of length 1 about their mean.
    """
    about = clusters.spectra - clusters.spectra.mean(axis=1, keepdims=True)
    length = np.linalg.norm(about, axis=1, keepdims=True)
    return replace(
        clusters, spectra=clusters.spectra - length * added, variance=clusters.variance + length**2 * left
    )


def mean_variance(standard_error: FloatArray, pixels: IntArray, noise: FloatArray) -> FloatArray:
    """Return the variance (n, E) of mean spectra: the measured spread, pooled with the camera's noise.

    `standard_error` (n, E) may be NaN for a single pixel, where the camera's `noise` (n, E) alone counts;
    the more pixels (n,), the more the measured spread does.
    """
    count = pixels[:, None].astype(np.float64)
    spread = np.where(count > 1, count * np.nan_to_num(standard_error) ** 2, 0.0)
    pooled = ((count - 1) * spread + PRIOR_PIXELS * noise**2) / (count - 1 + PRIOR_PIXELS)
    return np.asarray(pooled / count)
