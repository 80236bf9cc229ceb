"""The site matrix as a store: spectra, what each is made of, and the references it came from."""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import FloatArray
from pipeline.places import Place
from pipeline.sites import SiteTable
from pipeline.stores.chunks import read, save_array
from pipeline.stores.groups import attributes_of, create_group


@dataclass(frozen=True)
class StoredSites:
    """Sites with the energies (E,) in eV of their spectra and the reference spectra (n, E) behind them."""

    energy: FloatArray
    table: SiteTable
    references: FloatArray


def write_sites(path: Place, sites: StoredSites, fingerprint: str) -> None:
    """Write sites into a new group. Site k + 1 is row k of `spectra`."""
    table = sites.table
    create_group(
        path,
        {
            "title": "gigaxas sites",
            "fingerprint": fingerprint,
            "names": list(table.names),
            "standards": list(table.standards),
        },
    )
    save_array(path, "energy", sites.energy, ("energy",), units="eV")
    save_array(path, "spectra", table.spectra, ("site", "energy"), long_name="normalised absorbance")
    save_array(path, "weights", table.weights, ("site", "standard"), long_name="share of each standard")
    save_array(path, "references", sites.references, ("standard", "energy"))


def read_sites(path: Place) -> StoredSites:
    """Read what `write_sites` wrote. Raises InputError where there is none, RunError where it is damaged."""
    attributes = attributes_of(path)

    def whole(name: str, ndim: int) -> FloatArray:
        return np.asarray(read(path, name, (slice(None),) * ndim), dtype=np.float64)

    table = SiteTable(
        spectra=whole("spectra", 2),
        weights=whole("weights", 2),
        names=tuple(attributes["names"]),
        standards=tuple(attributes["standards"]),
    )
    return StoredSites(whole("energy", 1), table, whole("references", 2))
