"""The files that the phases of a run are left in: tables, and an XDI file for every component."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gigaxas import __version__
from gigaxas.arrays import FloatArray
from gigaxas.components.decide import Explanation
from gigaxas.report import ComponentRow
from gigaxas.spectra.readers.xdi import render_xdi
from gigaxas.stores.io.files import Columns, publish_file, publish_table
from gigaxas.workflow.cluster_rows import NEAREST, Component, Near, Row


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
    publish_table(tables[0], {**CLUSTER_COLUMNS, **_near_columns()}, rows)
    own = [(component, file.relative_to(folder)) for component, file in zip(components, files, strict=True)]
    publish_table(tables[1], COMPONENT_COLUMNS, own)
    return [*tables, spectra]


def _leak(row: Row, cell: Callable[[Explanation], str]) -> str:
    """Return a cell of a flattened cluster, nothing for others."""
    found = row.decision.explanation
    return cell(found) if found and found.kind == "flattened" else ""


def _explanation(row: Row, cell: Callable[[Explanation], object]) -> object:
    """Return a cell of a cluster that was explained, nothing for others."""
    found = row.decision.explanation
    return cell(found) if found else ""


CLUSTER_COLUMNS: Columns[Row] = {
    "label": lambda row: row.label,
    "name": lambda row: row.name,
    "decision": lambda row: row.decision.kind,
    "by": lambda row: "you" if row.decision.expert else "gigaxas",
    "members": lambda row: " ".join(str(member) for member in row.decision.members),
    "weights": lambda row: " ".join(f"{weight:.6g}" for weight in row.decision.weights),
    "leak": lambda row: _leak(row, lambda found: f"{found.leak:.6g}"),
    "leak_error": lambda row: _leak(row, lambda found: f"{found.leak_error:.3g}"),
    "chi_square": lambda row: _explanation(row, lambda found: f"{found.chi_square:.6g}"),
    "freedom": lambda row: _explanation(row, lambda found: found.freedom),
    "probability": lambda row: _explanation(row, lambda found: f"{found.probability:.4g}"),
    "s_error": lambda row: _explanation(row, lambda _: f"{row.fit_error:.4g}"),
    "pixels": lambda row: row.pixels,
    "share": lambda row: f"{row.share:.8f}",
    "area_um2": lambda row: f"{row.area_um2:.4f}",
    "kept_pixels": lambda row: row.kept_pixels,
    "regions": lambda row: row.regions,
    "box_y0": lambda row: row.box.y0,
    "box_y1": lambda row: row.box.y1,
    "box_x0": lambda row: row.box.x0,
    "box_x1": lambda row: row.box.x1,
    "largest_region": lambda row: row.largest,
    "largest_y0": lambda row: row.largest_box.y0,
    "largest_y1": lambda row: row.largest_box.y1,
    "largest_x0": lambda row: row.largest_box.x0,
    "largest_x1": lambda row: row.largest_box.x1,
}


def _near_columns() -> Columns[Row]:
    """Return the columns of the nearest references, empty where there are fewer."""

    def cell(i: int, text: Callable[[Near], str]) -> Callable[[Row], str]:
        return lambda row: text(row.near[i]) if i < len(row.near) else ""

    columns: dict[str, Callable[[Row], object]] = {}
    for i in range(NEAREST):
        columns[f"reference_{i + 1}"] = cell(i, lambda near: near.name)
        columns[f"correlation_{i + 1}"] = cell(i, lambda near: f"{near.correlation:.6f}")
        columns[f"reference_error_{i + 1}"] = cell(i, lambda near: f"{near.error:.6g}")
    return columns


COMPONENT_COLUMNS: Columns[tuple[Component, Path]] = {
    "label": lambda row: row[0].row.label,
    "name": lambda row: row[0].name,
    "colour": lambda row: row[0].colour,
    "amount": lambda row: f"{row[0].amount:.3f}",
    "share": lambda row: f"{row[0].share:.8f}",
    "area_um2": lambda row: f"{row[0].area_um2:.4f}",
    "main_pixels": lambda row: row[0].main_pixels,
    "reference": lambda row: row[0].row.near[0].name,
    "correlation": lambda row: f"{row[0].row.near[0].correlation:.6f}",
    "reference_error": lambda row: f"{row[0].row.near[0].error:.6g}",
    "file": lambda row: row[1].as_posix(),
}


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
