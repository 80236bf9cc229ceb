"""The files that the phases of a run are left in: tables, and an XDI file for every component."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from gigaxas import __version__
from gigaxas.arrays import FloatArray
from gigaxas.components.decide import Explanation
from gigaxas.report import ComponentRow
from gigaxas.spectra.readers.xdi import render_xdi
from gigaxas.stores.io.files import Columns, plain_name, publish_file, publish_table
from gigaxas.tiles import Box
from gigaxas.workflow.cluster_rows import AMOUNTS, NEAREST, Component, DecidedCluster, Near


@dataclass(frozen=True)
class ComponentTables:
    """What the tables tell."""

    names: Mapping[int, str]
    """Names of all clusters, by label."""
    members: Mapping[int, Sequence[int]]
    """Labels of the components that a cluster is, by its label."""
    explained: Mapping[int, str]
    """How others explain a cluster, in words, by label; nothing for a component."""
    outside: Mapping[int, bool]
    """Whether the components that a cluster is lie outside the library, by label."""
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
        members = {int(row["label"]): [int(one) for one in row["members"].split()] for row in rows}
        explained = {int(row["label"]): row["explained"] for row in rows}
        outside = {int(row["label"]): row["outside"] == "yes" for row in rows}
    except (OSError, KeyError, ValueError):
        return None
    found = [component.label for component in components]
    return ComponentTables(names, members, explained, outside, components) if found == list(labels) else None


def _read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write_component_tables(
    folder: Path, energy: FloatArray, rows: Sequence[DecidedCluster], components: Sequence[Component]
) -> list[Path]:
    """Write phases.csv (a row a cluster), components.csv and an XDI file for each; return their paths."""
    spectra = folder / "components"
    spectra.mkdir(exist_ok=True)
    files = [spectra / f"{i:02d}-{plain_name(each.name)}.xdi" for i, each in enumerate(components, 1)]
    for file, component in zip(files, components, strict=True):
        publish_file(file, _xdi(energy, component).encode())
    for left in set(spectra.glob("*.xdi")) - set(files):
        left.unlink()
    tables = [folder / "phases.csv", folder / "components.csv"]
    publish_table(tables[0], _cluster_columns(), rows)
    named = [(each, file.relative_to(folder)) for each, file in zip(components, files, strict=True)]
    publish_table(tables[1], COMPONENT_COLUMNS, named)
    return [*tables, spectra]


def _cluster_columns() -> Columns[DecidedCluster]:
    """Return the columns of phases.csv; those of an explanation are empty for a cluster without one."""
    columns: dict[str, Callable[[DecidedCluster], object]] = {
        "label": lambda row: row.label,
        "name": lambda row: row.name,
        "decision": lambda row: row.decision.kind,
        "by": lambda row: "you" if row.decision.expert else "gigaxas",
        "members": lambda row: " ".join(str(member) for member in row.decision.members),
        "weights": lambda row: " ".join(f"{weight:.6g}" for weight in row.decision.weights),
        "outside": lambda row: "yes" if row.outside else "no",
        "explained": lambda row: row.explained,
        **_amount_columns(),
        "chi_square": _explained_cell(lambda found: f"{found.chi_square:.6g}"),
        "freedom": _explained_cell(lambda found: found.freedom),
        "probability": _explained_cell(lambda found: f"{found.probability:.4g}"),
        "s_error": lambda row: f"{row.fit_error:.4g}" if row.decision.explanation else "",
        "pixels": lambda row: row.pixels,
        "share": lambda row: f"{row.share:.8f}",
        "area_um2": lambda row: f"{row.area_um2:.4f}",
        "kept_pixels": lambda row: row.kept_pixels,
        "regions": lambda row: row.regions,
    }
    columns |= {f"box_{side}": _side(attrgetter("box"), i) for i, side in enumerate(Box._fields)}
    columns["largest_region"] = lambda row: row.largest
    columns |= {f"largest_{side}": _side(attrgetter("largest_box"), i) for i, side in enumerate(Box._fields)}
    for i in range(NEAREST):
        columns |= _near_columns(i)
    return columns


def _amount_columns() -> dict[str, Callable[[DecidedCluster], object]]:
    """Return two columns for every amount that an explanation can have, and its error."""
    columns = {}
    for kind, name in AMOUNTS.items():
        columns[name] = _explained_cell(lambda found: f"{found.amount:.6g}", kind)
        columns[f"{name}_error"] = _explained_cell(lambda found: f"{found.amount_error:.3g}", kind)
    return columns


def _explained_cell(
    cell: Callable[[Explanation], object], kind: str | None = None
) -> Callable[[DecidedCluster], object]:
    """Return a cell told of an explanation (of one kind), empty without one."""

    def value(row: DecidedCluster) -> object:
        found = row.decision.explanation
        return cell(found) if found and kind in (None, found.kind) else ""

    return value


def _side(box: Callable[[DecidedCluster], Sequence[int]], side: int) -> Callable[[DecidedCluster], object]:
    return lambda row: box(row)[side]


def _near_columns(i: int) -> dict[str, Callable[[DecidedCluster], object]]:
    """Return the columns of the i-th nearest reference, empty where there are not so many."""

    def near(cell: Callable[[Near], object]) -> Callable[[DecidedCluster], object]:
        return lambda row: cell(row.near[i]) if i < len(row.near) else ""

    return {
        f"reference_{i + 1}": near(lambda one: one.name),
        f"correlation_{i + 1}": near(lambda one: f"{one.correlation:.6f}"),
        f"reference_error_{i + 1}": near(lambda one: f"{one.error:.6g}"),
    }


COMPONENT_COLUMNS: Columns[tuple[Component, Path]] = {
    "label": lambda each: each[0].row.label,
    "name": lambda each: each[0].name,
    "colour": lambda each: each[0].colour,
    "amount": lambda each: f"{each[0].amount:.3f}",
    "share": lambda each: f"{each[0].share:.8f}",
    "area_um2": lambda each: f"{each[0].area_um2:.4f}",
    "main_pixels": lambda each: each[0].main_pixels,
    "reference": lambda each: each[0].row.near[0].name,
    "correlation": lambda each: f"{each[0].row.near[0].correlation:.6f}",
    "reference_error": lambda each: f"{each[0].row.near[0].error:.6g}",
    "file": lambda each: each[1].as_posix(),
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
