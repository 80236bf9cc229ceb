"""How thick a specimen serves best with the light fixed: contrast grows with it, and so does the noise."""

from dataclasses import dataclass, replace

import numpy as np

from gigaxas.arrays import FloatArray, IntArray
from gigaxas.planning.both_ways import pairs_both_ways
from gigaxas.planning.exposure import pair_terms, pair_z, planned
from gigaxas.spectra.noise import FEWEST_COUNTS, NoiseModel

THINNEST = 0.05
"""Of the working point's thickness."""
DARKEST = 12.0
"""Largest absorbance of a sample that is looked at."""
POINTS = 121


@dataclass(frozen=True)
class Thickness:
    """How well pairs are told apart at many thicknesses of the specimen."""

    step: FloatArray
    """(H,) mu_high - mu_low."""
    z: FloatArray
    """(H, P) z of every pair at the error asked for."""

    @property
    def best(self) -> float:
        """The step at which the worst pair is told apart best."""
        return float(self.step[self.z.min(axis=1).argmax()])

    @property
    def best_of_pairs(self) -> FloatArray:
        """The step (P,) that serves each pair best."""
        return self.step[self.z.argmax(axis=0)]


def thickness_curve(spectra: FloatArray, noise: NoiseModel, pairs: IntArray, goal: float) -> Thickness:
    """Return the z of pairs (P, 2) of normalised spectra (n, E) over thickness, at the exposure of `noise`.

    The absorbance before the edge is taken to be the specimen's, and grows with it. `goal` is the z of the
    error asked for. A specimen ends to be looked at where its darkest sample has FEWEST_COUNTS times the
    camera's lowest count.
    """
    darkest = float(spectra.max()) * noise.edge_step + noise.mu_low
    fewest = FEWEST_COUNTS * noise.lowest_count
    most = min(DARKEST, np.log(noise.c_ref / fewest)) if fewest else DARKEST
    relative = np.geomspace(THINNEST, max(most / darkest, 1.0), POINTS)
    z = []
    for factor in relative:
        thick = replace(noise, mu_low=factor * noise.mu_low, mu_high=factor * noise.mu_high)
        z.append(pairs_both_ways(pair_z(pair_terms(planned(spectra, thick), pairs)), goal))
    return Thickness(relative * noise.edge_step, np.array(z))
