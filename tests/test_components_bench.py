"""The composition of pixels against scipy, one call a pixel."""

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "bench_phases.py"


@pytest.mark.bench
def test_pixels_are_composed_many_times_faster_than_by_scipy(capsys):
    bench = runpy.run_path(str(SCRIPT))
    with capsys.disabled():
        print("", *bench["table"](), sep="\n")
    own, whole, _, apart = bench["measure"](2)
    assert apart < 1e-12
    assert whole / own > 50
