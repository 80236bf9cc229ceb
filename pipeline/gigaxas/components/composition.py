"""How much of each component every pixel holds: non-negative least squares on the basis of its cluster."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas.arrays import BoolArray, Float32Array, FloatArray, IntArray, LabelArray
from gigaxas.components.borders import NO_BORDERS, Borders
from gigaxas.components.decide import Decision, component_map
from gigaxas.components.evidence import ClusterEvidence
from gigaxas.components.nnls import fit
from gigaxas.components.projection import Frame, make_frame, project
from gigaxas.spectra.noise import Noise

DISTORTED = ("flattened", "self-absorbed", "shifted", "background")
"""Clusters whose spectra are no combination of components."""


@dataclass(frozen=True)
class Share:
    """What the pixels of one label are made of."""

    components: tuple[int, ...]
    """Indices of its k components in the order of the maps."""
    weights: FloatArray
    """Ratios (k,) of the cluster as a whole."""
    fitted: bool
    """Whether every pixel has ratios of its own."""
    noise: FloatArray
    """Covariance (K, K) of the coordinates of the cluster's mean pixel."""
    edge_noise: float
    """Sigma of a sample after the edge, for that pixel."""


@dataclass(frozen=True)
class CompositionPlan:
    """What the pixels of every label are to be fitted with."""

    components: tuple[int, ...]
    """Labels of the components, in the order of the maps."""
    frame: Frame
    """The frame of their spectra."""
    shares: Mapping[int, Share]
    """What each label is made of."""
    beside: LabelArray
    """What each label, from 0 on, counts as beside a pixel: the component that it is, if it is one whole."""
    sum_to_one: bool
    """Whether the ratios of a pixel add up to 1."""


@dataclass(frozen=True)
class Composition:
    """The composition of one tile (h, w) of K components."""

    ratio: Float32Array
    """Ratios (K, h, w); 0 in a pixel without label."""
    sigma: Float32Array
    """One sigma of the ratios (K, h, w); NaN where a pixel was not fitted."""
    residual: Float32Array
    """Root mean square residual (h, w); NaN where a pixel was not fitted."""
    main: LabelArray
    """Label of the component with the largest ratio (h, w)."""


def plan_composition(
    clusters: ClusterEvidence,
    decisions: Sequence[Decision],
    noise: Noise,
    everywhere: bool = False,
    sum_to_one: bool = False,
) -> CompositionPlan:
    """Return what every pixel is to be fitted with.

    The pixels of a mixture are fitted with its members; those of other clusters belong to one component
    whole. `everywhere` fits them all with all components, but for the distorted ones, whose spectra are no
    combination of anything. Raises InputError for components that do not stand apart.
    """
    components = tuple(decision.label for decision in decisions if decision.kind == "component")
    row = {int(label): i for i, label in enumerate(clusters.labels)}
    frame = make_frame(clusters.spectra[[row[label] for label in components]].T)
    shares = {}
    for decision in decisions:
        members = tuple(components.index(member) for member in decision.members)
        weights = np.array(decision.weights)
        fitted = len(members) > 1
        if everywhere and decision.kind not in DISTORTED:
            whole = np.zeros(len(components))
            whole[list(members)] = weights
            members, weights, fitted = tuple(range(len(components))), whole, True
        i = row[decision.label]
        shares[decision.label] = Share(
            members,
            weights,
            fitted,
            (frame.axes.T * clusters.noise[i] ** 2) @ frame.axes,
            float(noise.edge_sigma(clusters.low[i], clusters.step[i])),
        )
    beside = component_map(np.arange(int(clusters.labels.max()) + 1, dtype=np.uint32), decisions)
    return CompositionPlan(components, frame, shares, beside, sum_to_one)


def wanted_pixels(label: LabelArray, plan: CompositionPlan, borders: Borders = NO_BORDERS) -> BoolArray:
    """Return (h, w) which pixels of a label map have to be fitted."""
    wanted = np.isin(label, [label for label, share in plan.shares.items() if share.fitted])
    wanted.flat[borders.pixels] = True
    return wanted


def compose(
    label: LabelArray,
    samples: NDArray[Any] | None,
    plan: CompositionPlan,
    scale: float = 1.0,
    offset: float = 0.0,
    invalid: int | None = None,
    edge_noise: FloatArray | None = None,
    borders: Borders = NO_BORDERS,
) -> Composition:
    """Return the composition of one tile from its labels (h, w) and raw samples (E, h, w).

    `samples` may be None where no pixel has to be fitted. `edge_noise` (h, w) is the sigma of each pixel
    after the edge, which stands for its thickness; None where the absorbance was not measured. Pixels of
    `borders` are fitted with the components of the clusters around them in place of those of their label. A
    pixel with an invalid sample, or with nothing of what it is fitted with, takes the ratios of its cluster.
    """
    count = len(plan.components)
    ratio, sigma = np.zeros((count, label.size)), np.full((count, label.size), np.nan)
    residual = np.full(label.size, np.nan)
    flat = label.ravel()
    for number, share in plan.shares.items():
        here = np.flatnonzero(flat == number)
        ratio[np.ix_(np.array(share.components), here)] = share.weights[:, None]
    if samples is not None:
        spectra = samples.reshape(samples.shape[0], -1)
        pixels = _valid(spectra, np.flatnonzero(wanted_pixels(flat, plan, borders)), invalid)
        coordinates, total = project(plan.frame, spectra[:, pixels], scale, offset)
        for share, members, chosen in _fitted_alike(flat, pixels, plan, borders):
            basis = plan.frame.components[:, members]
            found = fit(basis, coordinates[:, chosen], total[chosen], share.noise, plan.sum_to_one)
            some = found.weights.any(axis=0)
            here, rows = pixels[chosen[some]], np.array(members)
            noisier = 1.0 if edge_noise is None else edge_noise.ravel()[here] / share.edge_noise
            ratio[:, here] = 0.0
            ratio[np.ix_(rows, here)] = found.weights[:, some]
            sigma[np.ix_(rows, here)] = np.sqrt(found.variance[:, some]) * noisier
            residual[here] = found.residual[some] / np.sqrt(spectra.shape[0])
    main = np.array((0, *plan.components), label.dtype)[np.where(flat > 0, 1 + ratio.argmax(axis=0), 0)]
    shape = (count, *label.shape)
    return Composition(
        ratio.reshape(shape).astype(np.float32),
        sigma.reshape(shape).astype(np.float32),
        residual.reshape(label.shape).astype(np.float32),
        main.reshape(label.shape),
    )


def _fitted_alike(
    label: LabelArray, pixels: NDArray[np.intp], plan: CompositionPlan, borders: Borders
) -> Iterator[tuple[Share, tuple[int, ...], IntArray]]:
    """Yield which of the pixels have a share and components in common, with these."""
    decisive = np.zeros((label.size, 3), np.int64)
    decisive[:, 0] = label
    decisive[borders.pixels, 1:] = borders.labels
    kinds, kind = np.unique(decisive[pixels], axis=0, return_inverse=True)
    for number, (own, *around) in enumerate(kinds.tolist()):
        held_by = [plan.shares[one].components for one in around if one] or [plan.shares[own].components]
        members = tuple(sorted({component for held in held_by for component in held}))
        yield plan.shares[own], members, np.flatnonzero(kind.reshape(-1) == number)


def _valid(spectra: NDArray[Any], pixels: NDArray[np.intp], invalid: int | None) -> NDArray[np.intp]:
    """Return those of the pixels that have a whole spectrum."""
    chosen = spectra[:, pixels]
    bad = ~np.isfinite(chosen) if chosen.dtype.kind == "f" else chosen == invalid
    return pixels[~bad.any(axis=0)] if invalid is not None or chosen.dtype.kind == "f" else pixels
