"""Athena project files: Perl text or JSON, gzipped or not, with several records each.

Athena's reader is Perl itself, and no package reads them but xraylarch, which rewrites Perl as Python on the
way and brings a laboratory along; so they are parsed here.
"""

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
from gigaxas.spectra.readers.columns import MAX_BYTES, as_number, decode, read_text
from gigaxas.spectra.readers.perl import Unquote, perl_string, python_string, read_list
from gigaxas.spectra.spectrum import Spectrum

GZIP_MAGIC = b"\x1f\x8b"
"""The first two bytes of a gzipped file."""
NOT_ABSORBANCE = ("is_chi", "is_rsp", "is_qsp", "is_bkg", "is_diff", "is_pixel")
"""Flags of records that hold something else than mu against energy."""
LIST = re.compile(r"^@(args|x|y)\s*=\s*", re.MULTILINE)
"""How the lists of a record begin that are read."""

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
    return [
        _spectrum(record, path, number)
        if isinstance(record, dict)
        else InputError(f"{path}: record {number}: {record}")
        for number, record in enumerate(records, start=1)
    ]


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


def _perl_records(text: str) -> Iterator[ProjectRecord | str]:
    """Yield the records of a project in Perl; what is wrong with one that does not parse, in its place."""
    unquote = python_string if re.search(r"^# Using Larch", text, re.MULTILINE) else perl_string
    for part in re.split(r"^\[record\]", text, flags=re.MULTILINE):
        try:
            record = _perl_record(part, unquote)
        except ValueError as error:
            yield str(error)
            continue
        if record:
            yield record


def _perl_record(part: str, unquote: Unquote) -> ProjectRecord:
    """Return the lists of a record; none where there are none. ValueError: one does not parse."""
    record: ProjectRecord = {}
    at = 0
    while found := LIST.search(part, at):
        if found[1] in record:
            raise ValueError(f"found @{found[1]} twice; expected a line [record] between them")
        record[found[1]], at = read_list(part, found.end(), unquote)
    return record


def _json_records(text: str, path: Path) -> Iterator[ProjectRecord | str]:
    """Yield the records of a project in JSON in its order, then those that the order leaves out."""
    try:
        project = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: cannot be read as JSON ({error}); expected a whole Athena project"
        ) from error
    groups = [group for group in project if not group.startswith("_____")]
    listed = project.get("_____order")
    order = [str(group) for group in listed] if isinstance(listed, list) else []
    for group in (*order, *(group for group in groups if group not in order)):
        record = project.get(group)
        yield record if isinstance(record, dict) else f"found no record {group!r}; expected args, x and y"


def _spectrum(record: ProjectRecord, path: Path, number: int) -> Spectrum | InputError:
    args = _arguments(record.get("args"))
    if args is None:
        return InputError(
            f"{path}: record {number}: its @args are no pairs of keys and values; expected a whole record"
        )
    name = str(args.get("label") or "").strip() or f"{path.stem} {number}"
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


def _arguments(args: Any) -> ProjectRecord | None:
    """Return the settings of a record by their keys; None where they are not keys and values in turn."""
    if isinstance(args, dict):
        return args
    if not isinstance(args, list) or len(args) % 2 or not all(isinstance(key, str) for key in args[::2]):
        return None
    return dict(zip(args[::2], args[1::2], strict=True))


def _truth(value: Any) -> bool:
    return str(value) not in ("None", "", "0", "undef", "False")


def _vector(values: Any) -> FloatArray | None:
    """Return numbers as (n,), however they are written; None where one is none."""
    if not isinstance(values, list):
        return None
    found = [as_number(str(value).strip()) for value in values]
    return None if None in found else np.array(found, dtype=np.float64)
