"""The reference spectra of a run, on the energies of its cube and normalised as its pixels are."""

from dataclasses import dataclass, replace

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.config.schema import Config
from gigaxas.errors import InputError
from gigaxas.raw.normalisation import Normaliser, make_normaliser, normalise_spectra
from gigaxas.simulate import modelled_library
from gigaxas.spectra import ReadRow, Spectrum, read_library
from gigaxas.spectra.spectrum import EV
from gigaxas.workflow.collection import spectra_at
from gigaxas.workflow.edge import edge_of, method_of, ranges_of
from gigaxas.workflow.site_file import read_site_file


@dataclass(frozen=True)
class ReferenceSet:
    """Named reference spectra on the energies of the cube."""

    names: tuple[str, ...]
    """(n,), all different."""
    spectra: FloatArray
    """Normalised absorbance, (n, E)."""
    table: tuple[ReadRow, ...] = ()
    """What became of every record that was read."""
    own: tuple[Spectrum, ...] = ()
    """The same spectra (n,) on the energies they were measured at; empty for modelled ones."""

    def numbers(self, names: tuple[str, ...]) -> list[int]:
        """Return the rows of these names. Raises InputError for a name that is not there."""
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise InputError(
                f"simulate: found no reference named {', '.join(unknown)}; the names are "
                f"{', '.join(self.names)}"
            )
        return [self.names.index(name) for name in names]


def at_level(spectra: FloatArray, typical: FloatArray) -> FloatArray:
    """Return spectra (n, E) with the mean and the length about it of a typical spectrum (E,) of the image.

    All are scaled and moved by the same two numbers, so that a mixture stays the mixture it was.
    """
    if not spectra.size:
        return spectra
    own = np.linalg.norm(spectra - spectra.mean(axis=1, keepdims=True), axis=1).mean()
    gain = float(np.linalg.norm(typical - typical.mean()) / own)
    return np.asarray(gain * (spectra - spectra.mean()) + typical.mean())


def no_references(energy: FloatArray) -> ReferenceSet:
    """Return a set without a reference."""
    return ReferenceSet((), np.empty((0, energy.size)))


def read_references(config: Config, energy: FloatArray, unit: str = EV) -> ReferenceSet:
    """Read the reference spectra on the energies (E,) of the cube, in `unit`. InputError as the readers.

    They are normalised as the pixels are where these are normalised as the cube is made.
    """
    if not config.references.is_given and config.sites.file:
        stored = read_site_file(config.sites.file, energy)
        return ReferenceSet(stored.table.standards, stored.references)
    if not config.references.is_given:
        return no_references(energy)
    references = _read(config, energy, unit)
    if config.ingest is None or not config.ingest.is_normalised:
        return references
    spectra = normalise_spectra(references.spectra, normaliser_of(config, energy))
    return replace(references, spectra=spectra)


def normaliser_of(config: Config, energy: FloatArray) -> Normaliser:
    """Return how pixels, and references with them, are normalised on the energies (E,) as a cube is made."""
    assert config.ingest is not None
    fields, edge = config.ingest.fields, edge_of(config)
    method = method_of(config, (fields or config.ingest).normalise)
    position = fields.edge if fields else edge.position if edge else None
    assert position is not None
    assert method is not None
    return make_normaliser(energy, *ranges_of(config), position, method)


def _read(config: Config, energy: FloatArray, unit: str) -> ReferenceSet:
    wanted = config.references
    if wanted.path is None:
        return ReferenceSet(*modelled_library(energy))
    if not wanted.path.exists():
        raise InputError(
            f"references.path: there is nothing at {wanted.path}; give a file or folder of spectra"
        )
    method = method_of(config, wanted.normalise)
    ranges = ranges_of(config) if method else None
    library = read_library(
        spectra_at(wanted.path),
        energy,
        unit=unit,
        **(ranges._asdict() if ranges else {}),
        method=method,
        edge=edge_of(config),
        shifts=wanted.shifts,
        select=wanted.select,
        extrapolate=wanted.extrapolate,
    )
    return ReferenceSet(tuple(library.names), library.spectra, tuple(library.table), library.own)
