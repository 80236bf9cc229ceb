"""The walls between the rooms: who may import whom, and who may know Dask, Zarr and deployment."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pipeline"

# From the ground up; a room imports rooms of its own floor's list or below, never above.
FLOORS = [
    {"errors", "arrays", "exact", "places", "documents", "sections"},
    {"spectra", "noise", "tiles", "cleanup"},
    {"regions", "sites", "simulate", "nearest", "clusters", "phases", "pyramid", "observed"},
    {"filling", "extents", "certainty", "config", "settled"},
    {"decisions", "verify"},
    {"stores", "cluster"},
    {"stages", "journal", "phase_tiles", "fields"},
    {"graph", "report"},
    {"workflow"},
    {"console", "outcome"},
    {"cli"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
KNOWS = {
    "dask.array": {"graph"},
    "dask.delayed": {"graph"},
    "distributed": {"graph", "cluster", "workflow"},
    "zarr": {"stores", "fields"},
    "fsspec": {"stores"},
    "xarray": {"stores", "workflow"},
    "typer": {"cli"},
    "rich": {"console", "outcome", "cli"},
    "matplotlib": {"report"},
    "pydantic": {"config", "decisions", "sections"},
    "tifffile": {"stores", "fields"},
    "skimage": {"fields"},
    "sklearn": {"verify"},
}


def modules():
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "pipeline":
                yield from (f"pipeline.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_room_imports_only_what_lies_below(path):
    room = room_of(path)
    if room == "__init__":
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "pipeline" or len(parts) < 2 or parts[1].startswith("__") or parts[1] == room:
            continue
        assert FLOOR[parts[1]] <= FLOOR[room], f"{room} may not import {parts[1]}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_only_its_room_knows_a_package(path):
    for name in imports(path):
        for package, rooms in KNOWS.items():
            if name == package or name.startswith(package + "."):
                assert room_of(path) in rooms, f"{room_of(path)} may not know {package}"


def test_every_room_has_its_floor():
    assert {room_of(path) for path in modules()} - {"__init__"} == set(FLOOR)


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_file_is_one_idea_of_at_most_300_lines(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
