"""Everything that can be known to be wrong before a run starts, said at once."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dask.utils import format_bytes, parse_bytes

from gigaxas.arrays import FloatArray
from gigaxas.checkpoint.owner import check_owner, is_made
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.execution.cluster import worker_count
from gigaxas.raw.readers.acquisition import Acquisition, check_references
from gigaxas.spatial.clean_up import check_clean_up
from gigaxas.stores.cube import CubeInfo, check_chunks
from gigaxas.workflow.ingest import Source, describe_source, ingest_fingerprint, outline_of
from gigaxas.workflow.noise import settle_noise
from gigaxas.workflow.plan import Plan, make_plan, simulated_outline
from gigaxas.workflow.prepare import ReferenceSet, cube_fingerprint, describe, energy_grid, read_references
from gigaxas.workflow.raw import raw_is_made
from gigaxas.workflow.sites import check_sites

T = TypeVar("T")


def check(config: Config, announce: Callable[[str], None] = lambda line: None) -> tuple[Plan, ReferenceSet]:
    """Check a configuration against the files it names; return the plan and the references.

    `announce` is told of noise that is measured. Raises InputError with a line for everything that is wrong.
    """
    errors: list[str] = []

    def attempt(step: Callable[[], T]) -> T | None:
        try:
            return step()
        except InputError as error:
            errors.append(str(error))
            return None

    attempt(lambda: check_owner(config))
    info = attempt(lambda: _measured_cube(config))
    source = attempt(lambda: _source(config)) if config.ingest and not config.simulate else None
    found = info or source
    energy = found.energy if found else energy_grid(config) if config.simulate else None
    references = attempt(lambda: read_references(config, energy)) if energy is not None else None
    settled = attempt(lambda: settle_noise(config, announce)) if energy is not None else None
    if energy is not None and references and settled:
        attempt(lambda: check_sites(settled, energy, references.names, references.spectra))
    plan = attempt(lambda: _plan(config, info, source, references)) if energy is not None else None
    if errors or plan is None or references is None:
        raise InputError("\n".join(errors))
    return plan, references


def _measured_cube(config: Config) -> CubeInfo | None:
    if config.cube is None:
        return None
    info = describe(config)
    if config.cube.missing_chunks == "error":
        check_chunks(info)
    return info


def measured_energy(config: Config) -> FloatArray:
    """Return the energies (E,) of the cube of a run, made or still to be made."""
    if config.simulate:
        return energy_grid(config)
    return (describe_source(config) if config.ingest else describe(config)).energy


def _source(config: Config) -> Source:
    source = describe_source(config)
    if isinstance(source, Acquisition):
        check_references(source)
    return source


def _plan(
    config: Config, info: CubeInfo | None, source: Source | None, references: ReferenceSet | None
) -> Plan:
    if references and config.simulate and config.simulate.phases:
        references.numbers(config.simulate.phases)
    if info is None and references:
        if config.simulate and config.ingest and raw_is_made(config, references):
            source = describe_source(config)
        fingerprint = ingest_fingerprint(config, source) if source else cube_fingerprint(config, references)
        if is_made(config.cube_path, fingerprint):
            info = describe(config)
    outline = outline_of(config, source) if source else simulated_outline(config) if config.simulate else None
    plan = make_plan(config, worker_count(config.compute), info, outline)
    check_clean_up(config.clean_up.value, plan.plane)
    _check_memory(config, plan)
    _check_disk(config.output, plan)
    return plan


def _check_memory(config: Config, plan: Plan) -> None:
    allowed = parse_bytes(config.compute.memory) if config.compute.memory else None
    if allowed is not None and plan.memory > allowed:
        raise InputError(
            f"compute.memory: {config.compute.memory} is allowed, the run is projected to take "
            f"{format_bytes(plan.memory)} with {worker_count(config.compute)} workers and tiles of "
            f"{plan.tile} pixels; allow more, or set fewer workers or a smaller tile"
        )


def _check_disk(output: Path, plan: Plan) -> None:
    there = next(folder for folder in (output.absolute(), *output.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    if free < plan.bytes_written:
        raise InputError(
            f"output: {there} has {format_bytes(free)} free, the run writes up to "
            f"{format_bytes(plan.bytes_written)}; free the disk, or give an output elsewhere"
        )
