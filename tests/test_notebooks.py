"""The notebooks of the documentation run from top to bottom, and their stored outputs are whole and small."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "docs/notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def kinds(notebook):
    """The kinds of output of every cell that shows any."""
    return [
        sorted({kind for output in cell.outputs for kind in output.get("data", {"stream": ""})})
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def printed(notebook):
    """What every cell prints, in however many pieces it came."""
    return [
        "".join(output.text for output in cell.get("outputs", []) if output.output_type == "stream")
        for cell in notebook.cells
    ]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_and_shows_what_is_stored(name, tmp_path):
    stored = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    again = nbformat.read(FOLDER / f"{name}.ipynb", 4)
    for cell in again.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(again, timeout=300, kernel_name="python3", resources=resources).execute()
    assert kinds(again) == kinds(stored)
    assert printed(again) == printed(stored)


def test_stored_outputs_are_small_without_errors_and_have_bars():
    assert NOTEBOOKS == ["own-stack", "plan", "sinter"]
    assert sum(path.stat().st_size for path in FOLDER.glob("*.ipynb")) < 1_500_000
    for name in NOTEBOOKS:
        notebook = nbformat.read(FOLDER / f"{name}.ipynb", 4)
        assert not [output for output in outputs(notebook) if output.output_type == "error"]
        shown = [output.data.get("text/html", "") for output in outputs(notebook) if "data" in output]
        assert any("<progress" in html for html in shown) == (name != "plan")
        assert any("phase map" in html for html in shown) == (name != "plan")
        counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
        assert counts == list(range(1, len(counts) + 1))
