"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ("required", "left_out")

LONG = (
    "test_cluster",
    "test_docs",
    "test_components_run",
    "test_resume",
    "test_ingest",
    "test_cli",
    "test_viewer_browser",
    "test_memory",
)
"""Files that take longest: they start first, so that no worker is left with one at the end."""


def pytest_collection_modifyitems(items):
    order = {name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONG)))


# how long an example takes says nothing on a machine that does other work too
settings.register_profile("gigaxas", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gigaxas")


@pytest.fixture(scope="session")
def standards_folder() -> Path:
    """The folder of measured Fe K-edge spectra, or a skip that says how to give one."""
    folder = Path(os.environ.get("GIGAXAS_STANDARDS", "../shared/data/fe_k_standards")).absolute()
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no measured spectra at {folder}; set GIGAXAS_STANDARDS to their folder")
    return folder


@pytest.fixture(scope="session")
def stacks_folder() -> Path:
    """The folder of measured stacks, or a skip that says how to give one."""
    folder = Path(os.environ.get("GIGAXAS_STACKS", "../shared/data/stacks")).absolute()
    if not (folder / "README.md").is_file():
        pytest.skip(f"no measured stacks at {folder}; set GIGAXAS_STACKS to their folder")
    return folder


@pytest.fixture(scope="session")
def measured_spectra_folder() -> Path:
    """The folder of four measured spectra that pip fetches, or a skip that says how."""
    import measured_spectra

    standards = Path(os.environ.get("GIGAXAS_STANDARDS", "../shared/data/fe_k_standards"))
    for folder in (measured_spectra.FOLDER, standards / "araucaria"):
        if (folder / "Fe_database.h5").is_file():
            return folder
    pytest.skip("no measured spectra; python scripts/measured_spectra.py fetches four of them")


@pytest.fixture(scope="session")
def speck_run(tmp_path_factory):
    """A small finished run with specks; tests write its report again, and leave its stores as they were."""
    import speck_runs

    return speck_runs.finished_run(tmp_path_factory.mktemp("specks"))


@pytest.fixture(scope="session")
def viewer_run(tmp_path_factory):
    """A small finished run; tests write its report again, and leave its stores as they were."""
    import viewer_runs  # not at the top: all of the workflow would be loaded for every test of a kernel

    return viewer_runs.finished_run(tmp_path_factory.mktemp("viewer"), viewer_runs.SHAPE)


@pytest.fixture
def small_tiles():
    """Tiles and blocks so small that a small map takes several passes."""
    import viewer_runs

    with viewer_runs.small_tiles():
        yield
