"""Where raw images lie: a pattern of file names, and the array inside files that hold several."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from glob import escape, glob
from hashlib import sha256
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from gigaxas.errors import InputError
from gigaxas.locations import INSIDE
from gigaxas.raw.readers.formats.stxm import images_of_scan, is_scan_header, read_scan_header
from gigaxas.stores.io.folders import stamps

PLACEHOLDERS = {"field": r"[^/]+?", "energy": r"\d+(?:\.\d+)?", "index": r"\d+", "scan": r"\d+"}
"""What may stand in a pattern of file names in braces, and the text that each fits."""
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class FileSet:
    """The files of one stack."""

    files: tuple[Path, ...]
    """One file, or one for every image in the order of `keys`; those of one scan after those of another."""
    keys: tuple[float, ...] = ()
    """The energies (from `{energy}`) or numbers (from `{index}`) in the file names, else empty."""
    scans: int = 1
    """How often the images were taken (`{scan}`)."""


def split_source(text: str) -> tuple[str, str]:
    """Split `files::array` into the pattern of files and the name of the array inside (may be empty)."""
    pattern, _, inner = text.partition(INSIDE)
    return pattern, inner


def has_field(text: str) -> bool:
    """Return whether a source names files for every field."""
    return "{field}" in text


def has_scan(text: str) -> bool:
    """Return whether a source names files for every scan."""
    return "{scan}" in text


def key_of(text: str) -> str | None:
    """Return `energy` or `index` where the file names of a source count its images, else None."""
    return next((key for key in ("energy", "index") if f"{{{key}}}" in text), None)


def find_files(text: str, name: str, among: Collection[str] | None = None) -> dict[str, FileSet]:
    """Return the files of a source by field, fields in natural order (f2 before f10).

    `{field}` in the pattern stands for the name of a field, `{scan}` for the number of a scan, `{energy}` for
    an energy, `{index}` for a number; a source without `{field}` has the one field "". Those `among`
    alone count, where that is given. InputError (about `name`): unknown placeholder, no file, scans of unlike
    images.
    """
    parts: dict[str, dict[int, FileSet]] = {}
    for (field, scan), found in find_scans(text, name).items():
        if among is None or all(str(file) in among for file in found.files):
            parts.setdefault(field, {})[scan] = found
    if not parts:
        pattern = split_source(text)[0]
        raise InputError(f"{name}: no file fits {pattern}; correct the pattern, or copy the files there")
    return {field: _joined(list(scans.values()), name) for field, scans in parts.items()}


def find_scans(text: str, name: str) -> dict[tuple[str, int], FileSet]:
    """Return the files of every scan of every field, in the order of `find_files`; there may be none.

    A source without `{scan}` has the one scan 0. Raises InputError (about `name`): an unknown placeholder.
    """
    pattern, _ = split_source(text)
    unknown = set(_PLACEHOLDER.findall(pattern)) - set(PLACEHOLDERS)
    if unknown:
        raise InputError(
            f"{name}: found {{{unknown.pop()}}}; use {{field}}, {{scan}}, {{energy}} or {{index}}"
        )
    if "{energy}" in pattern and "{index}" in pattern:
        raise InputError(f"{name}: {pattern} counts by {{energy}} and by {{index}}; keep one of them")
    expression = re.compile(_expression(pattern))
    parts = _PLACEHOLDER.split(pattern)
    wanted = "".join(escape(part) if i % 2 == 0 else "*" for i, part in enumerate(parts))
    files = glob(wanted)  # noqa: PTH207 - absolute and relative patterns alike
    matches = [(match, path) for path in files if (match := expression.fullmatch(path))]
    key = key_of(text)
    stacks: dict[tuple[str, int], list[tuple[float, Path]]] = {}
    for match, path in matches:
        found = match.groupdict()
        unit = found.get("field", ""), int(found.get("scan", 0))
        stacks.setdefault(unit, []).append((float(found[key]) if key else 0.0, Path(path)))
    units = sorted(stacks, key=lambda unit: (_natural(unit[0]), unit[1]))
    return {unit: _found(stacks[unit], key) for unit in units}


def find_stack(text: str, name: str) -> FileSet:
    """Return the files of a source that is one for all fields. InputError about `name`: {field}, no file."""
    if has_field(text):
        raise InputError(
            f"{name}: found {{field}} in {text}; expected one file, or one for every energy or frame: number "
            "them by {index}"
        )
    found = find_files(text, name)[""]
    if is_scan_header(text):
        header = found.files[0]
        return FileSet(tuple(images_of_scan(header)), tuple(read_scan_header(header).energy))
    return found


def files_identity(files: Iterable[str], *numbers: NDArray[Any]) -> str:
    """Return what tells files from others, by their names, sizes and times, and some numbers with them."""
    mark = sha256()
    for values in numbers:
        mark.update(values.tobytes())
    for file in files:
        path = Path(file)
        stat = path.stat()
        inside = sorted(stamps(path).items()) if path.is_dir() else (stat.st_size, stat.st_mtime_ns)
        mark.update(f"{file} {inside}\n".encode())
    return mark.hexdigest()


def _joined(scans: list[FileSet], name: str) -> FileSet:
    """Return the files of all scans of a field. InputError: a scan of other images than the first."""
    first = scans[0]
    for other in scans:
        if other.keys != first.keys:
            raise InputError(
                f"{name}: the scan of {other.files[0]} has {len(other.keys)} images, that of "
                f"{first.files[0]} {len(first.keys)}; expected the same energies; copy what is missing, or "
                "move the scan away"
            )
    return FileSet(tuple(file for scan in scans for file in scan.files), first.keys, len(scans))


def _found(files: list[tuple[float, Path]], key: str | None) -> FileSet:
    ordered = sorted(files)
    return FileSet(tuple(path for _, path in ordered), tuple(value for value, _ in ordered) if key else ())


def _expression(pattern: str) -> str:
    seen: set[str] = set()
    parts = _PLACEHOLDER.split(pattern)
    for i in range(1, len(parts), 2):
        name = parts[i]
        parts[i] = f"(?P={name})" if name in seen else f"(?P<{name}>{PLACEHOLDERS[name]})"
        seen.add(name)
    return "".join(re.escape(part) if i % 2 == 0 else part for i, part in enumerate(parts))


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
