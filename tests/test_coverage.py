"""`gigaxas references` tells what a library covers: edges, ranges, copies, and spectra that do not fit."""

import csv
from pathlib import Path

import numpy as np
import pytest
from gigaxas.cli.verbs import app
from gigaxas.errors import InputError
from gigaxas.workflow.coverage import cover
from typer.testing import CliRunner

IRON, NICKEL = np.arange(6980.0, 7330.0, 0.5), np.arange(8200.0, 8560.0, 0.5)


def spectrum(energy, position, width=2.0, wave=0.05, slope=0.0):
    """Absorbance with an edge, a white line and a fine structure, on a background."""
    beyond = np.maximum(energy - position, 0)
    shape = 1 / (1 + np.exp(-(energy - position) / width)) + wave * np.sin(np.sqrt(beyond) * 2.2)
    return 0.3 + slope * (energy - energy[0]) + 1.7 * shape


def put(folder, name, energy, mu):
    np.savetxt(folder / f"{name}.txt", np.column_stack([energy, mu]), header="energy mu")


@pytest.fixture
def library(tmp_path):
    folder = tmp_path / "library"
    folder.mkdir()
    for name, position in {"wustite": 7118.0, "magnetite": 7121.0, "hematite": 7124.0}.items():
        put(folder, name, IRON, spectrum(IRON, position))
    for name, position in {"metal": 8333.0, "oxide": 8338.0}.items():
        put(folder, name, NICKEL, spectrum(NICKEL, position))
    return folder


def rows(folder):
    return {row.name: row for row in cover(folder).rows}


def test_edges_ranges_and_nearest_neighbours_are_told(library):
    found = cover(library)
    assert [(panel.edge, panel.names) for panel in found.panels] == [
        ("Fe K", ("hematite", "magnetite", "wustite")),
        ("Ni K", ("metal", "oxide")),
    ]
    row = rows(library)["wustite"]
    assert (row.status, row.edge, row.source, row.points) == ("fits", "Fe K", "wustite.txt", len(IRON))
    assert (row.first, row.last, row.spacing_ev, row.normalised) == (6980.0, 7329.5, 0.5, False)
    assert row.e0_ev == pytest.approx(7118.0, abs=1.0)
    assert row.edge_step == pytest.approx(1.7, rel=0.05)
    assert row.nearest == "magnetite"
    energy = np.arange(7112 - 20, 7112 + 80, 0.5)
    pair = [spectrum(energy, position) for position in (7118.0, 7121.0)]
    assert row.correlation == pytest.approx(np.corrcoef(pair)[0, 1], abs=0.003)


def test_copies_are_told_however_they_are_scaled(library):
    put(library, "z copy", IRON, 3 * spectrum(IRON, 7124.0) + 0.4)
    put(library, "z like it", IRON, spectrum(IRON, 7124.0, wave=0.053))
    found = rows(library)
    assert (found["z copy"].status, found["hematite"].status) == ("copy", "fits")
    assert found["z copy"].reason == "the same data as 'hematite'"
    assert found["z like it"].status == "fits"
    assert found["z like it"].correlation > 0.9999


@pytest.mark.parametrize(
    ("energy", "mu", "status", "said"),
    [
        (IRON, -IRON, "misfit", "falls where an edge would rise"),
        (IRON[250:330], spectrum(IRON, 7118)[250:330], "misfit", "no tabulated edge between 7105 and"),
        (IRON, spectrum(IRON, 7146.0), "misfit", "+34.0 eV from Fe K, and has no edge there"),
        (IRON[::8], spectrum(IRON[::8], 7124.0), "misfit", "steps of 4 eV at the edge"),
        (
            IRON,
            spectrum(IRON, 7118) * (1 + 0.9 * np.sin((IRON - 7118) / 8) * (abs(IRON - 7155) < 37)),
            "misfit",
            "unlike every other of Fe K",
        ),
        (
            IRON,
            spectrum(IRON, 7124.0) + np.random.default_rng(0).normal(0, 0.1, IRON.size),
            "refused",
            "has a noise of",
        ),
    ],
)
def test_what_does_not_fit_says_why(library, energy, mu, status, said):
    put(library, "odd", energy, mu)
    found = rows(library)
    assert (found["odd"].status, said in found["odd"].reason) == (status, True), found["odd"]
    assert all(row.status == "fits" for name, row in found.items() if name != "odd")


def test_two_spectra_of_an_edge_cannot_say_which_is_odd(library):
    put(
        library,
        "oxide",
        NICKEL,
        spectrum(NICKEL, 8338) * (1 + 0.9 * np.sin((NICKEL - 8338) / 8) * (abs(NICKEL - 8375) < 37)),
    )
    assert rows(library)["oxide"].status == "fits"


def test_files_that_cannot_be_read_are_told_and_those_without_a_spectrum_left_out(library):
    put(library, "damaged", IRON, np.where(IRON == 7100, np.nan, spectrum(IRON, 7118.0)))
    put(library, "short", IRON[:5], IRON[:5])
    (library / "LICENSE").write_text("You may use these spectra.\n")
    found = rows(library)
    assert found["damaged.txt"].status == "refused"
    assert not any(name.startswith(("LICENSE", "short")) for name in found)
    (library.parent / "none").mkdir()
    with pytest.raises(InputError, match=r"spectra"):
        cover(library.parent / "none")


def test_the_command_prints_a_table_and_writes_it_with_a_picture(library, tmp_path):
    put(library, "[odd]", IRON, spectrum(IRON, 7146.0))
    folder = tmp_path / "out"
    said = CliRunner().invoke(app, ["references", str(library), "--to", str(folder)])
    assert said.exception is None
    assert "Fe K   3 spectra, E0 7118.0 to 7124.0 eV, all of them from 6980.0 to 7329.5 eV" in said.stdout
    assert "misfit   [odd]: rises most steeply" in said.stdout
    assert "6 records: 5 fit, 1 do not fit" in said.stdout
    table = list(csv.DictReader((folder / "references.csv").read_text().splitlines()))
    assert [row["name"] for row in table] == ["hematite", "magnetite", "wustite", "metal", "oxide", "[odd]"]
    assert (table[0]["element"], table[0]["edge"], table[0]["nearest"]) == ("Fe", "Fe K", "magnetite")
    assert (folder / "references.png").read_bytes().startswith(b"\x89PNG")
    drawn = (folder / "references.svg").read_text()
    for text in ("Fe K, 3 spectra", "Ni K, 2 spectra", "wustite"):
        assert f">{text}</text>" in drawn
    CliRunner().invoke(app, ["references", str(library), "--to", str(folder)])
    assert (folder / "references.svg").read_text() == drawn


def test_a_background_far_beyond_the_edge_hides_it_not(library):
    energy = np.arange(6980.0, 8200.0, 0.5)
    put(library, "dilute", energy, 0.2 * spectrum(energy, 7124.0) - 0.002 * (energy - 6980))
    row = rows(library)["dilute"]
    assert (row.status, row.edge) == ("fits", "Fe K")
    assert row.edge_step == pytest.approx(0.2 * 1.7, rel=0.1)


@pytest.mark.real
def test_measured_standards_are_told_apart(standards_folder):
    found = cover(Path(standards_folder))
    status = {row.name: row.status for row in found.rows}
    assert [panel.edge for panel in found.panels] == ["Fe K"]
    assert status["PyNa5R_pt4_01"] == status["Gillepsite_pt2_01"] == "refused"
    assert sum(each == "copy" for each in status.values()) >= 4
    assert sum(each == "fits" for each in status.values()) >= 90
    foil = next(row for row in found.rows if row.name == "Fe_Foil")
    assert "foil" in foil.nearest.lower() or "Fe" in foil.nearest
    assert foil.correlation > 0.99
