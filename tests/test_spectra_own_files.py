"""What gigaxas writes can be its references, its sites and its library, and reads back as it was."""

from pathlib import Path

import numpy as np
import pytest
from gigaxas.errors import InputError
from gigaxas.sites import SiteTable
from gigaxas.sites.columns import write_columns
from gigaxas.spectra import read_library
from gigaxas.spectra.readers.xdi import render_xdi
from gigaxas.stores.io.chunks import save_array
from gigaxas.stores.io.files import publish_table
from gigaxas.stores.io.groups import create_group
from gigaxas.stores.sites import StoredSites, write_sites
from gigaxas.workflow.collection import read_collection, spectra_at
from gigaxas.workflow.identify import Comparison, identify
from gigaxas.workflow.site_file import read_site_file
from gigaxas.workflow.sites import REFERENCE_COLUMNS

ENERGY = 7009.2 + np.arange(40) * 312 / 39
NAMES = (
    "Hematite",
    "ferrihydrite, 2-line",
    '0.50 "A" + 0.50 B',
    "Wüstit µ-α",
    "norm",
    "i0",
    "e",
    "1",
    "a\nb",
)
SPECTRA = np.random.default_rng(3).random((len(NAMES), 40)).cumsum(axis=1)
LABELS = tuple(f"label_{i}" for i in range(len(NAMES)))


def sites_csv(folder: Path) -> Path:
    write_columns(folder / "sites.csv", ENERGY, SPECTRA, NAMES)
    return folder / "sites.csv"


def sites_zarr(folder: Path) -> Path:
    table = SiteTable(SPECTRA, np.eye(len(NAMES)), NAMES, NAMES)
    write_sites(folder / "sites.zarr", StoredSites(ENERGY, table, SPECTRA), "mark")
    return folder / "sites.zarr"


def library_zarr(folder: Path) -> Path:
    create_group(folder / "library.zarr", {"names": list(NAMES)})
    save_array(folder / "library.zarr", "energy", ENERGY, ("energy",))
    save_array(folder / "library.zarr", "spectra", SPECTRA, ("site", "energy"))
    return folder / "library.zarr"


def spectra_csv(folder: Path) -> Path:
    columns = {"energy_ev": lambda i: repr(float(ENERGY[i]))}
    for label, row in enumerate(SPECTRA):
        columns[f"label_{label}"] = lambda i, row=row: repr(float(row[i]))
        columns[f"error_{label}"] = lambda i: "" if i % 2 else "0.01"
    publish_table(folder / "spectra.csv", columns, range(40))
    return folder / "spectra.csv"


def xdi_files(folder: Path) -> Path:
    for i, (name, row) in enumerate(zip(NAMES, SPECTRA, strict=True)):
        columns = [("energy", "eV", ENERGY), ("norm", "", row), ("error", "", 0 * row)]
        (folder / f"{i}.xdi").write_text(render_xdi(name, columns, [], "gigaxas/0.1"), encoding="utf-8")
    return folder


OWN = {
    "sites.csv": (sites_csv, NAMES),
    "sites.zarr": (sites_zarr, NAMES),
    "library.zarr": (library_zarr, NAMES),
    "spectra.csv": (spectra_csv, LABELS),
    "an XDI file each": (xdi_files, tuple(" ".join(name.split()) for name in NAMES)),
}


@pytest.mark.parametrize("kind", OWN)
def test_as_references_and_as_a_library(tmp_path: Path, kind: str) -> None:
    write, names = OWN[kind]
    path = write(tmp_path)
    digits = {"rtol": 1e-8 if kind.endswith("each") else 0}
    library = read_library(spectra_at(path), ENERGY, method=None, extrapolate=True)
    assert library.names == names
    np.testing.assert_allclose(library.spectra, SPECTRA, **digits)
    for spectrum, values in zip(read_collection(path), SPECTRA, strict=True):
        np.testing.assert_allclose(spectrum.mu, values, **digits)
    matches = identify(path, path, Comparison(noise=1e-3)).matches
    assert tuple(match.name for match in matches) == names


@pytest.mark.parametrize("kind", [kind for kind in OWN if not kind.endswith("each")])
def test_as_sites(tmp_path: Path, kind: str) -> None:
    write, names = OWN[kind]
    path = write(tmp_path)
    if kind == "spectra.csv":  # standard errors may have gaps, sites may not
        path.write_text(path.read_text().replace(",,", ",0,").replace(",\n", ",0\n"))
    stored = read_site_file(path, ENERGY)
    assert stored.table.names == names
    np.testing.assert_array_equal(stored.table.spectra, SPECTRA)
    np.testing.assert_array_equal(stored.references, SPECTRA)


def test_a_file_of_another_program_as_sites(tmp_path: Path) -> None:
    head = "# XDI/1.0\n# Demeter.output_filetype: multicolumn normalized mu(E)\n#  energy  A  B\n"
    np.savetxt(tmp_path / "a.nor", np.column_stack([ENERGY, *SPECTRA[:2]]), header=head, comments="")
    stored = read_site_file(tmp_path / "a.nor", ENERGY)
    assert stored.table.names == ("A", "B")
    np.testing.assert_allclose(stored.table.spectra, SPECTRA[:2])
    xdi_files(tmp_path)
    with pytest.raises(InputError, match="cube 40 from 7010"):
        read_site_file(tmp_path / "0.xdi", ENERGY + 1)


def test_a_list_of_references_holds_no_spectrum(tmp_path: Path) -> None:
    rows = read_library(sites_csv(tmp_path), ENERGY, method=None).table
    publish_table(tmp_path / "references.csv", REFERENCE_COLUMNS, rows)
    with pytest.raises(InputError, match=r"no spectra in it.*text without rows of numbers"):
        read_library(tmp_path / "references.csv", ENERGY, method=None)


def test_a_store_among_files_has_its_row(tmp_path: Path) -> None:
    sites_csv(tmp_path)
    library_zarr(tmp_path)
    rows = read_library(tmp_path, ENERGY, method=None).table
    assert [row.brief for row in rows if row.status == "no spectrum"] == ["a Zarr store among files"]
