"""Athena project files: Perl text or JSON, gzipped or not, with several records each."""

import gzip
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gigaxas.arrays import FloatArray
from gigaxas.errors import InputError
from gigaxas.spectra.readers.columns import MAX_BYTES, decode, read_text
from gigaxas.spectra.spectrum import Spectrum

GZIP_MAGIC = b"\x1f\x8b"
"""The first two bytes of a gzipped file."""
PERL_TOKEN = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|([\[\]{}])|([^\s,()'"\[\]{}]+)""")
"""A string in single or in double quotes, a bracket, or a bare word."""
PERL_ESCAPE = re.compile(r"\\(?:x\{([0-9a-fA-F]{1,6})\}|(.))")
"""A character by its number, as only strings in double quotes have it, or one that stands for itself."""
NOT_ABSORBANCE = ("is_chi", "is_rsp", "is_qsp", "is_bkg", "is_diff", "is_pixel")
"""Flags of records that hold something else than mu against energy."""

ProjectRecord = dict[str, Any]
"""One record of a project: `args`, and the lists `x` and `y`."""


def read_athena(path: Path) -> list[Spectrum | InputError]:
    """Read the records of an Athena project, each moved by the energy shift stored with it (bkg_eshift).

    A record that is no absorbance (chi(k), a difference, detector pixels) or does not parse becomes its
    error. InputError: a damaged archive, or no record at all.
    """
    text = _project_text(path)
    records = list(_json_records(text, path) if text.lstrip().startswith("{") else _perl_records(text))
    if not records:
        raise InputError(f"{path}: no record; expected an Athena project with @args, @x and @y of each")
    return [_spectrum(record, path, number) for number, record in enumerate(records, start=1)]


def _project_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            zipped = file.read(2) == GZIP_MAGIC
        if not zipped:
            return read_text(path)
        with gzip.open(path) as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be unpacked ({error}); expected a whole Athena project") from error
    if len(raw) > MAX_BYTES:
        raise InputError(f"{path}: unpacks to more than {MAX_BYTES // 2**20} MiB; expected an Athena project")
    return decode(raw, path)


def _perl_records(text: str) -> Iterator[ProjectRecord]:
    record: ProjectRecord = {}
    for line in text.split("\n"):
        match = re.match(r"@(\w+)\s*=\s*\((.*)\)\s*;", line)
        if match and match[1] in ("args", "x", "y"):
            record[match[1]] = _perl_items(match[2])
        elif line.startswith("[record]") and record:
            yield record
            record = {}
    if record:
        yield record


def _perl_items(text: str) -> list[str]:
    """Return the items of a Perl list; a nested list or hash counts as one, empty."""
    items: list[str] = []
    depth = 0
    for token in PERL_TOKEN.finditer(text):
        single, double, bracket, bare = token.groups()
        if bracket and bracket in "[{":
            depth += 1
        elif bracket:
            depth -= 1
            if depth == 0:
                items.append("")
        elif depth == 0:
            items.append(_unquoted(single, double) if bare is None else bare)
    return items


def _unquoted(single: str | None, double: str | None) -> str:
    """Return what a Perl string in one of the two kinds of quotes stands for."""
    if double is None:
        return re.sub(r"\\(.)", r"\1", single or "")
    return PERL_ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], double)


def _json_records(text: str, path: Path) -> Iterator[ProjectRecord]:
    try:
        project = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: cannot be read as JSON ({error}); expected a whole Athena project"
        ) from error
    order = project.get("_____order")
    groups = order if isinstance(order, list) else list(project)
    for group in groups:
        record = project.get(group) if isinstance(group, str) else None
        if isinstance(record, dict) and "x" in record:
            yield record


def _spectrum(record: ProjectRecord, path: Path, number: int) -> Spectrum | InputError:
    args = _arguments(record.get("args"))
    name = str(args.get("label", "")).strip() or f"{path.stem} {number}"
    where = f"{path}: record {number} ({name})"
    kind = next((flag for flag in NOT_ABSORBANCE if _truth(args.get(flag))), None)
    if kind is not None:
        return InputError(f"{where} is marked {kind}; expected an absorbance, mu against energy")
    energy, mu = _vector(record.get("x")), _vector(record.get("y"))
    shift = _vector([args.get("bkg_eshift") or 0.0])
    if energy is None or mu is None or shift is None or energy.shape != mu.shape:
        return InputError(
            f"{where} does not hold as many numbers x as y; expected both, and a number bkg_eshift"
        )
    return Spectrum(name, energy + shift[0], mu)


def _arguments(args: Any) -> ProjectRecord:
    if isinstance(args, list):
        return dict(zip(args[0::2], args[1::2], strict=False))
    return args if isinstance(args, dict) else {}


def _truth(value: Any) -> bool:
    return str(value) not in ("None", "", "0", "undef", "False")


def _vector(values: Any) -> FloatArray | None:
    if not isinstance(values, list):
        return None
    try:
        return np.array([float(value) for value in values], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None
