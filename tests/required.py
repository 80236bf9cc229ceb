"""A pytest plugin: GIGAXAS_REQUIRE="browser real" says what is there, so that no test of it may be skipped.

A test is marked with what it needs. It may be skipped where that is not there; where all of it is required, a
skip is a failure, whatever the reason given.
"""

import os

import pytest

NEEDS = {"browser", "real", "napari", "larch"}


def required():
    """Return what must be there."""
    return set(os.environ.get("GIGAXAS_REQUIRE", "").split())


def pytest_configure(config):
    if unknown := required() - NEEDS:
        found, expected = " ".join(sorted(unknown)), " ".join(sorted(NEEDS))
        raise pytest.UsageError(f"GIGAXAS_REQUIRE: found {found}, expected any of {expected}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    needs = NEEDS.intersection(marker.name for marker in item.iter_markers())
    if report.skipped and not hasattr(report, "wasxfail") and needs and needs <= required():
        report.outcome = "failed"
        report.longrepr = f"GIGAXAS_REQUIRE asks for {' '.join(sorted(needs))}, but {report.longrepr[2]}"
    return report
