"""The files that specks are left in: a table, and an XDI file for every kind."""

from collections.abc import Sequence
from pathlib import Path

from gigaxas import __version__
from gigaxas.arrays import FloatArray
from gigaxas.report import SpeckKind, SpeckReport, SpeckRow
from gigaxas.spectra.readers.xdi import render_xdi
from gigaxas.stores.io.files import Columns, plain_name, publish_file, publish_table

COLUMNS: Columns[SpeckRow] = {
    "number": lambda row: row.number,
    "kind": lambda row: row.kind,
    "name": lambda row: row.name,
    "y": lambda row: row.y,
    "x": lambda row: row.x,
    "height": lambda row: row.height,
    "width": lambda row: row.width,
    "pixels": lambda row: row.pixels,
    "z": lambda row: f"{row.distance:.3f}",
    "log10_p": lambda row: f"{row.log10_p:.2f}",
    "share": lambda row: f"{row.share:.3f}",
    "label": lambda row: row.label,
    "hits": lambda row: row.hits,
}


def write_speck_tables(folder: Path, energy: FloatArray, found: SpeckReport) -> list[Path]:
    """Write specks.csv (a row a speck) and an XDI file for each kind; return their paths."""
    spectra = folder / "specks"
    spectra.mkdir(exist_ok=True)
    files = [spectra / f"{kind.number:02d}-{plain_name(kind.name)}.xdi" for kind in found.kinds]
    for file, kind in zip(files, found.kinds, strict=True):
        publish_file(file, _xdi(energy, kind, found.rows).encode())
    for left in set(spectra.glob("*.xdi")) - set(files):
        left.unlink()
    table = folder / "specks.csv"
    publish_table(table, COLUMNS, found.rows)
    return [table, spectra]


def _xdi(energy: FloatArray, kind: SpeckKind, rows: Sequence[SpeckRow]) -> str:
    places = ", ".join(f"({row.y}, {row.x})" for row in rows if row.kind == kind.number)
    fields = [
        ("gigaxas.kind", str(kind.number)),
        ("gigaxas.pixels", str(kind.pixels)),
        ("gigaxas.outside", "yes" if kind.outside else "no"),
        ("gigaxas.places", places),
    ]
    columns = [("energy", "eV", energy), ("norm", "", kind.spectrum), ("error", "", kind.standard_error)]
    return render_xdi(kind.name, columns, fields, f"gigaxas/{__version__}")
