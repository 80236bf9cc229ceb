"""What the clusters of a result are judged by: spectra with their noise, thickness, how far they reach."""

import numpy as np
import xarray as xr

from gigaxas.arrays import FloatArray
from gigaxas.components.evidence import ClusterEvidence, mean_variance, without_field
from gigaxas.components.pca import code_unit, first_spectra
from gigaxas.execution.reduction import Summary, gather, open_reduction
from gigaxas.execution.runner import Runner
from gigaxas.observed import counts_of
from gigaxas.spatial.cluster_sums import Sums, cluster_spectra
from gigaxas.spatial.extents import Extents, whole_extents
from gigaxas.spectra.noise import NoiseModel
from gigaxas.stores.io.folders import remove
from gigaxas.tasks import components as tasks
from gigaxas.workflow.resolve import Resolved

MEASURED = Summary("extents", tasks.join_measured)


def gather_evidence(run: Resolved, result: xr.Dataset, runner: Runner) -> tuple[Extents, ClusterEvidence]:
    """Return how far every cluster of a result reaches, and what is known of its spectrum."""
    info = run.info
    where = {"info": info, "result": run.paths.result}
    reduction = open_reduction(runner, run.plan.spatial, run.paths.result)
    measured, sums = gather(reduction, "measure", tasks.measure_tile, MEASURED, None, **where).whole
    remove(reduction.store)
    labels = result.cluster.values
    low, step = _thickness(run, labels, sums)
    spectra, pixels = result.spectrum.values, result.kept_pixels.values
    noise = run.noise.sigma_at(spectra, low[:, None], step[:, None])
    shared = max(float(run.noise.space.sum()), 1.0)
    if run.quantity == "normalised":
        variance = shared * mean_variance(result.standard_error.values, pixels, noise)
    else:
        # the spread of pixels that are not normalised is that of their thickness
        variance = shared * noise**2 / pixels[:, None]
    if run.config.phases.spectrum == "pca":
        spectra = _singular_spectra(run, result, runner)
    known = bool(info.maps) or run.quantity == "absorbance"
    found = ClusterEvidence(info.energy, labels, pixels, spectra, variance, noise, low, step, known)
    return whole_extents(measured), _without_field(run, found, runner)


def _without_field(run: Resolved, clusters: ClusterEvidence, runner: Runner) -> ClusterEvidence:
    """Return the clusters without the slow error at each energy that was found and left in the pixels.

    A field that shifts energies is left to the clusters, which may each be another one shifted.
    """
    field = run.sites.field
    if field is None or run.corrects_field or field.shift.size:
        return clusters
    where = {"info": run.info, "result": run.paths.result, "labels": clusters.labels}
    parts = runner.over("places", tasks.cells_tile, run.plan.spatial, **where)
    cells = counts_of([one for row in parts for one in row], len(clusters.labels))
    return without_field(clusters, field.mean_additive(cells), field.left)


def _thickness(run: Resolved, labels: FloatArray, sums: Sums | None) -> tuple[FloatArray, FloatArray]:
    """Return the absorbance (n,) that 0 stands for in the spectra, and the absorbance that 1 stands for.

    Normalised spectra have them from the maps of the cube, else from the camera's working point.
    """
    low, step = np.zeros(len(labels)), np.ones(len(labels))
    if run.quantity == "normalised" and isinstance(run.noise, NoiseModel):
        low, step = low + run.noise.mu_low, step * run.noise.edge_step
    if sums is not None:
        means = cluster_spectra(sums)
        rows = np.searchsorted(labels, means.labels)
        before, after = means.mean.T
        usable = after > before
        low[rows[usable]], step[rows[usable]] = before[usable], (after - before)[usable]
    return low, step


def _singular_spectra(run: Resolved, result: xr.Dataset, runner: Runner) -> FloatArray:
    """Read the cube once more for the first singular vector of every cluster."""
    info, labels = run.info, result.cluster.values
    raw = (result.spectrum.values - info.offset) / info.scale
    unit = 1.0 if info.dtype.kind == "u" else code_unit(raw)
    where = {"info": info, "result": run.paths.result, "labels": labels, "unit": unit}
    sums = np.zeros((len(labels), info.shape[0] + 1, info.shape[0] + 1), np.int64)
    for row in runner.over("spectra", tasks.gram_tile, run.plan.grid, **where):
        for rows, products in row:
            sums[rows] += products
    return first_spectra(sums, unit, info.scale, info.offset)
