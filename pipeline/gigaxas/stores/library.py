"""A library of spectra as a Zarr group: `energy` (E,), `spectra` (n, E) and the attribute `names`."""

from pathlib import Path

import numpy as np

from gigaxas.errors import InputError
from gigaxas.spectra import Spectrum
from gigaxas.stores.io.chunks import read
from gigaxas.stores.io.groups import attributes_of


def is_store(path: Path) -> bool:
    """Say whether a path is a Zarr group."""
    return (path / "zarr.json").is_file()


def read_library_store(path: Path) -> list[Spectrum]:
    """Return the spectra of a group such as sites.zarr, samples as they are stored, float64.

    InputError where arrays or names are missing or do not fit, DamagedError for a damaged chunk.
    """
    names = attributes_of(path).get("names")
    energy, spectra = read(path, "energy", (slice(None),)), read(path, "spectra", (slice(None), slice(None)))
    if not isinstance(names, list) or spectra.shape != (len(names), energy.size):
        found = f"{len(names)} names" if isinstance(names, list) else "no names"
        raise InputError(
            f"{path}: found spectra of shape {spectra.shape} with {energy.size} energies and {found}; "
            "expected spectra (n, E), energy (E,) and an attribute `names` of n"
        )
    grid, values = energy.astype(np.float64), spectra.astype(np.float64)
    return [Spectrum(str(name), grid, row, path.name) for name, row in zip(names, values, strict=True)]
