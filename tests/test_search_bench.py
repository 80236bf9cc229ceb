"""Searches of a library against a matrix product, on the sites of the modelled phases."""

import runpy
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.mark.bench
def test_segment_search_is_cheaper_and_faster_than_the_tree_and_exact_products(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [str(SCRIPTS), *sys.path])
    bench = runpy.run_path(str(SCRIPTS / "bench_search.py"))
    case = bench["make_case"](bench["LIBRARIES"]["sites"](None), bench["PIXELS"])
    setups = {method: {} for method in bench["METHODS"]}
    lines = list(bench["time_table"](case, setups))
    with capsys.disabled():
        print("", *lines, sep="\n")
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:4] for line in lines[2:]}
    times = {name: [float(value) for value in row] for name, row in rows.items() if "not" not in row[0]}
    for level in range(3):
        assert times["segments"][level] < 0.5 * times["tree"][level]
        assert times["segments"][level] < times["BLAS, float64"][level]
    costs = {
        m: bench["cost"](bench["make_search"](case, m).query(case.queries[20])) for m in ("tree", "segments")
    }
    assert costs["segments"] < 0.5 * costs["tree"]
