"""What assignment needs: the reference spectra, the sites made of them, and a cube, measured or simulated."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gigaxas import __version__
from gigaxas.arrays import FloatArray
from gigaxas.checkpoint.identity import digest
from gigaxas.checkpoint.owner import is_made
from gigaxas.config.paths import sites_path, truth_path
from gigaxas.config.schema import Config
from gigaxas.errors import DamagedError, InputError
from gigaxas.execution.runner import Runner
from gigaxas.locations import Place
from gigaxas.observed import ObservedSites
from gigaxas.raw.normalisation import Normaliser, make_normaliser, normalise_spectra
from gigaxas.simulate import Scene, edge_windows, inset_scene, modelled_library, sinter_scene
from gigaxas.spectra import ReadRow, read_library
from gigaxas.stores.cube import CubeInfo, create_cube, cube_identity, describe_cube
from gigaxas.stores.io.codes import step_within
from gigaxas.stores.io.groups import partial_of, publish
from gigaxas.stores.sites import StoredSites, read_sites, write_sites
from gigaxas.stores.truth import write_truth
from gigaxas.tasks.maps import simulate_tile
from gigaxas.tiles import regular_grid
from gigaxas.workflow.observed import beside, find_sites, store_observed
from gigaxas.workflow.site_file import read_site_file
from gigaxas.workflow.sites import build_stored, take_stored, write_for_people


@dataclass(frozen=True)
class ReferenceSet:
    """Named reference spectra (n, E), normalised, on the cube's energies; `table` tells what was read."""

    names: tuple[str, ...]
    spectra: FloatArray
    table: tuple[ReadRow, ...] = ()

    def numbers(self, names: tuple[str, ...]) -> list[int]:
        """Return the rows of these names. Raises InputError for a name that is not there."""
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise InputError(
                f"simulate.phases: found no reference named {', '.join(unknown)}; the names are "
                f"{', '.join(self.names)}"
            )
        return [self.names.index(name) for name in names]


def energy_grid(config: Config) -> FloatArray:
    """Return the energies (E,) in eV of a simulated cube."""
    assert config.simulate is not None
    return np.linspace(*config.simulate.energy_range, config.simulate.energies)


def read_references(config: Config, energy: FloatArray) -> ReferenceSet:
    """Read the reference spectra on the energies (E,) of the cube. Raises InputError as the readers do.

    They are normalised as the pixels are where the cube is made of raw fields.
    """
    if not config.references.is_given and config.sites.file:
        stored = read_site_file(config.sites.file, energy)
        return ReferenceSet(stored.table.standards, stored.references)
    if not config.references.is_given:
        return ReferenceSet((), np.empty((0, energy.size)))
    references = _references(config, energy)
    if config.ingest is None or config.ingest.fields is None:
        return references
    spectra = normalise_spectra(references.spectra, normaliser_of(config, energy))
    return replace(references, spectra=spectra)


def normaliser_of(config: Config, energy: FloatArray) -> Normaliser:
    """Return how pixels of raw fields, and references with them, are normalised on the energies (E,)."""
    assert config.ingest is not None
    assert config.ingest.fields is not None
    fields, ranges = config.ingest.fields, (config.references.pre_edge, config.references.post_edge)
    return make_normaliser(energy, *ranges, fields.edge, fields.normalise)


def _references(config: Config, energy: FloatArray) -> ReferenceSet:
    wanted = config.references
    if wanted.path is None:
        return ReferenceSet(*modelled_library(energy))
    if not wanted.path.exists():
        raise InputError(
            f"references.path: there is nothing at {wanted.path}; give a file or folder of spectra"
        )
    library = read_library(
        wanted.path,
        energy,
        pre_edge=wanted.pre_edge,
        post_edge=wanted.post_edge,
        shifts=wanted.shifts,
        select=wanted.select,
        extrapolate=wanted.extrapolate,
    )
    return ReferenceSet(tuple(library.names), library.spectra, tuple(library.table))


def cube_fingerprint(config: Config, references: ReferenceSet) -> str:
    """Return what marks a simulated cube made by these settings from these references."""
    spectra = references.spectra.tobytes()
    made = digest(__version__, config.simulate, config.acquisition, references.names, spectra)
    return digest(made, quantised_step(config)) if config.quantise else made


def quantised_step(config: Config) -> int:
    """Return what codes of a new cube are rounded to multiples of: a share of the least noise, or 1."""
    noise = float(config.noise.model().sigma(np.zeros(())))
    return step_within(config.quantise * noise) if config.quantise else 1


def sites_fingerprint(config: Config, energy: FloatArray, references: ReferenceSet) -> str:
    """Return what marks sites made by these settings from these references on these energies."""
    spectra = references.spectra.tobytes()
    noise = asdict(config.noise.model())
    return digest(__version__, config.sites.recipe, noise, energy.tobytes(), references.names, spectra)


def observed_fingerprint(config: Config, info: CubeInfo, references: ReferenceSet) -> str:
    """Return what marks sites observed in a cube, alone or beside those of the library."""
    window, origin = config.clean_up.k_size, config.sites.origin
    made = sites_fingerprint(config, info.energy, references)
    return digest(made, origin, cube_identity(info), window, config.clean_up.p_num)


def make_sites(
    config: Config,
    energy: FloatArray,
    references: ReferenceSet,
    runner: Runner,
    show: Callable[[StoredSites], None] = lambda sites: None,
    info: CubeInfo | None = None,
) -> StoredSites:
    """Make the sites of a run, or read them where these settings have made them before.

    `info` is the cube, which observed sites need. `show` is given sites that are new, with their audit.
    """
    path, fingerprint = sites_path(config), sites_fingerprint(config, energy, references)
    given = None
    if config.sites.file:
        given = read_site_file(config.sites.file, energy, references.names, references.spectra)
        fingerprint = digest(fingerprint, given.table.names, given.table.spectra.tobytes())
    elif info and config.sites.origin != "library":
        fingerprint = observed_fingerprint(config, info, references)
    if not is_made(path, fingerprint) or not _is_readable(path):
        seen = _observed(config, references, runner, info)
        with runner.step("sites", 1) as advance:
            sites = take_stored(config, given) if given else _new_sites(config, energy, references, seen)
            write_sites(partial_of(path), sites, fingerprint)
            write_for_people(config.output, sites, references.table)
            publish(partial_of(path), path)
            advance(1)
        show(sites)
    return read_sites(path)


def _observed(
    config: Config, references: ReferenceSet, runner: Runner, info: CubeInfo | None
) -> ObservedSites | None:
    """Return what the data show, where it is asked for; beside a library nothing seen is no error."""
    if info is None or config.sites.origin not in ("observed", "both"):
        return None
    try:
        return find_sites(config, info, runner)
    except InputError:
        if config.sites.origin == "both":
            return None
        raise


def _new_sites(
    config: Config, energy: FloatArray, references: ReferenceSet, seen: ObservedSites | None
) -> StoredSites:
    names, spectra = references.names, references.spectra
    if seen is None:
        return build_stored(config, energy, names, spectra)
    observed = store_observed(config, energy, names, spectra, seen)
    if config.sites.origin == "observed":
        return observed
    return beside(config, observed, build_stored(config, energy, names, spectra))


def _is_readable(path: Place) -> bool:
    try:
        read_sites(path)
    except (InputError, DamagedError):
        return False
    return True


def describe(config: Config) -> CubeInfo:
    """Read what the cube of a run says of itself."""
    return describe_cube(config.cube_path, config.cube is not None and config.cube.missing_chunks == "void")


def make_cube(config: Config, references: ReferenceSet, runner: Runner) -> Place:
    """Simulate the cube of a run and its truth, unless these settings have made them before."""
    wanted = config.simulate
    if wanted is None:
        return config.cube_path
    path, fingerprint = config.cube_path, cube_fingerprint(config, references)
    truth, energy = truth_path(config), energy_grid(config)
    if is_made(path, fingerprint) and runner.is_intact(path) and runner.is_intact(truth):
        return path
    scene, rows = draw_scene(config, references)
    names = tuple(references.names[row] for row in rows)
    maps: dict[str, NDArray[Any]] = {"phase": scene.phase, "thickness": scene.thickness}
    write_truth(partial_of(truth), maps, wanted.chunk, names, names[scene.minority], fingerprint)
    step = quantised_step(config)
    create_cube(partial_of(path), energy, wanted.shape, wanted.chunk, wanted.pixel_um, fingerprint, step=step)
    runner.over(
        "simulate",
        simulate_tile,
        regular_grid(wanted.shape, (wanted.chunk, wanted.chunk)),
        store=partial_of(path),
        truth_store=partial_of(truth),
        spectra=references.spectra[rows],
        noise=config.acquisition,
        windows=edge_windows(energy, config.references.pre_edge, config.references.post_edge),
        seed=wanted.seed,
    )
    publish(partial_of(truth), truth)
    publish(partial_of(path), path)
    return path


def draw_scene(config: Config, references: ReferenceSet) -> tuple[Scene, list[int]]:
    """Return the scene and, for every number in its phase map, the row of the references it stands for."""
    wanted = config.simulate
    assert wanted is not None
    if wanted.phases is None:
        return sinter_scene(wanted.shape, wanted.seed), list(range(len(references.names)))
    return inset_scene(wanted.shape, wanted.inset), references.numbers(wanted.phases)
