"""What is required may not be skipped, and what is not required may."""

from pathlib import Path

import pytest

pytest_plugins = ("pytester",)

TESTS = """
import pytest

@pytest.fixture
def chromium():
    pytest.skip("no Chromium here")

@pytest.mark.browser
def test_page(chromium):
    pass

@pytest.mark.real
@pytest.mark.skipif(True, reason="no spectra")
def test_spectra():
    pass

@pytest.mark.real
@pytest.mark.larch
def test_other_program():
    pytest.skip("no larch")

@pytest.mark.browser
@pytest.mark.xfail
def test_known_fault():
    assert False

def test_anything():
    pytest.skip("not today")
"""


@pytest.fixture
def run(pytester, monkeypatch):
    pytester.makeconftest(Path(__file__).with_name("required.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers =\n    browser\n    real\n    larch\n")
    pytester.makepyfile(TESTS)

    def run(require):
        monkeypatch.setenv("GIGAXAS_REQUIRE", require)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:randomly")

    return run


@pytest.mark.parametrize(
    ("require", "outcomes"),
    [
        ("", {"skipped": 4, "xfailed": 1}),
        ("browser", {"skipped": 3, "xfailed": 1, "errors": 1}),
        ("browser real", {"skipped": 2, "xfailed": 1, "errors": 2}),
        ("browser real larch", {"skipped": 1, "xfailed": 1, "errors": 2, "failed": 1}),
    ],
)
def test_a_skip_of_what_is_required_is_a_failure(run, require, outcomes):
    found = run(require)
    found.assert_outcomes(**outcomes)
    if require:
        found.stdout.fnmatch_lines(["*GIGAXAS_REQUIRE asks for browser, but *no Chromium here"])


def test_an_unknown_word_is_told(run):
    found = run("browsers")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["*found browsers, expected any of browser larch napari real"])
