"""Site points of the measured standards: the figures that the documentation gives."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from gigaxas.cli.tables import show_sites
from gigaxas.config.schema import Config
from gigaxas.sites import audit_sites, build_candidates, prove_error, reduce_table, site_distance
from gigaxas.spectra import read_library
from gigaxas.spectra.noise import NoiseModel
from gigaxas.workflow.classify import sites
from rich.console import Console

pytestmark = pytest.mark.real

NOISE = NoiseModel(c_ref=2.7e4, mu_low=0.36, mu_high=1.56)


@pytest.fixture(scope="module")
def library(standards_folder):
    return read_library(standards_folder, np.linspace(7009.2, 7321.2, 178))


@pytest.fixture(scope="module")
def candidates(library):
    return build_candidates(library.spectra, NOISE, trials=10_000)


def test_measured_hematite_and_magnetite_are_far_apart(library):
    place = {row.source: row.name for row in library.table if row.status == "read"}
    oxide, magnetite = (
        library.names.index(place[f"xasdatalibrary/{name}_rt_01.xdi"]) for name in ("Fe2O3", "Fe3O4")
    )
    z = site_distance(library.spectra[[oxide, magnetite]], NOISE)[0, 1]
    assert z > 4.0


def test_average_sites_of_the_measured_standards_are_dense(library, candidates):
    table = reduce_table(library.names, candidates, NOISE)
    audit = audit_sites(table, candidates, NOISE, mixtures=2000)
    assert audit.dimension == 3
    assert len(library.names) < len(table.names) < len(candidates.spectra) / 4
    assert np.mean(audit.candidate_error < 1e-4) < 0.001
    assert max(audit.uncovered.values()) < 0.01
    # the published reduction promises no spacing, and most of its sites are nearer than the limit
    assert np.mean(audit.spacing_error > 1e-4) > 0.5


def test_the_net_of_the_measured_standards_keeps_its_promises(library, candidates):
    table = reduce_table(library.names, candidates, NOISE, method="net")
    audit = audit_sites(table, candidates, NOISE, mixtures=2000)
    assert audit.candidate_error.min() >= 1e-4
    assert np.mean(audit.spacing_error > 1e-4) < 0.05
    assert max(audit.uncovered.values()) < 0.03


def test_eq_1_holds_for_measured_spectra(candidates):
    proof = prove_error(candidates.spectra[::20], NOISE, pairs=12, draws=3000, lowest=5e-3)
    assert np.abs((proof.measured - proof.expected) / proof.deviation).max() < 4.5


def test_the_verb_gives_the_figures_of_the_documentation(standards_folder, tmp_path):
    page = (Path(__file__).parents[1] / "docs/explanation/sites.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("| paper: 2.7e4"))
    candidates, count, median, near = (cell.strip(" %").replace(",", "") for cell in row.split("|")[3:7])
    made = sites(
        Config.model_validate(
            {
                "title": "measured",
                "output": tmp_path / "out",
                "simulate": {
                    "scene": "inset",
                    "phases": ["Fe2O3 powder Room Temperature", "Fe3O4 powder Room Temperature"],
                },
                "references": {"path": standards_folder, "shifts": {"pynxxas": 0.25}},
                "sites": {"trials": 10_000},
            }
        )
    )
    audit = made.stored.audit
    # one spectrum is shifted here and platforms round differently: the figures, not their last digits
    assert audit.candidate_error.size == pytest.approx(int(candidates), rel=0.05)
    assert audit.spacing_error.size == pytest.approx(int(count), rel=0.08)
    assert np.median(audit.spacing_error) == pytest.approx(float(median), rel=0.2)
    assert 100 * np.mean(audit.spacing_error > audit.limit) == pytest.approx(float(near), abs=5)
    assert max(audit.uncovered.values()) < 0.005
    assert audit.dimension == 3
    assert np.abs(made.stored.proof.pulls).max() < 4.5
    text = io.StringIO()
    show_sites(Console(file=text, width=100), made)
    said = text.getvalue()
    assert re.search(r"references 37 read, \d+ duplicate, \d+ refused, of \d+ records", said)
    assert re.search(
        r"refused +38 +runs only from 7070\.0 to 7249\.0 eV: Andradite_pt1_01, .* and 34 more", said
    )
    assert re.search(r"^Fe010 .* \+0\.25 ", said, re.MULTILINE)
    assert "\ndimension  3 (10 neighbours" in said
    assert {path.name for path in made.paths} == {
        "sites.zarr",
        "references.csv",
        "sites.csv",
        "sites.png",
        "proof.png",
    }
