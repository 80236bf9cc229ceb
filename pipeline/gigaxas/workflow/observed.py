"""Sites observed in the cube: the level of the noise, a pass over the windows, names from the library."""

from dataclasses import replace

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.execution.runner import Runner
from gigaxas.observed import (
    Evidence,
    NoiseLevel,
    ObservedSites,
    block_grid,
    explain,
    gather_evidence,
    level_of_samples,
    sample_grid,
    sites_of_groups,
    with_library,
)
from gigaxas.sites import (
    SiteAudit,
    SiteTable,
    audit_sites,
    cross_distance,
    distinct_names,
    mixture_name,
    z_limit,
)
from gigaxas.stores.sites import StoredSites
from gigaxas.tasks import observe as tasks
from gigaxas.workflow.resolve import Resolved

OUTSIDE = "outside the library"
FEWEST_AUDITED = 3


def store_observed(run: Resolved, found: ObservedSites) -> StoredSites:
    """Return sites that were found with what explains them: the references (n, E), if there are any."""
    names, references = run.references.names, run.library.spectra
    table, evidence = _explained(found, distinct_names(names), references, run.config.sites.limit)
    spectra = references if names else table.spectra
    return StoredSites(run.energy, table, spectra, _audit(run, table), evidence=evidence)


def beside(run: Resolved, observed: StoredSites, library: StoredSites) -> StoredSites:
    """Return observed sites, then those of the library that are further than the limit from all of them."""
    assert observed.evidence is not None
    one, two = cross_distance(library.table.spectra, observed.table.spectra, run.noise)
    far = np.flatnonzero((0.5 * (one + two)).min(axis=1) >= z_limit(run.config.sites.limit, "sites.limit"))
    ours, theirs = observed.table, library.table
    table = SiteTable(
        spectra=np.concatenate([ours.spectra, theirs.spectra[far]]),
        weights=np.concatenate([ours.weights, theirs.weights[far]]),
        names=(*ours.names, *(theirs.names[k] for k in far)),
        standards=ours.standards,
    )
    evidence = with_library(observed.evidence, far.size)
    return replace(library, table=table, audit=_audit(run, table), evidence=evidence)


def _audit(run: Resolved, table: SiteTable) -> SiteAudit | None:
    """Audit the spacing of sites, unless they are too few to be told anything of."""
    if len(table.names) < FEWEST_AUDITED:
        return None
    wanted = run.config.sites
    return audit_sites(table, None, run.noise, limit=wanted.limit, seed=wanted.seed)


def find_level(run: Resolved, runner: Runner) -> NoiseLevel:
    """Return the level of the noise by sample areas all over the cube; InputError where it shows nothing."""
    info, k_size, p_num = run.info, run.config.clean_up.k_size, run.config.clean_up.p_num
    samples = runner.over("sample", tasks.sample_tile, sample_grid(info.plane), info=info, k_size=k_size)
    return level_of_samples(
        [one for row in samples for one in row],
        run.noise,
        k_size,
        p_num,
        run.config.sites.limit,
        info.scale,
        info.offset,
    )


def find_sites(run: Resolved, runner: Runner) -> ObservedSites:
    """Return the sites that the cube itself shows. Raises InputError where it holds no uniform window."""
    info, level = run.info, find_level(run, runner)
    grid = block_grid(info.plane, run.config.clean_up.k_size)
    parts = runner.over("observe", tasks.observe_tile, grid, info=info, level=level)
    return sites_of_groups([one for row in parts for one in row], level, info.scale, info.offset)


def _explained(
    found: ObservedSites, standards: tuple[str, ...], references: FloatArray, error: float
) -> tuple[SiteTable, Evidence]:
    """Name sites by what the references make of them; without references they are numbered."""
    if not standards:
        names = tuple(f"phase {k + 1}" for k in range(len(found.spectra)))
        return SiteTable(found.spectra, np.eye(len(names)), names, names), gather_evidence(found, [])
    best = [
        explain(spectrum, variance, references, error)
        for spectrum, variance in zip(found.spectra, found.variance, strict=True)
    ]
    weights = np.stack([one.shares for one in best])
    made_of = [mixture_name(standards, shares) for shares in weights]
    names = tuple(
        f"{OUTSIDE} (nearest: {name})" if one.outside else name
        for one, name in zip(best, made_of, strict=True)
    )
    return SiteTable(found.spectra, weights, names, standards), gather_evidence(found, best)
