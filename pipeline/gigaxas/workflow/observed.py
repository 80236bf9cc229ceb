"""Sites observed in the cube: the level of the noise, a pass over the windows, names from the library."""

from dataclasses import replace

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.execution.cluster import Announce
from gigaxas.execution.runner import Runner
from gigaxas.observed import (
    Continuum,
    Evidence,
    FieldError,
    NoiseLevel,
    ObservedSites,
    block_grid,
    explain,
    field_grid,
    fit_field,
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
from gigaxas.stores.cube import CubeInfo
from gigaxas.stores.sites import StoredSites
from gigaxas.tasks import observe as tasks
from gigaxas.tasks.pixels import ScreenedCube
from gigaxas.workflow.resolve import Resolved

OUTSIDE = "outside the library"
FEWEST_AUDITED = 3


def store_observed(run: Resolved, found: ObservedSites) -> StoredSites:
    """Return sites that were found with what explains them: the references (n, E), if there are any."""
    names, references = run.references.names, run.library.spectra
    table, evidence = _explained(found, distinct_names(names), references, run.config.sites.limit)
    spectra = references if names else table.spectra
    sites = StoredSites(run.energy, table, spectra, evidence=evidence, continua=found.continua)
    named = replace(sites, table=replace(table, names=_with_continua(sites)))
    return replace(named, audit=_audit(run, named.table))


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
    audit = _audit(run, table)
    return replace(library, table=table, audit=audit, evidence=evidence, continua=observed.continua)


def _audit(run: Resolved, table: SiteTable) -> SiteAudit | None:
    """Audit the spacing of sites, unless they are too few to be told anything of."""
    if len(table.names) < FEWEST_AUDITED:
        return None
    wanted = run.config.sites
    return audit_sites(table, None, run.noise, limit=wanted.limit, seed=wanted.seed)


def find_level(run: Resolved, info: CubeInfo, runner: Runner) -> NoiseLevel:
    """Return the level of the noise by sample areas all over a cube; InputError where it shows nothing."""
    k_size, p_num = run.config.clean_up.k_size, run.config.clean_up.p_num
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


def find_field(run: Resolved, level: NoiseLevel, runner: Runner) -> FieldError | None:
    """Return the slow error of the field that the grains of the cube show, None where they show none."""
    info = run.info
    parts = runner.over("field", tasks.grains_tile, field_grid(info.plane), info=info, level=level)
    return fit_field([one for row in parts for one in row], run.energy, info.plane, level)


def find_sites(run: Resolved, runner: Runner, announce: Announce) -> tuple[ObservedSites, FieldError | None]:
    """Return the sites that the cube itself shows, and the slow error of its field, where there is one.

    They are those of the cube freed of this error where the configuration asks for it. Raises InputError
    where it holds no uniform window.
    """
    info, level = run.info, find_level(run, run.info, runner)
    field = find_field(run, level, runner)
    if field is not None:
        announce(f"field      {told_field(field, run.corrects_field)}")
    elif run.corrects_field:
        announce("field      no error was found that varies slowly in all grains alike; nothing is taken out")
    if field is not None and run.corrects_field:
        info = ScreenedCube.of(info).with_field(field)
        level = find_level(run, info, runner)
    grid = block_grid(info.plane, run.config.clean_up.k_size)
    parts = runner.over("observe", tasks.observe_tile, grid, info=info, level=level)
    return sites_of_groups([one for row in parts for one in row], level, info.scale, info.offset), field


def told_field(field: FieldError, taken_out: bool) -> str:
    """Return a sentence on a slow error of the field."""
    errors = []
    if field.shift.size:
        errors.append(f"the energy shifts by {field.largest_shift:.2f} eV over the image")
    if field.additive.size:
        errors.append(
            f"each energy has an error of its own, {field.additive_share:.2%} of a spectrum's spread"
        )
    what = " and ".join(errors)
    left = (
        "left in the pixels" if field.shift.size else "left in the pixels, not in the means phases compares"
    )
    done = "taken out" if taken_out else f"{left}; sites.correct: field takes it out"
    return f"{what}, in {field.grains} grains alike ({field.explained:.0%} of what varies in them); {done}"


def told_continua(sites: StoredSites) -> list[str]:
    """Return a sentence on each continuum of compositions."""
    said = []
    for one in sites.continua:
        dimensions = "1 dimension" if one.dimension == 1 else f"{one.dimension} dimensions"
        said.append(
            f"{one.share:.0%} of the uniform windows lie on a gradient of {dimensions} between "
            f"{_told_ends(sites, one)}; the map shows it as one class, gigaxas phases gives its composition"
        )
    return said


def _with_continua(sites: StoredSites) -> tuple[str, ...]:
    """Return the names of sites, in which those that stand for a continuum say so."""
    names = list(sites.table.names)
    for one in sites.continua:
        names[one.site] = f"continuum of {_told_ends(sites, one)}"
    return tuple(names)


def _told_ends(sites: StoredSites, continuum: Continuum) -> str:
    """Return the names of the ends, "near" those of references where the library does not hold them."""
    table, evidence = sites.table, sites.evidence
    names = [
        f"near {mixture_name(table.standards, table.weights[end])}"
        if evidence is not None and evidence.outside[end]
        else table.names[end]
        for end in continuum.ends
    ]
    return f"{', '.join(names[:-1])} and {names[-1]}"


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
