"""Sites that are made already: a table with one column a spectrum, a file of spectra, or a Zarr store."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.sites import SiteTable, read_columns
from gigaxas.spectra import read_spectra, standardise
from gigaxas.spectra.readers.formats import format_of
from gigaxas.spectra.readers.tables import read_table
from gigaxas.stores.io.groups import attributes_of
from gigaxas.stores.library import read_library_store
from gigaxas.stores.sites import StoredSites, read_sites

ENERGY_SLACK = 0.0501  # eV; energies written with one decimal still fit


def read_site_file(
    path: Path, energy: FloatArray, names: Sequence[str] = (), references: FloatArray | None = None
) -> StoredSites:
    """Return the sites of a file on the energies (E,) in eV of the cube.

    A sites.zarr brings its own references. A table, any file of spectra and any other Zarr library have
    none: `names` and `references` (n, E) name their clusters or, without them, their own names do. Raises
    InputError for a file that is none of these, for other energies than the cube's, and for a spectrum that
    is not finite or flat.
    """
    if not path.exists():
        raise InputError(f"sites.file: there is nothing at {path}; give a CSV table or a sites.zarr")
    stored = _stored(path) if path.is_dir() else _table(path, energy, tuple(names), references)
    found = stored.energy
    if found.shape != energy.shape or np.abs(found - energy).max() > ENERGY_SLACK:
        raise InputError(
            f"sites.file: {path} has {found.size} energies from {found[0]:.2f} to {found[-1]:.2f} eV, the "
            f"cube {energy.size} from {energy[0]:.2f} to {energy[-1]:.2f} eV; expected the same; make the "
            "sites for this cube"
        )
    try:
        standardise(stored.table.spectra)
    except InputError as error:
        raise InputError(f"sites.file: {path}: {error}") from None
    return StoredSites(energy, stored.table, stored.references, continua=stored.continua)


def _stored(path: Path) -> StoredSites:
    try:
        stored = read_sites(path) if "standards" in attributes_of(path) else _library(path)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"sites.file: {path} is no store of sites ({error!r}); give a sites.zarr") from None
    table = stored.table
    energies = stored.energy.size
    if table.spectra.shape != (len(table.names), energies) or stored.references.shape != (
        len(table.standards),
        energies,
    ):
        raise InputError(
            f"sites.file: {path} holds {table.spectra.shape} sites and {stored.references.shape} references "
            f"for {len(table.names)} and {len(table.standards)} names and {energies} energies; make it again"
        )
    return stored


def _library(path: Path) -> StoredSites:
    """Return the spectra of a Zarr library as sites that name themselves."""
    found = read_library_store(path)
    names, spectra = tuple(item.name for item in found), np.array([item.mu for item in found])
    table = SiteTable(spectra, np.empty((len(found), 0)), names, names)
    return StoredSites(found[0].energy, table, spectra)


def _table(
    path: Path, energy: FloatArray, names: tuple[str, ...], references: FloatArray | None
) -> StoredSites:
    first, spectra, columns = read_columns(path) if format_of(path).read is read_table else _spectra(path)
    # the published program numbers the rows where others give the energies
    numbered = np.array_equal(first, np.arange(first.size)) and first.size == energy.size
    table = SiteTable(
        spectra, np.empty((len(spectra), 0)), columns, names if references is not None else columns
    )
    return StoredSites(energy if numbered else first, table, spectra if references is None else references)


def _spectra(path: Path) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Return energies (E,), spectra (m, E) and names of a file in a format of references."""
    found = read_spectra(path)
    if any(not np.array_equal(item.energy, found[0].energy) for item in found):
        raise InputError(f"sites.file: {path} holds spectra at different energies; expected the cube's")
    return found[0].energy, np.array([item.mu for item in found]), tuple(item.name for item in found)
