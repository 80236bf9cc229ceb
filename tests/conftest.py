"""Fixtures that several test files share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def standards_folder() -> Path:
    """The folder of measured Fe K-edge spectra, or a skip that says how to give one."""
    folder = Path(os.environ.get("GIGAXAS_STANDARDS", "../shared/data/fe_k_standards"))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no measured spectra at {folder}; set GIGAXAS_STANDARDS to their folder")
    return folder
