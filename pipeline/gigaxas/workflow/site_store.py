"""The store of the sites of a run: made of references, of the cube or of a file, or read where it is made."""

from collections.abc import Callable
from dataclasses import replace

from gigaxas.checkpoint.identity import digest
from gigaxas.checkpoint.owner import is_made
from gigaxas.errors import DamagedError, InputError
from gigaxas.execution.cluster import Announce
from gigaxas.execution.runner import Runner
from gigaxas.observed import FieldError, ObservedSites
from gigaxas.stores.io.groups import partial_of, publish
from gigaxas.stores.sites import StoredSites, read_sites, write_sites
from gigaxas.workflow.fingerprints import observed_fingerprint, sites_fingerprint
from gigaxas.workflow.observed import beside, find_sites, store_observed
from gigaxas.workflow.resolve import Resolved
from gigaxas.workflow.site_file import read_site_file
from gigaxas.workflow.sites import build_stored, take_stored, write_for_people


def make_sites(
    run: Resolved,
    runner: Runner,
    show: Callable[[StoredSites], None] = lambda sites: None,
    announce: Announce = lambda line: None,
) -> StoredSites:
    """Make the sites of a run, or read them where these settings have made them before.

    `show` is given sites that are new, with their audit; `announce` hears where the data show none.
    """
    if sites := made_sites(run):
        return sites
    path, given = run.paths.sites, _given(run)
    seen, field = _observed(run, runner, announce)
    with runner.step("sites", 1) as advance:
        shift = run.alignment.record() if run.alignment else None
        sites = replace(_new_sites(run, given, seen), shift=shift, field=field)
        write_sites(partial_of(path), sites, fingerprint_of(run, given))
        write_for_people(run.paths.output, sites, run.references.table)
        publish(partial_of(path), path)
        advance(1)
    show(sites)
    return read_sites(path)


def made_sites(run: Resolved) -> StoredSites | None:
    """Return the sites where these settings have made them before."""
    observing = run.config.sites.origin in ("observed", "both")
    if not run.knows_noise or (observing and run.cube is None):
        return None
    if not is_made(run.paths.sites, fingerprint_of(run, _given(run))):
        return None
    try:
        return read_sites(run.paths.sites)
    except (InputError, DamagedError):
        return None


def fingerprint_of(run: Resolved, given: StoredSites | None) -> str:
    """Return what marks the sites of a run; `given` are those of a file, where it names one."""
    made = sites_fingerprint(run.config, run.noise, run.energy, run.library)
    if given:
        return digest(made, given.table.names, given.table.spectra.tobytes())
    return made if run.config.sites.origin == "library" else observed_fingerprint(run.config, made, run.info)


def _given(run: Resolved) -> StoredSites | None:
    file, references = run.config.sites.file, run.references
    if file is None:
        return None
    return run.at_level(read_site_file(file, run.energy, references.names, references.spectra))


def _observed(
    run: Resolved, runner: Runner, announce: Announce
) -> tuple[ObservedSites | None, FieldError | None]:
    """Return what the data show, where it is asked for; beside a library nothing seen is told, no error."""
    if run.config.sites.origin not in ("observed", "both"):
        return None, None
    try:
        return find_sites(run, runner, announce)
    except InputError as error:
        if run.config.sites.origin == "observed":
            raise
        announce(f"warning    {error}; the sites are those of the library alone")
        return None, None


def _new_sites(run: Resolved, given: StoredSites | None, seen: ObservedSites | None) -> StoredSites:
    wanted, references = run.config.sites, run.library
    if given:
        return take_stored(wanted, run.noise, given, run.config.references.is_given)
    if seen is None:
        return build_stored(wanted, run.noise, run.energy, references.names, references.spectra)
    observed = store_observed(run, seen)
    if wanted.origin == "observed":
        return observed
    library = build_stored(wanted, run.noise, run.energy, references.names, references.spectra)
    return beside(run, observed, library)
