"""Tables of numbers in text: plain column files, and CSV tables with one spectrum a column."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.spectrum import Spectrum

MAX_BYTES = 64 * 2**20
"""The largest measured file of this kind has 0.3 MB; more is not a spectrum."""
COMMENT = ("#", "%", ";", "!", "*", "=")
"""What a line of comment starts with."""
ENERGY_NAMES = ("energy", "e", "ev", "e(ev)", "energy(ev)", "energy_ev", "enc", "en", "mono_energy")
MU_NAMES = (
    "mu",
    "xmu",
    "mutrans",
    "mu_trans",
    "norm",
    "normtrans",
    "absorbance",
    "mufluor",
    "normfluor",
    "mu_fluor",
)
I0_NAMES = ("i0", "io")
TRANSMITTED_NAMES = ("itrans", "i1", "it", "itransmission")
FLUORESCENCE_NAMES = ("ifluor", "if", "fluo", "ifluo")

Table = tuple[list[str], FloatArray]
"""The names of the columns, and their values (rows, columns)."""


def read_text(path: Path) -> str:
    """Return the text of a file, UTF-8 or Latin-1; InputError where it is unreadable, binary or too large."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a file of spectra") from error
    if len(raw) > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES // 2**20} MiB; expected a file of spectra")
    return decode(raw, path)


def decode(raw: bytes, path: Path) -> str:
    """Return bytes as text, UTF-8 or Latin-1; InputError where they are binary."""
    if b"\0" in raw:
        raise InputError(f"{path}: holds binary data; expected text, an Athena project or HDF5")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def split_header(text: str) -> tuple[list[str], list[tuple[int, str]]]:
    """Return the comment lines without their mark, and the other non-blank lines with their line numbers."""
    header: list[str] = []
    body: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith(COMMENT):
            header.append(stripped.lstrip("".join(COMMENT)).strip())
        elif stripped:
            body.append((number, stripped))
    return header, body


def numbers(body: Sequence[tuple[int, str]], path: Path, separator: str | None = None) -> FloatArray:
    """Return the lines of a table as (rows, columns); InputError naming the first line that does not fit."""
    if not body:
        raise InputError(f"{path}: no rows of numbers; expected energy and absorbance, a row an energy")
    rows: list[list[float]] = []
    for number, line in body:
        cells = line.split(separator) if separator else re.split(r"[,\s]+", line)
        try:
            row = [float(cell) if cell.strip() else np.nan for cell in cells]
        except ValueError:
            raise InputError(
                f"{path}: line {number} reads {line[:60]!r}; expected a row of numbers"
            ) from None
        if rows and len(row) != len(rows[0]):
            raise InputError(
                f"{path}: line {number} has {len(row)} columns; expected {len(rows[0])} as above it"
            )
        rows.append(row)
    return np.array(rows, dtype=np.float64)


def column(table: Table, names: Sequence[str]) -> FloatArray | None:
    """Return the first column (n,) that has one of these names, earlier names first; None where none has."""
    labels, values = table
    lower = [label.lower() for label in labels]
    for name in names:
        if name in lower:
            return values[:, lower.index(name)]
    return None


def ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """Return above / below, NaN where a count cannot be divided by (zero or negative)."""
    usable = below > 0
    return np.where(usable, above / np.where(usable, below, 1.0), np.nan)


def absorbance(i0: FloatArray, transmitted: FloatArray) -> FloatArray:
    """Return ln(i0 / transmitted) ([I] Eq. 2), NaN where a count is zero or negative or has no logarithm."""
    quotient = ratio(i0, transmitted)
    usable = np.isfinite(quotient) & (quotient > 0)
    return np.where(usable, np.log(np.where(usable, quotient, 1.0)), np.nan)


def mu_of(table: Table, path: Path) -> FloatArray:
    """Return the absorbance (n,) of a named table: its own column, ln(i0/itrans), or fluorescence over i0."""
    mu = column(table, MU_NAMES)
    if mu is not None:
        return mu
    i0 = column(table, I0_NAMES)
    transmitted, fluorescence = column(table, TRANSMITTED_NAMES), column(table, FLUORESCENCE_NAMES)
    if i0 is not None and transmitted is not None:
        return absorbance(i0, transmitted)
    if i0 is not None and fluorescence is not None:
        return ratio(fluorescence, i0)
    raise InputError(
        f"{path}: columns are {', '.join(table[0])}; expected mu (or xmu, mutrans, norm), or i0 with "
        "itrans or ifluor"
    )


def read_columns(path: Path) -> list[Spectrum]:
    """Read a plain column file: energy in eV and mu, or more columns named in the last comment line."""
    header, body = split_header(read_text(path))
    if body and not header and not re.match(r"[-+.\d]", body[0][1]):
        header, body = [body[0][1]], body[1:]
    values = numbers(body, path)
    table = (labels_for(header, values.shape[1]), values)
    if not table[0]:
        if values.shape[1] != 2:
            raise InputError(
                f"{path}: {values.shape[1]} columns without names; expected two (energy in eV, mu), or their "
                "names in the last comment line"
            )
        table = (["energy", "mu"], values)
    energy = column(table, ENERGY_NAMES)
    return [Spectrum(path.stem, values[:, 0] if energy is None else energy, mu_of(table, path))]


def read_multicolumn(path: Path) -> list[Spectrum]:
    """Read several spectra that Athena has exported to one file: energy in eV, then a column a spectrum.

    The names are those of its lines `Column.2: name`. Raises InputError where a column has none.
    """
    header, body = split_header(read_text(path))
    values = numbers(body, path)
    named = (re.fullmatch(r"Column\.(\d+):\s*(.+)", line) for line in header)
    names = {int(found[1]): found[2].strip() for found in named if found}
    missing = sorted(set(range(1, values.shape[1] + 1)) - set(names))
    if missing or not names[1].lower().startswith("energy"):
        raise InputError(
            f"{path}: {values.shape[1]} columns, of which {len(names)} are named; expected the energy first "
            "and a line `Column.2: name` for every spectrum"
        )
    return [Spectrum(names[i + 1], values[:, 0], values[:, i]) for i in range(1, values.shape[1])]


def labels_for(header: Sequence[str], columns: int) -> list[str]:
    """Return the last comment line's words where they name that many columns, mu or counts among them."""
    known = {*MU_NAMES, *I0_NAMES}
    for line in reversed(header):
        words = re.split(r"[,\s]+", line)
        if len(words) == columns and known & {word.lower() for word in words}:
            return words
    return []


def read_csv(path: Path) -> list[Spectrum]:
    """Read a CSV table: energy in eV, then a column a spectrum, all named in the first row."""
    _, body = split_header(read_text(path))
    if not body:
        raise InputError(
            f"{path}: empty; expected a table with energy in its first column and a spectrum a column"
        )
    separator = max((",", ";", "\t"), key=body[0][1].count)
    labels = [label.strip().strip('"') for label in body[0][1].split(separator)]
    values = numbers(body[1:], path, separator)
    if len(labels) != values.shape[1] or len(labels) < 2:
        raise InputError(
            f"{path}: {len(labels)} names over {values.shape[1]} columns; expected a first row that names "
            "the energy column and each spectrum"
        )
    if _is_number(labels[-1]):
        raise InputError(f"{path}: first row is {body[0][1][:60]!r}; expected the names of the columns")
    return [
        Spectrum(name or f"{path.stem} {i}", values[:, 0], values[:, i]) for i, name in enumerate(labels) if i
    ]


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
