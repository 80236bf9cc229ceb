"""What marks a store as made by just these settings from just this input: a hash of all it depends on."""

from collections.abc import Sequence

import numpy as np

from gigaxas import __version__
from gigaxas.arrays import FloatArray
from gigaxas.checkpoint.identity import digest, told
from gigaxas.checkpoint.owner import RAW_SCENE, is_made
from gigaxas.config.paths import Paths
from gigaxas.config.schema import Config
from gigaxas.raw.blending import pieces
from gigaxas.raw.readers.acquisition import Acquisition
from gigaxas.raw.readers.field import measurement_identity
from gigaxas.raw.readers.images import Stack
from gigaxas.raw.readers.stack import StackSource
from gigaxas.spectra.noise import Noise
from gigaxas.stores.cube import CubeInfo, cube_identity
from gigaxas.stores.io.codes import step_within
from gigaxas.tasks.ingest import Recipe
from gigaxas.tiles import Tile
from gigaxas.workflow.edge import ranges_of
from gigaxas.workflow.references import ReferenceSet


def cube_fingerprint(
    config: Config, references: ReferenceSet, source: Acquisition | StackSource | None
) -> str:
    """Return what marks a cube made of these files or, without any, simulated from these references."""
    if isinstance(source, StackSource):
        assert config.ingest is not None
        edge = (config.edge, ranges_of(config)) if config.ingest.is_normalised else ()
        return digest(__version__, config.ingest, source.identity, *edge)
    if source is None:
        made = scene_fingerprint(config, references)
    else:
        ranges = ranges_of(config)
        made = digest(__version__, config.ingest, ranges, config.noise.a, config.noise.b, source.identity)
    return digest(made, quantised_step(config)) if config.quantise else made


def field_marks(recipe: Recipe) -> list[str]:
    """Return for every field what tells it, and how its counts are treated, from others."""
    source, first = recipe.acquisition, recipe.acquisition.fields[0]
    how = told(
        recipe.normaliser,
        recipe.camera,
        recipe.limits,
        recipe.least_step,
        recipe.blend,
        first.transmitted.plane,
        None if isinstance(first.dark, Stack) else first.dark,
    )
    return [
        digest(how, field.reference_dark, measurement_identity((field,), source.energy))
        for field in source.fields
    ]


def tile_mark(tile: Tile, recipe: Recipe, fields: Sequence[str], step: int) -> str:
    """Return what tells a tile of the cube from others, by its parts of fields; `fields` marks these.

    Samples are multiples of `step`.
    """
    found = pieces(tile, recipe.corners, recipe.acquisition.plane)
    drifts = [recipe.drifts[piece.field].tobytes().hex() for piece in found] if recipe.drifts else []
    parts = [(piece.field, fields[piece.field], piece.source, piece.target) for piece in found]
    return digest(told(recipe.shift), step, drifts, parts)


def raw_is_made(config: Config, paths: Paths, references: ReferenceSet) -> bool:
    """Return whether these settings have made the raw fields before."""
    return is_made(paths.raw / RAW_SCENE, scene_fingerprint(config, references))


def scene_fingerprint(config: Config, references: ReferenceSet) -> str:
    """Return what marks a simulated scene, and its raw fields."""
    spectra = references.spectra.tobytes()
    return digest(__version__, config.simulate, config.acquisition, references.names, spectra)


def quantised_step(config: Config) -> int:
    """Return what codes of a new cube are rounded to multiples of: a share of the least noise, or 1."""
    if not config.quantise:
        return 1
    return step_within(config.quantise * float(config.noise.camera().sigma(np.zeros(()))))


def sites_fingerprint(config: Config, noise: Noise, energy: FloatArray, references: ReferenceSet) -> str:
    """Return what marks sites made by these settings from these references on these energies (E,)."""
    spectra = references.spectra.tobytes()
    return digest(
        __version__, config.sites.recipe, noise.record(), energy.tobytes(), references.names, spectra
    )


def observed_fingerprint(config: Config, made: str, info: CubeInfo) -> str:
    """Return what marks sites observed in a cube; `made` marks what the references give."""
    return digest(
        made,
        config.sites.origin,
        cube_identity(info),
        config.clean_up.k_size,
        config.clean_up.p_num,
        *([config.sites.correct] if config.sites.correct != "none" else []),
    )
