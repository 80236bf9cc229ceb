"""A configuration with everything known that it leaves to be measured or found, handed on to every stage."""

import shutil
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from dask.utils import format_bytes, parse_bytes
from threadpoolctl import threadpool_limits

from gigaxas import __version__
from gigaxas.arrays import FloatArray
from gigaxas.checkpoint.identity import digest, settings_mark
from gigaxas.checkpoint.owner import check_owner, is_made
from gigaxas.config.paths import Paths, paths_of
from gigaxas.config.schema import Compute, Config
from gigaxas.errors import InputError
from gigaxas.execution.cluster import Announce, memory_of, worker_count
from gigaxas.execution.open_files import allow_open_files
from gigaxas.raw.readers.acquisition import Acquisition, check_references, describe_acquisition
from gigaxas.raw.readers.stack import StackSource, describe_stack, field_as_stack
from gigaxas.spatial.clean_up import check_clean_up
from gigaxas.spectra.noise import Noise
from gigaxas.spectra.quantity import Quantity
from gigaxas.spectra.void import rule_record
from gigaxas.stores.cube import CubeInfo, check_chunks, cube_identity, describe_cube
from gigaxas.stores.sites import StoredSites, read_sites
from gigaxas.tasks.pixels import ScreenedCube
from gigaxas.workflow.alignment import Alignment, align, moved
from gigaxas.workflow.edge import resolve_edge, told_edge, unit_of
from gigaxas.workflow.fingerprints import cube_fingerprint, raw_is_made
from gigaxas.workflow.image import ImageFound, look_at_image, told_noise
from gigaxas.workflow.noise import resolve_noise
from gigaxas.workflow.plan import Outline, Plan, acquired_outline, make_plan, simulated_outline, stack_outline
from gigaxas.workflow.references import ReferenceSet, at_level, no_references, read_references
from gigaxas.workflow.screen import screen
from gigaxas.workflow.sites import check_sites

T = TypeVar("T")
Source = Acquisition | StackSource


@dataclass(frozen=True)
class Resolved:
    """A run before and while its stages work: every number known that can be, files looked at once."""

    config: Config
    """The settings, the edge's ranges and the noise in numbers; its working point is open until a cube that
    tells it is made."""
    mark: str
    """Tells runs of other settings or other code."""
    paths: Paths
    """Where it keeps what it makes."""
    energy: FloatArray
    """Energies of the cube, (E,) in eV."""
    references: ReferenceSet
    """None of them in a finished run that is only reported on."""
    plan: Plan
    """Its size: tiles, bytes, memory."""
    source: Source | None = None
    """Raw fields or a stack; None where the cube is given, simulated, or of raw fields not simulated yet."""
    cube: CubeInfo | None = None
    """What the cube says of itself; None until it is made."""
    image: ImageFound | None = None
    """What the cube itself told; None until it is made, and where everything is told without it."""
    alignment: Alignment | None = None
    """How references and image agree in energy; None where that is not asked for or not known."""
    stored_sites: StoredSites | None = None
    """The sites; None until they are made."""

    @property
    def knows_noise(self) -> bool:
        """Whether the noise is told by numbers, or was measured."""
        told = self.config.noise_kind == "camera" and self.config.noise.is_given and self.cube is not None
        return self.image is not None or told or not needs_image(self.config)

    @property
    def noise(self) -> Noise:
        """The noise of a sample, in the unit of the cube. InputError where it is still to be measured."""
        if self.image is not None:
            return self.image.noise
        if not self.knows_noise:
            raise InputError(
                f"noise: it is measured on {self.paths.cube}, which is not made yet; make it first with "
                "gigaxas ingest, or give a camera's numbers"
            )
        return self.config.noise.camera()

    @property
    def quantity(self) -> Quantity:
        """What the samples of the cube are."""
        return self.image.quantity if self.image else "normalised"

    @property
    def library(self) -> ReferenceSet:
        """The references in the unit of the cube: as strong as its typical spectrum."""
        if self.image is None or self.image.quantity == "normalised":
            return self.references
        spectra = at_level(self.references.spectra, self.image.typical)
        return replace(self.references, spectra=spectra)

    def at_level(self, stored: StoredSites) -> StoredSites:
        """Return sites of a file in the unit of the cube, as strong as its typical spectrum."""
        if self.image is None or self.image.quantity == "normalised":
            return stored
        table = replace(stored.table, spectra=at_level(stored.table.spectra, self.image.typical))
        return replace(stored, table=table, references=at_level(stored.references, self.image.typical))

    @property
    def corrects_field(self) -> bool:
        """Whether a slow error of the field is taken out of the cube as it is read."""
        return self.config.sites.correct == "field"

    @property
    def info(self) -> CubeInfo:
        """What the cube says of itself, once it is made."""
        assert self.cube is not None, "the cube is made first"
        return self.cube

    @property
    def sites(self) -> StoredSites:
        """The sites, once they are made."""
        assert self.stored_sites is not None, "the sites are made first"
        return self.stored_sites


def resolve(
    config: Config, announce: Announce = lambda line: None, among: Collection[str] | None = None
) -> Resolved:
    """Settle a configuration by the files it names, before anything runs.

    `announce` is told of noise that is measured. Of raw fields that are still being written, the files
    `among` all of them that are whole are taken. Raises InputError with a line for everything that is wrong.
    """
    _check_image(config)
    allow_open_files()  # a stack is described by its files
    errors: list[str] = []

    def attempt(step: Callable[[], T]) -> T | None:
        try:
            return step()
        except InputError as error:
            errors.append(str(error))
            return None

    paths = paths_of(config)
    attempt(lambda: check_owner(paths, config.title))
    cube = attempt(lambda: _given_cube(config, paths)) if config.cube else None
    made = config.ingest is not None and not config.simulate
    source = attempt(lambda: _checked_source(config, among)) if made else None
    energy = simulated_energies(config) if config.simulate else _energies(cube or source)
    if energy is None:
        raise InputError("\n".join(errors))
    if source:
        config = _in_unit(config, source)
    edged = attempt(lambda: resolve_edge(config, energy, cube))
    if edged is None:
        raise InputError("\n".join(errors))
    if source and _normalises(config) != _normalises(edged):
        source = attempt(lambda: _checked_source(edged, among))
    references = attempt(lambda: read_references(edged, energy, unit_of(edged, cube)))
    known = attempt(lambda: resolve_noise(edged, cube, announce))
    if references and known and not needs_image(known):
        camera = known.noise.camera()
        attempt(lambda: check_sites(known.sites, camera, energy, references.names, references.spectra))
    used = references or no_references(energy)
    mark = settings_mark(config)
    run = attempt(lambda: _planned(known or edged, mark, paths, energy, used, source, cube))
    if run and run.cube and references and needs_image(run.config):
        found = run
        run = attempt(lambda: _checked(with_cube(found, announce)))
    if errors or run is None:
        raise InputError("\n".join(errors))
    _warn_of_memory(config.compute, run.plan, announce)
    return run


def _check_image(config: Config) -> None:
    """Raise InputError where a measurement is planned and nothing more."""
    if not config.has_image:
        raise InputError(
            "the configuration has no section `cube`, `ingest` or `simulate`, so that there is nothing to "
            "classify; give one, or plan its measurement with gigaxas plan"
        )


def _in_unit(config: Config, source: Source) -> Config:
    """Return a configuration that says in which unit the files have their energies."""
    assert config.ingest is not None
    return config.model_copy(update={"ingest": config.ingest.model_copy(update={"unit": source.unit})})


def _normalises(config: Config) -> bool:
    return config.ingest is not None and config.ingest.is_normalised


def _checked(run: Resolved) -> Resolved:
    """Return a run that has looked at its cube, its sites checked against the noise found."""
    known = run.library
    check_sites(run.config.sites, run.noise, run.energy, known.names, known.spectra)
    return run


def reopen(config: Config) -> Resolved:
    """Return the run of a finished result: its cube and noise; references are those that its sites hold."""
    paths = paths_of(config)
    cube = describe(config, paths)
    known = resolve_noise(resolve_edge(config, cube.energy, cube), cube)
    plan = make_plan(worker_count(config.compute), cube, tile=config.compute.tile)
    mark, energy = settings_mark(config), cube.energy
    run = Resolved(known, mark, paths, energy, no_references(energy), plan, None, cube)
    return with_sites(_with_image(run), read_sites(paths.sites))


def with_sites(run: Resolved, sites: StoredSites) -> Resolved:
    """Return a run that knows its sites, and its cube freed of the field's slow error that they tell of."""
    known = replace(run, stored_sites=sites)
    if sites.field is None or not run.corrects_field:
        return known
    return replace(known, cube=ScreenedCube.of(run.info).with_field(sites.field))


def with_cube(run: Resolved, announce: Announce = lambda line: None) -> Resolved:
    """Return a run whose cube has just been made: what the cube says of itself and of the noise."""
    cube = describe(run.config, run.paths)
    edged = resolve_edge(run.config, cube.energy, cube)
    if edged.edge != run.config.edge:
        announce(f"edge       {told_edge(edged)}")
    config = resolve_noise(edged, cube, announce)
    plan = make_plan(worker_count(config.compute), cube, tile=config.compute.tile)
    return _with_image(replace(run, config=config, cube=cube, plan=plan), announce)


def needs_image(config: Config) -> bool:
    """Return whether the image has to tell quantity, noise and void: any but one simulated as it is told."""
    return config.simulate is None or config.noise_kind != "camera" or not config.noise.is_given


def _with_image(run: Resolved, announce: Announce = lambda line: None) -> Resolved:
    """Return a run that has looked at its cube, where the cube has to tell what nobody has."""
    if not needs_image(run.config):
        return run
    if run.image is not None:
        return replace(run, cube=run.image.cube)
    # sums that are shared out to threads differ in their last digits, and a run would not find its own result
    with threadpool_limits(limits=1):
        cube = screen(run.config, run.info, announce)
        found = look_at_image(run.config, cube)
    if found is None:
        return replace(run, cube=cube)
    if found.guessed:
        announce(f"quantity   {found.quantity}, as the samples look; say so in `quantity` if it is wrong")
    for line in told_noise(found, given=run.config.noise_kind != "measured"):
        announce(line if line.startswith("warning") else f"noise      {line}")
    return _aligned(replace(run, image=found, cube=found.cube), found, announce)


def _aligned(run: Resolved, found: ImageFound, announce: Announce) -> Resolved:
    alignment = align(run.config, run.energy, run.references, found, announce)
    if alignment is None or not alignment.applied:
        return replace(run, alignment=alignment)
    references = moved(run.references, run.config, run.energy, alignment)
    return replace(run, alignment=alignment, references=references)


def result_basis(run: Resolved) -> str:
    """Return what marks the assignment of a result: cube, sites, missing chunks, maps of certainty."""
    config, spectra = run.config, run.sites.table.spectra.tobytes()
    classes = [run.sites.classes.tolist()] if run.sites.continua else []
    missing = config.cube.missing if config.cube else "error"
    maps = (config.maps, run.noise.record()) if config.maps else None
    engine = [] if config.engine == "exact" else [config.engine]
    screening = _screening(run.info)
    return digest(__version__, cube_identity(run.info), spectra, missing, maps, *engine, *screening, *classes)


def _screening(info: CubeInfo) -> list[Any]:
    """Return what marks a cube that is masked, moved in energy, or freed of void pixels as it is read."""
    if not isinstance(info, ScreenedCube):
        return []
    rule = None if info.void is None else rule_record(info.void)
    shift = None if info.shift is None else asdict(info.shift)
    field = [] if info.field is None else [info.field.shift.tobytes(), info.field.additive.tobytes()]
    return [rule, info.mask_identity, shift, *field]


def result_fingerprint(run: Resolved) -> str:
    """Return what marks the result: its assignment and the clean-up."""
    return digest(result_basis(run), run.config.clean_up)


def describe(config: Config, paths: Paths) -> CubeInfo:
    """Read what the cube of a run says of itself."""
    return describe_cube(paths.cube, config.cube is not None and config.cube.missing == "void")


def describe_source(config: Config, among: Collection[str] | None = None) -> Source:
    """Look at the files to be ingested, or at those `among` them that are whole.

    Raises InputError with a line for everything that is wrong.
    """
    assert config.ingest is not None
    if config.ingest.fields is None:
        return describe_stack(config.ingest)
    acquisition, fields = describe_acquisition(config.ingest, among), config.ingest.fields
    return acquisition if config.ingest.is_normalised else field_as_stack(acquisition, fields.saturation)


def simulated_energies(config: Config) -> FloatArray:
    """Return the energies (E,) in eV of a simulated cube."""
    assert config.simulate is not None
    return np.linspace(*config.simulate.energy_range, config.simulate.energies)


def _given_cube(config: Config, paths: Paths) -> CubeInfo:
    cube = describe(config, paths)
    if not cube.sparse:
        check_chunks(cube)
    return cube


def _checked_source(config: Config, among: Collection[str] | None) -> Source:
    source = describe_source(config, among)
    check_references(source.measured, source.energy)
    return source


def _energies(found: CubeInfo | Source | None) -> FloatArray | None:
    return None if found is None else found.energy


def _planned(
    config: Config,
    mark: str,
    paths: Paths,
    energy: FloatArray,
    references: ReferenceSet,
    source: Source | None,
    cube: CubeInfo | None,
) -> Resolved:
    """Return the run, with what an earlier one has made of it.

    Raises InputError where the image, the memory or the disk is too small for it.
    """
    if config.simulate and config.simulate.phases and references.names:
        references.numbers(config.simulate.phases)
    if config.simulate and config.ingest and raw_is_made(config, paths, references):
        source = describe_source(config)
    if cube is None and is_made(paths.cube, cube_fingerprint(config, references, source)):
        cube = describe(config, paths)
    plan = make_plan(worker_count(config.compute), cube, outline_of(config, source), config.compute.tile)
    check_clean_up(config.clean_up.value, plan.plane)
    _check_memory(config, plan)
    _check_disk(paths.output, plan)
    return Resolved(config, mark, paths, energy, references, plan, source, cube)


def outline_of(config: Config, source: Source | None) -> Outline | None:
    """Return the outline of the cube that a source is going to be or, without one, a simulated scene."""
    if source is None:
        return simulated_outline(config) if config.simulate else None
    assert config.ingest is not None
    if isinstance(source, StackSource):
        return stack_outline(source, config.ingest.chunk)
    return acquired_outline(source, config.ingest.chunk)


def _check_memory(config: Config, plan: Plan) -> None:
    allowed = parse_bytes(config.compute.memory) if config.compute.memory else None
    if allowed is not None and plan.memory > allowed:
        raise InputError(
            f"compute.memory: {config.compute.memory} is allowed, the run is projected to take "
            f"{format_bytes(plan.memory)} with {worker_count(config.compute)} workers and tiles of "
            f"{plan.tile} pixels; allow more, or set fewer workers or a smaller tile"
        )


def _warn_of_memory(compute: Compute, plan: Plan, announce: Announce) -> None:
    is_here = compute.scheduler is None and compute.cluster in ("local", "threads")
    if is_here and plan.memory > memory_of(compute):
        announce(
            f"warning    the run is projected to take {format_bytes(plan.memory)}, this machine allows "
            f"{format_bytes(memory_of(compute))}; set fewer compute.workers, or a smaller compute.tile"
        )


def _check_disk(output: Path, plan: Plan) -> None:
    there = next(folder for folder in (output.absolute(), *output.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < plan.bytes_written:
        raise InputError(
            f"output: {there} has {format_bytes(free)} free, the run writes up to "
            f"{format_bytes(plan.bytes_written)}; free the disk, or give an output elsewhere"
        )
