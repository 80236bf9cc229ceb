"""XDI files: named columns after a header of `# Family.member: value` lines."""

import re
from collections.abc import Sequence
from pathlib import Path

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.readers.bragg import bragg_energy
from gigaxas.spectra.readers.columns import as_number, numbers, read_text, split_header
from gigaxas.spectra.readers.energies import in_unit
from gigaxas.spectra.readers.measurement import I0_NAMES, MU_NAMES, NamedColumns, column, mu_of
from gigaxas.spectra.spectrum import EV, Spectrum


def read_xdi(path: Path) -> list[Spectrum]:
    """Read an XDI file: energy (or a monochromator angle) and mu, i0 with itrans, or i0 with ifluor.

    Transmission is taken before fluorescence where both are there. InputError: columns that do not fit the
    header, none that gives an absorbance, or a unit that measures no energy.
    """
    header, body = split_header(read_text(path))
    fields = header_fields(header)
    table, units = columns_of(header, fields, numbers(body, path), path)
    name = " ".join(fields.get("sample.name", "").split()) or path.stem
    energy, unit = energy_of(table, units, fields, path)
    return [Spectrum(name, energy, mu_of(table, path), unit=unit)]


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
) -> tuple[NamedColumns, list[str]]:
    """Return the named table and the units of its columns, from the `Column.N` lines or the last comment."""
    described = [fields.get(f"column.{i + 1}", "").split("||")[0].split() for i in range(values.shape[1])]
    if not any(described):
        labels = _labels(header, values.shape[1])
        if not labels:
            raise InputError(f"{path}: no Column.1, Column.2, ... lines; expected the columns to be named")
        return (labels, values), [""] * len(labels)
    if f"column.{values.shape[1] + 1}" in fields:
        raise InputError(
            f"{path}: {values.shape[1]} columns of numbers; expected as many as the Column.N lines name"
        )
    labels = [words[0] if words else "" for words in described]
    return (labels, values), [words[1] if len(words) > 1 else "" for words in described]


def _labels(header: Sequence[str], columns: int) -> list[str]:
    """Return the last comment line's words where they name that many columns, mu or counts among them."""
    known = {*MU_NAMES, *I0_NAMES}
    for line in reversed(header):
        words = re.split(r"[,\s]+", line)
        if len(words) == columns and known & {word.lower() for word in words}:
            return words
    return []


def energy_of(
    table: NamedColumns, units: list[str], fields: dict[str, str], path: Path
) -> tuple[FloatArray, str]:
    """Return the energies (n,) of named columns with their units, in eV or 1/cm, and which of the two."""
    labels = [label.lower() for label in table[0]]
    energy = column(table, ("energy",))
    if energy is not None:
        return in_unit(energy, units[labels.index("energy")], path)
    angle = column(table, ("angle",))
    if angle is None:
        raise InputError(f"{path}: columns are {', '.join(table[0])}; expected one named energy or angle")
    unit = units[labels.index("angle")]
    if unit.lower() not in ("", "deg", "degree", "degrees"):
        raise InputError(f"{path}: the angle is in {unit!r}; expected degrees")
    spacing = as_number(fields.get("mono.d_spacing", "").split(" ")[0]) or 0.0
    if not 0.0 < spacing < 100.0:
        raise InputError(f"{path}: an angle column without Mono.d_spacing; expected the spacing in Angstrom")
    return bragg_energy(angle, spacing), EV
