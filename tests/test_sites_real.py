"""Site points of the measured standards: the figures that the documentation gives."""

import numpy as np
import pytest

from pipeline.noise import NoiseModel
from pipeline.sites import audit_sites, build_candidates, prove_error, reduce_table, site_distance
from pipeline.spectra import read_library

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
