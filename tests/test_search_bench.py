"""Searches of a library against a matrix product, on the sites of the modelled phases."""

import sys
from pathlib import Path

import bench_search
import numpy as np
import pytest


def test_the_page_is_made_to_its_end_whatever_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spectra = np.random.default_rng(0).normal(size=(30, 100)).cumsum(axis=1)
    monkeypatch.setattr(bench_search, "LIBRARIES", {"Raman": lambda _: None, "sites": lambda _: spectra})
    monkeypatch.setattr(bench_search, "faiss_flat", lambda _: None)
    for name, value in {"PIXELS": 20, "TUNED": 5, "ROUNDS": 1}.items():
        monkeypatch.setattr(bench_search, name, value)
    page = tmp_path / "page.md"
    monkeypatch.setattr(sys, "argv", ["bench_search.py", "--write", str(page)])
    bench_search.main()
    text = page.read_text()
    assert "## Raman\n\nLeft out: the package pyopenspecy is not installed.\n" in text
    assert "faiss flat, float32 (not exact) | not installed" in text
    assert "neighbour table (29 of 29 neighbours)" in text
    sections = [line for line in text.splitlines() if line.startswith("### ")]
    assert sections[-1] == "### Making a library ready"
    assert len(sections) == 5
    assert text.count("| segments |") == 3


@pytest.mark.bench
def test_segment_search_is_cheaper_than_the_tree_and_faster_than_that_and_any_product(
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = bench_search.make_case(bench_search.LIBRARIES["sites"](None), bench_search.PIXELS)
    setups: dict[str, dict[str, int]] = {method: {} for method in bench_search.METHODS}
    lines = list(bench_search.time_table(case, setups))
    with capsys.disabled():
        print("", *lines, sep="\n")
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[1:4] for line in lines[2:]}
    times = {
        name: [float(value) for value in row] for name, row in rows.items() if "not installed" not in row[0]
    }
    for level in range(3):
        assert times["segments"][level] < 0.5 * times["tree"][level]
        for rival in times:
            if rival.startswith(("BLAS", "faiss")):
                assert times["segments"][level] < times[rival][level], rival
    costs = {
        m: bench_search.cost(bench_search.make_search(case, m).query(case.queries[20]))
        for m in ("tree", "segments")
    }
    assert costs["segments"] < 0.5 * costs["tree"]
