"""At its end a run says what was left out and how to run it."""

import re
from pathlib import Path

import left_out

pytest_plugins = ("pytester",)
FOLDER = Path(__file__).parent

TESTS = """
import pytest

@pytest.mark.parametrize("i", range(3))
def test_spectra(i):
    pytest.skip("no measured spectra at x; set GIGAXAS_STANDARDS to their folder")

@pytest.mark.skipif(True, reason="not today")
def test_other():
    pass

@pytest.mark.slow
def test_long():
    pass

def test_short():
    pass
"""


def test_skipped_tests_are_told_by_their_reason_at_the_very_end(pytester):
    pytester.makeconftest((FOLDER / "left_out.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers =\n    slow\naddopts = -ra\n")
    pytester.makepyfile(TESTS)
    said = pytester.runpytest_subprocess("-m", "not slow", "-n", "1").stdout.str()
    last = said[said.rindex("left out, and how to run it") :].splitlines()[1:6]
    assert [line.partition(" (docs")[0] for line in last] == [
        "3 tests: no measured spectra at x; set GIGAXAS_STANDARDS to their folder",
        "    GIGAXAS_STANDARDS=FOLDER make test",
        "1 test: not today",
        "tests marked slow",
        "    make test-all",
    ]
    assert said.rindex("short test summary info") < said.rindex("left out, and how to run it")


def test_nothing_left_out_is_not_told():
    assert left_out.lines([], "") == []


def test_every_reason_of_a_skip_here_has_a_way_to_run_the_test():
    told = set()
    for path in FOLDER.glob("test_*.py"):
        if path.name not in ("test_left_out.py", "test_required.py"):
            text = path.read_text(encoding="utf-8")
            told |= set(re.findall(r'(?:(?<!or)skip\(|reason=)f?"([^"]+)"', text))
    without = {reason for reason in told if not any(word in reason for word in left_out.HOW)}
    # what no machine can run, or what has to do with the rights of whoever runs the tests
    assert without == {"ImageJ has no 32-bit whole numbers", "this user may not mount a file system"}
