"""The ways to a label map that are compared: sites of a library or of the data, and general clustering."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn import cluster

from gigaxas.arrays import FloatArray, IntArray, LabelArray
from gigaxas.components.borders import Borders, find_borders
from gigaxas.components.composition import plan_composition
from gigaxas.components.decide import Rules, component_map, decide
from gigaxas.components.evidence import ClusterEvidence, evidence_of_image, without_field
from gigaxas.components.nnls import nnls
from gigaxas.nearest import assign_block, prepare
from gigaxas.observed import NoiseLevel, class_map, count_in_cells, counts_of, observe_field
from gigaxas.sites import build_sites, cross_distance, z_limit
from gigaxas.spatial.clean_up import CleanUp
from gigaxas.spatial.fill import fill_map
from gigaxas.spatial.regions import clean_up_map
from gigaxas.specks import ImageSpecks, LabelMaps, settle_search, specks_of_image
from gigaxas.spectra import standardise
from gigaxas.spectra.noise import Noise

AXES = 10
"""Principal components that general clustering works on; it fails in 178 dimensions of noise."""
Method = Literal["K-means", "DBSCAN", "HDBSCAN"]


@dataclass(frozen=True)
class Maps:
    """Labels of one image."""

    site: LabelArray
    """(h, w) as assigned."""
    kept: LabelArray
    """(h, w) after the clean-up."""
    label: LabelArray
    """(h, w) filled."""


def library_sites(references: FloatArray, noise: Noise, trials: int = 10_000) -> FloatArray:
    """Return the published sites (m, E) of references (n, E): pairs, trials, average linkage."""
    names = [str(k) for k in range(len(references))]
    return build_sites(names, references, noise, trials=trials, method="average").spectra


def join_sites(observed: FloatArray, given: FloatArray, noise: Noise, limit: float = 1e-4) -> FloatArray:
    """Return sites that were observed (m, E), then those given (n, E) farther away than the limit."""
    if not len(given):
        return observed
    there, back = cross_distance(given, observed, noise)
    far = 0.5 * (there + back).min(axis=1) >= z_limit(limit, "limit")
    return np.concatenate([observed, given[far]])


def classify_image(
    image: NDArray[Any],
    sites: FloatArray,
    k_size: int = 5,
    p_num: int = 23,
    invalid: int | None = None,
    classes: IntArray | None = None,
) -> Maps:
    """Assign an image (E, h, w) to sites (m, E), clean it up and fill it.

    `classes` (m,) says which number, from 1, stands for each site in the map; its own without.
    """
    found = assign_block(image, prepare(sites), invalid).labels
    if classes is not None:
        found = class_map(found, classes)
    kept = clean_up_map(found, CleanUp(k_size, p_num))
    return Maps(found, kept, fill_map(kept, found == 0))


def specks_of_maps(
    image: NDArray[Any], maps: Maps, noise: Noise, known: FloatArray, false_alarms: float
) -> ImageSpecks:
    """Find the specks of an image (E, h, w) of normalised absorbance beside its maps.

    `known` (n, E) are spectra that specks may have; noise makes so many false specks in the image.
    """
    count = int(maps.label.max()) + 1
    spectra = np.full((count, len(image)), np.nan)
    for label in np.unique(maps.kept[maps.kept > 0]):
        spectra[label] = image[:, maps.kept == label].mean(axis=1, dtype=np.float64)
    there, sigma = ~np.isnan(spectra[:, 0]), np.full(spectra.shape, np.nan)
    sigma[there] = noise.sigma(spectra[there])
    search = settle_search(spectra, known, sigma, noise.energy)
    return specks_of_image(image, LabelMaps(maps.label, maps.kept), search, false_alarms)


def components_of(
    image: NDArray[Any], maps: Maps, energy: FloatArray, noise: Noise, level: NoiseLevel
) -> tuple[LabelArray, int]:
    """Return a map (h, w) in which each cluster has its component's label, and how many components there are.

    A filled pixel between two of them has the label of that which most of it is. `level` is that of the noise
    by which the sites were observed.
    """
    clusters = evidence_of_image(image, maps.kept, energy, noise, level.wide_spread)
    field = observe_field(image, energy, level)
    if field is not None and not field.shift.size:
        counts = count_in_cells(maps.kept, clusters.labels, (0, 0), field.plane)
        cells = counts_of([counts], len(clusters.labels))
        clusters = without_field(clusters, field.mean_additive(cells), field.left)
    decisions = decide(clusters, Rules())
    joined, plan = component_map(maps.label, decisions), plan_composition(clusters, decisions, noise)
    borders = find_borders(maps.label, plan.beside[maps.kept], (0, 0), level.k_size // 2)
    joined.flat[borders.pixels] = _most_of(image, clusters, borders)
    return joined, len(plan.components)


def _most_of(image: NDArray[Any], clusters: ClusterEvidence, borders: Borders) -> IntArray:
    """Return which of the two labels around each border pixel (n,) of an image (E, h, w) most of it is."""
    spectra, most = image.reshape(len(image), -1)[:, borders.pixels].T, borders.labels[:, 0].copy()
    for pair in np.unique(borders.labels, axis=0):
        here = np.flatnonzero((borders.labels == pair).all(axis=1))
        basis = clusters.spectra[np.searchsorted(clusters.labels, pair)]
        most[here] = pair[nnls(basis.T, spectra[here]).weights.argmax(axis=0)]
    return most


def cluster_image(
    image: NDArray[np.float32], method: Method, clusters: int, merit: Callable[[LabelArray], float]
) -> LabelArray:
    """Cluster the pixels of an image (E, h, w) by scikit-learn, with the setting that has most merit.

    K-means is told the true number of clusters; for the others several settings are tried and `merit`,
    which knows the truth, takes the best. Noise of DBSCAN and HDBSCAN is label 0.
    """
    points = _scores(image)
    near = _neighbour_distance(points)
    tried: Iterable[Any] = {
        "K-means": (cluster.KMeans(clusters, n_init=10, random_state=0),),
        "DBSCAN": (
            cluster.DBSCAN(eps=factor * near, min_samples=samples)
            for factor in (0.9, 1.0, 1.1, 1.25, 1.5)
            for samples in (5, 10)
        ),
        "HDBSCAN": (
            cluster.HDBSCAN(min_cluster_size=least, min_samples=samples, copy=True)
            for least in (10, 25, 50)
            for samples in (5, 10)
        ),
    }[method]
    maps = [_map(model.fit_predict(points), image.shape[1:]) for model in tried]
    return max(maps, key=merit)


def _scores(image: NDArray[np.float32]) -> FloatArray:
    """Return the pixels (n, AXES) of an image on the leading principal components of their spectra."""
    pixels = standardise(np.moveaxis(image, 0, -1).reshape(-1, image.shape[0]).astype(np.float64))
    centred = pixels - pixels.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ axes[:, ::-1][:, :AXES])


def _neighbour_distance(points: FloatArray) -> float:
    """Return the median distance of a point to its tenth neighbour, by a sample."""
    sample = points[:: max(1, len(points) // 400)]
    square = ((sample[:, None] - points[None]) ** 2).sum(axis=-1)
    return float(np.sqrt(np.median(np.partition(square, 10, axis=1)[:, 10])))


def _map(found: NDArray[Any], shape: tuple[int, ...]) -> LabelArray:
    return np.asarray(found.reshape(shape) + 1, np.uint32)
