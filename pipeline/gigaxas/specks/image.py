"""Specks of a whole image: what has to be settled first, and what is made of the parts."""

from collections.abc import Sequence

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.specks.axes import speck_axes
from gigaxas.specks.judgement import Clusters
from gigaxas.specks.search import SpeckSearch
from gigaxas.specks.significance import NullLaw, fit_law
from gigaxas.specks.windows import PIXELS


def settle_search(
    spectra: FloatArray, known: FloatArray, sigma: FloatArray, correlation: FloatArray
) -> SpeckSearch:
    """Settle on what axes specks are looked for, in the unit of samples as they are stored.

    spectra (m + 1, E) are the mean spectra of the clusters, from label 0, NaN where a label has none; known
    (n, E) further ones that an image may hold; sigma (m + 1, E) the noise of a pixel of each cluster;
    `correlation` (lags,) that of the noise with the next energies.
    """
    there = ~np.isnan(spectra[:, 0])
    typical = np.sqrt(np.mean(sigma[there] ** 2, axis=0))
    axes = speck_axes(np.concatenate([spectra[there], known]), typical, correlation)
    points = (spectra - spectra.mean(axis=1, keepdims=True)) @ axes
    return SpeckSearch(axes, Clusters(spectra, points, sigma))


def law_of(samples: Sequence[Sequence[FloatArray]], search: SpeckSearch) -> NullLaw:
    """Return the law of noise alone by the windows of sample areas (`sample_squares`)."""
    squares = [np.concatenate([area[shape] for area in samples]) for shape in range(PIXELS.size)]
    return fit_law(squares, int(search.axes.any(axis=0).sum()))


def probability_of(false_alarms: float, pixels: int) -> float:
    """Return the probability of a window at which noise makes so many false specks in so many pixels."""
    return false_alarms / (PIXELS.size * max(pixels, 1))
