"""XDI files: named columns after a header of `# Family.member: value` lines."""

import re
from collections.abc import Sequence
from pathlib import Path

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.readers.bragg import bragg_energy
from gigaxas.spectra.readers.columns import Table, column, labels_for, mu_of, numbers, read_text, split_header
from gigaxas.spectra.spectrum import Spectrum


def read_xdi(path: Path) -> list[Spectrum]:
    """Read an XDI file: energy (eV, keV or a monochromator angle) and mu, i0 with itrans, or i0 with ifluor.

    Transmission is taken before fluorescence where both are there. InputError: columns that do not fit the
    header, or none that gives an absorbance.
    """
    header, body = split_header(read_text(path))
    fields = header_fields(header)
    table, units = columns_of(header, fields, numbers(body, path), path)
    name = " ".join(fields.get("sample.name", "").split()) or path.stem
    return [Spectrum(name, _energy(table, units, fields, path), mu_of(table, path))]


def render_xdi(
    name: str, columns: Sequence[tuple[str, str, FloatArray]], fields: Sequence[tuple[str, str]], program: str
) -> str:
    """Return the text of an XDI 1.0 file: columns of (label, unit, values (E,)), the first named energy.

    `fields` are further (Family.member, value) lines of the header, `program` (name/version) what wrote it.
    """
    lines = [f"# XDI/1.0 {program}", f"# Sample.name: {' '.join(name.split())}"]
    lines += [
        f"# Column.{i}: {' '.join((label, unit)).strip()}" for i, (label, unit, _) in enumerate(columns, 1)
    ]
    lines += [f"# {key}: {' '.join(value.split())}" for key, value in fields]
    lines += ["# ///", "#" + "-" * 13, "# " + " ".join(label for label, _, _ in columns)]
    rows = zip(*(values for _, _, values in columns), strict=True)
    lines += [" ".join(f"{value:.9g}" for value in row) for row in rows]
    return "\n".join(lines) + "\n"


def header_fields(header: Sequence[str]) -> dict[str, str]:
    """Return the `family.member: value` lines, keys in lower case, the first value of a repeated key."""
    fields: dict[str, str] = {}
    for line in header:
        match = re.match(r"([\w]+\.[\w]+)\s*:\s*(.*)", line)
        if match:
            fields.setdefault(match[1].lower(), match[2].strip())
    return fields


def columns_of(
    header: Sequence[str], fields: dict[str, str], values: FloatArray, path: Path
) -> tuple[Table, list[str]]:
    """Return the named table and the units of its columns, from the `Column.N` lines or the last comment."""
    described = [fields.get(f"column.{i + 1}", "").split("||")[0].split() for i in range(values.shape[1])]
    if not any(described):
        labels = labels_for(header, values.shape[1])
        if not labels:
            raise InputError(f"{path}: no Column.1, Column.2, ... lines; expected the columns to be named")
        return (labels, values), [""] * len(labels)
    if f"column.{values.shape[1] + 1}" in fields:
        raise InputError(
            f"{path}: {values.shape[1]} columns of numbers; expected as many as the Column.N lines name"
        )
    labels = [words[0] if words else "" for words in described]
    return (labels, values), [words[1] if len(words) > 1 else "" for words in described]


def _energy(table: Table, units: list[str], fields: dict[str, str], path: Path) -> FloatArray:
    energy = column(table, ("energy",))
    if energy is not None:
        unit = units[[label.lower() for label in table[0]].index("energy")].lower()
        if unit not in ("", "ev", "kev"):
            raise InputError(f"{path}: energy in {unit!r}; expected eV or keV")
        return energy * 1000.0 if unit == "kev" else energy
    angle = column(table, ("angle",))
    if angle is None:
        raise InputError(f"{path}: columns are {', '.join(table[0])}; expected one named energy or angle")
    try:
        spacing = float(fields.get("mono.d_spacing", "").split()[0])
    except (IndexError, ValueError):
        spacing = 0.0
    if not 0.0 < spacing < 100.0:
        raise InputError(f"{path}: an angle column without Mono.d_spacing; expected the spacing in Angstrom")
    return bragg_energy(angle, spacing)
