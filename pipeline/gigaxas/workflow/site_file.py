"""Sites that are made already: a CSV table with one column a spectrum, or a sites.zarr."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.sites import SiteTable, read_columns
from gigaxas.spectra import standardise
from gigaxas.stores.sites import StoredSites, read_sites

ENERGY_SLACK = 0.0501  # eV; energies written with one decimal still fit


def read_site_file(
    path: Path, energy: FloatArray, names: Sequence[str] = (), references: FloatArray | None = None
) -> StoredSites:
    """Return the sites of a file on the energies (E,) in eV of the cube.

    A sites.zarr brings its own references. A CSV table has none: `names` and `references` (n, E) name its
    clusters or, without them, its own columns do. Raises InputError for a file that is neither, for other
    energies than the cube's, and for a spectrum that is not finite or flat.
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
    return StoredSites(energy, stored.table, stored.references)


def _stored(path: Path) -> StoredSites:
    try:
        stored = read_sites(path)
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


def _table(
    path: Path, energy: FloatArray, names: tuple[str, ...], references: FloatArray | None
) -> StoredSites:
    first, spectra, columns = read_columns(path)
    # the published program numbers the rows where others give the energies
    numbered = np.array_equal(first, np.arange(first.size)) and first.size == energy.size
    table = SiteTable(
        spectra, np.empty((len(spectra), 0)), columns, names if references is not None else columns
    )
    return StoredSites(energy if numbered else first, table, spectra if references is None else references)
