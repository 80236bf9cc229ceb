"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest
import viewer_runs
from hypothesis import HealthCheck, settings

# how long an example takes says nothing on a machine that does other work too
settings.register_profile("gigaxas", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gigaxas")


@pytest.fixture(scope="session")
def standards_folder() -> Path:
    """The folder of measured Fe K-edge spectra, or a skip that says how to give one."""
    folder = Path(os.environ.get("GIGAXAS_STANDARDS", "../shared/data/fe_k_standards"))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no measured spectra at {folder}; set GIGAXAS_STANDARDS to their folder")
    return folder


@pytest.fixture(scope="session")
def viewer_run(tmp_path_factory):
    """A small finished run; tests write its report again, and leave its stores as they were."""
    return viewer_runs.finished_run(tmp_path_factory.mktemp("viewer"), viewer_runs.SHAPE)


@pytest.fixture
def small_tiles():
    """Tiles and blocks so small that a small map takes several passes."""
    with viewer_runs.small_tiles():
        yield
