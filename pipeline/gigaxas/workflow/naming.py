"""What every cluster of a result is called, and whether it lies outside the library."""

import numpy as np
import xarray as xr

from gigaxas.arrays import FloatArray
from gigaxas.report import ClusterRow, Finding
from gigaxas.sites import mixture_name, site_error
from gigaxas.spectra import standardise
from gigaxas.spectra.noise import Noise
from gigaxas.stores.sites import StoredSites


def cluster_rows(result: xr.Dataset, sites: StoredSites, pixel_um: float, noise: Noise) -> list[ClusterRow]:
    """Say of every cluster what it is: this one answer goes to terminal, tables, report and phases.

    Its name is that of the reference that its mean spectrum correlates with best, and what explains its site
    where that was observed. Largest first.
    """
    spectra, pixels = result.spectrum.values, result.pixels.values
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
            area_um2=float(pixels[i] * pixel_um**2),
            spectrum=spectra[i],
            standard_error=result.standard_error.values[i],
            reference=sites.references[reference],
            finding=_finding(sites, int(label) - 1),
        )
        for i, (label, reference) in enumerate(zip(result.cluster.values, nearest, strict=True))
    ]
    return sorted(rows, key=lambda row: (-row.pixels, row.label))


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
