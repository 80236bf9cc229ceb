"""The walls between the rooms: who may import whom, and who may know Dask, Zarr and deployment."""

import ast
import importlib
import pkgutil
from pathlib import Path

import gigaxas

PACKAGE = Path(gigaxas.__file__).parent

# From the ground up; a room imports rooms of its own floor's list or below, never above.
FLOORS = [
    {"arrays", "errors", "tiles", "exact", "locations", "simd", "units", "version", "machine_code"},
    {"spectra", "spatial"},
    {"config", "sites", "nearest", "search", "simulate"},
    {"observed", "components", "specks", "planning"},
    {"stores"},
    {"raw", "checkpoint"},
    {"tasks", "report"},
    {"execution", "evaluation"},
    {"workflow"},
    {"cli", "notebook"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
KNOWS = {
    "dask.array": {"execution"},
    "dask.delayed": {"execution"},
    "distributed": {"execution"},
    "zarr": {"stores", "raw"},
    "fsspec": {"stores"},
    "xarray": {"stores", "workflow", "notebook"},
    "typer": {"cli"},
    "rich": {"cli", "execution"},
    "matplotlib": {"report", "evaluation", "notebook"},
    "hyperspy": {"notebook"},
    "IPython": {"execution"},
    "pydantic": {"config", "components", "stores"},
    "yaml": {"config", "components"},
    "tifffile": {"stores", "raw"},
    "h5py": {"stores", "raw", "spectra"},
    "sklearn": {"evaluation"},
    "xraydb": {"spectra"},
    "pint": {"units"},
    "rsciio": {"raw", "spectra", "stores"},
    "olefile": {"raw"},
    "watchfiles": {"raw"},
}


def modules():
    return [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


def room_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            if node.module == "gigaxas":
                yield from (f"gigaxas.{alias.name}" for alias in node.names)


def test_every_room_has_its_floor():
    assert {room_of(path) for path in modules()} == set(FLOOR)


def test_a_room_imports_only_what_lies_below():
    wrong = []
    for path in modules():
        for name in imports(path):
            parts = name.split(".")
            if parts[0] == "gigaxas" and len(parts) > 1 and not parts[1].startswith("__"):
                room, other = room_of(path), parts[1]
                if room != other and FLOOR[other] > FLOOR[room]:
                    wrong.append(f"{path.relative_to(PACKAGE)} may not import {name}")
    assert not wrong


def test_rooms_import_each_other_in_no_circle():
    edges = {room: set() for room in FLOOR}
    for path in modules():
        parts = [name.split(".") for name in imports(path)]
        edges[room_of(path)] |= {p[1] for p in parts if p[0] == "gigaxas" and len(p) > 1 and p[1] in FLOOR}
    left = {room: others - {room} for room, others in edges.items()}
    while ends := {room for room, others in left.items() if not others}:
        left = {room: others - ends for room, others in left.items() if room not in ends}
    assert not left


def test_only_its_room_knows_a_package():
    wrong = [
        f"{path.relative_to(PACKAGE)} may not know {package}"
        for path in modules()
        for name in imports(path)
        for package, rooms in KNOWS.items()
        if (name == package or name.startswith(package + ".")) and room_of(path) not in rooms
    ]
    assert not wrong


def test_no_name_of_a_package_hides_one_of_its_modules():
    for package in [gigaxas, *(importlib.import_module(name) for name in packages())]:
        for module in pkgutil.iter_modules(package.__path__):
            name = f"{package.__name__}.{module.name}"
            found = getattr(package, module.name, importlib.import_module(name))
            assert found is importlib.import_module(name), f"{name} is hidden by {found!r}"


def packages():
    return [found.name for found in pkgutil.walk_packages(gigaxas.__path__, "gigaxas.") if found.ispkg]
