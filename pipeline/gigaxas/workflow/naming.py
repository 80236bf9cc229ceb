"""What every cluster of a result is called, and whether it lies outside the library."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtrc

from gigaxas.arrays import FloatArray
from gigaxas.components.alike import MOVED, Comparison
from gigaxas.report import ClusterRow, Finding, Moved
from gigaxas.sites import mixture_name, site_error
from gigaxas.spectra import standardise
from gigaxas.spectra.noise import Noise, mean_share
from gigaxas.stores.sites import StoredSites
from gigaxas.workflow.resolve import Resolved

if TYPE_CHECKING:
    import xarray as xr

CAMERA_FLOOR = 0.05
"""Share of a pixel's noise, by a camera's numbers, that no model of a cluster explains."""


def cluster_rows(run: Resolved, result: "xr.Dataset") -> list[ClusterRow]:
    """Say of every cluster what it is: this one answer goes to terminal, tables, report and phases.

    Its name is that of the reference that its mean spectrum correlates with best, and what explains its site
    where that was observed; a continuum is called by its ends, and lies outside where one of them does. Of
    one outside the library it is said which reference, moved in energy, it is. Largest first.
    """
    sites, noise = run.sites, run.noise
    spectra, errors = result.spectrum.values, result.standard_error.values
    labels, pixels = result.cluster.values, result.pixels.values
    correlation = standardise(spectra) @ standardise(sites.references).T if len(spectra) else np.empty((0, 1))
    nearest = correlation.argmax(axis=1)
    rows = [
        ClusterRow(
            label=int(label),
            name=sites.table.standards[reference],
            correlation=float(correlation[i, reference]),
            error=_error(spectra[i], sites.references[reference], noise),
            pixels=int(pixels[i]),
            share=float(pixels[i] / pixels.sum()),
            area_um2=float(pixels[i] * run.info.pixel_um**2),
            spectrum=spectra[i],
            standard_error=errors[i],
            reference=sites.references[reference],
            **_known(sites, int(label) - 1),
        )
        for i, (label, reference) in enumerate(zip(labels, nearest, strict=True))
    ]
    kept = dict(zip(labels.tolist(), result.kept_pixels.values.tolist(), strict=True))
    told = [
        replace(row, moved=_moved(run, row, kept[row.label])) if row.outside and not row.given else row
        for row in rows
    ]
    return sorted(told, key=lambda row: (-row.pixels, row.label))


def floor_of(run: Resolved) -> float:
    """Return the share of a pixel's noise that no model explains.

    What the pixels of a measured image share, such as errors of I0 or of the alignment, does not average out:
    there no cluster is known better than one window.
    """
    if run.config.phases.floor is not None:
        return run.config.phases.floor
    if run.config.noise_kind == "camera":
        return CAMERA_FLOOR
    return float(np.sqrt(mean_share(run.noise.space, run.config.clean_up.k_size)))


def _moved(run: Resolved, row: ClusterRow, kept: int) -> Moved | None:
    """Return the reference that explains a cluster within the noise when moved in energy, if one does."""
    sites, shared = run.sites, max(float(run.noise.space.sum()), 1.0)
    sigma = run.noise.sigma(row.spectrum)
    allowed = sigma**2 * (floor_of(run) ** 2 + shared / kept)
    comparison = Comparison(
        run.info.energy, row.spectrum, allowed, sites.references, np.zeros_like(sites.references)
    )
    fits = MOVED.search(comparison)
    best = int(fits.chi_square.argmin())
    p_value = float(chdtrc(row.spectrum.size - MOVED.free, fits.chi_square[best]))
    if p_value < run.config.phases.level:
        return None
    return Moved(sites.table.standards[best], float(fits.amount[best]), p_value)


def _known(sites: StoredSites, site: int) -> dict[str, Any]:
    """Return what a row tells of the site (from 0) of its cluster."""
    continuum = next((one for one in sites.continua if one.site == site), None)
    if continuum is None:
        return {"finding": _finding(sites, site)}
    outside = None if sites.evidence is None else bool(sites.evidence.outside[list(continuum.ends)].any())
    return {"given": sites.table.names[site], "decided_outside": outside}


def _finding(sites: StoredSites, site: int) -> Finding | None:
    """Return what is known of an observed site (from 0); None for one of the library."""
    evidence = sites.evidence
    if evidence is None or not evidence.windows[site]:
        return None
    explained = np.isfinite(evidence.p_value[site])
    y, x = evidence.first[site].tolist()
    weights, standards = sites.table.weights[site], sites.table.standards
    return Finding(
        made_of=mixture_name(standards, weights) if explained else sites.table.names[site],
        chi_square=float(evidence.chi_square[site]) if explained else None,
        freedom=float(evidence.freedom[site]) if explained else None,
        p_value=float(evidence.p_value[site]) if explained else None,
        outside=bool(evidence.outside[site]),
        position=(y, x),
    )


def _error(spectrum: FloatArray, reference: FloatArray, noise: Noise) -> float:
    return float(site_error(np.stack([spectrum, reference]), noise)[0, 1])
