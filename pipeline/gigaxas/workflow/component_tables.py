"""The files that the phases of a run are left in: tables, and an XDI file for every component."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigaxas import __version__
from gigaxas.arrays import FloatArray
from gigaxas.report import ComponentRow
from gigaxas.spectra.readers.xdi import render_xdi
from gigaxas.stores.io.files import publish_csv, publish_file
from gigaxas.workflow.cluster_rows import NEAREST, Component, Row

SIDES = ("y0", "y1", "x0", "x1")
PHASES_HEADER = [
    *("label", "name", "decision", "by", "members", "weights", "leak", "leak_error"),
    *("chi_square", "freedom", "probability", "s_error"),
    *("pixels", "share", "area_um2", "kept_pixels", "regions"),
    *(f"box_{side}" for side in SIDES),
    "largest_region",
    *(f"largest_{side}" for side in SIDES),
    *(
        f"{what}_{i}"
        for i in range(1, NEAREST + 1)
        for what in ("reference", "correlation", "reference_error")
    ),
]
COMPONENTS_HEADER = [
    *("label", "name", "colour", "amount", "share", "area_um2", "main_pixels", "reference", "correlation"),
    *("reference_error", "file"),
]


@dataclass(frozen=True)
class ComponentTables:
    """What the tables tell."""

    names: Mapping[int, str]
    """Names of all clusters, by label."""
    explained: Mapping[int, str]
    """How others explain a cluster, in words, by label; nothing for a component."""
    components: Sequence[ComponentRow]
    """The components, in the order of the maps."""


def read_component_tables(folder: Path, labels: Sequence[int]) -> ComponentTables | None:
    """Read phases.csv and components.csv; None where they are not those of these components."""
    try:
        rows, own = (_read_csv(folder / f"{name}.csv") for name in ("phases", "components"))
        components = [
            ComponentRow(int(row["label"]), row["name"], row["colour"], float(row["share"])) for row in own
        ]
        names = {int(row["label"]): row["name"] for row in rows}
        names |= {component.label: component.name for component in components}
        explained = {int(row["label"]): _explained(row, names) for row in rows}
    except (OSError, KeyError, ValueError):
        return None
    found = [component.label for component in components]
    return ComponentTables(names, explained, components) if found == list(labels) else None


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _explained(row: Mapping[str, str], names: Mapping[int, str]) -> str:
    """Return in words how others explain a cluster; nothing for a component."""
    members = [names[int(member)] for member in row["members"].split()]
    if row["decision"] == "mixture":
        parts = zip(row["weights"].split(), members, strict=True)
        return "mixture: " + " + ".join(f"{float(weight):.2f} {name}" for weight, name in parts)
    words = {
        "same": "the same as {} within the noise",
        "merged": "merged into {} as you decided",
        "flattened": f"{{}} flattened by {float(row['leak'] or 0):.1%} of leaked light",
    }
    said = words.get(row["decision"], "")
    return said.format(*members)


def write_component_tables(
    folder: Path, energy: FloatArray, rows: Sequence[Row], components: Sequence[Component]
) -> list[Path]:
    """Write phases.csv (a row a cluster), components.csv and an XDI file for each; return their paths."""
    spectra = folder / "components"
    spectra.mkdir(exist_ok=True)
    files = [spectra / f"{i:02d}-{_plain(each.name)}.xdi" for i, each in enumerate(components, 1)]
    for file, component in zip(files, components, strict=True):
        publish_file(file, _xdi(energy, component).encode())
    for left in set(spectra.glob("*.xdi")) - set(files):
        left.unlink()
    tables = [folder / "phases.csv", folder / "components.csv"]
    publish_csv(tables[0], PHASES_HEADER, map(_cluster_row, rows))
    publish_csv(
        tables[1],
        COMPONENTS_HEADER,
        (
            _component_row(each, file.relative_to(folder))
            for each, file in zip(components, files, strict=True)
        ),
    )
    return [*tables, spectra]


def _cluster_row(row: Row) -> list[Any]:
    decision, found = row.decision, row.decision.explanation
    return [
        *(row.label, row.name, decision.kind, "you" if decision.expert else "gigaxas"),
        " ".join(str(member) for member in decision.members),
        " ".join(f"{weight:.6g}" for weight in decision.weights),
        *(
            (f"{found.leak:.6g}", f"{found.leak_error:.3g}")
            if found and found.kind == "flattened"
            else ("", "")
        ),
        *((f"{found.chi_square:.6g}", found.freedom, f"{found.probability:.4g}") if found else ("", "", "")),
        f"{row.fit_error:.4g}" if found else "",
        *(row.pixels, f"{row.share:.8f}", f"{row.area_um2:.4f}", row.kept_pixels, row.regions, *row.box),
        *(row.largest, *row.largest_box),
        *(cell for near in row.near for cell in (near.name, f"{near.correlation:.6f}", f"{near.error:.6g}")),
    ]


def _component_row(component: Component, file: Path) -> list[Any]:
    near = component.row.near[0]
    return [
        *(component.row.label, component.name, component.colour, f"{component.amount:.3f}"),
        *(f"{component.share:.8f}", f"{component.area_um2:.4f}", component.main_pixels),
        *(near.name, f"{near.correlation:.6f}", f"{near.error:.6g}", file.as_posix()),
    ]


def _xdi(energy: FloatArray, component: Component) -> str:
    row = component.row
    fields = [
        ("gigaxas.label", str(row.label)),
        ("gigaxas.pixels", str(row.kept_pixels)),
        ("gigaxas.reference", f"{row.near[0].name} (Pearson r {row.near[0].correlation:.6f})"),
    ]
    columns = [("energy", "eV", energy), ("norm", "", row.spectrum), ("error", "", row.standard_error)]
    return render_xdi(component.name, columns, fields, f"gigaxas/{__version__}")


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "-", name).strip("-.")[:60] or "component"
